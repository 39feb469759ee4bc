"""The room that potentials and currents take.

With calibration it is their peaks in float. Without, it is what the network states, its thresholds
and reset values, and some deviations of the sum of a step. Inhibition takes more than that where
it prevails: a potential falls until its drift and its leak are in balance.
"""

import math
from fractions import Fraction

import numpy as np

from spikeloom.golden.spec import DECAY_ONE, Reset
from spikeloom.importer.float_network import FloatNetwork, FloatPopulation, PerNeuron
from spikeloom.importer.linear_maps import magnitude
from spikeloom.quantise.ranges import HEADROOM, potentials, root_square_sums, step_sums

DEVIATIONS = 4
"""Multiples of the root of the sum of squares of the weights that a step may bring.

Half of the axons spiking at random deviate from their mean by half of that root.
"""

ACTIVITY = 1 / 16
"""Events per axon and step by which drift is judged."""

FALLING = 0.25
"""Part of the neurons of a population whose fall is given no room."""

DRIFT_STEPS = 256
"""Steps over which drift adds up at most."""


def reach(
    net: FloatNetwork, population: FloatPopulation, max_count: int, peak: float | None
) -> Fraction:
    """The magnitude, in the unit of the floats, that the states of `population` must hold.

    `peak` is the largest of its float potentials and currents on the calibration events; None
    without calibration.
    """
    stated = max(math.ulp(0.0), *(abs(value) for value in potentials(population)))
    if peak is not None:
        return Fraction(max(peak, stated)) / HEADROOM
    return Fraction(max(stated, _likely(net, population, max_count)))


def _likely(net: FloatNetwork, population: FloatPopulation, max_count: int) -> float:
    """A magnitude that potentials and currents are not likely to exceed harmfully."""
    low, high, _ = step_sums(net, population, max_count)
    roots = root_square_sums(net, population, max_count)
    down = min(magnitude(low), DEVIATIONS * roots[0]) + magnitude(population.bias)
    up = min(magnitude(high), DEVIATIONS * roots[1]) + magnitude(population.bias)
    current = 0.0
    if population.synaptic_decay is not None:
        # Independent inputs of so many steps add up to a current, which saturates both ways.
        current = down = up = max(down, up) * _root_of_steps(population.synaptic_decay)
    if not population.spiking or population.reset is Reset.NONE:
        return max(current, max(down, up) * _root_of_steps(population.decay))
    threshold = magnitude(np.asarray(population.threshold))
    top = max(2 * threshold, threshold + up)
    if population.reset is Reset.VALUE:
        top = threshold  # a spike forgets by how much the potential was above the threshold
    return max(current, top, magnitude(np.asarray(population.v_reset)) + down)


def fall(net: FloatNetwork, population: FloatPopulation, max_count: int) -> Fraction:
    """How far below 0 the mean input takes potentials in `DRIFT_STEPS`: all but `FALLING` of them.

    In any layer some neurons are inhibited so much that they never spike, and may saturate.
    """
    low, high, _ = step_sums(net, population, max_count)
    current = ACTIVITY * (low + high) + population.bias
    if population.synaptic_decay is not None:
        current = current * _steps(population.synaptic_decay)
    if population.leak is not None:
        current = current + population.leak
    lowest = float(np.quantile(current * _steps(population.decay), FALLING))
    if population.v_min is not None:
        lowest = max(lowest, population.v_min)
    return Fraction(max(0.0, -lowest))


def _steps(decay: PerNeuron) -> PerNeuron:
    """Steps that a state remembers, up to `DRIFT_STEPS`."""
    return 1 / np.maximum(decay, 1 / DRIFT_STEPS)


def _root_of_steps(decay: PerNeuron) -> float:
    """Root of the steps that a state remembers."""
    return math.sqrt(1 / max(float(np.min(decay)), 1 / DECAY_ONE))
