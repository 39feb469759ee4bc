"""The network of `examples/supervised`: what one image changes, learning, and golden = RTL."""

import numpy as np
import pytest
from locking import one_at_a_time
from numpy.typing import NDArray

import spikeloom
from examples.supervised import (
    HIDDEN_THRESHOLD,
    MARGIN,
    MOST,
    OUTPUT_THRESHOLD,
    Result,
    Weights,
    classes,
    events,
    feedback,
    first_weights,
    network,
)
from examples.supervised.train import learn, program
from spikeloom.demo import digits
from spikeloom.golden.fixed import Integers
from spikeloom.golden.step.run import simulate

pytestmark = pytest.mark.filterwarnings("ignore:events of 'image':spikeloom.SpikeloomWarning")


Digits = tuple[NDArray[np.uint8], Integers]


@pytest.fixture(scope="module")
def some_digits() -> Digits:
    """500 digits and their classes, mixed; the first is a 0."""
    images, labels = digits(500)
    order = np.random.default_rng(0).permutation(len(images))
    order = np.append(order[labels[order] == 0][:1], order)
    return images[order], labels[order]


@pytest.mark.parametrize("label", [0, 3])
def test_an_image_changes_weights_by_the_product_of_spikes_and_errors(
    label: int, some_digits: Digits
) -> None:
    """To less than 1, which is what rounding adds."""
    images = some_digits[0][:1]
    before = Result.load().before
    shown = events(images, np.array([label]))
    net = network(before, 1)
    run = simulate(net, shown, learn=True, traces={"hidden": np.arange(len(before.output))})
    counts = run.spikes["hidden"][0].sum(axis=0)
    sent = run.spikes["output"][0].sum(axis=0, dtype=np.int64)
    np.testing.assert_array_equal(
        sent * OUTPUT_THRESHOLD + run.states["output"][0], counts @ before.output
    )
    errors = np.clip(sent + MARGIN, 0, MOST)
    errors[label] = -np.clip(MARGIN - sent[label], 0, MOST)
    # The image is a 0, which the network told already.
    assert np.abs(errors).sum() < 3 if label == 0 else errors[[0, label]].tolist() == [MOST, -MOST]

    pixels = shown["image"][0].sum(axis=0)
    potential = run.traces["hidden"][0, -1] + HIDDEN_THRESHOLD * run.spikes["hidden"][0, -1]
    back = np.clip(errors @ feedback(), -256, 255)
    back[(potential < 0) | (potential > 5 * HIDDEN_THRESHOLD // 2)] = 0
    exact = Weights(-16 * np.outer(pixels, back) / 4096, -8 * np.outer(counts, 16 * errors) / 4096)
    for number, (old, change) in enumerate(zip(before, exact, strict=True)):
        np.testing.assert_array_less(np.abs(run.weights[number] - old - change), 1)
        assert (run.weights[number] != old).any() == change.any()


def test_without_a_label_nothing_changes(some_digits: Digits) -> None:
    images = some_digits[0][:20]
    weights = first_weights()
    run = simulate(network(weights, 1), events(images), learn=True)
    assert not run.spikes["errors"].any()
    for number, old in enumerate(weights):
        np.testing.assert_array_equal(run.weights[number], old)


def test_it_learns(some_digits: Digits) -> None:
    images, labels = some_digits
    net = network(first_weights(), 1)
    run = simulate(net, events(images, labels), learn=True)
    told = classes(run.spikes["output"], run.states["output"]) == labels
    assert told[:100].mean() < 0.5
    assert told[-100:].mean() > 0.6
    with spikeloom.open(program(Result.load().after, 1), backend="golden") as device:
        run = device.run(events(images))
    assert (classes(run.spikes["output"], run.states["output"]) == labels).mean() > 0.93


@pytest.mark.soak
def test_rtl_learns_the_same_weights(some_digits: Digits) -> None:
    """From the first weights, where each image changes many."""
    images, labels = (array[:8] for array in some_digits)
    golden, golden_run = learn(first_weights(), 1, images, labels)
    with one_at_a_time("example-supervised"):
        learned, run = learn(first_weights(), 1, images, labels, "verilator")
    np.testing.assert_array_equal(run.spikes["output"], golden_run.spikes["output"])
    assert run.weight_updates == golden_run.weight_updates > 0
    for ours, theirs, first in zip(learned, golden, first_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert (ours != first).any()
