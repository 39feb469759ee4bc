"""Learns the kernels: python -m examples.spyketorch_learning.train mnist.npz --output FILE.

Takes a minute. With --backend verilator the RTL learns instead of the golden model. The file has
what the chip learned from images of all classes, the same in the middle of the second layer's
courses, what it learned from images of 0 to 4, and what SpykeTorch's rule learned in floats.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples.evaluation import mnist
from examples.spyketorch_learning import (
    COURSE,
    COURSES,
    IMAGES,
    WEIGHT_MAX,
    Kernels,
    encode,
    equations,
    learn,
    order,
)
from examples.spyketorch_learning.evaluate import MIDDLE, SPLIT


def main(data: Path, output: Path, backend: str) -> None:
    """Learn, and write the file."""
    images, classes = mnist(data, None, "train")
    shuffled = order(len(images))
    layers: dict[str, tuple[NDArray[Any], ...]] = {}
    for name, shown in (("all", shuffled), ("split", shuffled[classes[shuffled] < SPLIT])):
        events = encode(images[shown[:IMAGES]])
        kernels = Kernels.untrained(1)
        if name == "all":
            floats = equations.learned((kernels.first, kernels.second), events)
            layers["floats"] = tuple((w / WEIGHT_MAX).astype(np.float32) for w in floats)
        for number, (layer, rate) in enumerate(COURSES):
            if name == "all" and (layer, number) == MIDDLE[1]:
                layers["half"] = kernels.first.astype(np.int8), kernels.second.astype(np.int8)
            part = events[number * COURSE :][:COURSE]
            kernels, _ = learn(kernels, layer, rate, number, part, backend)
        layers[name] = kernels.first.astype(np.int8), kernels.second.astype(np.int8)
    np.savez_compressed(
        output,
        **{f"{name}_{n}": layer for name, both in layers.items() for n, layer in enumerate(both)},
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--backend", default="golden")
    arguments = parser.parse_args()
    main(arguments.data, arguments.output, arguments.backend)
