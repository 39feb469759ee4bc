"""The numbers of a population that integers must hold: widths, potentials and sums."""

import dataclasses
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from spikeloom.golden.spec import DECAY_ONE, Reset
from spikeloom.importer.float_network import (
    AnyFloatConnection,
    FloatConvolution,
    FloatNetwork,
    FloatPopulation,
    PerNeuron,
)
from spikeloom.importer.linear_maps import Floats, magnitude

MAX_STATE_BITS, MAX_SUM_BITS = 24, 32
"""Widest state and widest sum that hardware can be built with."""

HEADROOM = Fraction(31, 32)
"""Part of its range that a state may use on the calibration events; rounding may add to it."""


@dataclass(frozen=True)
class Widths:
    """Widths of the integers.

    Parameters
    ----------
    weight_bits
        Of a weight: 2, 4 or 8.
    state_bits
        Of a membrane potential and of a synaptic current.
    sum_bits
        Of a sum; None for the narrowest that cannot overflow.
    weight_pairs
        A weight is a pair of `weight_bits` each.
    max_fraction_bits
        Maximum of the fraction bits.
    """

    weight_bits: int = 8
    state_bits: int = 16
    sum_bits: int | None = None
    weight_pairs: bool = False
    max_fraction_bits: int = 0

    @property
    def largest_weight(self) -> int:
        """The largest integer weight used; its negative exists, too."""
        largest = (1 << (self.weight_bits - 1)) - 1
        return largest * ((1 << self.weight_bits) + 1) if self.weight_pairs else largest


def wider_weights(widths: Widths, steps: float) -> str:
    """The remedy that gives weights a range of `steps`, or empty where none has it."""
    for weight_bits in (4, 8):
        wider = dataclasses.replace(widths, weight_bits=weight_bits)
        if widths.largest_weight < steps <= wider.largest_weight:
            return f"weight_bits={weight_bits}"
    pairs = dataclasses.replace(widths, weight_bits=8, weight_pairs=True)
    if steps <= pairs.largest_weight:
        return f"weight_bits=16 and state_bits={MAX_STATE_BITS}"
    return ""


def potentials(population: FloatPopulation) -> list[float]:
    """Every potential that a population's update names; the largest magnitude of arrays."""
    named = [
        magnitude(np.asarray(population.threshold)),
        magnitude(np.asarray(population.v_reset)),
        magnitude(np.asarray(population.v_init)),
    ]
    if population.v_min is not None:
        named.append(population.v_min)
    if population.leak is not None:
        named.append(magnitude(population.leak))
    for switch in population.switches:
        named.extend(switch.levels)
    return named


def typical_states(net: FloatNetwork, population: FloatPopulation) -> tuple[PerNeuron, float]:
    """Magnitudes of a potential and of a synaptic current by which a decay is judged.

    The threshold of each neuron, if it spikes at a positive one, else a typical weight; a typical
    weight.
    """
    arrays = [connection.weights.ravel() for connection in net.into(population.name)]
    weights = np.concatenate([*arrays, np.zeros(0)])
    weight = math.sqrt(np.mean(weights[weights != 0] ** 2)) if weights.any() else 0.0
    threshold = population.threshold
    return threshold if population.spiking and np.min(threshold) > 0 else weight, weight


def exact_numbers(population: FloatPopulation) -> Floats:
    """The numbers besides the weights that must be whole for its potentials to be exact.

    A threshold belongs to them only where a reset subtracts it: comparing an integer with it is the
    same as comparing with it rounded.
    """
    numbers = [population.bias, np.atleast_1d(population.v_init)]
    if population.leak is not None:
        numbers.append(population.leak)
    if population.v_min is not None:
        numbers.append(np.array([population.v_min]))
    if population.spiking and population.reset in (Reset.SUBTRACT, Reset.RESTORE):
        numbers.append(np.atleast_1d(population.threshold))
    if population.spiking and population.reset is Reset.VALUE:
        numbers.append(np.atleast_1d(population.v_reset))
    numbers.extend(np.array(switch.levels) for switch in population.switches)
    return np.unique(np.concatenate(numbers))


def leaks(population: FloatPopulation) -> bool:
    """Whether a potential or synaptic current decays by a fraction, and so is truncated."""
    decays = [population.decay]
    if population.synaptic_decay is not None:
        decays.append(population.synaptic_decay)
    factors = np.rint(DECAY_ONE * np.concatenate([np.atleast_1d(decay) for decay in decays]))
    return bool(((factors > 0) & (factors < DECAY_ONE)).any())


def step_sums(
    net: FloatNetwork, population: FloatPopulation, max_count: int
) -> tuple[Floats, Floats, Floats]:
    """Of each neuron the minimum and maximum sum of a step, and the maximum number of events."""
    counts = _counts(net, max_count)
    low, high, events = (np.zeros(population.size) for _ in range(3))
    for connection in net.into(population.name):
        count = counts[connection.source]
        lowest, highest = _extremes(net, connection)
        low += count * _sum_over_sources(connection, lowest)
        high += count * _sum_over_sources(connection, highest)
        events += count * _sum_over_sources(connection, np.ones_like(connection.weights))
    return low, high, events


def _sum_over_sources(connection: AnyFloatConnection, weights: Floats) -> Floats:
    """The sum at each target if every source spikes once, with `weights` in place of its own."""
    if isinstance(connection, FloatConvolution):
        kernel = dataclasses.replace(connection.kernel, weights=weights)
        sums: Floats = kernel.apply(np.ones(math.prod(kernel.image)))
        return sums
    columns: Floats = weights.sum(axis=0)
    return columns


def root_square_sums(
    net: FloatNetwork, population: FloatPopulation, max_count: int
) -> tuple[float, float]:
    """Roots of the sum of squares of the negative and of the positive weights, counts included.

    Each is that of the neuron where it is largest.
    """
    counts = _counts(net, max_count)
    negative, positive = np.zeros(population.size), np.zeros(population.size)
    for connection in net.into(population.name):
        lowest, highest = _extremes(net, connection)
        count = counts[connection.source]
        negative += _sum_over_sources(connection, (count * lowest) ** 2)
        positive += _sum_over_sources(connection, (count * highest) ** 2)
    return math.sqrt(magnitude(negative)), math.sqrt(magnitude(positive))


def _extremes(net: FloatNetwork, connection: AnyFloatConnection) -> tuple[Floats, Floats]:
    """The least and the most that one event of each source adds through its weights."""
    weights = connection.weights
    if any(p.signed for p in net.populations if p.name == connection.source):
        return -np.abs(weights), np.abs(weights)
    return np.minimum(weights, 0), np.maximum(weights, 0)


def _counts(net: FloatNetwork, max_count: int) -> dict[str, int]:
    """Maximum number of events of an axon or neuron of each source in a step."""
    counts = {node.name: max_count for node in net.inputs}
    return counts | {p.name: p.max_spikes for p in net.populations}
