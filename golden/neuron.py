"""The neuron update, on arrays of neurons."""

import numpy as np
from numpy.typing import NDArray

from golden.fixed import Signed, decay, saturate
from golden.network import Population
from golden.spec import DECAY_BITS, Reset


def update(
    population: Population, v: Signed, x: Signed, state_bits: int
) -> tuple[NDArray[np.bool_], Signed]:
    """One step of the neurons of `population`.

        u = sat(decay(v, k) + x)
        s = u > threshold                (or >=)
        v = reset(u) on a spike, else u

    Parameters
    ----------
    v
        Membrane potentials before the step, shape (..., size).
    x
        Exact input: weights of the events due now, plus bias; same shape.
    state_bits
        Width to which potentials saturate.

    Returns
    -------
    tuple
        Spikes and potentials after the step. A population that is not `spiking` has no spikes.
    """
    u: Signed = saturate(decay(v, population.decay) + x, state_bits)
    if not population.spiking:
        return np.zeros(u.shape, np.bool_), u
    spikes: NDArray[np.bool_]
    spikes = u >= population.threshold if population.inclusive else u > population.threshold
    match population.reset:
        case Reset.VALUE:
            np.putmask(u, spikes, population.v_reset)
        case Reset.SUBTRACT:
            u[spikes] = saturate(u[spikes] - population.threshold, state_bits)
        case Reset.NONE:
            pass
    return spikes, u


def update_type(state_bits: int, sum_bits: int) -> type[np.int32] | type[np.int64]:
    """The smallest integer type in which no intermediate result of `update` overflows."""
    widest = max(state_bits + DECAY_BITS, sum_bits + 1, state_bits + 1) + 1
    return np.int32 if widest <= 32 else np.int64
