"""Fixed-point operations of the neuron update, on arrays of signed integers."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from golden.network import signed_range
from golden.spec import DECAY_BITS, DECAY_ONE

T = TypeVar("T", np.int32, np.int64)


def decay(x: NDArray[T], k: int) -> NDArray[T]:
    """sign(x) * floor(|x| * (4096 - k) / 4096): forgets k/4096 of x, truncating toward zero.

    `k` is 0..4096. |x| * 4096 must fit the type of `x`.
    """
    return np.sign(x) * ((np.abs(x) * (DECAY_ONE - k)) >> DECAY_BITS)


def saturate(x: NDArray[T], bits: int) -> NDArray[T]:
    """`x` clipped to the two's-complement range of `bits` bits."""
    return np.clip(x, *signed_range(bits))
