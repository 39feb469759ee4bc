"""What every memory of every tile holds, once it is known which neurons each tile has."""

from collections.abc import Sequence

from spikeloom.golden.convolution import ImageShape
from spikeloom.golden.memory_image import Entry, MemoryImage, Sender, TileImage
from spikeloom.golden.network import Network
from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping.firing import firing_rows
from spikeloom.mapping.geometry import positions, shapes
from spikeloom.mapping.incoming import incoming_rows
from spikeloom.mapping.partition import Part, destinations, firing_order, outgoing, recorded
from spikeloom.mapping.routing import route_rows
from spikeloom.mapping.tile_parts import tile_parts


def build_image(
    network: Network,
    config: FabricConfig,
    parts: Sequence[Part],
    record: frozenset[str],
    readout: frozenset[str],
) -> MemoryImage:
    """The image of a network whose `parts` fit their tiles.

    In a tile, populations take whole groups of `lanes` neurons, in firing order.
    """
    nodes = shapes(network)
    order = firing_order(network)
    reached = destinations(network, parts)
    distinct = list(dict.fromkeys(reached))
    # A single tile has no router, and its packets have no route.
    routed = config.tiles > 1
    routes = [distinct.index(tiles) if routed else 0 for tiles in reached]
    tables = route_rows(config, distinct) if routed else [()]
    entries = tuple(
        Entry(node.name, routes[number], number, c.delay, _placed(nodes[node.name]))
        for node in network.inputs
        for number, c in outgoing(network, node)
    )
    tiles = []
    for tile, table in enumerate(tables):
        here = [part for part in parts if part.tile == tile]
        at_home = list(tile_parts(order, nodes, here, config.lanes))
        fired = firing_rows(network, config, at_home, routes, record, readout)
        connections, weights, coordinates = incoming_rows(network, config, nodes, at_home)
        tiles.append(
            TileImage(
                weights,
                fired.biases,
                fired.populations,
                connections,
                fired.targets,
                table,
                coordinates,
            )
        )
    window = config.slots - 1 - max((entry.delay for entry in entries), default=0)
    return MemoryImage(
        config,
        tuple(tiles),
        config.control_row.pack({"last_phase": network.phases - 1, "window": window}),
        entries,
        tuple(
            Sender(
                p.name,
                p.size,
                recorded(p, record),
                p.name in readout,
                p.max_spikes,
                _placed(nodes[p.name]),
            )
            for p in order
        ),
    )


def _placed(image: ImageShape) -> ImageShape | None:
    """The image of what is sent with a place."""
    return image if positions(image) > 1 else None
