"""Binning of sensor events."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.devices.backends import open
from spikeloom.events import bin_events, check_axes
from spikeloom.golden.errors import SpikeloomError, SpikeloomWarning
from spikeloom.program import Program


def test_by_hand() -> None:
    # Times 0.9 and 1.0 lie on both sides of a step; the last event comes too late.
    events = bin_events(
        [0.0, 0.9, 0.9, 1.0, 7.0], [2, 0, 0, 1, 0], [0, 1, 1, 0, 0], [0, 1, 1, 1, 0],
        dt=1.0, shape=(2, 2, 3), steps=3, max_count=255,
    )  # fmt: skip
    expected = np.zeros((3, 2, 2, 3))
    expected[0, 0, 0, 2] = 1
    expected[0, 1, 1, 0] = 2
    expected[1, 1, 0, 1] = 1
    assert events.dtype == np.uint8
    assert np.array_equal(events, expected.reshape(3, 12))


def test_counts_saturate_and_steps_follow_the_last_event() -> None:
    t = np.array([0, 5, 5, 5, 19])
    zeros = np.zeros(5, np.uint8)
    for most in (1, 2, 255):
        events = bin_events(t, zeros, zeros, zeros, dt=10, shape=(1, 1, 1), max_count=most)
        assert events.tolist() == [[min(4, most)], [1]]


def test_no_events() -> None:
    assert bin_events([], [], [], [], dt=1, shape=(2, 1, 1), steps=4).sum() == 0
    assert bin_events([], [], [], [], dt=1, shape=(2, 1, 1)).shape == (1, 2)


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"dt": 0}, "dt must be"),
        ({"dt": float("nan")}, "dt must be"),
        ({"max_count": 256}, "max_count"),
        ({"steps": 0}, "steps"),
        ({"steps": 1.5}, "steps"),
        ({"shape": (2, 2)}, "shape"),
        ({"t": [-1.0, 0.0]}, "not negative"),
        ({"t": [0.0]}, "one length"),
        ({"x": [0, 3]}, "x must be 0..2, not 0..3"),
        ({"p": [-1, 0]}, "p must be 0..0, not -1..0"),
        ({"dt": "a"}, "dt must be"),
        ({"dt": None}, "dt must be"),
        ({"dt": True}, "dt must be"),
        ({"dt": 10**400}, "dt must be"),
        ({"dt": 1e-300}, "too many; give steps, and dt in the unit of t"),
        ({"dt": 1e-300, "t": [0, 1e300]}, "too many"),
        ({"steps": 1 << 40}, "too many"),
        ({"steps": True}, "steps"),
        ({"max_count": 1.5}, "max_count must be 1..255, not 1.5"),
        ({"max_count": "1"}, "max_count"),
        ({"shape": 5}, "shape must be"),
        ({"shape": "123"}, "shape must be"),
        ({"shape": (1.5, 2, 2)}, "shape must be"),
        ({"t": ["a", "b"]}, "t must be numbers, not <U1"),
        ({"t": [0, 1j]}, "t must be numbers, not complex128"),
        ({"t": [[0], [1, 2]]}, "t must be an array of numbers"),
        ({"x": [0.7, 1.0]}, "x must be integers, not float64"),
        ({"y": [False, True]}, "y must be integers, not bool"),
        ({"p": [0, 1 << 70]}, "p must be integers, not object"),
    ],
)
def test_what_does_not_fit_is_refused(changed: dict[str, Any], part: str) -> None:
    values: dict[str, Any] = {"t": [0, 1], "x": [0, 1], "y": [0, 0], "p": [0, 0]}
    values |= {"dt": 1.0, "shape": (1, 1, 3)} | changed
    with pytest.raises(SpikeloomError, match=part) as error:
        bin_events(values.pop("t"), values.pop("x"), values.pop("y"), values.pop("p"), **values)
    assert "\n" not in str(error.value)


def test_numbers_of_numpy() -> None:
    events = bin_events(
        [0, 1], [0, 1], [0, 0], [False, True],
        dt=np.float32(1), shape=(np.int64(2), 1, 2), steps=np.int64(3), max_count=np.uint8(1),
    )  # fmt: skip
    assert events.tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]


def test_real_recordings(shared_data: Path) -> None:
    path = shared_data / "nmnist_1000.npz"
    if not path.exists():
        pytest.skip("N-MNIST is not there")
    with np.load(path, allow_pickle=False) as data:
        part = slice(*data["offsets"][:2])
        t, x, y, p = (data[name][part] for name in ("t_us", "x", "y", "p"))
    events = bin_events(t, x, y, p, dt=10_000, shape=(2, 34, 34), max_count=255)
    assert events.shape[1] == 2312
    assert events.sum() == len(t)
    assert events.reshape(-1, 2, 34, 34).sum(axis=(0, 2, 3)).tolist() == np.bincount(p).tolist()


def test_events_that_are_all_too_late_are_a_warning() -> None:
    zeros = np.zeros(3, np.int64)
    late = {"dt": 1e-3, "shape": (1, 1, 1), "steps": 5}
    message = (
        r"all 3 come after the last of 5 steps of 0\.001, so none is left; the first is at t = 6: "
        "give dt in the unit of t"
    )
    with pytest.warns(SpikeloomWarning, match=message):
        events = bin_events([6, 7, 8], zeros, zeros, zeros, **late)
    assert not events.any()
    bin_events([0.0049, 7, 8], zeros, zeros, zeros, **late)


def rate_coded(samples: int, steps: int) -> np.ndarray[Any, Any]:
    """Samples whose axons have rates of their own, and spikes by chance; (samples, steps, 6)."""
    rng = np.random.default_rng(4)
    rates = rng.choice([0.05, 0.9], (samples, 1, 6))
    return (rng.random((samples, steps, 6)) < rates).astype(np.uint8)


@pytest.mark.parametrize(("samples", "steps"), [(12, 30), (30, 12), (1, 25), (80, 100)])
def test_an_array_with_time_first_is_a_warning(small: Program, samples: int, steps: int) -> None:
    right = rate_coded(samples, steps)
    wrong = right.transpose(1, 0, 2)
    with open(small) as device:
        device.run(right)
        message = (
            rf"events of 'in': shape \({steps}, {samples}, 6\) means {steps} samples x {samples} "
            rf"steps, but the array looks like {steps} steps x {samples} samples; if so, use "
            r"events.transpose\(1, 0, 2\)"
        )
        with pytest.warns(SpikeloomWarning, match=message):
            device.run(wrong)


def latency_coded(rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Recordings of one class: each axon spikes once, at about the same time in all of them."""
    times = rng.integers(0, 10, 6) + rng.integers(0, 2, (70, 6))
    return np.eye(12, dtype=np.uint8)[times].transpose(0, 2, 1)


def test_arrays_that_say_nothing_about_their_axes_are_no_warning(small: Program) -> None:
    rng = np.random.default_rng(5)
    quiet = [
        np.zeros((9, 9, 6), np.uint8),
        (rng.random((20, 20, 6)) < 0.3).astype(np.uint8),  # all alike
        rng.integers(0, 3, (3, 1, 6)),  # too few
        # Each axon of a sample spikes once, at a time of its own.
        np.eye(10, dtype=np.uint8)[rng.integers(0, 10, (15, 6))].transpose(0, 2, 1),
        latency_coded(rng),
    ]
    with open(small) as device:
        for events in quiet:
            device.run(events)


def test_an_input_that_is_the_same_in_every_sample_says_nothing_beside_others() -> None:
    bias = np.zeros((9, 12, 1), np.uint8)
    bias[:, 5] = 3
    others = np.random.default_rng(6).integers(0, 2, (9, 12, 4), np.uint8)
    check_axes({"in": others, "bias": bias})
    with pytest.warns(SpikeloomWarning, match="events of 'bias': shape"):
        check_axes({"bias": bias})
