"""From a float network, its integers and their scales to a report."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Network, Parameter
from spikeloom.golden.population_check import PARAMETERS
from spikeloom.golden.spec import DECAY_ONE
from spikeloom.importer.float_network import FloatNetwork, FloatPopulation, PerNeuron
from spikeloom.importer.linear_maps import Floats, magnitude
from spikeloom.quantise.fraction import held_bits
from spikeloom.quantise.grid import on_grid
from spikeloom.quantise.integers import Schedule, bits_of, typical_units, worst_sums
from spikeloom.quantise.leak import integer_time_constant, time_constant
from spikeloom.quantise.ranges import Widths, exact_numbers, typical_states
from spikeloom.quantise.records import (
    ConnectionReport,
    PopulationReport,
    QuantisationReport,
    WeightError,
)
from spikeloom.quantise.remarks import excess, notes, relative, switch_warnings, warnings
from spikeloom.quantise.scales import Scale

SIMPLE = 1 << 20
"""Product of numerator and denominator up to which a grid is written as a fraction."""


def make_report(
    net: FloatNetwork,
    network: Network,
    scales: Mapping[str, Scale],
    schedule: Schedule,
    widths: Widths,
    saturations: Mapping[str, int] | None = None,
    gains: Mapping[str, Floats] | None = None,
    peaks: Mapping[str, float] | None = None,
) -> QuantisationReport:
    """The report on `network`, the integers of `net` at these `scales`.

    `saturations` has the updates of each population that saturated on calibration events, `peaks`
    the magnitudes of its float states on these, `gains` what made thresholds of some populations of
    `net` uniform.
    """
    pairs = widths.weight_pairs and len(net.connections) > 0
    weights = _whole_weights(network, pairs)
    errors = [
        integers - trained.weights * float(scales[trained.target].value)
        for trained, integers in zip(net.connections, weights, strict=True)
    ]
    largest = widths.largest_weight
    populations = []
    for population in net.populations:
        name = population.name
        into = [n for n, trained in enumerate(net.connections) if trained.target == name]
        error = _weight_error(
            _joined([net.connections[n].weights for n in into]),
            _joined([errors[n] for n in into]),
            scales[name],
        )
        gain = (gains or {}).get(name)
        used = max((int(np.abs(weights[n]).max(initial=0)) for n in into), default=0)
        populations.append(
            _population_report(
                population,
                network,
                scales[name],
                error,
                typical_states(net, population),
                used / largest if used else 1.0,
                held_bits(
                    net,
                    population,
                    scales[name].value,
                    scales[name].fraction_bits,
                    widths,
                    max((node.max_count for node in network.inputs), default=1),
                    None if peaks is None else peaks[name],
                ),
                None if saturations is None else saturations[name],
                None if gain is None else tuple(gain.tolist()),
            )
        )
    halves = network.connections[:: 2 if pairs else 1]
    connections = tuple(
        ConnectionReport(
            trained.source,
            trained.target,
            trained.weights.size * (1 + pairs),
            half.delay,
            _weight_error(trained.weights, error, scales[trained.target]),
        )
        for trained, half, error in zip(net.connections, halves, errors, strict=True)
    )
    return QuantisationReport(
        network.weight_bits,
        pairs,
        network.state_bits,
        network.sum_bits,
        schedule,
        tuple(populations),
        connections,
        tuple(line for population in populations for line in notes(population)),
        tuple(_warnings(net, network, populations, widths)),
    )


def _warnings(
    net: FloatNetwork, network: Network, reports: Sequence[PopulationReport], widths: Widths
) -> Iterator[str]:
    for population, report in zip(net.populations, reports, strict=True):
        yield from warnings(report, widths)
        integer = network.population(population.name)
        yield from switch_warnings(population, integer, report.state_scale, widths)


def _whole_weights(network: Network, pairs: bool) -> list[Integers]:
    """The integer weights of each float connection, both halves of pairs together."""
    if not pairs:
        return [connection.weights for connection in network.connections]
    halves = zip(network.connections[::2], network.connections[1::2], strict=True)
    return [low.weights + (high.weights << network.weight_bits) for low, high in halves]


def _population_report(
    population: FloatPopulation,
    network: Network,
    scale: Scale,
    weight: WeightError,
    typical: tuple[PerNeuron, float],
    weight_limit: float,
    held: tuple[int, int],
    saturations: int | None,
    gains: tuple[float, ...] | None,
) -> PopulationReport:
    integer = network.population(population.name)
    low, high = worst_sums(integer, network)
    low_input, high_input = low << scale.fraction_bits, high << scale.fraction_bits
    resting = np.concatenate(
        [
            np.ravel(integer.v_reset),
            np.ravel(integer.v_init),
            np.ravel(integer.threshold) * integer.spiking,
        ]
    )
    bias = integer.bias
    leak = np.zeros(1, np.int64) if integer.leak is None else integer.leak
    reach = (
        int(resting.min()) + low_input + int(bias.min()) + int(leak.min()),
        int(resting.max()) + high_input + int(bias.max()) + int(leak.max()),
    )
    potential, current = typical_units(typical, scale)
    leak_of = _least_accurate(population.decay, integer.decay, potential)
    current_of = None
    if population.synaptic_decay is not None and integer.synaptic_decay is not None:
        current_of = _least_accurate(population.synaptic_decay, integer.synaptic_decay, current)
    lowest = int(np.argmin(population.threshold))
    threshold = float(np.ravel(population.threshold)[lowest])
    integer_threshold = int(np.broadcast_to(integer.threshold, population.size)[lowest])
    exact = scale.grid is not None and on_grid(exact_numbers(population), scale.state)
    return PopulationReport(
        population.name,
        population.size,
        integer.phase,
        integer.spiking,
        float(scale.value),
        scale.origin,
        None if scale.grid is None else _text(scale.grid),
        exact,
        scale.fraction_bits,
        tuple(name for name in PARAMETERS if isinstance(getattr(integer, name), np.ndarray)),
        gains,
        weight,
        magnitude(bias / float(scale.state) - population.bias),
        leak_of.decay,
        leak_of.integer,
        relative(leak_of.integer / DECAY_ONE, leak_of.decay),
        leak_of.tau,
        leak_of.effective_tau,
        threshold,
        integer_threshold,
        float(integer_threshold / scale.state - Fraction(threshold)),
        network.sum_bits - max(bits_of(value) for value in (low, high)),
        network.state_bits - max(bits_of(value) for value in reach),
        *held,
        None if current_of is None else current_of.decay,
        None if current_of is None else current_of.integer,
        None if current_of is None else current_of.tau,
        None if current_of is None else current_of.effective_tau,
        weight_limit,
        saturations,
    )


@dataclass(frozen=True)
class Leak:
    """A decay as trained and as an integer, and the time constants of both."""

    decay: float
    integer: int
    tau: float | None
    effective_tau: float | None


def _least_accurate(trained: PerNeuron, integer: Parameter, state: Parameter) -> Leak:
    """The decay of the neuron where it changes most; `state` is what decays."""
    rows = zip(*(np.ravel(a) for a in np.broadcast_arrays(trained, integer, state)), strict=True)
    leaks = (
        Leak(decay, k, time_constant(decay), integer_time_constant(k, max(1, start)))
        for decay, k, start in {(float(row[0]), int(row[1]), int(row[2])) for row in rows}
    )
    return max(leaks, key=lambda leak: (excess(*dataclasses.astuple(leak)), leak.decay))


def _weight_error(weights: Floats, steps_off: Floats, scale: Scale) -> WeightError:
    size = _rms(weights)
    largest, rms = magnitude(steps_off), _rms(steps_off)
    unit = float(scale.value)
    return WeightError(largest / unit, rms / unit, largest, rms, rms / unit / size if size else 0.0)


def _joined(arrays: Sequence[Floats]) -> Floats:
    return np.concatenate([array.ravel() for array in arrays] or [np.zeros(0)])


def _text(grid: Fraction) -> str:
    """A grid as people write it: 1/8, or 0.0123 where it is no simple fraction."""
    return str(grid) if grid.numerator * grid.denominator < SIMPLE else f"{float(grid):.6g}"


def _rms(values: Floats) -> float:
    """Root mean square, relative to the largest value so that no square overflows."""
    largest = magnitude(values)
    return largest * math.sqrt(np.mean((values / largest) ** 2)) if largest else 0.0
