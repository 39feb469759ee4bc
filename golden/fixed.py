"""Fixed-point operations of the neuron update, on arrays of signed integers."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.spec import DECAY_BITS, DECAY_ONE

Integers = NDArray[np.int64]
"""The type of all parameters of a network."""

Signed = NDArray[np.signedinteger[Any]]
"""Signed integers of any width; the caller chooses one that is wide enough."""


def signed_range(bits: int) -> tuple[int, int]:
    """Minimum and maximum two's-complement number of `bits` bits."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def differs(parameter: int | Integers | None) -> bool:
    """Whether a parameter has different values in different neurons."""
    return isinstance(parameter, np.ndarray) and bool((parameter != parameter[0]).any())


def decay(x: Signed, k: int | Integers) -> Signed:
    """sign(x) * floor(|x| * (4096 - k) / 4096): x less k/4096 of it, truncated toward zero.

    A negative k adds to it.

    Parameters
    ----------
    x
        Any shape; |x| * (4096 - k) must fit its integer type. In floats, x * (4096 - k) / 4096 must
        be exact.
    k
        -4096..4096; an array has the shape of the last axis of `x`.
    """
    kept: Signed
    if not isinstance(k, np.ndarray) and k == 0:
        return x.copy()
    if x.dtype.kind == "f":
        share: Any = (DECAY_ONE - k) / DECAY_ONE
        kept = x * (share.astype(x.dtype) if isinstance(k, np.ndarray) else share)
        return np.trunc(kept, out=kept)
    kept = np.abs(x)
    kept *= DECAY_ONE - (k.astype(x.dtype) if isinstance(k, np.ndarray) else k)
    kept >>= DECAY_BITS
    kept *= np.sign(x)
    return kept


def saturate(x: Signed, bits: int, out: Signed | None = None) -> Signed:
    """Clip `x` to the two's-complement range of `bits` bits, into `out` if given."""
    clipped: Signed = x.clip(*_typed_range(x.dtype, bits), out=out)
    return clipped


@cache
def _typed_range(dtype: np.dtype[Any], bits: int) -> tuple[Any, Any]:
    """`signed_range` in a type: NumPy takes 20 us to check Python integers against it."""
    low, high = signed_range(bits)
    return dtype.type(low), dtype.type(high)
