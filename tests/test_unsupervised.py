"""The system of `examples/unsupervised`: what a winner learns, and that the RTL learns the same."""

import numpy as np
import pytest
from locking import one_at_a_time

from examples.unsupervised import (
    BOUNDS,
    BRIGHT,
    COURSES,
    FROZEN,
    OUT_OF_REACH,
    PIXELS,
    RISE,
    START,
    STEPS,
    Digits,
    answer,
    encode,
    program,
    winners,
)
from spikeloom.demo import digits as images_of_mnist
from spikeloom.golden.errors import SpikeloomWarning
from spikeloom.golden.step.run import simulate

# A sample has its spikes in one step.
pytestmark = pytest.mark.filterwarnings(
    f"ignore:events of 'pixels'. shape:{SpikeloomWarning.__module__}.SpikeloomWarning"
)


def test_winners_move_to_their_images() -> None:
    """Image by image: who wins by the sums of weights, and how far its weights go, both ways."""
    images, _ = images_of_mnist(12)
    course, digits = COURSES[0], Digits.untrained(3, neurons=8)
    run = simulate(digits.network(course, seed=5), encode(images), learn=True)
    weights, thresholds = digits.weights, digits.thresholds
    for count, image in enumerate(images.reshape(-1, PIXELS) > BRIGHT, 1):
        potentials = START + image @ weights
        steps = np.maximum((thresholds - potentials) // RISE + 1, 1)
        assert steps.min() <= STEPS
        best = np.flatnonzero(steps == steps.min())
        winner = best[potentials[best].argmax()]
        assert winners(run.spikes["digits"])[count - 1] == winner
        assert run.spikes["digits"][count - 1, steps.min() - 1, winner]
        after = simulate(digits.network(course, seed=5), encode(images[:count]), learn=True)
        [learned] = after.weights.values()
        exact = weights[:, winner] + (np.where(image, *BOUNDS[::-1]) - weights[:, winner]) * (
            course.rate / 256
        )
        assert (np.abs(learned[:, winner] - exact) < 1).all()
        others = np.arange(8) != winner
        np.testing.assert_array_equal(learned[:, others], weights[:, others])
        weights = learned
        thresholds = thresholds + course.increment * ~others
    assert (run.spikes["digits"].sum(axis=(1, 2)) == 1).all()
    assert run.states["digits"].min() > OUT_OF_REACH


def test_trained_neurons_tell_digits() -> None:
    """Of 500 images; the RTL's part is in `examples/unsupervised/evaluate.py`."""
    images, classes = images_of_mnist(500)
    digits = Digits.load()
    run = simulate(digits.network(FROZEN, 0), encode(images))
    assert (digits.classes(winners(run.spikes["digits"])) == classes).mean() >= 0.86
    assert (np.bincount(digits.labels, minlength=10) >= 10).all()


@pytest.mark.soak
def test_rtl_learns_the_same_weights() -> None:
    """Of 16 neurons, over 30 images; and with learning off it changes none."""
    images, _ = images_of_mnist(30)
    untrained = Digits.untrained(7, neurons=16)
    learning = program(untrained, COURSES[0], seed=2)
    golden = answer(learning, images, "golden", learn=True)
    with one_at_a_time("example-unsupervised"):
        rtl = answer(learning, images, "verilator", learn=True)
        frozen = answer(learning, images, "verilator", learn=False)
    assert len(np.unique(golden.won)) >= 8
    np.testing.assert_array_equal(rtl.won, golden.won)
    np.testing.assert_array_equal(rtl.weights, golden.weights)
    assert (golden.weights != untrained.weights).mean() > 0.4
    np.testing.assert_array_equal(frozen.weights, untrained.weights)
