"""Learning on the chip by the rule of Gupta et al.: golden, RTL and equations; what it comes to."""

import numpy as np
import pytest
from locking import one_at_a_time

import spikeloom
from examples.gupta import BOUNDS, CLASSES, Events, encode, rule
from examples.gupta.evaluate import differences, equations, program
from examples.gupta.learning import Learned, learn
from spikeloom.demo import digits
from spikeloom.golden.learning.ready_made import table_stdp


def mixed(count: int) -> Events:
    """The events of images of all classes in random order."""
    images, _ = digits(count)
    return encode(np.random.default_rng(count).permutation(images))


@pytest.mark.parametrize(("tables", "images"), [(False, 50), (True, 10)], ids=["python", "verilog"])
def test_golden_learns_as_the_equations_say(tables: bool, images: int) -> None:
    """200 steps each: every spike, potential and weight after each image."""
    events = mixed(images)
    with spikeloom.open(program(table_stdp(BOUNDS) if tables else rule())) as device:
        run = learn(device, events)
    assert differences(run, equations(events, tables)) == [0, 0, 0]
    assert run.spikes.any(axis=(1, 2)).sum() > 0.8 * images
    moved = np.diff(run.weights, axis=0)
    assert (moved > 0).sum() > 100
    assert (moved < 0).sum() > 100


@pytest.mark.soak
def test_rtl_learns_as_the_equations_say() -> None:
    """Two images: every spike, potential and weight; and at most 16,000 clocks each."""
    events = mixed(2)
    with one_at_a_time("example-gupta"), spikeloom.open(program(rule()), "verilator") as device:
        run = learn(device, events)
        cycles = learn(device, events[:1], watched=False).cycles
    assert differences(run, equations(events)) == [0, 0, 0]
    assert run.spikes.any(axis=(1, 2)).all()
    assert cycles.max() <= 16_000


def test_a_neuron_for_each_class() -> None:
    """Of what is committed: receptive fields look like their class, and tell new images."""
    images, labels = digits(1000)
    learned = Learned.load()
    assert learned.classes == CLASSES
    assert len(set(learned.neurons)) == len(CLASSES)
    assert min(learned.correlations(images, labels)) > 0.6
    few = np.flatnonzero(np.isin(labels, CLASSES))[:100]
    assert (learned.classify(images[few]) == labels[few]).mean() > 0.75
