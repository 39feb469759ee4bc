"""Rates, residuals and accuracies of the hybrid network on MNIST's test images.

python -m examples.hybrid.evaluate mnist.npz [--images N]
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import spikeloom
from examples.evaluation import mnist, print_lines
from examples.hybrid import BITS, WEIGHTS, Hybrid, shown
from examples.radix import Layers, upper_bits
from spikeloom.devices.device import Run
from spikeloom.golden.event_counts import magnitudes
from spikeloom.golden.fixed import Integers
from spikeloom.golden.step.run import simulate
from spikeloom.program import Program

STEPS = 16
CHECKED = 500
"""Images that the RTL runs, too."""


def program(hybrid: Hybrid, graded: bool = True) -> Program:
    """The network on the smallest fabric that has what it needs, and graded events, or not."""
    return spikeloom.compile(hybrid.network(), {"graded_bits": BITS if graded else 0})


def rate_errors(hybrid: Hybrid, pixels: Integers, spikes: dict[str, Integers]) -> dict[str, float]:
    """The largest |sum of spikes / T - rate| * T of any neuron and image, by population.

    The rate of a hidden neuron is that of the rate network, the rate of a class that of the hidden
    spikes it received.
    """
    steps = spikes["hidden"].shape[1]
    hidden, classes = (spikes[name].sum(axis=1) for name in ("hidden", "classes"))
    expected = {
        "hidden": hybrid.rates(pixels) * steps,
        "classes": hybrid.class_rates(hidden / steps) * steps,
    }
    return {
        "hidden": float(np.abs(hidden - expected["hidden"]).max()),
        "classes": float(np.abs(classes - expected["classes"]).max()),
    }


def residuals(hybrid: Hybrid, pixels: Integers, steps: int) -> tuple[float, float, float]:
    """The least and the largest potential of a hidden neuron after any step, and |that| of a class.

    In units of the threshold.
    """
    network = hybrid.network()
    neurons = {p.name: np.arange(p.size) for p in network.populations}
    traces = simulate(network, shown(pixels, steps), traces=neurons).traces
    hidden = traces["hidden"] / hybrid.hidden_threshold
    classes = np.abs(traces["classes"]) / hybrid.class_threshold
    return float(hidden.min()), float(hidden.max()), float(classes.max())


def answers(hybrid: Hybrid, spikes: Integers, states: Integers) -> Integers:
    """The class with the most spikes, and of those the largest residual."""
    totals = spikes.sum(axis=1, dtype=np.int64) * hybrid.class_threshold + states
    chosen: Integers = totals.argmax(axis=1)
    return chosen


def _same(golden: Run, rtl: Run) -> bool:
    """Whether every spike, final potential and the number of synaptic operations are the same."""
    pairs = [(golden.spikes, rtl.spikes), (golden.states, rtl.states)]
    equal = all(np.array_equal(a[name], b[name]) for a, b in pairs for name in a)
    return equal and golden.synops == rtl.synops and rtl.errors == 0


def _images(data: Path, count: int | None) -> tuple[Integers, NDArray[np.int64]]:
    images, labels = mnist(data, count)
    return upper_bits(images, BITS), labels


def measure_rates(data: Path, count: int | None = None) -> Iterator[str]:
    """A line for each number of steps, and one for the RTL, with w = 1."""
    hybrid = Hybrid(Layers.load(BITS))
    pixels, labels = _images(data, count)
    scores = hybrid.class_rates(hybrid.rates(pixels))
    yield f"rate network: {(scores.argmax(axis=1) == labels).mean():.2%} of {len(labels):,} images"
    for steps in (1, 4, STEPS, 2 * STEPS, 4 * STEPS):
        run = simulate(hybrid.network(), shown(pixels, steps))
        right = answers(hybrid, run.spikes["classes"], run.states["classes"]) == labels
        errors = rate_errors(hybrid, pixels, run.spikes)
        yield (
            f"T = {steps}: {right.mean():.2%}; largest rate error {errors['hidden']:.4f}/T of the "
            f"ReLUs, {errors['classes']:.4f}/T of the signed classes"
        )
    checked = pixels[:CHECKED]
    clocks = []
    for graded in (False, True):
        compiled = program(hybrid, graded)
        with spikeloom.open(compiled, backend="golden") as device:
            golden = device.run(shown(checked, STEPS))
        with spikeloom.open(compiled, backend="verilator") as device:
            rtl = device.run(shown(checked, STEPS))
        assert _same(golden, rtl)
        assert rtl.cycles is not None
        clocks.append(rtl.cycles.mean() / STEPS)
    yield (
        f"RTL = golden in {len(checked):,} images of {STEPS} steps; clocks a step: "
        f"{clocks[0]:,.0f} with an event for each spike, {clocks[1]:,.0f} with graded events"
    )


def measure_bits(data: Path, count: int | None = None) -> Iterator[str]:
    """A line for each w."""
    pixels, labels = _images(data, count)
    for inverse in WEIGHTS:
        hybrid = Hybrid(Layers.load(BITS), inverse)
        right = {}
        for steps in (STEPS // 4, STEPS):
            run = simulate(hybrid.network(), shown(pixels, steps))
            chosen = answers(hybrid, run.spikes["classes"], run.states["classes"])
            right[steps] = f"{(chosen == labels).mean():.2%} in {steps} steps"
        spikes = run.spikes["hidden"]
        events = np.count_nonzero(spikes)
        least, most, of_classes = residuals(hybrid, pixels[:CHECKED], STEPS)
        assert 0 <= least < most < 1
        assert of_classes < 1
        yield (
            f"w = 1/{inverse}: {', '.join(right.values())}; {int(spikes.max()).bit_length()} bits, "
            f"{magnitudes(spikes, True).sum(dtype=np.int64) / events:.2f} of them 1 in an event, "
            f"{events / spikes.size:.2f} events a neuron and step; residuals "
            f"{least:.5f}..{most:.5f} of a threshold, of signed classes within {of_classes:.4f}"
        )


if __name__ == "__main__":
    print_lines(__doc__, measure_rates, measure_bits)
