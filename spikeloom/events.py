"""Events as the counts per time step that networks take: binning, and checks."""

import math
import numbers
import operator
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikeloom.golden.errors import SpikeloomError, SpikeloomWarning
from spikeloom.golden.event_counts import EventCounts
from spikeloom.golden.network import Network
from spikeloom.golden.step.run import check_inputs

Shape = tuple[int, int, int]
"""Polarities (channels), rows, columns."""

MAX_COUNT = 255
"""Maximum count of an axon in a step."""

MAX_CELLS = 1 << 31
"""Maximum steps times axons of a result."""

_EXCERPT = 64
"""Samples, and steps, in which to look for the order of axes."""
_MIN_EXCERPT = 4
"""Fewer samples or steps tell nothing about it."""
_DIFFERENT = 4.0
"""Ratio of variances that is clearly more than chance."""
_MAX_BAND = 0.5
"""How far a ratio of variances may be from 1 by chance, however few values there are."""


def event_counts(
    network: Network, events: Mapping[str, ArrayLike] | ArrayLike
) -> dict[str, EventCounts]:
    """The events of every input as (samples, steps, axons); see `golden.step.run.check_inputs`.

    Warns (`SpikeloomWarning`) about an array that looks as if its first axis were time.
    """
    counts = check_inputs(network, events)
    check_axes(counts)
    return counts


def check_axes(events: Mapping[str, NDArray[Any]]) -> None:
    """Warn (`SpikeloomWarning`) of arrays (samples, steps, axons) that look as if time were first.

    `events` holds an array of numbers per input.
    """
    time_first = {name: _time_first(array) for name, array in events.items()}
    for name, array in events.items():
        # What is the same in every sample, such as a bias, says nothing beside other inputs.
        says = all(time_first.values()) or not (array == array[:1]).all()
        if time_first[name] and says:
            first, second, _ = array.shape
            warnings.warn(
                f"events of {name!r}: shape {array.shape} means {first} samples x {second} steps, "
                f"but the array looks like {first} steps x {second} samples; if so, use "
                "events.transpose(1, 0, 2)",
                SpikeloomWarning,
                stacklevel=1,  # a place of ours, so that several devices warn once
            )


def _time_first(counts: NDArray[Any]) -> bool:
    """Whether an array of shape (samples, steps, axons) looks like (steps, samples, axons).

    It does if its samples have one step each, or if the rates of axons differ along the second axis
    while entries along the first are independent draws of one rate: an analysis of variance over a
    part of the array. Codes in which time matters are no independent draws, so they do not warn.
    """
    samples, steps, _ = counts.shape
    if steps == 1:
        return bool(samples >= _MIN_EXCERPT)
    if min(samples, steps) < _MIN_EXCERPT:
        return False
    # Spread over the array: neighbouring recordings are often of one class.
    rows, columns = (np.linspace(0, n - 1, min(n, _EXCERPT)).astype(int) for n in (samples, steps))
    part = counts[np.ix_(rows, columns)].astype(np.float64)
    part -= part.mean(axis=(0, 1))
    samples, steps, _ = part.shape
    of_samples = steps * float((part.mean(axis=1) ** 2).sum())
    of_steps = samples * float((part.mean(axis=0) ** 2).sum())
    rest = max(0.0, float((part**2).sum()) - of_samples - of_steps)
    chance = rest / ((samples - 1) * (steps - 1))
    tolerance = 1e-9 * part.shape[2]  # sums of squares that are 0 in exact arithmetic are rarely 0
    if chance <= tolerance:  # nothing is random: the samples are copies of each other, or not
        return bool(of_samples <= tolerance < of_steps)
    freedom = (samples - 1) * np.count_nonzero(part.any(axis=(0, 1)))
    deviation = abs(of_samples / (samples - 1) / chance - 1)
    independent = deviation <= min(_MAX_BAND, 3 * math.sqrt(2 / freedom))
    return bool(independent and of_steps / (steps - 1) > _DIFFERENT * chance)


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
        Number of steps; later events are left out. By default, up to the last event.
    max_count
        Greater counts are clipped to this, 1..255; 1 gives whether there was an event.

    Returns
    -------
    numpy.ndarray
        uint8 of shape (steps, polarities * rows * columns). Warns (`SpikeloomWarning`) if there are
        events, but none in these steps.

    Raises
    ------
    SpikeloomError
        Lengths or types are others than these, an event lies outside the sensor or before time 0,
        or an option is out of range.
    """
    length = _positive(dt)
    if length is None:
        raise SpikeloomError(f"dt must be a positive number, not {dt!r}")
    limit = _integer(max_count)
    if not 1 <= limit <= MAX_COUNT:
        raise SpikeloomError(f"max_count must be 1..{MAX_COUNT}, not {max_count!r}")
    sizes = [_integer(size) for size in shape] if isinstance(shape, (tuple, list)) else []
    if len(sizes) != 3 or min(sizes) < 1:
        raise SpikeloomError(f"shape must be (polarities, rows, columns), not {shape!r}")
    times = _numbers("t", t, "iuf").astype(np.float64)
    axes = {"p": _numbers("p", p, "iub"), "y": _numbers("y", y, "iu"), "x": _numbers("x", x, "iu")}
    _check_events(times, axes, sizes)
    with np.errstate(over="ignore"):
        step = np.floor(times / length)
    if steps is not None and _integer(steps) < 1:
        raise SpikeloomError(f"steps must be a positive integer, not {steps!r}")
    axons = sizes[0] * sizes[1] * sizes[2]
    needed = step.max(initial=0) + 1 if steps is None else _integer(steps)
    if needed > MAX_CELLS // axons:
        raise SpikeloomError(
            f"events: {needed:g} steps of {axons:g} axons are too many; "
            "give steps, and dt in the unit of t"
        )
    count = int(needed)
    kept = step < count
    if kept.size and not kept.any():
        warnings.warn(
            f"events: all {kept.size} come after the last of {count} steps of {length:g}, so none "
            f"is left; the first is at t = {times.min():g}: give dt in the unit of t, subtract the "
            "first time, or raise steps",
            SpikeloomWarning,
            stacklevel=2,
        )
    position = np.ravel_multi_index(
        [values[kept].astype(np.int64) for values in axes.values()], sizes
    )
    cells = step[kept].astype(np.int64) * axons + position
    counts = np.bincount(cells, minlength=count * axons)
    return np.minimum(counts, limit).astype(np.uint8).reshape(count, axons)


def _check_events(times: NDArray[np.float64], axes: Mapping[str, Any], sizes: list[int]) -> None:
    """Refuse events of unequal length, before time 0, or outside the sensor."""
    if times.ndim != 1 or any(values.shape != times.shape for values in axes.values()):
        raise SpikeloomError("events: t, x, y and p must be arrays of one length")
    if not np.isfinite(times).all() or (times < 0).any():
        raise SpikeloomError("events: t must be finite and not negative; subtract the first time")
    for (name, values), size in zip(axes.items(), sizes, strict=True):
        if values.size and not (values.min() >= 0 and values.max() < size):
            raise SpikeloomError(
                f"events: {name} must be 0..{size - 1}, not {values.min()}..{values.max()}"
            )


def _positive(value: Any) -> float | None:
    """`value` as a float if it is a finite number > 0, else None."""
    try:
        number = float(value) if isinstance(value, numbers.Real) else 0.0
    except OverflowError:
        return None
    return number if math.isfinite(number) and number > 0 and value is not True else None


def _integer(value: Any) -> int:
    """`value` as an int if it is an integer, else -1."""
    try:
        return -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return -1


def _numbers(name: str, values: ArrayLike, kinds: str) -> NDArray[Any]:
    """`values` as an array of one of these dtype kinds, or empty."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise SpikeloomError(f"events: {name} must be an array of numbers") from None
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind not in kinds:
        expected = "numbers" if "f" in kinds else "integers"
        raise SpikeloomError(f"events: {name} must be {expected}, not {array.dtype}")
    return array
