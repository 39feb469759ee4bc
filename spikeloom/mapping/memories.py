"""Contents of every memory of every tile, for a network already cut into parts."""

from collections.abc import Sequence

from spikeloom.golden.convolution import ImageShape
from spikeloom.golden.memory_image import Entry, MemoryImage, Sender, TileImage
from spikeloom.golden.network import Network
from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping.firing import firing_rows
from spikeloom.mapping.geometry import positions, shapes
from spikeloom.mapping.incoming import incoming_rows
from spikeloom.mapping.learning import LearningRows, learning_rows, tile_rules
from spikeloom.mapping.noise import noise_rows, random_rows
from spikeloom.mapping.parts import Part, destinations, firing_order, outgoing, recorded
from spikeloom.mapping.routing import route_rows
from spikeloom.mapping.tile_parts import tile_parts


def build_image(
    network: Network,
    config: FabricConfig,
    parts: Sequence[Part],
    record: frozenset[str],
    readout: frozenset[str],
) -> MemoryImage:
    """The memory image of a network whose `parts` fit their tiles.

    In a tile, populations take whole groups of `lanes` neurons, in firing order.
    """
    nodes = shapes(network)
    order = firing_order(network)
    reached = destinations(network, parts)
    route_numbers = {tiles: number for number, tiles in enumerate(dict.fromkeys(reached))}
    # A single tile has no router, and its packets have no route.
    routed = config.tiles > 1
    routes = [route_numbers[tiles] if routed else 0 for tiles in reached]
    tables = route_rows(config, list(route_numbers)) if routed else [()]
    entries = tuple(
        Entry(node.name, routes[number], number, c.delay, _image(nodes[node.name]))
        for node in network.inputs
        for number, c in outgoing(network, node)
    )
    fan_out = {population.name: outgoing(network, population) for population in order}
    on_tile: list[list[Part]] = [[] for _ in tables]
    for part in parts:
        on_tile[part.tile].append(part)
    tiles = []
    for table, local_parts in zip(tables, on_tile, strict=True):
        local = list(tile_parts(order, nodes, local_parts, config.lanes))
        fired = firing_rows(config, local, network, fan_out, routes, record, readout)
        rules = tile_rules(network, nodes, local)
        connections, weights, coordinates = incoming_rows(network, config, nodes, local, rules)
        learned = learning_rows(config, rules, local, connections)
        tiles.append(
            TileImage(
                weights,
                fired.biases,
                fired.populations,
                connections,
                fired.targets,
                table,
                coordinates,
                noise_rows(network, config),
                random_rows(network, config),
                *_learning(learned, config),
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
                _image(nodes[p.name]),
                currents=config.traces and p.synaptic_decay is not None,
                signed=p.signed,
            )
            for p in order
        ),
    )


def _learning(rows: LearningRows, config: FabricConfig) -> tuple[tuple[int, ...], ...]:
    """The rows of RULE, TERM, CURVE and LEARN of a tile; a fabric learns only when told to."""
    return (rows.rules, rows.terms, rows.curves, (0,)) if config.plasticity else ()


def _image(shape: ImageShape) -> ImageShape | None:
    """The image shape of a sender whose packets carry a position; None for others."""
    return shape if positions(shape) > 1 else None
