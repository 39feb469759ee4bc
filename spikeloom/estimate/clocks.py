"""Clocks that a program takes, in all and layer by layer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from spikeloom.devices.prediction import predict_clocks
from spikeloom.golden.convolution import ImageShape
from spikeloom.golden.event_counts import EventCounts, magnitudes
from spikeloom.golden.network import AnyConnection, Network
from spikeloom.golden.sparse import OneToOne, SparseConnection
from spikeloom.golden.step.run import simulate
from spikeloom.mapping.geometry import additions, geometry, positions, shapes
from spikeloom.mapping.sparse import SparseSize
from spikeloom.program import Program

Counts = Mapping[str, EventCounts]

MAX_SAMPLES = 16
"""Samples that are predicted."""
STEPS = 8
"""Steps of the assumed events."""
ACTIVITY = 0.1
"""Events per axon and step that are assumed where none are given."""


@dataclass(frozen=True)
class Layer:
    """Clocks of a population in a step, on average; work that tiles share is divided evenly.

    Parameters
    ----------
    name
        The population.
    integrate
        Clocks in which the events of its connections are added.
    fire
        Clocks in which its neurons are updated.
    """

    name: str
    integrate: float
    fire: float


@dataclass(frozen=True)
class Timing:
    """Clocks of a program for some events.

    Parameters
    ----------
    clocks_per_step
        Mean clocks of a step.
    steps
        Steps of a sample.
    layers
        The share of each population; the rest are barriers and waits.
    """

    clocks_per_step: float
    steps: int
    layers: tuple[Layer, ...]


def assumed(network: Network) -> dict[str, EventCounts]:
    """Random events, the same for the same network: one sample of `STEPS` steps."""
    rng = np.random.default_rng(0)
    return {
        node.name: (rng.random((1, STEPS, node.size)) < ACTIVITY).astype(np.uint8)
        for node in network.inputs
    }


def excerpt(counts: Counts) -> dict[str, EventCounts]:
    """The first `MAX_SAMPLES` samples."""
    return {name: array[:MAX_SAMPLES] for name, array in counts.items()}


def timing(program: Program, counts: Counts) -> Timing:
    """Clocks of a program by the cycle-level model, which the RTL equals."""
    run = simulate(program.network, counts)
    graded = program.fabric.graded_bits > 0
    events = {
        name: float(magnitudes(array, graded).sum(axis=2).mean())
        for name, array in (dict(counts) | run.spikes).items()
    }
    clocks = predict_clocks(program.image, counts)
    return Timing(float(clocks.mean()), clocks.shape[1], tuple(_layers(program, events)))


def _layers(program: Program, events: Mapping[str, float]) -> Iterator[Layer]:
    """Clocks of each population in a step, from the mean events of what it is connected to."""
    network, fabric = program.network, program.fabric
    nodes = shapes(network)
    sizes = {node.name: node.size for node in network.inputs}
    sizes |= {node.name: node.size for node in network.populations}
    # Clocks to add the weights of one event, on average.
    each = {
        id(c): _additions(c, nodes, fabric.lanes) / sizes[c.source] for c in network.connections
    }
    for population in network.populations:
        incoming = (c for c in network.connections if c.target == population.name)
        added = sum(events.get(c.source, 0.0) * each[id(c)] for c in incoming)
        yield Layer(population.name, added / fabric.tiles, population.size / fabric.tiles)


def _additions(connection: AnyConnection, nodes: dict[str, ImageShape], lanes: int) -> int:
    """Clocks to add the weights of a connection if every source sends one event."""
    if isinstance(connection, SparseConnection):
        target = nodes[connection.target]
        return SparseSize(connection, target[0], positions(target), lanes).clocks
    if isinstance(connection, OneToOne):
        return len(connection.weights)
    return additions(geometry(connection, nodes), lanes)
