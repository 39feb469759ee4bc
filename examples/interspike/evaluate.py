"""How much of the maps lies on strokes; traces of golden and RTL; the picture of ten digits.

python -m examples.interspike.evaluate mnist.npz
"""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import spikeloom
from examples.evaluation import mnist
from examples.interspike import (
    GAMMA,
    MAPPED,
    MAPS,
    STEPS,
    UNIT,
    Layers,
    activation_maps,
    encode,
    on_strokes,
)
from spikeloom.devices.device import Run
from spikeloom.golden.fixed import Integers
from spikeloom.program import Program

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "interspike.png"
TRACED = ["maps", "traces"]
SHOWN = 3, 7, 15
"""Steps in the picture."""

FABRIC = {"traces": True}


def program() -> Program:
    """The network on the smallest fabric that has what it needs."""
    return spikeloom.compile(Layers.load().network(), FABRIC)


def maps_of(run: Run) -> Integers:
    """The map of each step, from what a device read out."""
    return activation_maps(run.spikes["maps"].astype(np.bool_), run.traces["traces"])


def contributions(spikes: NDArray[np.bool_]) -> NDArray[np.float64]:
    """In float: the sum over earlier spikes of exp(-GAMMA * (steps since then - 1))."""
    total = np.zeros(spikes.shape)
    for step in range(1, spikes.shape[1]):
        total[:, step] = np.exp(-GAMMA) * total[:, step - 1] + spikes[:, step - 1]
    return total


def measure(data: Path, count: int = 100) -> Iterator[str]:
    """A line for the network, for the traces, and for the maps; draws the picture."""
    images, labels = mnist(data, count)
    events = encode(images)
    runs = {}
    for backend in ("golden", "verilator"):
        with spikeloom.open(program(), backend) as device:
            runs[backend] = device.run(events, traces=TRACED)
    golden, rtl = runs["golden"], runs["verilator"]
    different = sum(int((golden.traces[n] != rtl.traces[n]).sum()) for n in TRACED)
    different += int((golden.spikes["maps"] != rtl.spikes["maps"]).sum())
    answers = golden.states["classes"].argmax(axis=1)
    assert rtl.cycles is not None
    yield (
        f"28 x 28 - {MAPS} x {MAPPED} x {MAPPED} - 10, {STEPS} steps: "
        f"{(answers == labels).mean():.1%} of {count} images of MNIST, {rtl.cycles.mean():,.0f} "
        f"clocks each with all potentials of every step read out"
    )
    spikes = golden.spikes["maps"].astype(np.bool_)
    error = np.abs(golden.traces["traces"] / UNIT - contributions(spikes)).max()
    yield (
        f"{golden.traces['traces'].size:,} traces: spikes and potentials that differ between "
        f"golden and RTL: {different}; largest distance to sums of exponentials in float: "
        f"{error:.3f} of what a spike adds"
    )
    maps, strokes = maps_of(golden).sum(axis=1), on_strokes(images)
    inside = (maps * strokes).sum(axis=(1, 2)) / maps.sum(axis=(1, 2))
    yield (
        f"share of a map on positions with a stroke, which are {strokes.mean():.0%} of all: "
        f"{inside.mean():.1%}; more on strokes than beside them in "
        f"{(inside > 0.5).sum()} of {count} images"
    )
    first = [int((labels == digit).argmax()) for digit in range(10)]
    draw(images[first], maps_of(golden)[first])
    yield "![ten digits, and their maps in steps 3, 7 and 15 and in sum](images/interspike.png)"


def draw(images: NDArray[np.uint8], maps: Integers) -> None:
    """Draw digits, their maps in some steps, and the sums of their maps."""
    importlib.import_module("matplotlib").use("agg")
    pyplot = importlib.import_module("matplotlib.pyplot")
    rows = [images, *(maps[:, step] for step in SHOWN), maps.sum(axis=1)]
    titles = ["image", *(f"step {step}" for step in SHOWN), "sum"]
    figure, axes = pyplot.subplots(len(rows), len(images), figsize=(8, 4.2))
    for title, row, shown in zip(titles, axes, rows, strict=True):
        row[0].set_ylabel(title, rotation=0, ha="right", va="center", fontsize=9)
        for ax, picture in zip(row, shown, strict=True):
            ax.imshow(picture, cmap="gray" if title == "image" else "magma")
            ax.set(xticks=[], yticks=[])
    figure.subplots_adjust(left=0.09, right=0.995, top=0.99, bottom=0.01, wspace=0.06, hspace=0.06)
    figure.savefig(PICTURE, dpi=80, metadata={"Software": None})
    pyplot.close(figure)


if __name__ == "__main__":
    for line in measure(Path(sys.argv[1])):
        print(line, flush=True)
