"""Winners and weights beside SpykeTorch's, what the features tell, and what the RTL learns.

python -m examples.spyketorch_learning.evaluate mnist.npz [--images N]

SpykeTorch is run where it can be imported (it is on GitHub, miladmozafari/SpykeTorch).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from examples.evaluation import mnist, print_lines
from examples.spyketorch_learning import (
    COURSES,
    IMAGES,
    LAYERS,
    Floats,
    Kernels,
    Readout,
    Spikes,
    encode,
    equations,
    features,
    float_kernels,
    learn,
    order,
    program,
)
from examples.spyketorch_learning.equations import Learning, rounded, spikes_of, wave_into
from examples.spyketorch_learning.original import spyketorch
from spikeloom.boards.registry import board
from spikeloom.compare import compare
from spikeloom.golden.fixed import Integers

BOARD = "ulx3s_85f"
"""The board at whose clock images are counted."""

READOUT = 5000
"""Training images, which no kernel has learned from, that a read-out learns from."""

MIDDLE = (0, 4), (1, 13)
"""Layers, and courses in the middle of each."""

UPDATED = 250
"""Images that each layer learns from beside the library, and in RTL."""

CLOCKED = 3
"""Images whose clocks are predicted, too."""

SPLIT = 5
"""Classes of the first task."""


def before(layer: int) -> Kernels:
    """Untrained kernels, or for the second layer those in the middle of its courses."""
    return Kernels.load("half") if layer else Kernels.untrained(1)


class Beside(NamedTuple):
    """What chip and another way to learn do differently from the same images."""

    updates: int
    winners: int
    weights: int


def beside(
    kernels: Kernels, layer: int, rate: float, seed: int, events: Spikes, learning: Learning
) -> Beside:
    """Kernels that another way changes, images in which others win, and weights that differ."""
    after, run = learn(kernels, layer, rate, seed, events)
    weights, spikes = kernels[layer].copy(), run.spikes[LAYERS[layer]]
    updates = others = 0
    for number, sample in enumerate(events):
        seen = wave_into(layer, sample, kernels.first)
        won = learning(weights, layer, seen, rounded(rate, seed, number))
        updates += len(won)
        others += not np.array_equal(spikes_of(won, layer), spikes[number])
    return Beside(updates, others, int((weights != after[layer]).sum()))


def measure(data: Path, count: int | None = None) -> Iterator[str]:
    """What the first `count` test images or all show; and less of all else."""
    images, classes = mnist(data, None, "train")
    shuffled = order(len(images))
    events = encode(images[shuffled[: min(count or UPDATED, UPDATED)]])
    yield from measure_updates(events)
    readable = shuffled[IMAGES : IMAGES + min(count or READOUT, READOUT)]
    known = images[readable], classes[readable]
    tests = mnist(data, count)
    yield from measure_features(known, tests)
    yield from measure_tasks(known, tests)
    yield from measure_rtl(events)


def measure_updates(events: Spikes) -> Iterator[str]:
    """Both layers beside the equations, and beside the library."""
    methods: dict[str, Learning] = {"the equations in NumPy": equations.learn}
    if library := spyketorch():
        methods["SpykeTorch itself"] = library
    for layer, number in MIDDLE:
        rate = COURSES[number][1]
        for name, method in methods.items():
            result = beside(before(layer), layer, rate, number, events, method)
            yield (
                f"{LAYERS[layer]} layer, {len(events)} images, {result.updates:,} updates of "
                f"kernels at a rate of {rate}; images whose winners differ from {name}: "
                f"{result.winners}, weights at the end: {result.weights}"
            )


Known = tuple[NDArray[np.uint8], Integers]
"""Images and their classes."""


def measure_features(known: Known, tests: Known) -> Iterator[str]:
    """What read-outs tell of the chip's features, of SpykeTorch's, and of untrained ones."""
    right = {}
    for name, kernels in (("chip", Kernels.load("all")), ("untrained", Kernels.untrained(1))):
        seen, new = (features(kernels, images) for images in (known[0], tests[0]))
        right[name] = (Readout.of(seen, known[1])(new) == tests[1]).mean()
    floats = float_kernels()
    seen, new = (equations.features(floats, images) for images in (known[0], tests[0]))
    right["floats"] = (Readout.of(seen, known[1])(new) == tests[1]).mean()
    yield (
        f"a linear read-out of what the chip learned tells {right['chip']:.2%} of "
        f"{len(tests[0]):,} test images, of what SpykeTorch's rule learned in floats "
        f"{right['floats']:.2%}, of untrained kernels {right['untrained']:.2%}"
    )


def measure_tasks(known: Known, tests: Known) -> Iterator[str]:
    """Digits 0 to 4 first, kernels and read-out; then 5 to 9, without those."""
    kernels = Kernels.load("split")
    seen, new = (features(kernels, images) for images in (known[0], tests[0]))
    first = known[1] < SPLIT
    alone = Readout.of(seen[first], known[1][first])
    both = alone.with_more(seen[~first], known[1][~first])
    joint = Readout.of(seen, known[1])
    easy = tests[1] < SPLIT
    yield (
        f"two tasks: after 0..4, {_right(alone, new, tests[1], easy):.2%} of these are told; after "
        f"5..9, {_right(both, new, tests[1], easy):.2%} of 0..4 among ten classes and "
        f"{_right(both, new, tests[1], ~easy):.2%} of 5..9, "
        f"{_right(both, new, tests[1], easy | ~easy):.2%} of all; all classes at once "
        f"{_right(joint, new, tests[1], easy | ~easy):.2%}"
    )


def _right(
    readout: Readout, seen: Floats, classes: Integers, which: NDArray[np.bool_]
) -> np.floating[object]:
    right: np.floating[object] = (readout(seen[which]) == classes[which]).mean()
    return right


def measure_rtl(events: Spikes) -> Iterator[str]:
    """Each layer in RTL and golden; of the first images every clock, too."""
    clock = board(BOARD).clock_mhz * 1e6
    for layer, number in MIDDLE:
        kernels, rate = before(layer), COURSES[number][1]
        (weights, golden), (of_rtl, rtl) = (
            learn(kernels, layer, rate, number, events, backend)
            for backend in ("golden", "verilator")
        )
        others = (rtl.spikes[LAYERS[layer]] != golden.spikes[LAYERS[layer]]).any(axis=(1, 2)).sum()
        assert rtl.cycles is not None
        clocks = rtl.cycles.mean()
        result = compare(
            program(kernels.learning(layer, rate, number)), events[:CLOCKED], learn=True
        )
        yield (
            f"{LAYERS[layer]} layer, the same {len(events)} images learned in RTL, "
            f"{rtl.spikes[LAYERS[layer]].sum():,} updates: images whose winners differ from "
            f"golden: {others}, weights at the end: "
            f"{(of_rtl[layer] != weights[layer]).sum()} of {weights[layer].size:,}; of "
            f"{len(result.rtl.cycles)} images on every clock: {result.mismatches}; "
            f"{clocks:,.0f} clocks an image, {clock / clocks:,.0f} images a second at the "
            f"{clock / 1e6:g} MHz of {BOARD}"
        )


if __name__ == "__main__":
    print_lines(__doc__, measure)
