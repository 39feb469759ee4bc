"""Random networks of small convolutions that a fabric with `plastic_kernels` has room for."""

import contextlib
import math
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from random_networks import random_population, random_weights, seeds

from spikeloom.golden.convolution import Convolution, ImageShape
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import AnyConnection, Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping.kernels import axon_rows
from spikeloom.program import Program

Rng = np.random.Generator


@st.composite
def kernel_programs(draw: st.DrawFn, config: FabricConfig) -> Program:
    """One or two convolutions, perhaps one of its own output, and a matrix beside them.

    Nothing is grouped, dilated or pooled, so each of them can learn.
    """
    rng = np.random.default_rng(draw(seeds()))
    image = _image(rng, config)
    inputs = [Input("in", math.prod(image), image=image)]
    populations: list[Population] = []
    connections: list[AnyConnection] = []
    source = "in"
    for n in range(int(rng.integers(1, 3))):
        name = f"p{n}"
        joined = _convolution(rng, config, source, image, name)
        image = joined.output(image)
        total = math.prod(image)
        bias = rng.integers(-9, 30, total)
        populations.append(random_population(draw, config, name, total, bias, n, True, image))
        connections.append(joined)
        if rng.integers(3) == 0:
            kernel = random_weights(rng, config, (image[0], image[0], 3, 1))
            around = ((1, 1), (0, 0))
            connections.append(Convolution(name, name, kernel, 1, padding=around))
        source = name
    if rng.integers(2):
        inputs.append(Input("more", 5))
        size = int(rng.integers(1, config.lanes + 2))
        phase = len(populations)
        bias = rng.integers(-9, 30, size)
        populations.append(random_population(draw, config, "flat", size, bias, phase))
        connections.append(Connection("more", "flat", random_weights(rng, config, (5, size))))
    network = _network(config, draw(seeds()), inputs, populations, connections)
    assume(network is not None)
    assert network is not None
    spiking = frozenset(p.name for p in populations if p.spiking)
    return Program(network, config, spiking, frozenset(p.name for p in populations))


def _network(config: FabricConfig, seed: int, *nodes: list[Any]) -> Network | None:
    """None if a sum could overflow."""
    widths = config.weight_bits, config.state_bits, config.sum_bits
    with contextlib.suppress(SpikeloomError):
        return Network(*map(tuple, nodes), *widths, seed=seed)
    return None


def _image(rng: Rng, config: FabricConfig) -> ImageShape:
    """One that takes at most a third of a fabric's neurons and axons."""
    while True:
        channels = int(rng.integers(1, 7))
        height, width = rng.integers(1, min(config.extent, 5) + 1, 2).tolist()
        rows = -(-channels // config.lanes) * config.lanes * height * width
        small = rows <= config.neurons // 3 and channels <= config.axons
        if small and axon_rows((channels, height, width)) <= config.plastic_axons // 3:
            return channels, height, width


def _convolution(
    rng: Rng, config: FabricConfig, source: str, image: ImageShape, target: str
) -> Convolution:
    """Of any kernel, stride and padding; most often of several positions."""
    while True:
        kernel = rng.integers(1, 4, 2).tolist()
        stride = tuple(rng.choice([1, 1, 2, 3], 2).tolist())
        (top, bottom), (left, right) = rng.integers(0, 3, (2, 2)).tolist()
        channels, _, _ = _image(rng, config)
        joined = Convolution(
            source,
            target,
            random_weights(rng, config, (channels, image[0], *kernel)),
            int(rng.integers(3)),
            stride=stride,
            padding=((top, bottom), (left, right)),
        )
        shape = joined.output(image)
        groups = -(-channels // config.lanes) * shape[1] * shape[2]
        single = shape[1] * shape[2] == 1 and rng.random() < 0.8
        if single or min(shape) < 1 or max(shape[1:]) > config.extent:
            continue
        words = joined.weights[0].size * -(-channels // config.lanes)
        fits = groups * config.lanes <= config.neurons // 3 and words <= config.weight_words // 5
        if fits and axon_rows(shape) <= config.plastic_axons // 3:
            return joined
