"""The system of `examples/rounding`: small changes are lost if rounded, and not if drawn."""

import numpy as np
import pytest
from locking import one_at_a_time

from examples.rounding import (
    NEURONS,
    answers,
    encode,
    first,
    learn,
    learn_exactly,
    right,
    untrained,
)
from spikeloom.demo import digits


def test_small_changes_are_lost_to_the_nearest_but_not_drawn() -> None:
    """Drawn ones are units, and as many as floats say."""
    events, before = encode(digits(60)[0]), untrained(1, neurons=8)
    rounded, _ = learn(before, "nearest", events, "golden")
    np.testing.assert_array_equal(rounded.weights, before.weights)
    drawn, won = learn(before, "stochastic", events, "golden")
    assert (won >= 0).all()
    exact, thresholds = learn_exactly(before, events)
    assert drawn.thresholds.sum() == thresholds.sum()
    change, expected = drawn.weights - before.weights, exact - before.weights
    assert np.abs(change).max() >= 2 > np.abs(expected).max()
    for some in (expected > 0.1, expected < -0.2):
        np.testing.assert_allclose(change[some].mean(), expected[some].mean(), rtol=0.1)


def test_winners_are_those_of_the_equations() -> None:
    """With learning off, of thresholds that differ; most images have one."""
    images, classes = digits(80)
    events, trained = encode(images), untrained(2)
    trained, _ = learn(trained, "stochastic", events, "golden")
    expected = [first(sample, trained.weights, trained.thresholds)[0] for sample in events]
    won = answers(trained, events, "golden")
    np.testing.assert_array_equal(won, expected)
    assert (won >= 0).mean() > 0.9
    assert right(trained, (won, classes), (won, classes)) > 3 / NEURONS


@pytest.mark.soak
@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_rtl_learns_the_same(rounding: str) -> None:
    events, before = encode(digits(30)[0]), untrained(1)
    with one_at_a_time("example-rounding"):
        rtl, won = learn(before, rounding, events, "verilator")
    golden, expected = learn(before, rounding, events, "golden")
    np.testing.assert_array_equal(won, expected)
    np.testing.assert_array_equal(rtl.weights, golden.weights)
    assert (rtl.weights != before.weights).any() == (rounding == "stochastic")
