"""The neuron update, on arrays of neurons."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.fixed import Signed, decay, saturate
from spikeloom.golden.network import Parameter, Population
from spikeloom.golden.spec import DECAY_BITS, Reset

Spikes = NDArray[np.bool_] | NDArray[np.uint8]
"""Whether a neuron spiked; the number of spikes where a population can spike several times."""


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

    Comparisons are >= where the population is `inclusive`. A restoring reset has r like a delayed
    one, and ends with v = sat(u - (s - r) * subtrahend).

    Parameters
    ----------
    v, i
        Membrane potentials and synaptic currents before the step, integers of `update_type`,
        shape (..., size). `i` is unused in a population without a synaptic current.
    x
        Exact input: weights of the events due now, scaled by 2**`fraction_bits`, plus bias; same
        shape and type.
    state_bits
        Width to which potential and current saturate.

    Returns
    -------
    tuple
        Spikes, potentials and synaptic currents after the step. The arguments are not changed.
    """
    subtrahend = _typed(population.subtracted, x.dtype)
    drive = x
    if population.synaptic_decay is not None:
        i = decay(i, population.synaptic_decay)
        i += x
        drive = saturate(i, state_bits, out=i)
        if population.leak is not None:
            drive = drive + population.leak.astype(x.dtype)
    before = None
    if population.spiking and (population.delayed_reset or population.reset is Reset.RESTORE):
        before = _reaches(population, v, 1)
    if before is not None and population.reset in (Reset.SUBTRACT, Reset.RESTORE):
        drive = drive - before * subtrahend
    u = decay(v, population.decay)
    u += drive
    saturate(u, state_bits, out=u)
    if before is not None and population.reset is Reset.VALUE:
        _assign(u, before, population.v_reset)
    if population.v_min is not None:
        np.maximum(u, population.v_min, out=u)
    if not population.spiking:
        return np.zeros(u.shape, np.bool_), u, i
    spikes: Spikes = _reaches(population, u, 1)
    for count in range(2, population.max_spikes + 1):
        spikes = spikes.astype(np.uint8, copy=False)
        spikes += _reaches(population, u, count)
    if not population.delayed_reset:
        match population.reset:
            case Reset.VALUE:
                _assign(u, spikes.astype(np.bool_, copy=False), population.v_reset)
            case Reset.SUBTRACT:
                u -= spikes * subtrahend
                saturate(u, state_bits, out=u)
            case Reset.RESTORE:
                assert before is not None
                u -= spikes * subtrahend
                u += before * subtrahend
                saturate(u, state_bits, out=u)
            case Reset.NONE:
                pass
    return spikes, u, i


def _reaches(population: Population, u: Signed, count: int) -> NDArray[np.bool_]:
    """Whether `u` is above (`inclusive`: at or above) `count` times the threshold."""
    threshold = _typed(count * population.threshold, u.dtype)
    reached: NDArray[np.bool_] = u >= threshold if population.inclusive else u > threshold
    return reached


def _assign(u: Signed, where: NDArray[np.bool_], value: Parameter) -> None:
    """u[where] = value, by arithmetic: several times as fast as NumPy's masked assignment."""
    u *= ~where
    if isinstance(value, np.ndarray) or value:
        u += where * _typed(value, u.dtype)


def _typed(value: Parameter, dtype: np.dtype[Any]) -> Any:
    """A parameter in the type of the computation, which holds it."""
    return value.astype(dtype) if isinstance(value, np.ndarray) else dtype.type(value)


def update_type(state_bits: int, input_bits: int) -> type[np.int32] | type[np.int64]:
    """The smallest integer type in which no intermediate result of `update` overflows.

    Parameters
    ----------
    state_bits, input_bits
        Widths of potentials, and of the exact input.
    """
    # The magnitude of a potential times 4096, or an exact input and a few potentials; with a sign.
    widest = max(state_bits + DECAY_BITS, input_bits) + 1
    return np.int32 if widest <= 32 else np.int64
