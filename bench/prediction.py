"""The MNIST network on 1, 2, 4 and 16 tiles: predicted clocks beside those of the RTL.

The prediction is `predict_clocks`, the cycle-level golden model with the same
events, for a host that is always ready both ways, as the fast runner's is. It should be
exact for every image; the figures are the minimum and the maximum ratio over images.

The first images of the test set, as they come, on the default fabric with so many tiles. Pipelined,
what is due after the last step is lost, so there are fewer synaptic operations; the figures are
about clocks, not about accuracy.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np

from bench.figure import Figure
from spikeloom.compare import compare
from spikeloom.demo import mnist_program
from spikeloom.examples.mnist import encode
from spikeloom.golden.spec import FabricConfig
from spikeloom.quantise.integers import Schedule

_IMAGES = 100
_SHAPES = ((1, 1), (2, 1), (2, 2), (4, 4))
"""Columns and rows."""


def measure(data: Path) -> Iterator[Figure]:
    """Run the images on each mesh, layered and pipelined, and compare everything."""
    with np.load(data / "mnist.npz", allow_pickle=False) as archive:
        events = encode(archive["x_test"][:_IMAGES])
    for columns, rows in _SHAPES:
        for schedule in get_args(Schedule):
            result = compare(
                mnist_program(FabricConfig(columns=columns, rows=rows), schedule), events
            )
            predicted, taken = result.golden.cycles, result.rtl.cycles
            assert predicted is not None
            assert taken is not None
            ratios = predicted / taken
            clocks = int(taken.sum())
            name = f"prediction.{schedule}.{columns * rows}"
            yield Figure(
                f"{name}.mismatches", result.mismatches, "spikes, states, clocks", 0, at_most=True
            )
            yield Figure(f"{name}.least", float(ratios.min()), "of the RTL's clocks", 1.0)
            yield Figure(
                f"{name}.greatest", float(ratios.max()), "of the RTL's clocks", 1.05, at_most=True
            )
            yield Figure(f"{name}.clocks_per_image", clocks / _IMAGES, "clocks")
            yield Figure(f"{name}.synops_per_clock", result.rtl.synops / clocks, "")
