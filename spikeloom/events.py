"""Events of a sensor, as the counts per time step that networks take."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.errors import SpikeloomError

Shape = tuple[int, int, int]
"""Polarities (channels), rows, columns."""

MOST = 255
"""Greatest count of an axon in a step."""


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
        length. Step 0 begins at time 0.
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
        Lengths differ, an event lies outside the sensor or before time 0, or an option is out of
        range.
    """
    if not np.isfinite(dt) or dt <= 0:
        raise SpikeloomError(f"dt must be a positive number, not {dt!r}")
    if not 1 <= max_count <= MOST:
        raise SpikeloomError(f"max_count must be 1..{MOST}, not {max_count!r}")
    if len(shape) != 3 or min(shape) < 1:
        raise SpikeloomError(f"shape must be (polarities, rows, columns), not {shape!r}")
    times = np.asarray(t, np.float64)
    axes = {"p": np.asarray(p), "y": np.asarray(y), "x": np.asarray(x)}
    if times.ndim != 1 or any(values.shape != times.shape for values in axes.values()):
        raise SpikeloomError("events: t, x, y and p must be arrays of one length")
    if not np.isfinite(times).all() or (times < 0).any():
        raise SpikeloomError("events: t must be finite and not negative; subtract the first time")
    for (name, values), size in zip(axes.items(), shape, strict=True):
        if values.size and not (values.min() >= 0 and values.max() < size):
            raise SpikeloomError(
                f"events: {name} must be 0..{size - 1}, not {values.min()}..{values.max()}"
            )
    step = np.floor(times / dt)
    if steps is None:
        steps = int(step.max(initial=0)) + 1
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise SpikeloomError(f"steps must be a positive integer, not {steps!r}")
    kept = step < steps
    place = np.ravel_multi_index([values[kept].astype(np.int64) for values in axes.values()], shape)
    axons = shape[0] * shape[1] * shape[2]
    cells = step[kept].astype(np.int64) * axons + place
    counts = np.bincount(cells, minlength=steps * axons)
    return np.minimum(counts, max_count).astype(np.uint8).reshape(steps, axons)
