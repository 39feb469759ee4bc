"""Trains the neurons: python -m examples.unsupervised.train mnist.npz --output unsupervised.npz.

Takes 5 minutes. With --backend verilator the RTL learns instead of the golden model.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np

from examples.evaluation import mnist
from examples.unsupervised import FROZEN, Digits, answer, program, schedule
from spikeloom.golden.errors import SpikeloomWarning
from spikeloom.golden.fixed import Integers

LABELLING = 20_000
"""Training images, the first ones of the order, whose classes give neurons their labels."""


def order(images: int, seed: int) -> Integers:
    """The order of the training images, the same on every machine."""
    return np.argsort(np.random.PCG64(seed).random_raw(images), kind="stable")


def main(data: Path, output: Path, seed: int, backend: str) -> None:
    """Learn, give labels, and say what is right of the test images."""
    images, classes = mnist(data, None, "train")
    tests, test_classes = mnist(data, None)
    shuffled = order(len(images), seed)
    digits, started = Digits.untrained(seed), time.monotonic()
    for number, (course, part) in enumerate(schedule()):
        learned = answer(program(digits, course, number), images[shuffled[part]], backend, True)
        digits = digits.after(learned.weights, learned.won, course)
        print(f"{part.stop:6,} images, {time.monotonic() - started:4.0f} s", flush=True)
    frozen, known = program(digits, FROZEN), shuffled[:LABELLING]
    won = answer(frozen, images[known], backend, False).won
    digits = digits.labelled(won, classes[known])
    digits.save(output)
    right = digits.classes(answer(frozen, tests, backend, False).won) == test_classes
    print(f"{right.mean():.2%} of {len(tests):,} test images")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--backend", default="golden")
    arguments = parser.parse_args()
    # A sample has its spikes in one step.
    warnings.filterwarnings("ignore", "events of 'pixels': shape", SpikeloomWarning)
    main(arguments.data, arguments.output, arguments.seed, arguments.backend)
