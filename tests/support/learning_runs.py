"""Runs of fabrics that learn, at the cycle level."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from random_networks import Counts, random_events, shuffled

from spikeloom.devices.weights import memory_weights
from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.fixed import Integers
from spikeloom.golden.host import host_words
from spikeloom.golden.network import Learnable
from spikeloom.golden.spec import ReadTarget
from spikeloom.program import Program


def random_run(program: Program, seed: int) -> tuple[Counts, NDArray[np.uint64]]:
    """Random input of a network that learns, and its host words in random order."""
    rng = np.random.default_rng(seed)
    rate = float(rng.choice([0.1, 0.4, 0.8]))
    counts = random_events(rng, program.network, 2, int(rng.integers(2, 7)), rate)
    return counts, learning_words(program, counts, seed)


def learning_words(program: Program, counts: Counts, order: int | None) -> NDArray[np.uint64]:
    """Host words; `order` is the seed of another order of the events of each step."""
    words = np.concatenate(host_words(program.image, counts))
    return words if order is None else shuffled(np.random.default_rng(order), words)


def learned(program: Program, model: CycleModel) -> dict[int, Integers]:
    """The weights of plastic connections in a model's memories, by number of the connection."""

    def read(tile: int, address: int, count: int) -> Sequence[int]:
        rows = range(address, address + count)
        return [model.row(ReadTarget.WEIGHT, tile, row) for row in rows]

    return {
        number: memory_weights(program, number, read)
        for number, connection in enumerate(program.network.connections)
        if isinstance(connection, Learnable) and connection.plasticity is not None
    }
