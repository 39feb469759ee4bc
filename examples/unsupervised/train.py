"""Trains the neurons: python -m examples.unsupervised.train mnist.npz --output unsupervised.npz.

Takes 5 minutes. With --backend verilator the RTL learns instead of the golden model.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import spikeloom
from examples.evaluation import mnist, samples_come_first
from examples.unsupervised import (
    COURSES,
    FROZEN,
    RUN,
    Digits,
    answer,
    encode,
    program,
    winners,
)
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
    done = 0
    for seed_of_rounding, course in enumerate(COURSES):
        learning = program(digits, course, seed_of_rounding)
        with spikeloom.open(learning, backend=backend) as device:
            for part in np.split(shuffled[done : done + course.images], course.images // RUN):
                run = device.run(encode(images[part]), learn=True)
                digits = digits.after(winners(run.spikes["digits"]), course.increment)
                device.set_threshold("digits", digits.thresholds)
                done += len(part)
                print(f"{done:6,} images, {time.monotonic() - started:4.0f} s", flush=True)
            digits = replace(digits, weights=device.weights["pixels->digits"])
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
    samples_come_first("pixels")
    main(arguments.data, arguments.output, arguments.seed, arguments.backend)
