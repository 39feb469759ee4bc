"""The order of the axes of events, and what to type where it is another."""

import numpy as np
import pytest

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.event_shape import with_samples

IMAGE = (2, 3, 4)


def numbered(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape)


@pytest.mark.parametrize("leading", [(5, 6), (6,)])
def test_an_image_is_lined_up_with_columns_fastest(leading: tuple[int, ...]) -> None:
    events = numbered(*leading, *IMAGE)
    flat = with_samples("in", events, 24, IMAGE)
    assert flat.shape == (5 if len(leading) == 2 else 1, 6, 24)
    index = (*(n - 1 for n in leading), 1, 0, 3)
    assert flat[-1, -1, (1 * 3 + 0) * 4 + 3] == events[index]
    assert np.array_equal(with_samples("in", events.reshape(*leading, 24), 24, IMAGE), flat)


@pytest.mark.parametrize(
    ("shape", "size", "image"),
    [
        ((5, 6, 3, 4, 2), 24, IMAGE),  # channels last
        ((5, 3, 4, 2), 24, IMAGE),
        ((5, 6, 3, 4), 12, (1, 3, 4)),  # without the axis of channels
        ((5, 6, 2, 3, 4), 24, None),  # an image, for a network that does not take it for one
        ((5, 6, 4, 6), 24, None),
        ((5, 24, 6), 24, None),  # steps last
        ((24, 6), 24, None),
    ],
)
def test_another_order_is_refused_with_what_to_type(
    shape: tuple[int, ...], size: int, image: tuple[int, int, int] | None
) -> None:
    events = numbered(*shape)
    with pytest.raises(SpikeloomError, match=r"must have shape .*, not \(.*\): use ") as caught:
        with_samples("in", events, size, image)
    remedy = str(caught.value).partition(": use ")[2]
    right = eval(remedy, {"np": np, "events": events})  # it is what a user types
    fixed = with_samples("in", right, size, image)
    assert fixed.shape[2] == size
    assert sorted(fixed.ravel()) == sorted(events.ravel())


def test_channels_that_are_last_are_moved() -> None:
    with pytest.raises(SpikeloomError, match=r"use np\.moveaxis\(events, -1, -3\)$"):
        with_samples("in", numbered(5, 6, 3, 4, 2), 24, IMAGE)


@pytest.mark.parametrize("shape", [(5,), (4, 6), (5, 6, 7), (5, 0, 24), (1, 1, 5, 6, 24), ()])
def test_what_no_order_explains_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(SpikeloomError) as caught:
        with_samples("in", np.zeros(shape), 24, IMAGE)
    assert str(caught.value) == (
        "events of 'in' must have shape (samples, steps, 24) or (steps, 24), "
        f"or (2, 3, 4) in the place of 24, not {shape}"
    )
