"""From a float network, its integers and their scales to a report."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Network, Parameter
from spikeloom.golden.spec import DECAY_ONE
from spikeloom.importer.float_network import FloatNetwork, FloatPopulation, PerNeuron
from spikeloom.importer.linear_maps import Floats, magnitude
from spikeloom.quantise.grid import on_grid
from spikeloom.quantise.integers import Schedule, bits_of, worst_sums
from spikeloom.quantise.leak import integer_time_constant, time_constant
from spikeloom.quantise.ranges import Widths, exact_numbers, typical_states
from spikeloom.quantise.records import (
    ConnectionReport,
    PopulationReport,
    QuantisationReport,
    WeightError,
)
from spikeloom.quantise.remarks import notes, relative, warnings
from spikeloom.quantise.scales import Scale

SIMPLE = 1 << 20
"""Product of numerator and denominator up to which a grid is written as a fraction."""


def make_report(
    net: FloatNetwork,
    network: Network,
    scales: Mapping[str, Scale],
    schedule: Schedule,
    saturations: Mapping[str, int] | None = None,
) -> QuantisationReport:
    """The report on `network`, the integers of `net` at these `scales`.

    `saturations` has the updates of each population that saturated on calibration events.
    """
    pairs = len(network.connections) == 2 * len(net.connections) > 0
    weights = _whole_weights(network, pairs)
    errors = [
        integers - trained.weights * float(scales[trained.target].value)
        for trained, integers in zip(net.connections, weights, strict=True)
    ]
    largest = Widths(network.weight_bits, weight_pairs=pairs).largest_weight
    populations = []
    for population in net.populations:
        name = population.name
        into = [n for n, trained in enumerate(net.connections) if trained.target == name]
        error = _weight_error(
            _joined([net.connections[n].weights for n in into]),
            _joined([errors[n] for n in into]),
            scales[name],
        )
        used = max((int(np.abs(weights[n]).max(initial=0)) for n in into), default=0)
        populations.append(
            _population_report(
                population,
                network,
                scales[name],
                error,
                typical_states(net, population),
                used / largest if used else 1.0,
                None if saturations is None else saturations[name],
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
        tuple(line for population in populations for line in warnings(population)),
    )


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
    typical: tuple[float, float],
    weight_limit: float,
    saturations: int | None,
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
    # Of neurons that differ, the one with the slowest leak, and the one with the lowest threshold.
    decay, k = _lowest(population.decay, integer.decay)
    threshold, integer_threshold = _lowest(population.threshold, integer.threshold)
    synaptic, k_syn = None, None
    if population.synaptic_decay is not None and integer.synaptic_decay is not None:
        synaptic, k_syn = _lowest(population.synaptic_decay, integer.synaptic_decay)
    potential, current = (max(1, round(state * float(scale.state))) for state in typical)
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
        weight,
        magnitude(bias / float(scale.state) - population.bias),
        decay,
        k,
        relative(k / DECAY_ONE, decay),
        time_constant(decay),
        integer_time_constant(k, potential),
        threshold,
        integer_threshold,
        float(integer_threshold / scale.state - Fraction(threshold)),
        network.sum_bits - max(bits_of(value) for value in (low, high)),
        network.state_bits - max(bits_of(value) for value in reach),
        synaptic,
        k_syn,
        None if synaptic is None else time_constant(synaptic),
        None if k_syn is None else integer_time_constant(k_syn, current),
        weight_limit,
        saturations,
    )


def _lowest(trained: PerNeuron, integer: Parameter) -> tuple[float, int]:
    """A parameter of the neuron where it is lowest, as trained and as an integer."""
    neuron = int(np.argmin(trained))
    integers = np.ravel(integer)
    return float(np.ravel(trained)[neuron]), int(integers[neuron % integers.size])


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
