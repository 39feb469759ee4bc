"""Fraction bits: how much finer the unit of a population's potentials is than that of its weights.

A decay truncates: each step takes up to a unit, on average half of one, more than it should. In the
unit of the weights, a threshold of 500 units with a time constant of 1,000 steps loses a spike in
two. With f fraction bits sums count 2**f, and the same threshold has 500 * 2**f units.

f is the smallest that makes what truncation takes negligible, and biases and potentials of a grid
whole; but at most what the states hold. Their range is worth keeping: a potential that saturates is
wrong at once. Where they hold less than is needed, up to three bits fewer are taken if truncation
then makes up for the rounding of a slow decay.

`spikeloom.quantise.room` has the rule for what the states must hold.
"""

import dataclasses
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from spikeloom.golden.fixed import signed_range
from spikeloom.golden.spec import DECAY_ONE, MAX_FRACTION_BITS
from spikeloom.importer.float_network import FloatNetwork, FloatPopulation, PerNeuron
from spikeloom.importer.linear_maps import magnitude
from spikeloom.quantise.grid import on_grid
from spikeloom.quantise.leak import SLOW, integer_decay, rate_error, time_constant
from spikeloom.quantise.ranges import Widths, exact_numbers, leaks, typical_states
from spikeloom.quantise.room import fall, reach

NEGLIGIBLE = 1 / 64
"""Part of a decay that truncation may add to it."""

TOLERATED = 1 / 32
"""The same where fewer fraction bits leave room for a potential that falls."""


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
    held = reach(net, population, max_count, peak)
    available = _most(scale, held, widths)
    needed = _needed(net, population, scale, on_a_grid, available)
    if on_a_grid:
        return min(available, needed)
    if peak is None:
        # Room for a potential that falls is worth some truncation.
        low = max(held, fall(net, population, max_count))
        tolerated = _needed(net, population, scale, on_a_grid, available, TOLERATED)
        available = max(_most(scale, low, widths), min(available, tolerated))
    if needed <= available:
        return needed
    potential, current = typical_states(net, population)
    leaking = [(float(np.min(potential)), float(np.min(population.decay)))]
    if population.synaptic_decay is not None:
        leaking.append((current, float(np.min(population.synaptic_decay))))
    return _closest_leak([(state * float(scale), decay) for state, decay in leaking], available)


def finest_scale(
    net: FloatNetwork,
    population: FloatPopulation,
    single: Fraction,
    widths: Widths,
    max_count: int,
) -> Fraction:
    """The largest scale of pairs of weights that states hold, no worse than `single` ones.

    `single` is the scale of weights of half the width. Where these have all the fraction bits that
    they need, pairs take the room that is left; else the potentials of both are the same.
    """
    widths = dataclasses.replace(widths, max_fraction_bits=MAX_FRACTION_BITS)
    bits = choose_fraction_bits(net, population, single, False, widths, max_count, None)
    scale = single * (1 << bits)
    if bits < _needed(net, population, single, False, bits):
        return scale
    low = max(reach(net, population, max_count, None), fall(net, population, max_count))
    finest = max(scale, _rail(widths) / low)
    slowest = float(np.min(population.decay))
    if 0 < slowest * DECAY_ONE < SLOW:
        state = float(np.min(typical_states(net, population)[0]))
        # Here, too, truncation can make up for a decay that was rounded.
        return min(scale, finest, key=lambda s: _leak_error(state * float(s), slowest))
    return finest


def tolerated_bits(net: FloatNetwork, population: FloatPopulation, scale: Fraction) -> int:
    """The fraction bits that keep time constants within a tolerable distance of theirs."""
    return _needed(net, population, scale, False, MAX_FRACTION_BITS, TOLERATED)


def held_bits(
    net: FloatNetwork,
    population: FloatPopulation,
    scale: Fraction,
    fraction_bits: int,
    widths: Widths,
    max_count: int,
    peak: float | None,
) -> tuple[int, int]:
    """The widths of states that hold the reach; a potential that falls, and what its leak needs."""
    tolerated = min(tolerated_bits(net, population, scale), widths.max_fraction_bits)
    unit = scale * (1 << max(fraction_bits, tolerated))
    likely = reach(net, population, max_count, peak) * scale * (1 << fraction_bits)
    falls = fall(net, population, max_count) * unit
    return math.ceil(likely + 1).bit_length() + 1, math.ceil(falls + 1).bit_length() + 1


def _rail(widths: Widths) -> int:
    return signed_range(widths.state_bits)[1] - 1


def _most(scale: Fraction, magnitude: Fraction, widths: Widths) -> int:
    """The fraction bits with which states hold `magnitude`."""
    bits = math.floor(_log2(_rail(widths) / magnitude / scale))
    return max(0, min(widths.max_fraction_bits, bits))


def _needed(
    net: FloatNetwork,
    population: FloatPopulation,
    scale: Fraction,
    on_a_grid: bool,
    most: int,
    part: float = NEGLIGIBLE,
) -> int:
    """The smallest fraction bits with which rounding in every step is this part of the decay."""
    potential, current = typical_states(net, population)
    units = [_units_for(population.decay, potential, part)]
    if population.synaptic_decay is not None:
        units.append(_units_for(population.synaptic_decay, current, part))
    if bias := magnitude(population.bias):
        units.append(1 / part / bias)
    needed = max(0, math.ceil(_log2(Fraction(max(units)) / scale))) if max(units) else 0
    if on_a_grid:
        numbers = exact_numbers(population)
        exact = (f for f in range(most + 1) if on_grid(numbers, scale * (1 << f)))
        # Biases of a grid are whole, or as fine as any.
        needed = max(needed if leaks(population) else 0, next(exact, needed))
    return needed


def _closest_leak(leaking: Sequence[tuple[float, float]], most: int) -> int:
    """The fraction bits, of `most` and up to three fewer, with the most similar rates of decay.

    Truncation can make up for a slow decay that was rounded down. `leaking` has states, in units of
    the weights, and their decays; the one that changes most counts.
    """
    fewer = range(most, max(most - 4, -1), -1)
    return min(fewer, key=lambda f: max(_leak_error(s * (1 << f), decay) for s, decay in leaking))


def _leak_error(state: float, decay: float) -> float:
    """How far the rate at which `state` units decay is from that of `decay`, relative to it."""
    tau = time_constant(decay)
    start = max(1, round(state))
    return 0.0 if tau is None else tau * rate_error(integer_decay(decay, start), start, tau)


def _units_for(decay: PerNeuron, state: PerNeuron, part: float) -> float:
    """Units per 1 with which truncation of a `state` of this magnitude is `part` of its decay.

    On average a step takes half a unit more than the decay does of a state half as large.
    """
    decays, states = np.broadcast_arrays(np.atleast_1d(decay), state)
    truncated = (decays > 0) & (decays < 1) & (states > 0)
    if not truncated.any():
        return 0.0
    return 1 / part / float((decays * states)[truncated].min())


def _log2(value: Fraction) -> float:
    """Of a positive fraction, which may be outside the range of a float."""
    return math.log2(value.numerator) - math.log2(value.denominator)
