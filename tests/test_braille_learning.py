"""The network of `examples/braille_learning`: what a recording changes, and golden = RTL."""

import os
from pathlib import Path

import numpy as np
import pytest
from locking import one_at_a_time
from numpy.typing import NDArray

import spikeloom
from examples.braille import FRAMES, STEPS
from examples.braille_learning import (
    DECAY,
    HIDDEN,
    LETTERS,
    LIMIT,
    LOWEST,
    MARGIN,
    MARGIN_OF_OTHERS,
    MOST,
    OUTPUT_THRESHOLD,
    PLACES,
    RATES,
    THRESHOLD,
    WIDTH,
    WINDOW,
    Recordings,
    Result,
    encode,
    events,
    feedback,
    first_weights,
    load_data,
    network,
)
from examples.braille_learning.train import in_order, learn, program, told
from spikeloom.golden.fixed import Integers
from spikeloom.golden.step.run import simulate

pytestmark = pytest.mark.filterwarnings("ignore:events of 'label':spikeloom.SpikeloomWarning")

DATA = Path(os.environ.get("DATA", "data")) / "braille_1350.npz"


@pytest.fixture(scope="module")
def real() -> tuple[Recordings, Recordings]:
    """The recordings to learn from, and those that are held out."""
    if not DATA.exists():
        pytest.skip(f"there is no {DATA}; DATA=folder says where braille_1350.npz is")
    return load_data(DATA)


def strokes(count: int) -> Recordings:
    """Frames as of sensors that rest, and move away and back at different times; and letters."""
    rng = np.random.default_rng(count)
    times = np.linspace(0, 1, FRAMES)[:, np.newaxis]
    centres, heights = rng.uniform(0.2, 0.8, (count, 1, 12)), rng.uniform(-60, 30, (count, 1, 12))
    moved = heights * np.exp(-(((times - centres) / 0.15) ** 2))
    frames = (160 + moved + rng.normal(0, 1, moved.shape)).astype(np.uint8)
    return Recordings(frames, rng.integers(0, LETTERS, count))


def decaying(spikes: NDArray[np.uint8]) -> Integers:
    """What is left after the last step of 24 for each spike, of axons (steps, axons)."""
    left = np.rint(256 * (1 - DECAY / 4096) ** np.arange(STEPS)).astype(np.int64)
    value = last = np.zeros(spikes.shape[1], np.int64)
    for step, spiked in enumerate(spikes):
        now = np.minimum((value * left[step - last] >> 8) + 24, 255)
        value, last = np.where(spiked, now, value), np.where(spiked, step, last)
    return value * left[STEPS - 1 - last] >> 8


def test_each_sensor_has_a_spike_a_step_at_the_place_of_its_value() -> None:
    frames = np.full((1, FRAMES, 12), 100, np.uint8)
    frames[0, 2, 1] = 100 + LOWEST + WIDTH  # the second step, the first of both sensors
    frames[0, 4:, 6] = 255  # beyond the last place
    first, second, third = encode(frames)[0, :3]
    rest = -LOWEST // WIDTH
    assert first.nonzero()[0].tolist() == [rest, PLACES + rest]
    assert second.nonzero()[0].tolist() == [1, PLACES + rest]
    assert third.nonzero()[0].tolist() == [rest, 2 * PLACES - 1]
    assert (encode(frames).sum(axis=2) == 2).all()


@pytest.mark.parametrize("right", [True, False])
def test_a_recording_changes_weights_by_traces_and_errors(right: bool) -> None:
    """To less than 1, which is what rounding adds."""
    before = Result.load().before
    shown = events(strokes(1), taught=True)
    net = network(before, 1, 1)
    silent = simulate(net, events(strokes(1)), traces={"hidden": np.arange(HIDDEN)})
    sent = silent.spikes["output"][0].sum(axis=0, dtype=np.int64)
    label = int(sent.argmax() if right else sent.argmin())
    shown["label"][0, -1] = np.arange(LETTERS) == label
    run = simulate(net, shown, learn=True, traces={"hidden": np.arange(HIDDEN)})

    spikes = run.spikes["hidden"][0].astype(np.int64)
    np.testing.assert_array_equal(
        sent * OUTPUT_THRESHOLD + run.states["output"][0], spikes.sum(axis=0) @ before.output
    )
    errors = np.clip(sent + MARGIN_OF_OTHERS, 0, MOST)
    errors[label] = -np.clip(MARGIN - sent[label], 0, MOST)
    potential = run.traces["hidden"][0, -1] + THRESHOLD * spikes[-1]
    back = np.clip(errors @ feedback(), -256, 255)
    back[(potential < WINDOW[0]) | (potential > WINDOW[1])] = 0
    assert 0 < (back != 0).sum() < HIDDEN

    traces = (
        decaying(shown["touch"][0]),
        spikes[:-1].sum(axis=0),  # that of the last step would come too late
        8 * spikes.sum(axis=0),
    )
    changes = zip(before, run.weights.values(), traces, (back, back, 16 * errors), strict=True)
    for old, new, trace, error in changes:
        exact = (old - np.outer(trace.clip(0, 255), error) / 4096).clip(-LIMIT, LIMIT)
        np.testing.assert_array_less(np.abs(new - exact), 1)
        assert (new != old).any()


def test_without_a_label_nothing_changes() -> None:
    weights = first_weights()
    run = simulate(network(weights, 1, 1), events(strokes(5)), learn=True)
    assert run.spikes["output"].any()
    assert not run.spikes["errors"].any()
    for number, old in enumerate(weights):
        np.testing.assert_array_equal(run.weights[number], old)


def test_rtl_learns_the_same_weights() -> None:
    """From the first weights, where each recording changes many."""
    recordings = strokes(6)
    golden, golden_run = learn(first_weights(), 1, recordings)
    with one_at_a_time("example-braille-learning"):
        learned, run = learn(first_weights(), 1, recordings, "verilator")
    np.testing.assert_array_equal(run.spikes["output"], golden_run.spikes["output"])
    assert run.weight_updates == golden_run.weight_updates > 0
    for ours, theirs, first in zip(learned, golden, first_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert (ours != first).any()


def test_it_tells_letters_that_are_held_out(real: tuple[Recordings, Recordings]) -> None:
    held_out = real[1]
    with spikeloom.open(program(Result.load().after, 1), backend="golden") as device:
        assert told(device.run(events(held_out)), held_out) >= 0.9


@pytest.mark.soak
def test_rtl_learns_what_is_committed(real: tuple[Recordings, Recordings]) -> None:
    """The last epoch of all recordings, from the weights that the one before has left."""
    result, epoch = Result.load(), len(RATES)
    with one_at_a_time("example-braille-learning"):
        learned, _ = learn(result.before, epoch, in_order(real[0], epoch), "verilator")
    for ours, theirs in zip(learned, result.after, strict=True):
        np.testing.assert_array_equal(ours, theirs)
