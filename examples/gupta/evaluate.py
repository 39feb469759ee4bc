"""Learning in RTL beside the golden model and the equations, and what it comes to.

python -m examples.gupta.evaluate mnist.npz [--images N]
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import spikeloom
from examples.evaluation import mnist, print_lines
from examples.gupta import (
    BOUNDS,
    CLASSES,
    IMAGES,
    SIDE,
    STEPS,
    Events,
    encode,
    initial_weights,
    network,
    rule,
    thresholds,
)
from examples.gupta.equations import learn as by_equations
from examples.gupta.learning import Learned, Learning, learn
from spikeloom.golden.learning import Rule
from spikeloom.golden.learning.ready_made import table_stdp
from spikeloom.program import Program

Images = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Images and their classes."""

ALL = tuple(range(10))
WATCHED = 50
"""Images whose every potential and weight is compared."""
OF_ALL = 1000
"""Training images of all classes."""


def program(plasticity: Rule) -> Program:
    """The network before learning, on the smallest fabric that has what it needs."""
    fabric = {"traces": True, "plastic_axons": SIDE * SIDE, "lanes": 16}
    return spikeloom.compile(network(initial_weights(), 1, plasticity), fabric)


def equations(events: Events, tables: bool = False) -> Learning:
    """The same by the equations."""
    weights = initial_weights()
    images = []
    for sample, threshold in zip(events, thresholds(events), strict=True):
        images.append(by_equations(weights, sample, threshold, tables))
        weights = images[-1].weights
    spikes, potentials, learned = (np.array(array) for array in zip(*images, strict=True))
    return Learning(spikes, potentials, learned, np.empty(0, np.int64))


def differences(first: Learning, second: Learning) -> list[int]:
    """Spikes, potentials and weights in which two runs differ."""
    pairs = zip(first[:3], second[:3], strict=True)
    return [int((one != other).sum()) for one, other in pairs]


def measure(data: Path, count: int | None = None) -> Iterator[str]:
    """Lines for training images of a few classes, `count` of them watched, and for all classes."""
    images, labels = training = mnist(data, None, "train")
    chosen = np.flatnonzero(np.isin(labels, CLASSES))[:IMAGES]
    events = encode(images[chosen])
    watched = events[: count or WATCHED]
    yield _compared(rule(), watched)
    yield f"by the tables of the published Verilog: {_compared(table_stdp(BOUNDS), watched)}"
    with spikeloom.open(program(rule()), "verilator") as device:
        run = learn(device, events, watched=False)
    different = int((run.weights[-1] != Learned.load().weights).sum())
    yield (
        f"{run.cycles.mean():,.0f} clocks an image of {len(events)}, {run.cycles.max():,} at most; "
        f"weights at the end that differ between RTL and golden: {different}"
    )
    tests = mnist(data, None)
    yield _described(Learned.of(run, labels[chosen], CLASSES), training, tests)
    yield _described(of_all_classes(data), training, tests)


def _compared(plasticity: Rule, events: Events) -> str:
    """In what RTL, golden and the equations differ, image by image."""
    runs = {}
    for backend in ("verilator", "golden"):
        with spikeloom.open(program(plasticity), backend) as device:
            runs[backend] = learn(device, events)
    rtl = runs.pop("verilator")
    runs["the equations"] = equations(events, plasticity != rule())
    different = ", ".join(
        f"from {name} {' + '.join(map(str, differences(rtl, run)))}" for name, run in runs.items()
    )
    return (
        f"{len(events)} images of {STEPS} steps, {int(rtl.spikes.sum()):,} spikes; spikes + "
        f"potentials + weights after each image in which RTL differs: {different}"
    )


def of_all_classes(data: Path) -> Learned:
    """What the golden model learns from all ten classes."""
    images, labels = mnist(data, OF_ALL, "train")
    with spikeloom.open(program(rule())) as device:
        return Learned.of(learn(device, encode(images), watched=False), labels, ALL)


def _described(learned: Learned, training: Images, tests: Images) -> str:
    """Which neuron is whose, and how many test images of these classes the neurons tell."""
    neurons, correlations = learned.neurons, learned.correlations(*training)
    images, labels = tests
    some = np.isin(labels, learned.classes)
    answers, truth = learned.classify(images[some]), labels[some]
    each = ", ".join(
        f"{c}: neuron {neuron}, {correlation:.2f}"
        for c, neuron, correlation in zip(learned.classes, neurons, correlations, strict=True)
    )
    return (
        f"classes {each} (correlation of weights and mean image), {len(set(neurons))} different; "
        f"{(answers == truth).mean():.1%} of {len(truth):,} test images, "
        f"{(answers < 0).mean():.1%} without a spike"
    )


if __name__ == "__main__":
    print_lines(__doc__, measure)
