"""From an integer network to the memory image of a fabric, and a report about it."""

import dataclasses
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.network import Network
from spikeloom.golden.progress import task
from spikeloom.golden.spec import NOISE_ROWS, FabricConfig, LoadTarget
from spikeloom.mapping.delivery import check_delivery
from spikeloom.mapping.kernels import rule_axons
from spikeloom.mapping.memories import build_image
from spikeloom.mapping.partition import partition
from spikeloom.mapping.parts import Part, destinations, neuron_rows
from spikeloom.mapping.placement import Flow, cost, place, traffic
from spikeloom.mapping.routing import links
from spikeloom.mapping.sizes import check_fits

ACTIVITY_UNIT = 1 << 20
"""Activities are rounded to multiples of 1 / this, so that sums of packets are exact in any order
and every machine maps a network alike."""


@dataclass(frozen=True)
class LinkTraffic:
    """Expected packets per step over the link at `port` of the router of `tile`."""

    tile: int
    port: str
    packets: float


@dataclass(frozen=True)
class Report:
    """The resources of the fabric that a mapping uses.

    Parameters
    ----------
    available
        Rows of each memory in a tile.
    used
        Rows of each memory that each tile uses.
    routes
        Number of routes: rows of the table in every router.
    links
        Traffic of each link between routers.
    cost, reading_order_cost
        Cost of the placement (see `mapping.placement`), and of reading order.
    """

    available: dict[str, int]
    used: tuple[dict[str, int], ...]
    routes: int
    links: tuple[LinkTraffic, ...]
    cost: float
    reading_order_cost: float


@dataclass(frozen=True)
class Plan:
    """A memory image, the report about it, and the parts of the populations on their tiles."""

    image: MemoryImage
    report: Report
    parts: tuple[Part, ...]


def map_network(
    network: Network, config: FabricConfig, record: frozenset[str], readout: frozenset[str]
) -> MemoryImage:
    """Lay out `network` in the memories of a fabric; see `plan`."""
    return plan(network, config, record, readout).image


def plan(
    network: Network,
    config: FabricConfig,
    record: frozenset[str],
    readout: frozenset[str],
    activity: Mapping[str, float] | None = None,
) -> Plan:
    """Lay out `network` in the memories of a fabric, and report the resources used.

    Parameters
    ----------
    record, readout
        Populations whose spikes, and whose final membrane potentials, are sent to the host.
    activity
        Expected events per step from each axon of an input or neuron of a population, 0..255; by
        default 1. It affects the placement, never the results.

    Raises
    ------
    SpikeloomError
        The network does not fit (the message names every memory that is short, and by how much),
        needs a feature that the fabric lacks, or `activity` has an unknown name or is out of range.
    """
    _check_widths(network, config)
    check_fits(network, config, record)
    expected = _activity(network, activity or {})
    with task("mapping onto tiles", 4) as step:
        parts = partition(network, config, record, expected)
        step.done(1)
        flows = _flows(network, parts, expected)
        tiles = place(config, flows)
        parts = tuple(dataclasses.replace(part, tile=tiles[part.tile]) for part in parts)
        step.done(2)
        image = build_image(network, config, parts, record, readout)
        step.done(3)
        check_delivery(network, image)
    return Plan(image, _report(image, parts, flows, tiles), parts)


def _activity(network: Network, given: Mapping[str, float]) -> dict[str, float]:
    """Expected events per step from an axon or neuron of each input and population."""
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
    """The packets between tiles, summed over equal source and destinations."""
    senders: defaultdict[str, list[tuple[int | None, int]]] = defaultdict(list)
    for node in network.inputs:
        senders[node.name].append((None, node.size))
    for part in parts:
        senders[part.population].append((part.tile, part.neurons))
    packets: defaultdict[tuple[int | None, frozenset[int]], float] = defaultdict(float)
    for connection, tiles in zip(network.connections, destinations(network, parts), strict=True):
        for tile, size in senders[connection.source]:
            packets[tile, tiles] += size * activity[connection.source]
    return tuple(Flow(tile, tiles, count) for (tile, tiles), count in packets.items())


def _report(
    image: MemoryImage, parts: tuple[Part, ...], flows: tuple[Flow, ...], tiles: tuple[int, ...]
) -> Report:
    config = image.config
    on_tile: list[list[Part]] = [[] for _ in image.tiles]
    for part in parts:
        on_tile[part.tile].append(part)
    built = config.built_memories
    used = tuple(
        {
            "neurons": neuron_rows(
                sum(part.groups(config.lanes) for part in on_tile[number]),
                on_tile[number][-1].size if on_tile[number] else 0,
                config.lanes,
            ),
            "weight_words": len(tile.weights),
            "populations": len(tile.populations),
            "connections": len(tile.connections),
            "targets": len(tile.targets),
            "routes": len(tile.routes),
        }
        | ({"noise_tables": len(tile.noise) // NOISE_ROWS} if config.noise else {})
        | ({"sparse_words": _sparse_words(image, number)} if config.sparse_words else {})
        | (_learning_used(image, number) if config.plasticity else {})
        | ({"bias_rows": len(tile.biases)} if config.bias_rows else {})
        | ({"coordinates": len(tile.coordinates)} if LoadTarget.COORDINATE in built else {})
        for number, tile in enumerate(image.tiles)
    )
    packets = traffic(config, flows, tiles)
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


def _learning_used(image: MemoryImage, tile: int) -> dict[str, int]:
    """Rules and plastic axons that a tile uses."""
    rows = map(image.config.rule_row.unpack, image.tiles[tile].rules)
    used = [row for row in rows if row["groups"]]
    # A rule with a plane has the axons of the rule of the plane.
    axons = sum(map(rule_axons, (row for row in used if not row.get("plane"))))
    return {"rules": len(used), "plastic_axons": axons}


def _sparse_words(image: MemoryImage, tile: int) -> int:
    """Sparse words that a tile uses."""
    config, contents = image.config, image.tiles[tile]
    words = 0
    for row in map(config.connection_row.unpack, contents.connections):
        if row["sparse"]:
            first = row["channel_coordinates"]
            sources = contents.coordinates[first : first + row["sources"]]
            words += sum(config.coordinate_row.unpack(source)["count"] for source in sources)
    return words


def _check_widths(network: Network, config: FabricConfig) -> None:
    for name in ("weight_bits", "state_bits", "sum_bits"):
        if getattr(network, name) != getattr(config, name):
            raise SpikeloomError(
                f"{name}: the network has {getattr(network, name)}, the fabric "
                f"{getattr(config, name)}; use {name}={getattr(network, name)} for both"
            )
