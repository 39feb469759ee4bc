"""Accuracy of random local features with a trained read-out, in golden and in RTL.

python -m examples.localised.evaluate mnist.npz [--images N]
"""

from collections.abc import Iterator
from pathlib import Path

import spikeloom
from examples.evaluation import mnist, print_lines, samples_come_first
from examples.localised import HIDDEN, ReadOut, encode, patches
from spikeloom.compare import compare
from spikeloom.program import Program

IN_RTL = 50


def program(read_out: ReadOut) -> Program:
    """The network on the smallest fabric that has what it needs."""
    return spikeloom.compile(read_out.network())


def measure(data: Path, count: int | None = None) -> Iterator[str]:
    """What the first `count` test images or all show."""
    samples_come_first("pixels")
    images, labels = mnist(data, count)
    read_out = ReadOut.load()
    scores = read_out.scores(images)
    yield (
        f"{HIDDEN:,} hidden neurons, {len(patches().weights):,} random weights: "
        f"{(scores.argmax(axis=1) == labels).mean():.2%} of {len(labels):,} images"
    )
    result = compare(program(read_out), encode(images[:IN_RTL]))
    different = (result.golden.states["classes"] != scores[:IN_RTL]).any(axis=1).sum()
    yield (
        f"{result.rtl.cycles.mean():,.0f} clocks an image; of {result.samples} images, {different} "
        f"have scores in golden that differ from matrix products, and {result.mismatches} spikes, "
        "potentials and clocks in RTL differ from golden"
    )


if __name__ == "__main__":
    print_lines(__doc__, measure)
