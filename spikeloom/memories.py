"""What every memory of every tile holds, once it is known which neurons each tile has."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from golden.fixed import Integers
from golden.image import Entry, Image, Sender, TileImage
from golden.network import Network, Population
from golden.spec import DECAY_ONE, FabricConfig, Reset
from spikeloom.partition import (
    Part,
    destinations,
    firing_order,
    groups_of,
    outgoing,
    recorded,
)
from spikeloom.routing import route_rows


@dataclass(frozen=True)
class _Resident:
    """A part in its tile.

    Parameters
    ----------
    number
        Of its population in packets.
    population, part
        What it is.
    group
        Its first group in the tile's memories.
    """

    number: int
    population: Population
    part: Part
    group: int


def build_image(
    network: Network,
    config: FabricConfig,
    parts: Sequence[Part],
    record: frozenset[str],
    readout: frozenset[str],
) -> Image:
    """The image of a network whose `parts` fit their tiles.

    In a tile, populations take whole groups of `lanes` neurons, in firing order; weights of a
    connection are stored group by group, so that source i of s reads words i, i + s, i + 2s, ...
    """
    order = firing_order(network)
    reached = destinations(network, parts)
    distinct = list(dict.fromkeys(reached))
    # A single tile has no router, and its packets have no route.
    routed = config.tiles > 1
    routes = [distinct.index(tiles) if routed else 0 for tiles in reached]
    tables = route_rows(config, distinct) if routed else [()]
    entries = tuple(
        Entry(node.name, routes[number], number, c.delay)
        for node in network.inputs
        for number, c in outgoing(network, node)
    )
    tiles = []
    for tile, table in enumerate(tables):
        residents = list(_residents(order, [p for p in parts if p.tile == tile], config))
        populations, targets = _firing_rows(network, config, residents, routes, record, readout)
        connections, weights = _incoming_rows(network, config, residents)
        biases = _bias_rows(config, residents)
        tiles.append(TileImage(weights, biases, populations, connections, targets, table))
    window = config.slots - 1 - max((entry.delay for entry in entries), default=0)
    return Image(
        config,
        tuple(tiles),
        config.control_row.pack({"last_phase": network.phases - 1, "window": window}),
        entries,
        tuple(Sender(p.name, p.size, recorded(p, record), p.name in readout) for p in order),
    )


def _residents(
    order: list[Population], parts: list[Part], config: FabricConfig
) -> Iterator[_Resident]:
    """The parts of one tile in firing order."""
    group = 0
    for number, population in enumerate(order):
        for part in parts:
            if part.population == population.name:
                yield _Resident(number, population, part, group)
                group += groups_of(part.size, config.lanes)


def _firing_rows(
    network: Network,
    config: FabricConfig,
    residents: list[_Resident],
    routes: list[int],
    record: frozenset[str],
    readout: frozenset[str],
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The population table and the target table."""
    phases: list[list[dict[str, int]]] = [[] for _ in range(network.phases)]
    targets: list[int] = []
    for resident in residents:
        population, part = resident.population, resident.part
        # Connections first: the step waits for these, not for the host.
        fan_out = [
            {"route": routes[number], "connection": number, "delay": c.delay}
            for number, c in outgoing(network, population)
        ]
        if recorded(population, record):
            fan_out.append({"host": 1})
        phases[population.phase].append(
            {
                "number": resident.number,
                "index_base": part.start,
                "neurons": part.size,
                "neuron_base": resident.group * config.lanes,
                "sum_base": resident.group * config.slots,
                "retain": DECAY_ONE - population.decay,
                "threshold": population.threshold,
                "v_reset": _after_spike(population),
                "v_init": population.v_init,
                "reset": population.reset,
                "inclusive": population.inclusive,
                "spiking": population.spiking,
                "readout": population.name in readout,
                # A population without targets never reads the table.
                "target_base": len(targets) if fan_out else 0,
                "fan_out": len(fan_out),
            }
        )
        targets += [config.target_row.pack(row) for row in fan_out]
    # A phase in which the tile fires nothing has an empty row: all tiles fire the same phases.
    rows = (
        config.population_row.pack(row | {"more": n + 1 < len(phase)})
        for phase in phases
        for n, row in enumerate(phase or [{}])
    )
    return tuple(rows), tuple(targets)


def _after_spike(population: Population) -> int:
    """The row's `v_reset`: what the potential becomes, or what is subtracted from it."""
    if population.reset is not Reset.SUBTRACT:
        return population.v_reset
    return population.threshold if population.subtrahend is None else population.subtrahend


def _incoming_rows(
    network: Network, config: FabricConfig, residents: list[_Resident]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The connection table, unused rows for connections to other tiles included; the weights."""
    at_home = {resident.population.name: resident for resident in residents}
    rows: list[int] = []
    weights: list[int] = []
    for connection in network.connections:
        resident = at_home.get(connection.target)
        if resident is None:
            rows.append(0)
            continue
        part = resident.part
        rows.append(
            config.connection_row.pack(
                {
                    "weight_base": len(weights),
                    "sources": connection.weights.shape[0],
                    "sum_base": resident.group * config.slots,
                    "groups": groups_of(part.size, config.lanes),
                    "synapses": part.size,
                }
            )
        )
        weights += _weight_words(connection.weights[:, part.start :][:, : part.size], config)
    return tuple(rows), tuple(weights)


def _weight_words(weights: Integers, config: FabricConfig) -> list[int]:
    """The words of a part of a connection: group by group, and in a group source by source."""
    sources, size = weights.shape
    groups = groups_of(size, config.lanes)
    padded = np.zeros((sources, groups * config.lanes), np.int64)
    padded[:, :size] = weights
    lanes = padded.reshape(sources, groups, config.lanes).transpose(1, 0, 2)
    mask = (1 << config.weight_bits) - 1
    bits = (lanes & mask).reshape(-1, config.lanes).tolist()
    return [
        sum(weight << (lane * config.weight_bits) for lane, weight in enumerate(word))
        for word in bits
    ]


def _bias_rows(config: FabricConfig, residents: list[_Resident]) -> tuple[int, ...]:
    biases: list[int] = []
    for resident in residents:
        part = resident.part
        biases += [0] * (resident.group * config.lanes - len(biases))
        biases += resident.population.bias[part.start :][: part.size].tolist()
    return tuple(config.bias_row.pack({"bias": bias}) for bias in biases)
