"""Fabrics whose memories can be read, and a network for each."""

import dataclasses

import numpy as np

from spikeloom.golden.convolution import Convolution
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig

ODD = FabricConfig(
    lanes=3,
    state_bits=18,
    sum_bits=19,
    neurons=40,
    weight_words=1400,
    slots=3,
    axons=24,
    populations=5,
    connections=7,
    targets=19,
    queue=5,
    readable=True,
)
FABRICS = {
    "one tile": ODD,
    "narrow": dataclasses.replace(ODD, lanes=1, weight_bits=2, state_bits=8, sum_bits=8, queue=3),
    "images and synaptic currents": dataclasses.replace(
        ODD, extent=5, coordinates=65, synaptic_current=True, lower_clamp=True, sum_bits=24
    ),
    "two by two": dataclasses.replace(
        ODD, columns=2, rows=2, routes=17, synaptic_current=True, lanes=4, fire_lanes=2, neurons=41
    ),
}


def network(config: FabricConfig) -> Network:
    """A layer with a loop, dense or convolutional, and a layer behind it."""
    rng = np.random.default_rng(5)
    top = 1 << (config.weight_bits - 1)
    options = (
        {"synaptic_decay": 900, "leak": rng.integers(-9, 9, 24)} if config.synaptic_current else {}
    )

    def weights(*shape: int) -> np.ndarray:
        return rng.integers(-top, top, shape)

    if config.images:
        source, image = Input("in", 9, 1, (1, 3, 3)), (6, 2, 2)
        forward = Convolution("in", "a", weights(6, 1, 2, 2))
    else:
        source, image = Input("in", 9), None
        forward = Connection("in", "a", weights(9, 24))
    return Network(
        (source,),
        (
            Population("a", 24, rng.integers(-3, 4, 24), 0, 700, top, image=image, **options),
            Population("b", 7, rng.integers(-3, 4, 7), 1, 90, top // 2),
        ),
        (
            forward,
            Connection("a", "a", weights(24, 24) // 8, 2),
            Connection("a", "b", weights(24, 7) // 8),
        ),
        config.weight_bits,
        config.state_bits,
        config.sum_bits,
    )
