"""The system of `examples/spyketorch_learning`: winners and weights are those of the equations."""

import dataclasses

import numpy as np
import pytest
from locking import one_at_a_time

from examples.spyketorch import Wave
from examples.spyketorch.equations import Winner
from examples.spyketorch_learning import FEATURES, Kernels, Readout, encode, features, program
from examples.spyketorch_learning import equations as by_equations
from examples.spyketorch_learning.equations import Change
from examples.spyketorch_learning.evaluate import MIDDLE, before, beside
from spikeloom.compare import compare
from spikeloom.demo import digits
from spikeloom.golden.fixed import Integers


@pytest.mark.parametrize(("layer", "count"), [(0, 205), (1, 40)])
def test_winners_and_weights_are_those_of_the_equations(layer: int, count: int) -> None:
    """Over more than a thousand updates of the first layer."""
    events = encode(digits(count)[0])
    result = beside(before(layer), layer, 0.064, 3, events, by_equations.learn)
    assert result.updates > 4.9 * count
    assert result.winners == result.weights == 0


def test_another_rate_gives_other_weights() -> None:
    def other(weights: Integers, layer: int, seen: Wave, _change: Change) -> list[Winner]:
        return by_equations.learn(weights, layer, seen, by_equations.rounded(0.06, 3, 0))

    result = beside(before(0), 0, 0.064, 3, encode(digits(9)[0]), other)
    assert result.weights > 100


def test_features_are_those_of_the_equations() -> None:
    images, _ = digits(6)
    kernels = Kernels.load("all")
    expected = by_equations.features((kernels.first, kernels.second), images)
    assert np.array_equal(features(kernels, images), expected)
    assert expected[:, : 16 * 81].any()
    assert expected[:, 16 * 81 :].any()


def test_kernels_have_learned_what_images_have() -> None:
    """Most weights have gone to a bound, and no two features are one."""
    for name in ("all", "split"):
        kernels = Kernels.load(name)
        for layer in (0, 1):
            weights = kernels[layer]
            assert ((weights < 13) | (weights > 114)).mean() > 0.8
            bright = (weights > 63).reshape(FEATURES[layer], -1)
            assert len(np.unique(bright, axis=0)) == FEATURES[layer]
            assert (bright.mean(axis=1) > 0.04).all()


def test_a_read_out_learns_classes_later() -> None:
    rng = np.random.default_rng(2)
    centres = rng.normal(size=(4, 12))
    classes = rng.integers(0, 4, 800)
    seen = centres[classes] + 0.3 * rng.normal(size=(800, 12))
    early = classes < 2
    alone = Readout.of(seen[early], classes[early])
    assert (alone(seen[early]) == classes[early]).mean() > 0.97
    both = alone.with_more(seen[~early], classes[~early])
    assert np.array_equal(both.means[:2], alone.means)
    assert (both(seen) == classes).mean() > 0.95
    swapped = dataclasses.replace(both, means=both.means[::-1])
    assert (swapped(seen) == classes).mean() < 0.05


@pytest.mark.soak
@pytest.mark.parametrize(("layer", "number"), MIDDLE)
def test_rtl_learns_the_same(layer: int, number: int) -> None:
    made = program(before(layer).learning(layer, 0.064, number))
    with one_at_a_time("example-spyketorch-learning"):
        result = compare(made, encode(digits(3)[0]), learn=True)
    assert result.mismatches == 0, str(result.first)
    assert result.rtl.weight_updates == result.golden.weight_updates > 500
