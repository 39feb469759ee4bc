"""A small network and a small fabric that it fits."""

import numpy as np

from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig, Reset

# The same as in tests/sim/test_runner.py.
SMALL = FabricConfig(
    lanes=2,
    neurons=40,
    weight_words=512,
    slots=3,
    axons=32,
    populations=4,
    connections=6,
    targets=12,
    queue=4,
)


def small_network() -> Network:
    """Two layers, the first with a loop."""
    rng = np.random.default_rng(7)
    return Network(
        (Input("in", 6, max_count=2),),
        (
            Population("first", 9, rng.integers(-5, 6, 9), decay=600, threshold=40),
            Population("sum", 3, rng.integers(-5, 6, 3), phase=1, decay=100, spiking=False),
            Population(
                "last", 4, np.zeros(4, np.int64), phase=1, threshold=25, reset=Reset.SUBTRACT
            ),
        ),
        (
            Connection("in", "first", rng.integers(-20, 50, (6, 9))),
            Connection("first", "first", rng.integers(-30, 20, (9, 9)), 2),
            Connection("first", "sum", rng.integers(-50, 50, (9, 3))),
            Connection("first", "last", rng.integers(-20, 30, (9, 4))),
        ),
    )
