"""Accuracies of the radix network on MNIST's test images; golden and RTL beside matrix products.

python -m examples.radix.evaluate mnist.npz [--images N]
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

import spikeloom
from examples.evaluation import mnist, print_lines
from examples.radix import BITS, FILE, STATE_BITS, SUM_BITS, Layers, upper_bits
from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import Reset
from spikeloom.golden.step.run import simulate
from spikeloom.program import Program

RATE_STEPS = (8, 16, 32, 64)


def program(layers: Layers) -> Program:
    """The network on the smallest fabric that has what it needs."""
    return spikeloom.compile(layers.network())


def measure(data: Path, count: int | None = None) -> Iterator[str]:
    """A line for each number of bits, of the first `count` test images or of all."""
    images, labels = mnist(data, count)
    with np.load(FILE) as file:
        yield f"in float: {float(file['float_accuracy']):.2%} of all test images"
    for bits in BITS:
        layers = Layers.load(bits)
        pixels = upper_bits(images, bits)
        products = layers.products(pixels)
        made, events = program(layers), layers.encode(pixels)
        different = {}
        for backend in ("golden", "verilator"):
            with spikeloom.open(made, backend=backend) as device:
                run = device.run(events)
            different[backend] = int((run.states["classes"] != products).any(axis=1).sum())
        yield (
            f"T = {bits}, {2 * bits + 1} steps: {(products.argmax(1) == labels).mean():.2%} of "
            f"{len(labels):,} images, {run.cycles.mean():,.0f} clocks each; images whose "
            f"potentials differ from plain matrix products: golden {different['golden']}, RTL "
            f"{different['verilator']}"
        )
        rates = {
            steps: (rate_coded(layers, pixels, steps).argmax(1) == labels).mean()
            for steps in RATE_STEPS
        }
        yield "the same layers in a rate code: " + ", ".join(
            f"{rate:.2%} in {steps} steps" for steps, rate in rates.items()
        )


def rate_coded(layers: Layers, pixels: Integers, steps: int) -> Integers:
    """Outputs of the same layers as a rate code: a number is spikes, evenly spread over the steps.

    A hidden neuron integrates, and a spike subtracts the sum that stands for the largest number.
    """
    top = (1 << layers.bits) - 1
    hidden, classes = layers.output.shape
    biases = [
        np.rint(unit * bias / top).astype(np.int64)
        for unit, bias in zip(layers.units, (layers.hidden_bias, layers.output_bias), strict=True)
    ]
    threshold = {"threshold": 1 << layers.shift, "inclusive": True, "reset": Reset.SUBTRACT}
    network = Network(
        (Input("pixels", pixels.shape[1]),),
        (
            Population("hidden", hidden, biases[0], **threshold),
            Population("classes", classes, biases[1], 1, spiking=False),
        ),
        (
            Connection("pixels", "hidden", layers.hidden),
            Connection("hidden", "classes", layers.output),
        ),
        state_bits=STATE_BITS,
        sum_bits=SUM_BITS,
    )
    times = np.arange(steps + 1)[:, np.newaxis]
    sent = np.stack([np.diff(times * image // top, axis=0) for image in pixels])
    return simulate(network, sent.astype(np.bool_)).states["classes"]


if __name__ == "__main__":
    print_lines(__doc__, measure)
