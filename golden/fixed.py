"""Fixed-point operations of the neuron update, on arrays of signed integers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.spec import DECAY_BITS, DECAY_ONE

Integers = NDArray[np.int64]
"""What a network's numbers are given as."""

Signed = NDArray[np.signedinteger[Any]]
"""Integers of a type that the caller chose wide enough."""


def signed_range(bits: int) -> tuple[int, int]:
    """Least and greatest two's-complement number of `bits` bits."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def decay(x: Signed, k: int) -> Signed:
    """sign(x) * floor(|x| * (4096 - k) / 4096): forgets k/4096 of x, truncating toward zero.

    `k` is 0..4096. |x| * 4096 must fit the type of `x`.
    """
    kept: Signed = (np.abs(x) * (DECAY_ONE - k)) >> DECAY_BITS
    return np.sign(x) * kept


def saturate(x: Signed, bits: int) -> Signed:
    """`x` clipped to the two's-complement range of `bits` bits."""
    return np.clip(x, *signed_range(bits))
