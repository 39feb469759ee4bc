"""The system of `examples/hierarchical`: each layer learns what the equations say, in RTL too."""

import numpy as np
import pytest
from locking import one_at_a_time

from examples.hierarchical import COURSES, NEURONS, STEPS, Hierarchy, as_kernels, encode, equations
from examples.hierarchical.evaluate import before, by_device, by_equations, events_of
from examples.hierarchical.train import answers
from spikeloom.demo import digits


@pytest.mark.parametrize(("part", "count"), [(0, 40), (1, 100), (2, 100)])
def test_winners_and_weights_are_those_of_the_equations(part: int, count: int) -> None:
    """Of 200 updates, and of 100."""
    images, _ = digits(count)
    golden, _ = by_device(part, events_of(part, images), "golden")
    exact = by_equations(part, images)
    np.testing.assert_array_equal(golden.spikes, exact.spikes)
    np.testing.assert_array_equal(golden.weights, exact.weights)
    assert golden.spikes.sum() > (4.9, 0.9)[min(part, 1)] * count
    start = (before(0).kernels, as_kernels(before(1).digits.weights))[min(part, 1)]
    assert (golden.weights != start).mean() > 0.2


def test_digits_of_another_rate_or_draw_differ() -> None:
    wave = equations.features(before(1).kernels, encode(digits(1)[0])[0])
    heard, w = wave[-1], np.arange(784) % 255 - 128
    moved = [
        equations.rounded_move(rate, seed, sample)(w, heard, digit, 3)
        for rate, seed, sample, digit in np.array([51, 1, 0, 4]) + np.eye(5, 4, -1, np.int64)
    ]
    exact = equations.exact_move(51)(w.astype(float), heard, 4, 3)
    assert (np.abs(moved[0] - exact) < 1).all()
    for other in moved[1:]:
        assert (other != moved[0]).any()


def test_potentials_leak() -> None:
    inputs = np.zeros((STEPS, 2), np.int64)
    inputs[1] = 4096, -4096
    ints, floats = (equations.leaky(inputs.astype(kind), 400) for kind in (np.int64, np.float64))
    assert ints[:4].tolist() == [[0, 0], [4096, -4096], [3696, -3696], [3335, -3335]]
    np.testing.assert_allclose(floats[1:, 0], 4096 * (3696 / 4096) ** np.arange(STEPS - 1))
    assert equations.held(ints[:, :1], 3500)[:, 0].tolist() == [0] + [4096] * (STEPS - 1)


def test_it_tells_digits() -> None:
    """Of 200 images; by neurons that stand for all classes."""
    images, classes = digits(200)
    hierarchy = Hierarchy.load()
    won = answers(hierarchy, images)
    assert (hierarchy.digits.classes(won) == classes).mean() >= 0.8
    assert (np.bincount(hierarchy.digits.labels, minlength=10) >= 5).all()
    some = encode(images[:9])
    for number, sample in enumerate(some):
        wave = equations.features(hierarchy.kernels, sample)
        weights, thresholds = hierarchy.digits.weights, hierarchy.digits.thresholds
        assert equations.winner(weights, thresholds, wave)[0] == won[number]


def test_who_wins_often_wins_less() -> None:
    """The host's thresholds rise for winners, and stay what they are on average."""
    untrained = Hierarchy.untrained(2).digits
    after = untrained.after(np.array([3] * 60 + [5] * 40), COURSES[0].increment)
    assert after.thresholds[3] > after.thresholds[5] > after.thresholds[0]
    assert abs(after.thresholds.sum()) < NEURONS


@pytest.mark.soak
@pytest.mark.parametrize("part", [0, 1, 2])
def test_rtl_learns_the_same(part: int) -> None:
    events = events_of(part, digits(5)[0])
    golden, _ = by_device(part, events, "golden")
    with one_at_a_time("example-hierarchical"):
        rtl, _ = by_device(part, events, "verilator")
    np.testing.assert_array_equal(rtl.spikes, golden.spikes)
    np.testing.assert_array_equal(rtl.weights, golden.weights)
    assert golden.spikes.any()
