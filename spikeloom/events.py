"""Events of a sensor, as the counts per time step that networks take."""

import math
import numbers
import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikeloom.golden.errors import SpikeloomError

Shape = tuple[int, int, int]
"""Polarities (channels), rows, columns."""

MOST = 255
"""Greatest count of an axon in a step."""

MAX_CELLS = 1 << 31
"""Most steps times axons of a result."""


def bin_events(
    t: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    p: ArrayLike,
    *,
    dt: float,
    shape: Shape,
    steps: int | None = None,
    max_count: int = 1,
) -> NDArray[np.uint8]:
    """Count events in steps of `dt`.

    Parameters
    ----------
    t, x, y, p
        Times, columns, rows and polarities (channels) of the events, in any order, arrays of one
        length. Step 0 begins at time 0. All but times are integers; polarities may be bool.
    dt
        Length of a step, in the unit of `t`, > 0.
    shape
        Polarities, rows and columns of the sensor. Axon (p, y, x) has number
        (p * rows + y) * columns + x: the order in which an Input of this shape is flattened.
    steps
        Number of steps; later events are left out. As many as the last event needs, if None.
    max_count
        Greater counts become this, 1..255; with 1 the result says whether there was an event.

    Returns
    -------
    numpy.ndarray
        uint8 of shape (steps, polarities * rows * columns).

    Raises
    ------
    SpikeloomError
        Lengths or types differ from these, an event lies outside the sensor or before time 0, or
        an option is out of range.
    """
    length = _positive(dt)
    if length is None:
        raise SpikeloomError(f"dt must be a positive number, not {dt!r}")
    most = _integer(max_count)
    if not 1 <= most <= MOST:
        raise SpikeloomError(f"max_count must be 1..{MOST}, not {max_count!r}")
    sizes = [_integer(size) for size in shape] if isinstance(shape, (tuple, list)) else []
    if len(sizes) != 3 or min(sizes) < 1:
        raise SpikeloomError(f"shape must be (polarities, rows, columns), not {shape!r}")
    times = _numbers("t", t, "iuf").astype(np.float64)
    axes = {"p": _numbers("p", p, "iub"), "y": _numbers("y", y, "iu"), "x": _numbers("x", x, "iu")}
    if times.ndim != 1 or any(values.shape != times.shape for values in axes.values()):
        raise SpikeloomError("events: t, x, y and p must be arrays of one length")
    if not np.isfinite(times).all() or (times < 0).any():
        raise SpikeloomError("events: t must be finite and not negative; subtract the first time")
    for (name, values), size in zip(axes.items(), sizes, strict=True):
        if values.size and not (values.min() >= 0 and values.max() < size):
            raise SpikeloomError(
                f"events: {name} must be 0..{size - 1}, not {values.min()}..{values.max()}"
            )
    with np.errstate(over="ignore"):
        step = np.floor(times / length)
    if steps is not None and _integer(steps) < 1:
        raise SpikeloomError(f"steps must be a positive integer, not {steps!r}")
    axons = sizes[0] * sizes[1] * sizes[2]
    wanted = step.max(initial=0) + 1 if steps is None else _integer(steps)
    if wanted > MAX_CELLS // axons:
        raise SpikeloomError(
            f"events: {wanted:g} steps of {axons:g} axons are too many; "
            "give steps, and dt in the unit of t"
        )
    count = int(wanted)
    kept = step < count
    place = np.ravel_multi_index([values[kept].astype(np.int64) for values in axes.values()], sizes)
    cells = step[kept].astype(np.int64) * axons + place
    counts = np.bincount(cells, minlength=count * axons)
    return np.minimum(counts, most).astype(np.uint8).reshape(count, axons)


def _positive(value: Any) -> float | None:
    """The finite number > 0 that `value` is, if any."""
    try:
        number = float(value) if isinstance(value, numbers.Real) else 0.0
    except OverflowError:
        return None
    return number if math.isfinite(number) and number > 0 and value is not True else None


def _integer(value: Any) -> int:
    """The integer that `value` is; -1 where it is none."""
    try:
        return -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return -1


def _numbers(name: str, values: ArrayLike, kinds: str) -> NDArray[Any]:
    """An array of numbers of these kinds, or an empty one."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise SpikeloomError(f"events: {name} must be an array of numbers") from None
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind not in kinds:
        wanted = "numbers" if "f" in kinds else "integers"
        raise SpikeloomError(f"events: {name} must be {wanted}, not {array.dtype}")
    return array
