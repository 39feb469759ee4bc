"""From an integer network to the memory images of a fabric's tiles."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from golden.errors import SpikeloomError
from golden.image import Entry, Image, Sender, TileImage
from golden.network import Integers, Network
from golden.spec import DECAY_ONE, FabricConfig
from spikeloom.delivery import check_delivery
from spikeloom.partition import (
    Part,
    destinations,
    firing_order,
    groups_of,
    outgoing,
    partition,
    recorded,
)
from spikeloom.placement import Flow, cost, place, traffic
from spikeloom.routing import links, route_rows

ACTIVITY_UNIT = 1 << 20
"""Activities are rounded to parts of this, so that sums of packets are exact in any order, and a
network is mapped alike on every machine."""


@dataclass(frozen=True)
class LinkTraffic:
    """Packets expected in a step over the link from `tile` through `port` of its router."""

    tile: int
    port: str
    packets: float


@dataclass(frozen=True)
class Report:
    """What a mapping takes of the fabric.

    Parameters
    ----------
    available
        Rows of each memory in a tile.
    used
        Rows that each tile uses of them.
    routes
        Routes; the rows of the table in every router.
    links
        Traffic of each link between routers.
    cost, reading_order_cost
        What the placement costs (see `spikeloom.placement`), and what it would without a search.
    """

    available: dict[str, int]
    used: tuple[dict[str, int], ...]
    routes: int
    links: tuple[LinkTraffic, ...]
    cost: float
    reading_order_cost: float


@dataclass(frozen=True)
class Plan:
    """An image, and the report about it."""

    image: Image
    report: Report


def map_network(
    network: Network, config: FabricConfig, record: frozenset[str], readout: frozenset[str]
) -> Image:
    """Lay out `network` in the memories of a fabric; see `plan`."""
    return plan(network, config, record, readout).image


def plan(
    network: Network,
    config: FabricConfig,
    record: frozenset[str],
    readout: frozenset[str],
    activity: Mapping[str, float] | None = None,
) -> Plan:
    """Lay out `network` in the memories of a fabric, and report what that takes.

    In a tile populations take whole groups of `lanes` neurons, in firing order; weights of a
    connection are stored group by group, so that source i of s reads words i, i + s, i + 2s, ...

    Parameters
    ----------
    record, readout
        Populations whose spikes, and whose final membrane potentials, are sent to the host.
    activity
        Events expected in a step from each axon of an input or neuron of a population; 1 where not
        given. It decides what is placed where, never what is computed.

    Raises
    ------
    SpikeloomError
        The network does not fit: every memory that is short, and by how much; or `activity` names
        no input or population, or is negative.
    """
    _check_widths(network, config)
    expected = _activity(network, activity or {})
    parts = partition(network, config, record, expected)
    flows = _flows(network, parts, expected)
    places = place(config, flows)
    parts = tuple(dataclasses.replace(part, tile=places[part.tile]) for part in parts)
    image = _image(network, config, parts, record, readout)
    check_delivery(network, image)
    return Plan(image, _report(image, flows, places))


def _activity(network: Network, given: Mapping[str, float]) -> dict[str, float]:
    """Events expected in a step from an axon or neuron of each input and population."""
    activity = {node.name: 1.0 for node in network.inputs}
    activity |= {node.name: float(node.spiking) for node in network.populations}
    for name, value in given.items():
        if name not in activity:
            raise SpikeloomError(f"activity: no input or population is called {name!r}")
        if not 0 <= value <= 255:
            raise SpikeloomError(f"activity of {name!r} must be 0..255, not {value!r}")
        activity[name] *= round(value * ACTIVITY_UNIT) / ACTIVITY_UNIT
    return activity


def _flows(
    network: Network, parts: tuple[Part, ...], activity: Mapping[str, float]
) -> tuple[Flow, ...]:
    """The packets between tiles, those of the same way together."""
    senders: list[tuple[str, int | None, int]] = [
        (node.name, None, node.size) for node in network.inputs
    ]
    senders += [(part.population, part.tile, part.size) for part in parts]
    packets: defaultdict[tuple[int | None, frozenset[int]], float] = defaultdict(float)
    for connection, tiles in zip(network.connections, destinations(network, parts), strict=True):
        for name, tile, size in senders:
            if name == connection.source:
                packets[tile, tiles] += size * activity[name]
    return tuple(Flow(tile, tiles, count) for (tile, tiles), count in packets.items())


def _image(
    network: Network,
    config: FabricConfig,
    parts: tuple[Part, ...],
    record: frozenset[str],
    readout: frozenset[str],
) -> Image:
    reached = destinations(network, parts)
    # Route 0 of a single tile is not used.
    distinct = list(dict.fromkeys(reached))
    routes = [distinct.index(tiles) if config.tiles > 1 else 0 for tiles in reached]
    tables = route_rows(config, distinct) if config.tiles > 1 else [()]
    entries = tuple(
        Entry(c.source, routes[number], number, c.delay)
        for node in network.inputs
        for number, c in enumerate(network.connections)
        if c.source == node.name
    )
    window = config.slots - 1 - max((entry.delay for entry in entries), default=0)
    return Image(
        config,
        tuple(
            _tile(
                network,
                config,
                [part for part in parts if part.tile == tile],
                routes,
                tables[tile],
                record,
                readout,
            )
            for tile in range(config.tiles)
        ),
        config.control_row.pack({"last_phase": network.phases - 1, "window": window}),
        entries,
        tuple(
            Sender(p.name, p.size, recorded(p, record), p.name in readout)
            for p in firing_order(network)
        ),
    )


def _tile(
    network: Network,
    config: FabricConfig,
    parts: list[Part],
    routes: list[int],
    table: tuple[int, ...],
    record: frozenset[str],
    readout: frozenset[str],
) -> TileImage:
    """The memories of one tile; its parts in firing order."""
    part_of = {part.population: part for part in parts}
    group_of: dict[str, int] = {}
    biases: list[int] = []
    rows: list[list[dict[str, int]]] = [[] for _ in range(network.phases)]
    targets: list[int] = []
    groups = 0
    for number, population in enumerate(firing_order(network)):
        part = part_of.get(population.name)
        if part is None:
            continue
        group_of[population.name] = groups
        base = groups * config.lanes
        biases += [0] * (base - len(biases))
        biases += population.bias[part.start : part.start + part.size].tolist()
        # Connections first: the step waits for these, not for the host.
        fan_out = [
            {"route": routes[n], "connection": n, "delay": c.delay}
            for n, c in outgoing(network, population)
        ]
        if recorded(population, record):
            fan_out.append({"host": 1})
        rows[population.phase].append(
            {
                "number": number,
                "index_base": part.start,
                "neurons": part.size,
                "neuron_base": base,
                "sum_base": groups * config.slots,
                "retain": DECAY_ONE - population.decay,
                "threshold": population.threshold,
                "v_reset": population.v_reset,
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
        groups += groups_of(part.size, config.lanes)

    weights: list[int] = []
    connections: list[int] = []
    for connection in network.connections:
        part = part_of.get(connection.target)
        if part is None:
            connections.append(0)
            continue
        connections.append(
            config.connection_row.pack(
                {
                    "weight_base": len(weights),
                    "sources": connection.weights.shape[0],
                    "sum_base": group_of[connection.target] * config.slots,
                    "groups": groups_of(part.size, config.lanes),
                    "synapses": part.size,
                }
            )
        )
        weights += _weight_words(connection.weights[:, part.start : part.start + part.size], config)
    return TileImage(
        tuple(weights),
        tuple(config.bias_row.pack({"bias": bias}) for bias in biases),
        tuple(_population_rows(config, rows)),
        tuple(connections),
        tuple(targets),
        table,
    )


def _population_rows(config: FabricConfig, phases: list[list[dict[str, int]]]) -> Iterator[int]:
    """The population table. A phase in which the tile fires nothing has an empty row, because all
    tiles must agree on where a phase ends.
    """
    for rows in phases:
        for n, row in enumerate(rows or [{}]):
            yield config.population_row.pack(row | {"more": n + 1 < len(rows)})


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


def _report(image: Image, flows: tuple[Flow, ...], places: tuple[int, ...]) -> Report:
    config = image.config
    used = tuple(
        {
            "neurons": len(tile.biases),
            "weight_words": len(tile.weights),
            "populations": len(tile.populations),
            "connections": len(tile.connections),
            "targets": len(tile.targets),
            "routes": len(tile.routes),
        }
        for tile in image.tiles
    )
    packets = traffic(config, flows, places)
    reading_order = traffic(config, flows, range(config.tiles))
    return Report(
        {name: getattr(config, name) for name in used[0]},
        used,
        len(image.tiles[0].routes),
        tuple(
            LinkTraffic(tile, port.name.lower(), float(count))
            for (tile, port), count in zip(links(config), packets, strict=True)
        ),
        cost(packets),
        cost(reading_order),
    )


def _check_widths(network: Network, config: FabricConfig) -> None:
    for name in ("weight_bits", "state_bits", "sum_bits"):
        if getattr(network, name) != getattr(config, name):
            raise SpikeloomError(
                f"{name}: the network has {getattr(network, name)}, the fabric "
                f"{getattr(config, name)}; compile for the fabric's width"
            )
