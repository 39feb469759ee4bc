"""The MNIST network with the levels and the noise of memristors, on a few images."""

import numpy as np
import pytest
from locking import one_at_a_time

import spikeloom
from examples.memristors import quantised, read
from examples.memristors.evaluate import answers
from examples.mnist import encode
from spikeloom.compare import compare
from spikeloom.demo import digits, mnist_program


@pytest.mark.parametrize("levels", [2, 4, 16])
def test_weights_have_the_nearest_of_a_few_levels(levels: int) -> None:
    weights = np.random.default_rng(levels).normal(0, 20, (40, 30)).round().astype(np.int64)
    rounded = quantised(weights, levels)
    values = np.unique(rounded)
    assert 2 <= len(values) <= levels
    nearest = np.abs(weights[..., np.newaxis] - values).min(axis=-1)
    np.testing.assert_array_equal(np.abs(weights - rounded), nearest)


def test_noise_is_in_proportion() -> None:
    weights = np.repeat([0, 20, -80], 4000)
    noisy = read(weights, 0.1, np.random.default_rng(1)).reshape(3, -1)
    assert not noisy[0].any()
    np.testing.assert_allclose(noisy.mean(axis=1), [0, 20, -80], atol=0.5)
    np.testing.assert_allclose(noisy.std(axis=1), [0, 2, 8], atol=0.3)


def test_sixteen_levels_lose_at_most_a_point() -> None:
    """Of 1,000 images; and the RTL with noisy weights is the golden model."""
    images, labels = digits(1000)
    events = encode(images)
    rng = np.random.default_rng(1)
    with spikeloom.open(mnist_program(), backend="golden") as device:
        trained = {name: device.weights[name] for name in device.weights}
        right = {}
        for levels in (2, 16):
            few = {name: quantised(values, levels) for name, values in trained.items()}
            right[levels] = (answers(device, few, 0.0, events, rng) == labels).mean()
        right[256] = (answers(device, trained, 0.0, events, rng) == labels).mean()
        answers(device, few, 0.1, events[:1], rng)
        noisy = device.program
    assert right[16] >= right[256] - 0.01
    assert right[2] < 0.8
    with one_at_a_time("example-mnist"):
        result = compare(noisy, events[:3])
    assert result.mismatches == 0, str(result.first)
