"""The cycle-by-cycle bench: clocks per second with everything compared."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.figure import Figure
from spikeloom.compare import check_cycles
from spikeloom.demo import mnist_program
from spikeloom.examples.mnist import encode

IMAGES = 20


def measure(data: Path) -> Iterator[Figure]:
    """Run test images with random gaps and backpressure."""
    with np.load(data / "mnist.npz", allow_pickle=False) as archive:
        events = encode(archive["x_test"][:IMAGES])
    report = check_cycles(mnist_program(), events, seed=1)
    yield Figure(
        "cosim.mismatches", float(report.difference is not None), "signals", 0, at_most=True
    )
    yield Figure("cosim.clocks_compared", report.cycles, "clocks")
    yield Figure("cosim.clocks_per_second", report.cycles / report.seconds, "clocks/s", 15_000)
