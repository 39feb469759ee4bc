"""Accuracy of the ternary network on MNIST's test images, and its clocks; golden and RTL.

python -m examples.truenorth.evaluate mnist.npz [--images N]
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

import spikeloom
from examples.evaluation import mnist, print_lines, samples_come_first
from examples.truenorth import FILE, Layer, load, network, spikes, votes
from spikeloom.boards.registry import board
from spikeloom.compare import compare
from spikeloom.program import Program

BOARD = "ulx3s_85f"
"""The board at whose clock images are counted."""
IN_RTL = 100


def program(layers: list[Layer]) -> Program:
    """The network on a fabric of 16 lanes that also has the other reset at a floor."""
    return spikeloom.compile(network(layers), {"lanes": 16, "floor_reset": True})


def measure(data: Path, count: int | None = None) -> Iterator[str]:
    """What the first `count` test images or all show."""
    samples_come_first("pixels")
    images, labels = mnist(data, count)
    with np.load(FILE) as file:
        float_accuracy = float(file["float_accuracy"])
    layers = load()
    made, events = program(layers), spikes(images)
    outputs = events[:, 0].astype(np.int64)
    for layer in layers:
        outputs = layer(outputs)
    with spikeloom.open(made, backend="golden") as device:
        run = device.run(events)
    last = run.spikes[made.network.populations[-1].name][:, 0]
    different = int((last != outputs).any(axis=1).sum())
    right = (votes(outputs).argmax(axis=1) == labels).mean()
    yield (
        f"{sum(len(layer.inputs) for layer in layers)} cores, "
        f"{sum(layer.bias.size for layer in layers):,} neurons: {right:.2%} of {len(labels):,} "
        f"images, {float_accuracy:.2%} with the same connections in float; images whose output "
        f"spikes in golden differ from matrix products: {different}"
    )
    result = compare(made, events[:IN_RTL])
    known, clocks = board(BOARD), result.rtl.cycles.mean()
    yield (
        f"{clocks:,.0f} clocks an image: {known.clock_mhz * 1e6 / clocks:,.0f} images a second at "
        f"the {known.clock_mhz:g} MHz of {BOARD}; {result.samples} images in RTL: "
        f"{result.mismatches} spikes, potentials and clocks differ from golden"
    )


if __name__ == "__main__":
    print_lines(__doc__, measure)
