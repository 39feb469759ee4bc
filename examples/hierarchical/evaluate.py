"""Winners and weights of both layers in RTL, golden and equations; and what they tell of MNIST.

python -m examples.hierarchical.evaluate mnist.npz [--images N]
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import spikeloom
from examples.evaluation import mnist, print_lines
from examples.hierarchical import (
    CONNECTIONS,
    COURSE,
    COURSES,
    LAYERS,
    RATES,
    STEPS,
    Hierarchy,
    as_kernels,
    encode,
    equations,
    program,
)
from examples.hierarchical.train import LABELLING, answers
from examples.spyketorch import SIZE
from examples.spyketorch_learning import Spikes, order
from examples.spyketorch_learning.equations import rounded
from examples.unsupervised import Digits
from spikeloom.boards.registry import board
from spikeloom.compare import compare
from spikeloom.golden.fixed import Integers
from spikeloom.program import Program

BOARD = "ulx3s_85f"
"""The board at whose clock images are counted."""

OF_THE_PAPER = (
    "of the paper we have the title alone, its text could not be read: spiking neurons in a "
    "hierarchy, STDP without labels in every layer, and images are from there; two layers, their "
    "neurons, codes, sizes and rates are assumed"
)
PARTS = "features alone", "digits alone, from pooled features", "digits, above features"
"""What learns, each in a network of its own."""
UPDATED = 250, 1000, 100
"""Images that they learn from beside the equations: 5 winners and 1 in an image."""
RATE = 4
"""Of `RATES`, in the middle of the first layer's courses."""
TOLD = 100
"""Test images that are told in RTL, too."""
CLOCKED = 3
"""Images whose clocks are predicted."""


class Learned(NamedTuple):
    """What a layer did in some images: its spikes, and its weights afterwards."""

    spikes: Spikes
    weights: Integers


def before(part: int) -> Hierarchy:
    """Untrained kernels; trained ones, below digits that are not."""
    untrained = Hierarchy.untrained(1)
    return Hierarchy(Hierarchy.load().kernels, untrained.digits) if part else untrained


def learning(part: int) -> Program:
    """One of `PARTS`."""
    hierarchy = before(part)
    if part == 0:
        return program(hierarchy.learning_kernels(RATES[RATE], 0))
    if part == 1:
        return program(hierarchy.learning_digits(COURSES[0], 1))
    return program(hierarchy.network(COURSES[0], 1))


def events_of(part: int, images: NDArray[np.uint8]) -> Spikes:
    """What it sees of images."""
    events = encode(images)
    if part != 1:
        return events
    with spikeloom.open(program(before(part).network()), backend="golden") as device:
        return device.run(events).spikes["pooled"] > 0


def by_device(part: int, events: Spikes, backend: str) -> tuple[Learned, Integers | None]:
    """What it learns, and the clocks of each image."""
    layer = min(part, 1)
    with spikeloom.open(learning(part), backend=backend) as device:
        run = device.run(events, learn=True)
        weights = device.weights[CONNECTIONS[layer]]
    return Learned(run.spikes[LAYERS[layer]] > 0, weights), run.cycles


def by_equations(part: int, images: NDArray[np.uint8]) -> Learned:
    """The same from the equations, which begin with the images."""
    return (_digits if part else _kernels)(before(part), encode(images))


def _kernels(hierarchy: Hierarchy, events: Spikes) -> Learned:
    kernels = hierarchy.kernels.copy()
    spikes = np.zeros((len(events), STEPS, len(kernels), SIZE, SIZE), np.bool_)
    for number, sample in enumerate(events):
        for winner in equations.learn_kernels(kernels, sample, rounded(RATES[RATE], 0, number)):
            spikes[number][winner] = True
    return Learned(spikes.reshape(len(events), STEPS, -1), kernels)


def _digits(hierarchy: Hierarchy, events: Spikes) -> Learned:
    digits, course = hierarchy.digits, COURSES[0]
    weights, thresholds = digits.weights.copy(), digits.thresholds.copy()
    spikes = np.zeros((len(events), STEPS, len(thresholds)), np.bool_)
    for number, sample in enumerate(events):
        wave = equations.features(hierarchy.kernels, sample)
        move = equations.rounded_move(course.rate, 1, number)
        won, step = equations.learn_digits(weights, thresholds, wave, move, course.increment)
        if won >= 0:
            spikes[number, step, won] = True
    return Learned(spikes, as_kernels(weights))


def measure(data: Path, count: int | None = None) -> Iterator[str]:
    """What the first `count` test images or all show; and less of all else."""
    yield OF_THE_PAPER
    images, classes = mnist(data, None, "train")
    shuffled = order(len(images))
    for part, most in enumerate(UPDATED):
        yield updates(part, images[shuffled[: min(count or most, most)]])
    tests = mnist(data, count)
    yield told(tests)
    yield beside_floats((images[shuffled], classes[shuffled]), tests)


def updates(part: int, images: NDArray[np.uint8]) -> str:
    """What learns in RTL, beside golden and the equations; and clocks of some images."""
    events = events_of(part, images)
    rtl, cycles = by_device(part, events, "verilator")
    assert cycles is not None
    others = {
        "golden": by_device(part, events, "golden")[0],
        "the equations": by_equations(part, images),
    }
    different = ", ".join(
        f"from {name} {(rtl.spikes != other.spikes).any(axis=(1, 2)).sum()} + "
        f"{(rtl.weights != other.weights).sum()}"
        for name, other in others.items()
    )
    clocked = compare(learning(part), events[:CLOCKED], learn=True)
    clock = board(BOARD).clock_mhz * 1e6
    return (
        f"{PARTS[part]}: {len(events):,} images, {rtl.spikes.sum():,} updates in RTL; "
        f"images whose winners differ + weights that differ at the end, of {rtl.weights.size:,}: "
        f"{different}; of {CLOCKED} images on every clock: {clocked.mismatches}; "
        f"{cycles.mean():,.0f} clocks an image, {clock / cycles.mean():,.0f} images a second at "
        f"the {clock / 1e6:g} MHz of {BOARD}"
    )


Known = tuple[NDArray[np.uint8], Integers]
"""Images and their classes."""


def told(tests: Known) -> str:
    """What the digits tell with learning off, and whether RTL says the same."""
    hierarchy = Hierarchy.load()
    won = answers(hierarchy, tests[0])
    rtl = answers(hierarchy, tests[0][:TOLD], "verilator")
    return (
        f"learned by the golden model: {_right(hierarchy.digits, won, tests[1]):.2%} of "
        f"{len(won):,} test images, by {len(hierarchy.digits.labels)} digits of the second layer; "
        f"winners of {len(rtl)} images that differ in RTL: {(rtl != won[: len(rtl)]).sum()}"
    )


def beside_floats(known: Known, tests: Known) -> str:
    """The same after learning in floats from the same images, in the same order."""
    images, classes = known
    untrained = Hierarchy.untrained(1)
    kernels, digits = equations.learned(untrained.kernels, untrained.digits, images)
    rest = slice(COURSE * len(RATES), COURSE * len(RATES) + LABELLING)
    digits = digits.labelled(equations.answers(kernels, digits, images[rest]), classes[rest])
    won = equations.answers(kernels, digits, tests[0])
    return (
        f"learned in floats from the same images: {_right(digits, won, tests[1]):.2%} of "
        f"{len(tests[0]):,} test images"
    )


def _right(digits: Digits, won: Integers, classes: Integers) -> float:
    return float((digits.classes(won) == classes).mean())


if __name__ == "__main__":
    print_lines(__doc__, measure)
