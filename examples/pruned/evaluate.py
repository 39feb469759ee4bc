"""Accuracy, memory and clocks of the pruned network, beside the one that it was made from.

python -m examples.pruned.evaluate mnist.npz [--images N]
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

import spikeloom
from examples.evaluation import mnist, print_lines
from examples.mnist import encode
from examples.pruned import FILE
from spikeloom.compare import compare
from spikeloom.demo import DT, mnist_program
from spikeloom.golden.network import Network
from spikeloom.mapping.sizes import size_needs
from spikeloom.program import Program

IN_RTL = 200


def program() -> Program:
    """The pruned network on the smallest fabric."""
    return spikeloom.compile(spikeloom.load_nir(FILE, dt=DT))


def words(program: Program) -> int:
    """Words of weights that a program takes."""
    needs = size_needs(program.network, program.fabric, program.record)
    return next(need.value for need in needs if need.field == "weight_words")


def weights_left(network: Network) -> int:
    """Weights that are not 0."""
    return sum(int(np.count_nonzero(connection.weights)) for connection in network.connections)


def measure(data: Path, count: int | None = None) -> Iterator[str]:
    """A line for both networks, of the first `count` test images or of all."""
    images, labels = mnist(data, count)
    events = encode(images)
    for name, made in (("dense", mnist_program()), ("pruned", program())):
        with spikeloom.open(made, backend="golden") as device:
            answers = device.run(events).states["readout"].argmax(axis=1)
        result = compare(made, events[:IN_RTL])
        clocks = result.rtl.cycles.mean()
        yield (
            f"{name}: {(answers == labels).mean():.2%} of {len(labels):,} images, "
            f"{weights_left(made.network):,} weights, {words(made):,} words, {clocks:,.0f} "
            f"clocks an image; {result.samples:,} images in RTL: {result.mismatches} spikes, "
            "potentials and clocks differ from golden"
        )


if __name__ == "__main__":
    print_lines(__doc__, measure)
