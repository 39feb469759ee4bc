"""The order of the axes of events: samples, steps, axons; an image's axes may stand for the axons.

An array in another order is refused with what to type, as far as its shape tells.
"""

import math
from typing import Any

from numpy.typing import NDArray

from spikeloom.golden.convolution import ImageShape
from spikeloom.golden.errors import SpikeloomError


def with_samples(
    name: str, events: NDArray[Any], size: int, image: ImageShape | None = None
) -> NDArray[Any]:
    """The events of an input as (samples, steps, size).

    Parameters
    ----------
    name
        The input, for the message.
    events
        (samples, steps, size) or (steps, size); for an image its three axes may be in the place of
        the last.
    size
        Number of axons.
    image
        Shape of the input, if it is an image.

    Raises
    ------
    SpikeloomError
        The array has another shape, or no step.
    """
    shape = events.shape
    flat = events
    if image is not None and events.ndim in (4, 5) and shape[-3:] == image:
        flat = events.reshape(*shape[:-3], size)
    if flat.ndim == 2:
        flat = flat[None]
    if flat.ndim != 3 or flat.shape[2] != size or not flat.shape[1]:
        also = f", or {image} in the place of {size}," if image else ""
        remedy = _remedy(shape, size, image)
        raise SpikeloomError(
            f"events of {name!r} must have shape (samples, steps, {size}) or (steps, {size})"
            f"{also or ','} not {shape}{remedy and f': use {remedy}'}"
        )
    return flat


def _remedy(shape: tuple[int, ...], size: int, image: ImageShape | None) -> str:
    """What makes the shape right, if it holds as many axons on other axes."""
    last = shape[-3:]
    if image is not None and len(shape) in (4, 5) and last == (*image[1:], image[0]):
        return "np.moveaxis(events, -1, -3)"
    for axes in (3, 2):
        if axes < len(shape) <= axes + 2 and math.prod(shape[-axes:]) == size:
            return f"events.reshape(*events.shape[:-{axes}], {size})"
    if size > 1 and len(shape) in (2, 3) and shape[-1] != size and shape.count(size) == 1:
        return f"np.moveaxis(events, {shape.index(size)}, -1)"
    return ""
