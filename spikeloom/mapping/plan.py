"""From an integer network to the memory image of a fabric, and a report about it."""

import dataclasses
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.network import Network
from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping.delivery import check_delivery
from spikeloom.mapping.memories import build_image
from spikeloom.mapping.partition import Part, destinations, neuron_rows, partition
from spikeloom.mapping.placement import Flow, cost, place, traffic
from spikeloom.mapping.routing import links
from spikeloom.mapping.sizes import check_fits

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
        What the placement costs (see `mapping.placement`), and what it would without a search.
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

    image: MemoryImage
    report: Report


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
    """Lay out `network` in the memories of a fabric, and report what that takes.

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
        The network does not fit: every memory that is short, and by how much; or it needs what the
        fabric was not built for; or `activity` names no input or population, or is not 0..255.
    """
    _check_widths(network, config)
    check_fits(network, config, record)
    expected = _activity(network, activity or {})
    parts = partition(network, config, record, expected)
    flows = _flows(network, parts, expected)
    places = place(config, flows)
    parts = tuple(dataclasses.replace(part, tile=places[part.tile]) for part in parts)
    image = build_image(network, config, parts, record, readout)
    check_delivery(network, image)
    return Plan(image, _report(image, parts, flows, places))


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
    senders += [(part.population, part.tile, part.neurons) for part in parts]
    packets: defaultdict[tuple[int | None, frozenset[int]], float] = defaultdict(float)
    for connection, tiles in zip(network.connections, destinations(network, parts), strict=True):
        for name, tile, size in senders:
            if name == connection.source:
                packets[tile, tiles] += size * activity[name]
    return tuple(Flow(tile, tiles, count) for (tile, tiles), count in packets.items())


def _report(
    image: MemoryImage, parts: tuple[Part, ...], flows: tuple[Flow, ...], places: tuple[int, ...]
) -> Report:
    config = image.config
    used = tuple(
        {
            "neurons": neuron_rows(
                [(part.size, part.places) for part in parts if part.tile == number], config.lanes
            ),
            "weight_words": len(tile.weights),
            "populations": len(tile.populations),
            "connections": len(tile.connections),
            "targets": len(tile.targets),
            "routes": len(tile.routes),
        }
        | ({"coordinates": len(tile.coordinates)} if config.images else {})
        for number, tile in enumerate(image.tiles)
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
