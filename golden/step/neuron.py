"""The neuron update, on arrays of neurons."""

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.fixed import Signed, decay, saturate
from spikeloom.golden.network import Population
from spikeloom.golden.spec import DECAY_BITS, Reset

Spikes = NDArray[np.bool_] | NDArray[np.uint8]
"""Whether a neuron spiked; how often, for a population with several spikes in a step."""


def update(
    population: Population, v: Signed, i: Signed, x: Signed, state_bits: int
) -> tuple[Spikes, Signed, Signed]:
    """One step of the neurons of `population`.

        i = sat(decay(i, k_syn) + x)        with a synaptic current; else i = x
        r = v > threshold                   with a delayed reset; else 0
        u = sat(decay(v, k_mem) + i + b_mem - r * subtrahend)
        u = v_reset                         where r, and the reset is to a value
        u = max(u, v_min)
        s = greatest n <= max_spikes with u > n * threshold
        v = v_reset, or sat(u - s * subtrahend), where s and the reset is not delayed; else u

    Comparisons are >= where the population is `inclusive`.

    Parameters
    ----------
    v, i
        Membrane potentials and synaptic currents before the step, shape (..., size). A
        population without a synaptic current does not use `i`.
    x
        Exact input: weights of the events due now, plus bias; same shape.
    state_bits
        Width to which both saturate.

    Returns
    -------
    tuple
        Spikes, potentials and synaptic currents after the step. A population that is not `spiking`
        has no spikes.
    """
    subtrahend = population.threshold if population.subtrahend is None else population.subtrahend
    drive = x
    if population.synaptic_decay is not None:
        drive = i = saturate(decay(i, population.synaptic_decay) + x, state_bits)
        if population.leak is not None:
            drive = drive + population.leak.astype(x.dtype)
    delayed = population.delayed_reset and population.spiking
    before = _reaches(population, v, 1) if delayed else np.False_
    if delayed and population.reset is Reset.SUBTRACT:
        drive = drive - subtrahend * before
    u: Signed = saturate(decay(v, population.decay) + drive, state_bits)
    if delayed and population.reset is Reset.VALUE:
        u[before] = population.v_reset
    if population.v_min is not None:
        u = np.maximum(u, population.v_min)
    if not population.spiking:
        return np.zeros(u.shape, np.bool_), u, i
    spikes: Spikes = _reaches(population, u, 1)
    for count in range(2, population.max_spikes + 1):
        spikes = spikes.astype(np.uint8) + _reaches(population, u, count)
    if not population.delayed_reset:
        match population.reset:
            case Reset.VALUE:
                np.putmask(u, spikes.astype(np.bool_, copy=False), population.v_reset)
            case Reset.SUBTRACT:
                fired = spikes.astype(np.bool_, copy=False)
                drop = spikes[fired].astype(u.dtype) * subtrahend
                u[fired] = saturate(u[fired] - drop, state_bits)
            case Reset.NONE:
                pass
    return spikes, u, i


def _reaches(population: Population, u: Signed, count: int) -> NDArray[np.bool_]:
    """Whether `u` is above (`inclusive`: at) `count` times the threshold."""
    threshold = count * population.threshold
    return u >= threshold if population.inclusive else u > threshold


def update_type(state_bits: int, sum_bits: int) -> type[np.int32] | type[np.int64]:
    """The smallest integer type in which no intermediate result of `update` overflows."""
    # The magnitude of a potential times 4096, or an exact input and a few potentials; with a sign.
    widest = max(state_bits + DECAY_BITS, sum_bits + 1) + 1
    return np.int32 if widest <= 32 else np.int64
