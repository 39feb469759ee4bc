"""Shared by the evaluations of systems: images of MNIST, and the command line."""

import argparse
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.errors import SpikeloomWarning


def mnist(
    data: Path, count: int | None, part: str = "test"
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The first `count` images of "train" or "test" or all of them, and their classes.

    `data` is `mnist.npz`, which has x_train, y_train, x_test and y_test.
    """
    with np.load(data) as file:
        return file[f"x_{part}"][:count], file[f"y_{part}"][:count].astype(np.int64)


def samples_come_first(*inputs: str) -> None:
    """Say nothing of events of these inputs that look time-first.

    Samples of few steps look so, if their events are all in one step.
    """
    names = "|".join(inputs)
    warnings.filterwarnings("ignore", f"events of '({names})': shape", SpikeloomWarning)


def print_lines(
    description: str | None, *measures: Callable[[Path, int | None], Iterator[str]]
) -> None:
    """Print each line of what is measured, with the data and images of the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, help="the first ones; default: all")
    arguments = parser.parse_args()
    for measure in measures:
        for line in measure(arguments.data, arguments.images):
            print(line, flush=True)
