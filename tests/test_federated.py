"""Federated learning of `examples/federated`: means over links, and what they are worth."""

import dataclasses

import numpy as np
import pytest
from locking import one_at_a_time
from plastic_network import plastic_network, spikes

import spikeloom
from examples.federated import (
    DEVICES,
    Images,
    Result,
    average,
    held,
    learn,
    mean,
    program,
    share,
    told,
)
from examples.federated.evaluate import boards, differences
from examples.supervised import CLASSES, events, first_weights
from spikeloom.demo import digits

pytestmark = pytest.mark.filterwarnings(
    "ignore:events of '(image|label)':spikeloom.SpikeloomWarning"
)

FABRIC = {"lanes": 4, "neurons": 64, "weight_words": 256}
"""That of other boards that learn, so that it is built once."""


def shares(count: int) -> list[Images]:
    """That many digits of the classes of each device, mixed."""
    images, labels = digits(500)
    order = np.random.default_rng(0).permutation(len(images))
    return [share(images[order], labels[order], number, count) for number in range(DEVICES)]


def test_devices_share_no_class() -> None:
    first, second = (set(labels.tolist()) for _, labels in shares(100))
    assert (first, second) == ({0, 1, 2, 3, 4}, {5, 6, 7, 8, 9})


def test_means_do_not_drift() -> None:
    rng = np.random.default_rng(1)
    pairs = rng.integers(-127, 128, (2, 100_000))
    means = mean(pairs)
    assert (np.abs(2 * means - pairs.sum(axis=0)) <= 1).all()
    assert abs((means - pairs.mean(axis=0)).mean()) < 0.01


def test_the_average_tells_more_than_either_device() -> None:
    """Of all ten classes, by 20 points at least; a device alone tells hardly any of the others."""
    result, (images, labels) = Result.load(), digits(500)
    both = told(result.after, images, labels)
    for number, weights in enumerate(result.alone):
        alone = told(weights, images, labels)
        own = labels * DEVICES // CLASSES == number
        assert both.mean() >= alone.mean() + 0.2
        assert alone[own].mean() > 0.85
        assert alone[~own].mean() < 0.05
        assert both[~own].mean() > 0.7


def test_a_round_ends_with_the_mean_of_what_each_device_learned() -> None:
    parts = shares(10)
    programs = [program(first_weights(16), number) for number in range(DEVICES)]
    devices = [spikeloom.open(program) for program in programs]
    learn(devices, parts, 10)
    alone = [spikeloom.open(program) for program in programs]
    for device, (images, labels) in zip(alone, parts, strict=True):
        device.run(events(images, labels), learn=True)
    assert differences(*alone) > 100
    for ours, theirs in zip(held(devices[0]), zip(*map(held, alone), strict=True), strict=True):
        np.testing.assert_array_equal(ours, mean(theirs))
    assert differences(*devices) == 0
    assert [device.program.learned for device in devices] == [10, 10]


def test_boards_learn_and_average_over_their_links() -> None:
    """Two rounds of RTL behind two links: every weight, after learning and after the mean."""
    networks = [dataclasses.replace(plastic_network(), seed=seed) for seed in (1, 2)]
    programs = [spikeloom.compile(network, FABRIC) for network in networks]
    models = [spikeloom.open(program) for program in programs]
    plastic = "in->hidden", "hidden->out"
    with one_at_a_time("board that learns"), boards(programs) as devices:
        for part in range(2):
            for number in range(2):
                shown = spikes(3, seed=2 * part + number)
                models[number].run(shown, learn=True)
                devices[number].run(shown, learn=True)
                for key in plastic:
                    np.testing.assert_array_equal(
                        devices[number].weights[key], models[number].weights[key]
                    )
            for key in plastic:
                assert (devices[0].weights[key] != devices[1].weights[key]).any()
            expected = {key: mean([model.weights[key] for model in models]) for key in plastic}
            assert average(devices) == average(models) == 12 * 10 + 10 * 9
            for key in plastic:
                for device in devices + models:
                    np.testing.assert_array_equal(device.weights[key], expected[key])


@pytest.mark.soak
def test_boards_that_see_different_digits_learn_as_the_model() -> None:
    """The network with fewer hidden neurons, three rounds over links."""
    programs = [program(first_weights(16), number) for number in range(DEVICES)]
    models = [spikeloom.open(program) for program in programs]
    learn(models, shares(12), 4)
    with one_at_a_time("example-federated"), boards(programs) as devices:
        learn(devices, shares(12), 4)
        assert [differences(*pair) for pair in zip(devices, models, strict=True)] == [0, 0]
    assert differences(models[0], spikeloom.open(programs[0])) > 100
