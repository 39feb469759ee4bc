"""Fraction bits: how much finer the unit of a population's potentials is than that of its weights.

A decay truncates: each step takes up to a unit, on average half of one, more than it should. In the
unit of the weights, a threshold of 500 units with a time constant of 1,000 steps loses a spike in
two. With f fraction bits sums count 2**f, and the same threshold has 500 * 2**f units.

f is the smallest that makes what truncation takes negligible, and biases and potentials of a grid
whole; but at most what the states hold. Their range is worth keeping: a potential that saturates is
wrong at once. Where they hold less than is needed, one or two bits fewer are taken if truncation
then makes up for the rounding of a slow decay.

With calibration the states must hold the peaks of the float network, without it twice the
threshold, and what a step brings if half of the axons spike at random.
"""

import math
from fractions import Fraction

import numpy as np

from spikeloom.golden.fixed import signed_range
from spikeloom.golden.spec import DECAY_ONE, Reset
from spikeloom.importer.float_network import FloatNetwork, FloatPopulation, PerNeuron
from spikeloom.importer.linear_maps import magnitude
from spikeloom.quantise.grid import on_grid
from spikeloom.quantise.leak import integer_decay, rate_error, time_constant
from spikeloom.quantise.ranges import (
    HEADROOM,
    Widths,
    exact_numbers,
    leaks,
    potentials,
    root_square_sums,
    step_sums,
    typical_states,
)

NEGLIGIBLE = 1 / 64
"""Part of a decay that truncation may add to it."""

DEVIATIONS = 4
"""Multiples of the root of the sum of squares of the weights that a step may bring.

Half of the axons spiking at random deviate from their mean by half of that root.
"""


def choose_fraction_bits(
    net: FloatNetwork,
    population: FloatPopulation,
    scale: Fraction,
    on_a_grid: bool,
    widths: Widths,
    max_count: int,
    peak: float | None,
) -> int:
    """The fraction bits of a population with this scale of its weights.

    `peak` is the largest magnitude of its float potentials and currents on the calibration events.
    """
    if not widths.max_fraction_bits:
        return 0
    rail = signed_range(widths.state_bits)[1]
    reach = max(abs(value) for value in potentials(population))
    if peak is not None:
        available = (rail * HEADROOM - 1) / Fraction(max(peak, reach, math.ulp(0.0)))
    else:
        likely = _likely_reach(net, population, max_count)
        available = (rail - 1) / Fraction(max(likely, reach, math.ulp(0.0)))
    fits = _log2(available / scale)
    most = max(0, min(widths.max_fraction_bits, math.floor(fits)))
    needed = _needed(net, population, scale, on_a_grid, most)
    if needed <= most or on_a_grid:
        return min(most, needed)
    return _closest_leak(
        float(np.min(typical_states(net, population)[0])) * float(scale), population.decay, most
    )


def _likely_reach(net: FloatNetwork, population: FloatPopulation, max_count: int) -> float:
    """A magnitude that potentials and currents are not likely to exceed harmfully."""
    low, high, _ = step_sums(net, population, max_count)
    roots = root_square_sums(net, population, max_count)
    down = min(magnitude(low), DEVIATIONS * roots[0]) + magnitude(population.bias)
    up = min(magnitude(high), DEVIATIONS * roots[1]) + magnitude(population.bias)
    if population.synaptic_decay is not None:
        # Independent inputs of so many steps add up to a current, which saturates both ways.
        down = up = max(down, up) * _root_of_steps(population.synaptic_decay)
    if not population.spiking:
        return max(down, up) * _root_of_steps(population.decay)
    threshold = magnitude(np.asarray(population.threshold))
    if population.reset is Reset.VALUE and population.synaptic_decay is None:
        up = 0.0  # a spike forgets by how much the potential was above the threshold
    return max(2 * threshold, threshold + up, magnitude(np.asarray(population.v_reset)) + down)


def _root_of_steps(decay: PerNeuron) -> float:
    """Root of the steps that a state remembers."""
    return math.sqrt(1 / max(float(np.min(decay)), 1 / DECAY_ONE))


def _needed(
    net: FloatNetwork, population: FloatPopulation, scale: Fraction, on_a_grid: bool, most: int
) -> int:
    """The smallest fraction bits that make rounding in every step negligible."""
    potential, current = typical_states(net, population)
    units = [_units_for(population.decay, potential)]
    if population.synaptic_decay is not None:
        units.append(_units_for(population.synaptic_decay, current))
    if bias := magnitude(population.bias):
        units.append(1 / NEGLIGIBLE / bias)
    needed = max(0, math.ceil(_log2(Fraction(max(units)) / scale))) if max(units) else 0
    if on_a_grid:
        numbers = exact_numbers(population)
        exact = (f for f in range(most + 1) if on_grid(numbers, scale * (1 << f)))
        # Biases of a grid are whole, or as fine as any.
        needed = max(needed if leaks(population) else 0, next(exact, needed))
    return needed


def _closest_leak(state: float, decay: PerNeuron, most: int) -> int:
    """The fraction bits, of `most` and up to two fewer, with the most similar rate of decay.

    Truncation can make up for a slow decay that was rounded down; `state` is in units of the
    weights.
    """
    slowest = float(np.min(decay))
    tau = time_constant(slowest)
    if tau is None:
        return most

    def error(bits: int) -> float:
        start = max(1, round(state * (1 << bits)))
        return rate_error(integer_decay(slowest, start), start, tau)

    return min(range(most, max(most - 3, -1), -1), key=error)


def _units_for(decay: PerNeuron, state: PerNeuron) -> float:
    """Units per 1 with which truncation of a `state` of this magnitude is negligible.

    On average a step takes half a unit more than the decay does of a state half as large.
    """
    decays, states = np.broadcast_arrays(np.atleast_1d(decay), state)
    truncated = (decays > 0) & (decays < 1) & (states > 0)
    if not truncated.any():
        return 0.0
    return 1 / NEGLIGIBLE / float((decays * states)[truncated].min())


def _log2(value: Fraction) -> float:
    """Of a positive fraction, which may be outside the range of a float."""
    return math.log2(value.numerator) - math.log2(value.denominator)
