"""What quantisation did to a network: errors, headroom, and what deserves a look."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Network, Population
from spikeloom.golden.spec import DECAY_ONE
from spikeloom.importer.float_network import AnyFloatConnection, FloatNetwork, FloatPopulation
from spikeloom.importer.linear_maps import Floats, magnitude

Schedule = Literal["layered", "pipelined"]

DECAY_TOLERANCE = 0.05
"""Relative change of a decay, or of what it retains, above which the report warns."""

WEIGHT_LIMIT = 0.5
"""Fraction of their range that weights use below which the report warns."""


@dataclass(frozen=True)
class WeightError:
    """What rounding did to some weights: error = integer weight / scale - weight.

    Parameters
    ----------
    max_error, rms_error
        Largest and root-mean-square error, in the unit of the weights.
    max_error_lsb, rms_error_lsb
        The same in steps of the integer weights (rounding alone gives up to 0.5).
    relative_error
        Root-mean-square error over root-mean-square weight; 0 where all weights are 0.
    """

    max_error: float
    rms_error: float
    max_error_lsb: float
    rms_error_lsb: float
    relative_error: float


@dataclass(frozen=True)
class ConnectionReport:
    """How one connection was quantised.

    Parameters
    ----------
    source, target, synapses, delay
        Of the integer connection; zero weights count.
    weight
        Errors of its weights.
    """

    source: str
    target: str
    synapses: int
    delay: int
    weight: WeightError


@dataclass(frozen=True)
class PopulationReport:
    """How one population was quantised.

    Parameters
    ----------
    population, size, phase
        Of the integer population.
    scale
        s: integer potential = s * potential.
    weight
        Errors of all weights into it.
    bias_max_error
        Largest error of a bias, in the unit of the potential.
    decay, decay_integer, decay_relative_error
        Fraction forgotten per step; k in 1/4096; k / 4096 / decay - 1 (0 for an IF).
    threshold, threshold_integer, threshold_error
        As trained; in steps; integer / scale - trained. The comparison does not notice it, a
        reset by subtraction does.
    sum_headroom_bits
        Bits that `sum_bits` has beyond what the worst input needs.
    state_headroom_bits
        Bits that `state_bits` has beyond what the threshold (of a spiking population), reset and
        initial potential need with the worst input of one step on top; where it is negative, one
        step can saturate the potential.
    synaptic_decay, synaptic_decay_integer
        As `decay`, of the synaptic current; None without one.
    weight_limit
        Fraction of their range that the weights use: below 1 where calibration left room for
        potentials or sums.
    saturations
        Updates on the calibration input that saturated; None without calibration.
    """

    population: str
    size: int
    phase: int
    scale: float
    weight: WeightError
    bias_max_error: float
    decay: float
    decay_integer: int
    decay_relative_error: float
    threshold: float
    threshold_integer: int
    threshold_error: float
    sum_headroom_bits: int
    state_headroom_bits: int
    synaptic_decay: float | None
    synaptic_decay_integer: int | None
    weight_limit: float
    saturations: int | None


@dataclass(frozen=True)
class QuantisationReport:
    """How a network was quantised: per population and connection, and what deserves a look.

    Parameters
    ----------
    weight_bits, weight_pairs, state_bits, sum_bits, schedule
        What was asked for.
    populations, connections
        In the order of the network.
    warnings
        One line each.
    """

    weight_bits: int
    weight_pairs: bool
    state_bits: int
    sum_bits: int
    schedule: Schedule
    populations: tuple[PopulationReport, ...]
    connections: tuple[ConnectionReport, ...]
    warnings: tuple[str, ...]

    def rows(self) -> list[dict[str, Any]]:
        """A flat dict per population, its keys in a fixed order."""
        return [_flat(population) for population in self.populations]

    def connection_rows(self) -> list[dict[str, Any]]:
        """A flat dict per connection, its keys in a fixed order."""
        return [_flat(connection) for connection in self.connections]

    def to_json(self) -> str:
        """All of it, with the rows as lists of objects."""
        contents = {
            "weight_bits": self.weight_bits,
            "weight_pairs": self.weight_pairs,
            "state_bits": self.state_bits,
            "sum_bits": self.sum_bits,
            "schedule": self.schedule,
            "populations": self.rows(),
            "connections": self.connection_rows(),
            "warnings": list(self.warnings),
        }
        return json.dumps(contents, indent=2)


@dataclass(frozen=True)
class Rounded:
    """A float connection and the integers that it became; with pairs, of both halves together."""

    trained: AnyFloatConnection
    weights: Integers
    delay: int
    synapses: int


def make_report(
    net: FloatNetwork,
    network: Network,
    rounded: Sequence[Rounded],
    scales: Mapping[str, Fraction],
    schedule: Schedule,
    weight_pairs: bool,
    saturations: Mapping[str, int] | None,
) -> QuantisationReport:
    """The report on `network`, which was made of `net` with these scales."""
    errors = [
        one.weights - one.trained.weights * float(scales[one.trained.target]) for one in rounded
    ]
    most = largest_weight(network.weight_bits, weight_pairs)
    populations = []
    for population in net.populations:
        name = population.name
        into = [n for n, one in enumerate(rounded) if one.trained.target == name]
        weight = _weight_error(
            _joined([rounded[n].trained.weights for n in into]),
            _joined([errors[n] for n in into]),
            scales[name],
        )
        used = max((int(np.abs(rounded[n].weights).max(initial=0)) for n in into), default=0)
        populations.append(
            _population_report(
                population,
                network,
                scales[name],
                weight,
                used / most if used else 1.0,
                None if saturations is None else saturations[name],
            )
        )
    connections = tuple(
        ConnectionReport(
            one.trained.source,
            one.trained.target,
            one.synapses,
            one.delay,
            _weight_error(one.trained.weights, error, scales[one.trained.target]),
        )
        for one, error in zip(rounded, errors, strict=True)
    )
    return QuantisationReport(
        network.weight_bits,
        weight_pairs,
        network.state_bits,
        network.sum_bits,
        schedule,
        tuple(populations),
        connections,
        tuple(line for population in populations for line in _warnings(population)),
    )


def largest_weight(weight_bits: int, weight_pairs: bool) -> int:
    """The greatest integer weight used, whose negative exists, too."""
    largest = (1 << (weight_bits - 1)) - 1
    return largest * ((1 << weight_bits) + 1) if weight_pairs else largest


def _population_report(
    population: FloatPopulation,
    network: Network,
    scale: Fraction,
    weight: WeightError,
    weight_limit: float,
    saturations: int | None,
) -> PopulationReport:
    integer = network.population(population.name)
    low, high = _worst_input(integer, network)
    resting = integer.v_reset, integer.v_init, integer.threshold if integer.spiking else 0
    bias = integer.bias
    leak = np.zeros(1, np.int64) if integer.leak is None else integer.leak
    reach = (
        min(resting) + low + int(bias.min()) + int(leak.min()),
        max(resting) + high + int(bias.max()) + int(leak.max()),
    )
    return PopulationReport(
        population.name,
        population.size,
        integer.phase,
        float(scale),
        weight,
        magnitude(bias / float(scale) - population.bias),
        population.shared("decay"),
        integer.decay,
        _relative(integer.decay / DECAY_ONE, population.shared("decay")),
        population.shared("threshold"),
        integer.threshold,
        float(integer.threshold / scale - Fraction(population.shared("threshold"))),
        network.sum_bits - max(bits_of(value) for value in (low, high)),
        network.state_bits - max(bits_of(value) for value in reach),
        None if population.synaptic_decay is None else population.shared("synaptic_decay"),
        integer.synaptic_decay,
        weight_limit,
        saturations,
    )


def _warnings(report: PopulationReport) -> list[str]:
    where = f"population {report.population!r}"
    found = []
    decays = [("", report.decay, report.decay_integer)]
    if report.synaptic_decay is not None and report.synaptic_decay_integer is not None:
        decays.append(("synaptic ", report.synaptic_decay, report.synaptic_decay_integer))
    for kind, decay, integer in decays:
        changes = (
            _relative(integer / DECAY_ONE, decay),
            _relative(1 - integer / DECAY_ONE, 1 - decay),
        )
        if max(abs(change) for change in changes) > DECAY_TOLERANCE:
            found.append(f"{where}: a {kind}decay of {decay:g} became {integer}/{DECAY_ONE}")
    if report.threshold > 0 >= report.threshold_integer:
        found.append(
            f"{where}: a threshold of {report.threshold:g} became {report.threshold_integer}; "
            "it is less than one step of the weights"
        )
    if report.state_headroom_bits < 0:
        found.append(f"{where}: the strongest input of one step saturates the potential")
    if report.saturations:
        found.append(f"{where}: {report.saturations} updates saturated on the calibration input")
    if report.weight_limit < WEIGHT_LIMIT:
        found.append(
            f"{where}: potentials or sums leave its weights {report.weight_limit:.2g} of their "
            "range; raise state_bits and sum_bits, or lower weight_bits"
        )
    return found


def _weight_error(weights: Floats, steps_off: Floats, scale: Fraction) -> WeightError:
    size = _rms(weights)
    largest, rms = magnitude(steps_off), _rms(steps_off)
    unit = float(scale)
    return WeightError(largest / unit, rms / unit, largest, rms, rms / unit / size if size else 0.0)


def _worst_input(population: Population, network: Network) -> tuple[int, int]:
    """Least and greatest sum of weights that one step can bring to any neuron."""
    low = np.zeros(population.size, np.int64)
    high = np.zeros(population.size, np.int64)
    for connection in network.into(population.name):
        least, greatest = network.sum_range(connection)
        low += least
        high += greatest
    return int(low.min()), int(high.max())


def _joined(arrays: Sequence[Floats]) -> Floats:
    return np.concatenate([array.ravel() for array in arrays] or [np.zeros(0)])


def _flat(report: PopulationReport | ConnectionReport) -> dict[str, Any]:
    """The fields of a report, with those of its weight error as weight_max_error and so on."""
    row: dict[str, Any] = {}
    for field in dataclasses.fields(report):
        value = getattr(report, field.name)
        if isinstance(value, WeightError):
            row |= {f"weight_{key}": v for key, v in dataclasses.asdict(value).items()}
        else:
            row[field.name] = value
    return row


def bits_of(value: int) -> int:
    """Width of the narrowest two's-complement number that holds `value`."""
    return (value if value >= 0 else ~value).bit_length() + 1


def _relative(value: float, reference: float) -> float:
    return value / reference - 1 if reference else 0.0


def _rms(values: Floats) -> float:
    """Root mean square, relative to the largest value so that no square overflows."""
    largest = magnitude(values)
    return largest * math.sqrt(np.mean((values / largest) ** 2)) if largest else 0.0
