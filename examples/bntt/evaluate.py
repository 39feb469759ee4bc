"""Accuracies of the network on MNIST's test images, after each step; folded beside unfolded.

python -m examples.bntt.evaluate mnist.npz [--images N]
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import spikeloom
from examples.bntt import STEPS, Layers, encode
from examples.evaluation import mnist, print_lines
from spikeloom.golden.fixed import Integers
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.program import Program

IN_FLOAT, IN_RTL, CHOOSING = 200, 200, 5000
"""Images for the comparisons that take longer."""
LOSS = 0.005
"""What an early exit may cost, of the training images."""


def program(layers: Layers) -> Program:
    """The network on the smallest fabric that has what it needs."""
    return spikeloom.compile(layers.network())


def largest_difference(layers: Layers, events: NDArray[np.bool_]) -> float:
    """Of the potentials of the folded network and the unfolded one; infinite if spikes differ."""
    spikes, potentials = layers.unfolded(events)
    run = simulate_float(layers.network(), events, traces=["hidden"])
    if not np.array_equal(run.spikes["hidden"], spikes):
        return np.inf
    return float(np.abs(run.traces["hidden"] - potentials).max())


def sums(compiled: Program, hidden: NDArray[np.bool_]) -> Integers:
    """Potentials of the classes after each step: the weights of all spikes so far."""
    (connection,) = compiled.network.into("classes")
    weights = connection.weights
    assert weights.ndim == 2
    arriving: Integers = hidden.astype(np.int64) @ weights
    return arriving.cumsum(axis=1)


def accuracies(
    compiled: Program, hidden: NDArray[np.bool_], labels: Integers
) -> NDArray[np.float64]:
    """The accuracy after each step."""
    rates: NDArray[np.float64] = (sums(compiled, hidden).argmax(2) == labels[:, np.newaxis]).mean(0)
    return rates


def exit_step(compiled: Program, data: Path) -> int:
    """The first step after which `CHOOSING` training images are told with `LOSS` at most."""
    images, labels = mnist(data, CHOOSING, "train")
    with spikeloom.open(compiled, backend="golden") as device:
        hidden = device.run(encode(images)).spikes["hidden"]
    after = accuracies(compiled, hidden, labels)
    return int(np.argmax(after >= after[-1] - LOSS)) + 1


def measure(data: Path, count: int | None = None) -> Iterator[str]:
    """What the first `count` test images show, or all."""
    images, labels = mnist(data, count)
    layers, events = Layers.load(), encode(images)
    compiled = program(layers)
    yield (
        f"folded into a gain and an offset of each step, potentials of {IN_FLOAT} images differ by "
        f"{largest_difference(layers, events[:IN_FLOAT]):.0e} at most, in float"
    )
    spikes, _ = layers.unfolded(events)
    trained = ((spikes.sum(1) @ layers.output).argmax(1) == labels).mean()
    with spikeloom.open(compiled, backend="golden") as device:
        run = device.run(events)
    after = accuracies(compiled, run.spikes["hidden"], labels)
    with spikeloom.open(compiled, backend="verilator") as device:
        rtl = device.run(events[:IN_RTL])
    different = sum(
        int((results[name] != expected[name][:IN_RTL]).any(axis=tuple(range(1, ndim))).sum())
        for results, expected, ndim in ((rtl.spikes, run.spikes, 3), (rtl.states, run.states, 2))
        for name in results
    )
    assert rtl.cycles is not None
    yield (
        f"{STEPS} steps: {after[-1]:.2%} of {len(labels):,} images in integers, {trained:.2%} in "
        f"float; {rtl.cycles.mean():,.0f} clocks an image; of {IN_RTL} images {different} differ "
        f"between golden and RTL"
    )
    step = exit_step(compiled, data)
    with spikeloom.open(compiled, backend="verilator") as device:
        early = device.run(events[:IN_RTL, :step])
    assert early.cycles is not None
    yield (
        f"exit after {step} steps, as {CHOOSING:,} training images lose {LOSS:.1%} at most by it: "
        f"{after[step - 1]:.2%}, {STEPS - step} steps and "
        f"{1 - early.cycles.mean() / rtl.cycles.mean():.0%} of the clocks saved"
    )


if __name__ == "__main__":
    print_lines(__doc__, measure)
