"""Learns both layers: python -m examples.hierarchical.train mnist.npz --output hierarchical.npz.

Takes some minutes. With --backend verilator the RTL learns instead of the golden model.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import spikeloom
from examples.evaluation import mnist
from examples.hierarchical import (
    CONNECTIONS,
    COURSE,
    COURSES,
    RATES,
    RUN,
    Hierarchy,
    encode,
    program,
    winners,
)
from examples.spyketorch_learning import order
from spikeloom.golden.fixed import Integers

LABELLING = 10_000
"""Training images, the first ones that the second layer learns from, that give it its labels."""


def kernels_of(hierarchy: Hierarchy, images: NDArray[np.uint8], backend: str) -> Hierarchy:
    """The first layer, learned from `COURSE` images at each rate."""
    for number, rate in enumerate(RATES):
        learning = program(hierarchy.learning_kernels(rate, number))
        with spikeloom.open(learning, backend=backend) as device:
            device.run(encode(images[number * COURSE :][:COURSE]), learn=True)
            hierarchy = replace(hierarchy, kernels=device.weights[CONNECTIONS[0]])
    return hierarchy


def digits_of(hierarchy: Hierarchy, images: NDArray[np.uint8], backend: str) -> Hierarchy:
    """The second layer, learned in all courses."""
    done = 0
    for seed, course in enumerate(COURSES):
        digits = hierarchy.digits
        learning = program(hierarchy.network(course, seed))
        with spikeloom.open(learning, backend=backend) as device:
            for _ in range(course.images // RUN):
                run = device.run(encode(images[done : done + RUN]), learn=True)
                digits = digits.after(winners(run.spikes["digits"]), course.increment)
                device.set_threshold("digits", digits.thresholds)
                done += RUN
            weights = device.weights[CONNECTIONS[1]]
        hierarchy = hierarchy.having(digits).learned(weights)
        print(f"{done:,} images", flush=True)
    return hierarchy


def answers(hierarchy: Hierarchy, images: NDArray[np.uint8], backend: str = "golden") -> Integers:
    """Who wins each image, with learning off."""
    won = []
    with spikeloom.open(program(hierarchy.network()), backend=backend) as device:
        for start in range(0, len(images), RUN):
            won.append(winners(device.run(encode(images[start : start + RUN])).spikes["digits"]))
    return np.concatenate(won)


def main(data: Path, output: Path, backend: str) -> None:
    """Learn, give labels, write the file, and say what is right of the test images."""
    images, classes = mnist(data, None, "train")
    tests, test_classes = mnist(data, None)
    shuffled = order(len(images))
    kernels, digits = np.split(shuffled, [COURSE * len(RATES)])
    hierarchy = kernels_of(Hierarchy.untrained(1), images[kernels], backend)
    hierarchy = digits_of(hierarchy, images[digits], backend)
    known = digits[:LABELLING]
    labelled = hierarchy.digits.labelled(answers(hierarchy, images[known]), classes[known])
    hierarchy = hierarchy.having(labelled)
    np.savez_compressed(
        output,
        kernels=hierarchy.kernels.astype(np.int8),
        weights=labelled.weights.astype(np.int8),
        thresholds=labelled.thresholds.astype(np.int32),
        labels=labelled.labels.astype(np.int8),
    )
    right = labelled.classes(answers(hierarchy, tests)) == test_classes
    print(f"{right.mean():.2%} of {len(tests):,} test images")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--backend", default="golden")
    arguments = parser.parse_args()
    main(arguments.data, arguments.output, arguments.backend)
