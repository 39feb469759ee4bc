"""A small network that needs the four tiles of a small mesh."""

import numpy as np

from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig
from spikeloom.program import Program


def mesh_program() -> Program:
    """Two layers of 24 and 6 neurons on 2 x 2 tiles of at most 10 neurons."""
    rng = np.random.default_rng(11)
    network = Network(
        (Input("in", 8),),
        (
            Population("hidden", 24, np.zeros(24, np.int64), threshold=40),
            Population("out", 6, np.zeros(6, np.int64), phase=1, threshold=60),
        ),
        (
            Connection("in", "hidden", rng.integers(-10, 40, (8, 24))),
            Connection("hidden", "out", rng.integers(-10, 40, (24, 6))),
        ),
    )
    fabric = FabricConfig(
        columns=2,
        rows=2,
        lanes=2,
        neurons=10,
        weight_words=256,
        axons=32,
        populations=4,
        traces=True,
    )
    return Program(network, fabric, frozenset({"hidden", "out"}), frozenset({"out"}))
