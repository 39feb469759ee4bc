"""A network small enough for netlists."""

import numpy as np

from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig, Reset
from spikeloom.program import Program


def two_layers(config: FabricConfig, inputs: int, hidden: int, outputs: int) -> Program:
    """Two layers with biases, the first with a loop; every spike and potential is heard."""
    rng = np.random.default_rng(4)
    first = Population("hidden", hidden, rng.integers(-3, 4, hidden), decay=700, threshold=6)
    last = Population("last", outputs, np.full(outputs, 2), 1, threshold=9, reset=Reset.SUBTRACT)
    network = Network(
        (Input("in", inputs, max_count=2),),
        (first, last),
        (
            Connection("in", "hidden", rng.integers(-5, 8, (inputs, hidden))),
            Connection("hidden", "hidden", rng.integers(-4, 4, (hidden, hidden)), 1),
            Connection("hidden", "last", rng.integers(-4, 8, (hidden, outputs))),
        ),
        config.weight_bits,
        config.state_bits,
        config.sum_bits,
    )
    everyone = frozenset({"hidden", "last"})
    return Program(network, config, everyone, everyone)
