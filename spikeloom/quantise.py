"""From a float network to the integer network that the hardware computes.

The rule. Every population has one scale s, so that all its incoming weights, its bias and its
potentials are in the same unit of 1 / s, and multiplying all of them by s changes no spike:

    s         = (2**(weight_bits - 1) - 1) / max |weight|, over all incoming connections
    weights   = rint(weight * s)           bias = rint(bias * s)
    threshold = floor(threshold * s)       where a spike needs u > threshold: for an integer u,
                                           u > x exactly if u > floor(x)
              = ceil(threshold * s)        where it needs u >= threshold, for the same reason
    v_reset   = rint(v_reset * s)          v_init = rint(v_init * s)
    decay     = rint(4096 * decay)

rint rounds halves to even. Thresholds and resets are computed in rational numbers, so that a
threshold which is a whole number of weight units stays exactly that. A population whose weights
are all 0 (or that has none) is scaled so that its largest potential or bias takes half the range.

Only rounding is lossy, and the report says how much. What does not fit its width is refused: a
lower scale would cost weight precision silently.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from golden.errors import SpikeloomError
from golden.fixed import signed_range
from golden.network import Connection, Input, Network, Population
from golden.spec import DECAY_ONE, WEIGHT_BITS
from golden.step import check_inputs, simulate
from spikeloom.float_network import (
    FloatConnection,
    FloatNetwork,
    FloatPopulation,
    Floats,
    levels,
    simulate_float,
)

Schedule = Literal["layered", "pipelined"]

STATE_BITS = (8, 24)
SUM_BITS = (8, 32)
"""Least and greatest widths of states and sums that hardware can be built with."""

DECAY_TOLERANCE = 0.05
"""Relative change of a decay, or of what it retains, above which the report warns."""


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


@dataclass(frozen=True)
class QuantisationReport:
    """How a network was quantised: per population and connection, and what deserves a look.

    Parameters
    ----------
    weight_bits, state_bits, sum_bits, schedule
        What was asked for.
    populations, connections
        In the order of the network.
    warnings
        One line each.
    """

    weight_bits: int
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
            "state_bits": self.state_bits,
            "sum_bits": self.sum_bits,
            "schedule": self.schedule,
            "populations": self.rows(),
            "connections": self.connection_rows(),
            "warnings": list(self.warnings),
        }
        return json.dumps(contents, indent=2)


def quantise(
    net: FloatNetwork,
    *,
    weight_bits: int = 8,
    state_bits: int = 16,
    sum_bits: int = 16,
    schedule: Schedule = "layered",
    max_count: int = 1,
) -> tuple[Network, QuantisationReport]:
    """Round a float network to integers by the rule above.

    Parameters
    ----------
    net
        What `load_nir` gave.
    weight_bits, state_bits, sum_bits
        Widths of the integers: 2, 4 or 8; 8..24; 8..32.
    schedule
        "layered": the phase of a population is its depth, and delays stay as they are.
        "pipelined": one phase; a connection's delay grows by the layers it crosses, 1 between
        neighbours, so that the layer at depth l does what it did, l + 1 steps late.
    max_count
        Most events an input axon can have in one step, 1..255.

    Raises
    ------
    SpikeloomError
        A number does not fit its width, a sum could overflow, or an argument is out of range.
    """
    _check_arguments(weight_bits, state_bits, sum_bits, schedule)
    depth = levels(net)
    scales = _scales(net, weight_bits, state_bits, sum_bits)
    layered = schedule == "layered"
    network = Network(
        tuple(Input(node.name, node.size, max_count) for node in net.inputs),
        tuple(
            _population(p, scales[p.name], depth[p.name] if layered else 0, state_bits, sum_bits)
            for p in net.populations
        ),
        tuple(
            Connection(
                c.source,
                c.target,
                np.rint(c.weights * float(scales[c.target])).astype(np.int64),
                c.delay if layered else _pipelined_delay(c, depth),
            )
            for c in net.connections
        ),
        weight_bits=weight_bits,
        state_bits=state_bits,
        sum_bits=sum_bits,
    )
    return network, _report(net, network, scales, schedule)


@dataclass(frozen=True)
class Comparison:
    """How far one population's integers are from its floats on some input.

    Parameters
    ----------
    population
        Its name.
    agreement
        Fraction of (sample, step, neuron) with the same spike; None for an LI population.
    spikes_float, spikes_integer
        Spikes in all.
    state_max_error, state_rms_error
        Of the potentials after the last step, integer / scale - float, in the unit of the floats.
    """

    population: str
    agreement: float | None
    spikes_float: int
    spikes_integer: int
    state_max_error: float
    state_rms_error: float


def compare_float(
    net: FloatNetwork, network: Network, inputs: Mapping[str, ArrayLike] | ArrayLike
) -> tuple[Comparison, ...]:
    """Run `net` and the `network` that `quantise` made of it on the same events.

    The float network runs with the integer one's delays, so that both are in step under either
    schedule. `inputs` and errors are those of `golden.step.check_inputs`; no sample at all is an
    error too.
    """
    events = check_inputs(network, inputs)
    if not all(counts.size for counts in events.values()):
        raise SpikeloomError("events: they hold no sample, so there is nothing to compare")
    in_step = dataclasses.replace(
        net,
        connections=tuple(
            dataclasses.replace(connection, delay=integer.delay)
            for connection, integer in zip(net.connections, network.connections, strict=True)
        ),
    )
    scales = _scales(net, network.weight_bits, network.state_bits, network.sum_bits)
    floats, integers = simulate_float(in_step, events), simulate(network, events)
    comparisons = []
    for name, scale in scales.items():
        error = integers.states[name] / float(scale) - floats.states[name]
        spikes, trained = integers.spikes.get(name), floats.spikes.get(name)
        comparisons.append(
            Comparison(
                name,
                None if spikes is None else float((spikes == trained).mean()),
                0 if trained is None else int(trained.sum()),
                0 if spikes is None else int(spikes.sum()),
                _largest(error),
                _rms(error),
            )
        )
    return tuple(comparisons)


def _check_arguments(weight_bits: int, state_bits: int, sum_bits: int, schedule: str) -> None:
    if weight_bits not in WEIGHT_BITS:
        raise SpikeloomError(f"weight_bits must be 2, 4 or 8, not {weight_bits!r}")
    for name, value, (low, high) in (
        ("state_bits", state_bits, STATE_BITS),
        ("sum_bits", sum_bits, SUM_BITS),
    ):
        if not isinstance(value, int) or not low <= value <= high:
            raise SpikeloomError(f"{name} must be an integer {low}..{high}, not {value!r}")
    if schedule not in ("layered", "pipelined"):
        raise SpikeloomError(f"schedule must be 'layered' or 'pipelined', not {schedule!r}")


def _scales(
    net: FloatNetwork, weight_bits: int, state_bits: int, sum_bits: int
) -> dict[str, Fraction]:
    """For each population, in order, the integer units per unit of its potential."""
    scales = {}
    for population in net.populations:
        weights = [connection.weights for connection in net.into(population.name)]
        largest = max((_largest(matrix) for matrix in weights), default=0.0)
        steps = signed_range(weight_bits)[1]
        if largest == 0:
            potentials = population.threshold, population.v_reset, population.v_init
            largest = max(*(abs(v) for v in potentials), _largest(population.bias))
            steps = signed_range(min(state_bits, sum_bits) - 1)[1]
        if largest and steps / largest == math.inf:
            raise SpikeloomError(
                f"population {population.name!r}: its largest weight is {largest:g}, which cannot "
                "be scaled to integers; rescale the layer"
            )
        scales[population.name] = steps / Fraction(largest) if largest else Fraction(1)
    return scales


def _population(
    population: FloatPopulation, scale: Fraction, phase: int, state_bits: int, sum_bits: int
) -> Population:
    threshold = Fraction(population.threshold) * scale
    rounded = math.ceil(threshold) if population.inclusive else math.floor(threshold)
    # With "u > threshold", a threshold at the upper rail could never be exceeded.
    reached = rounded if population.inclusive or not population.spiking else rounded + 1
    _check_fits(population, "threshold", reached, state_bits, population.threshold)
    v_reset = round(Fraction(population.v_reset) * scale)
    v_init = round(Fraction(population.v_init) * scale)
    _check_fits(population, "v_reset", v_reset, state_bits, population.v_reset)
    _check_fits(population, "v_init", v_init, state_bits, population.v_init)
    for bias in (population.bias.min(), population.bias.max()):
        _check_fits(population, "bias", round(Fraction(bias) * scale), sum_bits, bias)
    return Population(
        population.name,
        population.size,
        np.rint(population.bias * float(scale)).astype(np.int64),
        phase=phase,
        decay=round(DECAY_ONE * population.decay),
        threshold=rounded,
        inclusive=population.inclusive,
        spiking=population.spiking,
        reset=population.reset,
        v_reset=v_reset,
        v_init=v_init,
    )


def _check_fits(
    population: FloatPopulation, name: str, value: int, bits: int, trained: float
) -> None:
    needed = _bits(value)
    if needed <= bits:
        return
    width, (_, most) = ("sum_bits", SUM_BITS) if name == "bias" else ("state_bits", STATE_BITS)
    remedy = (
        f"raise {width} to {needed} or lower weight_bits"
        if needed <= most
        else "it is too large for the weights: check dt and r, or rescale the layer"
    )
    raise SpikeloomError(
        f"population {population.name!r}: {name} {trained:g} needs {needed} bits at the scale of "
        f"the weights, and {width} is {bits}; {remedy}"
    )


def _pipelined_delay(connection: FloatConnection, depth: Mapping[str, int]) -> int:
    """The delay that keeps a connection in step when the layer at depth l is l + 1 steps late."""
    delay = connection.delay + depth[connection.target] - depth.get(connection.source, -1)
    if delay < 1:
        raise SpikeloomError(
            f"connection {connection.source!r} -> {connection.target!r}: it feeds back sooner than "
            'pipelined layers allow; use schedule="layered" or a longer delay'
        )
    return delay


def _report(
    net: FloatNetwork, network: Network, scales: Mapping[str, Fraction], schedule: Schedule
) -> QuantisationReport:
    errors = [
        _steps_off(connection, integer, scales[connection.target])
        for connection, integer in zip(net.connections, network.connections, strict=True)
    ]
    populations = []
    for population in net.populations:
        name = population.name
        into = [i for i, connection in enumerate(net.connections) if connection.target == name]
        weight = _weight_error(
            np.concatenate([net.connections[i].weights.ravel() for i in into] or [np.zeros(0)]),
            np.concatenate([errors[i] for i in into] or [np.zeros(0)]),
            scales[name],
        )
        populations.append(_population_report(population, network, scales[name], weight))
    connections = tuple(
        ConnectionReport(
            integer.source,
            integer.target,
            integer.weights.size,
            integer.delay,
            _weight_error(connection.weights.ravel(), error, scales[connection.target]),
        )
        for connection, integer, error in zip(
            net.connections, network.connections, errors, strict=True
        )
    )
    return QuantisationReport(
        network.weight_bits,
        network.state_bits,
        network.sum_bits,
        schedule,
        tuple(populations),
        connections,
        tuple(line for population in populations for line in _warnings(population)),
    )


def _population_report(
    population: FloatPopulation, network: Network, scale: Fraction, weight: WeightError
) -> PopulationReport:
    integer = network.population(population.name)
    low, high = _worst_input(integer, network)
    resting = integer.v_reset, integer.v_init, integer.threshold if integer.spiking else 0
    bias = integer.bias
    reach = min(resting) + low + int(bias.min()), max(resting) + high + int(bias.max())
    return PopulationReport(
        population.name,
        population.size,
        integer.phase,
        float(scale),
        weight,
        _largest(bias / float(scale) - population.bias),
        population.decay,
        integer.decay,
        _relative(integer.decay / DECAY_ONE, population.decay),
        population.threshold,
        integer.threshold,
        float(integer.threshold / scale - Fraction(population.threshold)),
        network.sum_bits - max(_bits(value) for value in (low, high)),
        network.state_bits - max(_bits(value) for value in reach),
    )


def _warnings(report: PopulationReport) -> list[str]:
    where = f"population {report.population!r}"
    found = []
    kept, kept_integer = 1 - report.decay, 1 - report.decay_integer / DECAY_ONE
    if max(abs(report.decay_relative_error), abs(_relative(kept_integer, kept))) > DECAY_TOLERANCE:
        found.append(
            f"{where}: a decay of {report.decay:g} became {report.decay_integer}/{DECAY_ONE}"
        )
    if report.threshold > 0 >= report.threshold_integer:
        found.append(
            f"{where}: a threshold of {report.threshold:g} became {report.threshold_integer}; "
            "it is less than one step of the weights"
        )
    if report.state_headroom_bits < 0:
        found.append(f"{where}: the strongest input of one step saturates the potential")
    return found


def _steps_off(connection: FloatConnection, integer: Connection, scale: Fraction) -> Floats:
    """Integer weights minus scaled weights, flattened."""
    return (integer.weights - connection.weights * float(scale)).ravel()


def _weight_error(weights: Floats, steps_off: Floats, scale: Fraction) -> WeightError:
    size = _rms(weights)
    largest, rms = _largest(steps_off), _rms(steps_off)
    unit = float(scale)
    return WeightError(largest / unit, rms / unit, largest, rms, rms / unit / size if size else 0.0)


def _worst_input(population: Population, network: Network) -> tuple[int, int]:
    """Least and greatest sum of weights that one step can bring to any neuron."""
    counts = {node.name: node.max_count for node in network.inputs}
    low = np.zeros(population.size, np.int64)
    high = np.zeros(population.size, np.int64)
    for connection in network.into(population.name):
        count = counts.get(connection.source, 1)
        low += count * np.minimum(connection.weights, 0).sum(axis=0)
        high += count * np.maximum(connection.weights, 0).sum(axis=0)
    return int(low.min()), int(high.max())


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


def _bits(value: int) -> int:
    """Width of the narrowest two's-complement number that holds `value`."""
    return (value if value >= 0 else ~value).bit_length() + 1


def _relative(value: float, reference: float) -> float:
    return value / reference - 1 if reference else 0.0


def _largest(values: Floats) -> float:
    return float(np.abs(values).max(initial=0.0))


def _rms(values: Floats) -> float:
    """Root mean square, relative to the largest value so that no square overflows."""
    largest = _largest(values)
    return largest * math.sqrt(np.mean((values / largest) ** 2)) if largest else 0.0
