"""Accuracy of the MNIST network against the levels of its weights and the noise of reading.

python -m examples.memristors.evaluate mnist.npz [--images N]
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import spikeloom
from examples.evaluation import mnist, print_lines
from examples.memristors import quantised, read
from examples.mnist import encode
from spikeloom.compare import compare
from spikeloom.demo import mnist_program
from spikeloom.devices.device import Device
from spikeloom.golden.fixed import Integers

LEVELS = (2, 4, 8, 16, 32, 256)
"""The last is what the network was trained with, weights of 8 bits."""
NOISES = (0.0, 0.05, 0.1, 0.15, 0.2)
BATCH, SEED = 250, 1
"""Images that share what is read of a weight."""
IN_RTL = 500


def answers(
    device: Device,
    weights: dict[str, Integers],
    noise: float,
    events: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Integers:
    """The class of each image, with weights that are read anew for every `BATCH` images."""
    classes = []
    for start in range(0, len(events), BATCH):
        if noise or not start:
            for name, values in weights.items():
                device.weights[name] = read(values, noise, rng)
        run = device.run(events[start : start + BATCH])
        classes.append(run.states["readout"].argmax(axis=1))
    return np.concatenate(classes)


def measure(data: Path, count: int | None = None) -> Iterator[str]:
    """A line for each number of levels, of the first `count` test images or of all."""
    images, labels = mnist(data, count)
    events = encode(images)
    program = mnist_program()
    rng = np.random.default_rng(SEED)
    with spikeloom.open(program, backend="golden") as device:
        trained = {name: device.weights[name] for name in device.weights}
        for levels in LEVELS:
            weights = {
                name: values if levels == LEVELS[-1] else quantised(values, levels)
                for name, values in trained.items()
            }
            rates = [
                (answers(device, weights, noise, events, rng) == labels).mean() for noise in NOISES
            ]
            curve = ", ".join(
                f"{rate:.2%} at {noise:.0%}" for noise, rate in zip(NOISES, rates, strict=True)
            )
            yield f"{levels} levels, {len(labels):,} images, noise of reading: {curve}"
            if levels == 16:
                noisy = device.program
        result = compare(noisy, events[:IN_RTL])
        yield (
            f"16 levels as last read with {NOISES[-1]:.0%} noise, {result.samples} images in RTL: "
            f"{result.mismatches} spikes, potentials and clocks differ from golden"
        )


if __name__ == "__main__":
    print_lines(__doc__, measure)
