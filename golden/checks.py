"""Checks of a network's values; each raises `SpikeloomError` with `where` in front."""

from collections.abc import Iterable

import numpy as np

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers, signed_range

MAX_SIZE = 1 << 16
"""Maximum axons of an input, or neurons of a population, that hardware can address."""

MAX_WORKERS = 1 << 10
"""Maximum number of threads."""


def check_integer(where: str, value: int, low: int, high: int) -> None:
    """An integer, Python's or NumPy's, in `low`..`high`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise SpikeloomError(f"{where} must be an integer, not {value!r}")
    if not low <= value <= high:
        raise SpikeloomError(f"{where} must be {low}..{high}, not {value}")


def check_workers(workers: int | None) -> None:
    """A number of threads, or None for one on each core."""
    if workers is not None:
        check_integer("workers", workers, 1, MAX_WORKERS)


def check_flag(where: str, value: bool) -> None:
    """True or False."""
    if not isinstance(value, bool):
        raise SpikeloomError(f"{where} must be True or False, not {value!r}")


def check_word(where: str, value: str, words: Iterable[str]) -> None:
    """One of some words."""
    if not isinstance(value, str) or value not in words:
        raise SpikeloomError(f"{where} must be {' or '.join(words)}, not {value!r}")


def check_number(where: str, value: float, low: float, high: float) -> None:
    """A number in `low`..`high`."""
    plain = isinstance(value, (int, float, np.integer, np.floating))
    if isinstance(value, bool) or not plain or not low <= value <= high:
        raise SpikeloomError(f"{where} must be {low:g}..{high:g}, not {value!r}")


def check_tau(where: str, value: float) -> None:
    """A time constant in steps, above 0."""
    check_number(where, value, 0, float("inf"))
    if not value:
        raise SpikeloomError(f"{where} must be a time constant above 0, not 0")


def check_pair(where: str, pair: tuple[int, int], minimum: int) -> None:
    """A pair of sizes, at least `minimum`."""
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise SpikeloomError(f"{where} must be a pair (rows, columns), not {pair!r}")
    for value in pair:
        check_integer(where, value, minimum, MAX_SIZE)


def check_image(where: str, image: tuple[int, int, int] | None, size: int) -> None:
    """An image shape of `size` elements, or None."""
    if image is None:
        return
    if not isinstance(image, tuple) or len(image) != 3:
        raise SpikeloomError(f"{where}: image must be (channels, height, width), not {image!r}")
    for value in image:
        check_integer(f"{where}: image", value, 1, MAX_SIZE)
    if image[0] * image[1] * image[2] != size:
        raise SpikeloomError(f"{where}: image {image} does not have {size} elements")


def check_input(
    name: str, size: int, max_count: int, signed: bool, image: tuple[int, int, int] | None
) -> None:
    """The fields of an input."""
    where = f"input {name!r}"
    check_integer(f"{where}: size", size, 1, MAX_SIZE)
    check_integer(f"{where}: max_count", max_count, 1, 255)
    check_flag(f"{where}: signed", signed)
    check_image(where, image, size)


def check_array(
    where: str, values: Integers, shape: tuple[int, ...], limits: tuple[int, int]
) -> None:
    """An int64 array of `shape` with values between `limits`."""
    low, high = limits
    if not isinstance(values, np.ndarray):
        sparse = hasattr(values, "tocsr")
        remedy = "; use SparseConnection.from_matrix for a sparse matrix" if sparse else ""
        raise SpikeloomError(f"{where} must be a NumPy array, not {type(values).__name__}{remedy}")
    if values.shape != shape:
        raise SpikeloomError(f"{where} must have shape {shape}, not {values.shape}")
    if values.dtype != np.int64:
        raise SpikeloomError(f"{where} must be of type int64, not {values.dtype}")
    if values.size and not (low <= values.min() and values.max() <= high):
        raise SpikeloomError(f"{where} must be {low}..{high}, not {values.min()}..{values.max()}")


def check_leak(
    where: str,
    leak: Integers | None,
    has_current: bool,
    shape: tuple[int, ...],
    limits: tuple[int, int],
) -> None:
    """A leak potential, which only neurons with a synaptic current have."""
    if leak is None:
        return
    if not has_current:
        raise SpikeloomError(f"{where}: leak is for a synaptic current; without one add it to bias")
    check_array(f"{where}: leak", leak, shape, limits)


def check_sums(where: str, lowest: Integers, highest: Integers, sum_bits: int) -> None:
    """Sums of weights into each neuron, from `lowest` to `highest`, that fit their width."""
    low, high = signed_range(sum_bits)
    if highest.max() > high or lowest.min() < low:
        neuron = int(np.argmax(np.maximum(highest - high, low - lowest)))
        needed = max(int(highest.max()), int(~lowest.min())).bit_length() + 1
        remedy = f"use sum_bits={needed}" if needed <= 32 else "lower weight_bits"
        raise SpikeloomError(
            f"{where}: the weights into neuron {neuron} can sum to "
            f"{lowest[neuron]}..{highest[neuron]}, outside {low}..{high}; {remedy}"
        )
