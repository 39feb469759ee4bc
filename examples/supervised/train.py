"""Let the network learn from MNIST's training images, each once.

    python -m examples.supervised.train mnist.npz [--backend verilator]

Writes `supervised.npz`. Seeded, and the same with every backend; about ten minutes in the golden
model.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import spikeloom
from examples.evaluation import mnist
from examples.supervised import (
    EPOCHS,
    FILE,
    Result,
    Weights,
    classes,
    events,
    first_weights,
    network,
)
from spikeloom.devices.device import Run
from spikeloom.golden.fixed import Integers
from spikeloom.program import Program


def program(weights: Weights, epoch: int) -> Program:
    """The network on the smallest fabric, which sends what it needs to tell a class."""
    return spikeloom.compile(network(weights, epoch), record=["output"], readout=["output"])


def learn(
    weights: Weights,
    epoch: int,
    images: NDArray[np.uint8],
    labels: Integers,
    backend: str = "golden",
) -> tuple[Weights, Run]:
    """The weights after an epoch, numbered from 1, of these images; and the run."""
    with spikeloom.open(program(weights, epoch), backend=backend) as device:
        run = device.run(events(images, labels), learn=True)
        learned = device.weights["image->hidden"], device.weights["hidden->output"]
    return Weights(*learned), run


def main() -> None:
    """Learn, say how many images are told before they are learned, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--backend", default="golden", help="golden or verilator")
    arguments = parser.parse_args()
    images, labels = mnist(arguments.data, None, "train")
    before = after = first_weights()
    for number, part in enumerate(np.split(np.arange(len(images)), EPOCHS), 1):
        before = after
        after, run = learn(before, number, images[part], labels[part], arguments.backend)
        told = (classes(run.spikes["output"], run.states["output"]) == labels[part]).mean()
        print(f"epoch {number}: {told:.2%} told before they were learned", flush=True)
    Result(before, after).save(FILE)


if __name__ == "__main__":
    main()
