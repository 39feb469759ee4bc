"""Mapping a large network onto the largest mesh: placement, memory images, delivery check."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.figure import Figure
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping.plan import plan

_POPULATIONS = 384
_SIZE = 512
_DENSE = 168
"""Populations driven by the one before, over 512 x 512 weights: 44 M synapses. The others start
another chain, and are driven by the input."""
_AXONS = 8
_FABRIC = FabricConfig(
    columns=8,
    rows=8,
    sum_bits=24,
    neurons=4096,
    weight_words=1 << 17,
    populations=256,
    connections=1024,
    targets=1024,
    routes=1024,
)


def measure(_data: Path) -> Iterator[Figure]:
    """Measure; needs no data."""
    network = _network()
    last = frozenset({network.populations[-1].name})
    # Mapping runs on one thread; its processor time does not depend on what else runs.
    start = time.process_time()
    plan(network, _FABRIC, last, last)
    seconds = time.process_time() - start
    yield Figure("mapping.neurons", _POPULATIONS * _SIZE, "")
    yield Figure("mapping.synapses", network.synapses, "")
    yield Figure("mapping.tiles", _FABRIC.tiles, "")
    yield Figure("mapping.seconds", seconds, "s of CPU time", 20, at_most=True)


def _network() -> Network:
    """Chains of populations, one phase, every delay 1."""
    # Each connection has other weights: a window of `noise` of its own. Copies would take 350 MB.
    noise = np.random.default_rng(1).integers(-128, 128, (_POPULATIONS + _SIZE, _SIZE))
    names = [f"layer{n}" for n in range(_POPULATIONS)]
    connections = []
    for n, name in enumerate(names):
        chained = n * _DENSE // (_POPULATIONS - 1) > (n - 1) * _DENSE // (_POPULATIONS - 1)
        source, axons = (names[n - 1], _SIZE) if n and chained else ("input", _AXONS)
        connections.append(Connection(source, name, noise[n : n + axons], delay=1))
    return Network(
        (Input("input", _AXONS),),
        tuple(_population(name) for name in names),
        tuple(connections),
        sum_bits=_FABRIC.sum_bits,
    )


def _population(name: str) -> Population:
    return Population(name, _SIZE, bias=np.zeros(_SIZE, np.int64), decay=400, threshold=1000)
