"""Follows events through an image: what is sent arrives, once, wherever it has a synapse."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spikeloom.golden.convolution import ImageShape
from spikeloom.golden.fixed import Integers
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.network import Input, Network, Population
from spikeloom.golden.spec import FACING, TURNS, Port
from spikeloom.mapping.geometry import shapes
from spikeloom.mapping.partition import outgoing


@dataclass(frozen=True)
class _Sender:
    """Axons of an input, or neurons of a population in one tile, and what each of them sends.

    Parameters
    ----------
    name
        The input or population.
    tile, port
        Where its packets enter the mesh.
    start, size
        Its first channel, and how many there are.
    places
        Rows and columns of the image that they are at.
    events
        (connection, delay, route) of each event.
    """

    name: str
    tile: int
    port: Port
    start: int
    size: int
    places: tuple[int, int]
    events: list[tuple[int, int, int]]


def check_delivery(network: Network, image: MemoryImage) -> None:
    """Check that no synapse is lost or doubled.

    Every neuron is in exactly one tile and sends the events of its connections, each once; the
    tiles in which an event arrives have together as many synapses for it as its connection has, for
    each axon or neuron that may send it.

    Raises
    ------
    ValueError
        Something is not so: a fault of the mapper.
    """
    nodes = shapes(network)
    fan_out = [network.fan_out(c).reshape(nodes[c.source]) for c in network.connections]
    whole: set[tuple[int, tuple[int, ...]]] = set()
    senders = [*_host_senders(network, image, nodes), *_tile_senders(image)]
    everyone: list[Input | Population] = [*network.inputs, *network.populations]
    for node in everyone:
        channels, *size = nodes[node.name]
        mine = sorted((s for s in senders if s.name == node.name), key=lambda s: s.start)
        ends = [0, *itertools.accumulate(sender.size for sender in mine)]
        starts = [*(sender.start for sender in mine), channels]
        if starts != ends or any(sender.places != tuple(size) for sender in mine):
            raise ValueError(f"not every neuron of {node.name!r} is in exactly one tile")
        expected = [(number, c.delay) for number, c in outgoing(network, node)]
        for sender in mine:
            if sorted(event[:2] for event in sender.events) != expected:
                raise ValueError(f"tile {sender.tile} does not send each event of {node.name!r}")
            for number, _, route in sender.events:
                tiles = tuple(sorted(arrivals(image, sender.tile, sender.port, route)))
                if (number, tiles) in whole:
                    continue
                found = [_synapses(image, tile, number, nodes[node.name]) for tile in tiles]
                if not np.array_equal(sum(found), fan_out[number]):
                    raise ValueError(f"connection {number} from tile {sender.tile} is not whole")
                whole.add((number, tiles))


def arrivals(image: MemoryImage, tile: int, entry: Port, route: int) -> list[int]:
    """The tiles that a packet is delivered to; `TURNS` leaves one way to each, so none twice.

    Parameters
    ----------
    tile, entry
        The router that it comes into, and the port: LOCAL from the tile itself, WEST of tile 0
        from the host.
    route
        Its route; without routers there is none, and a single tile gets everything.
    """
    config = image.config
    if config.tiles == 1:
        return [0]
    delivered = []
    here = [(tile, entry)]
    while here:
        tile, entry = here.pop()
        row = config.route_row.unpack(image.tiles[tile].routes[route])
        for port in TURNS[entry]:
            following = config.neighbour(tile, port)
            if not row[port.name.lower()]:
                continue
            if port is Port.LOCAL:
                delivered.append(tile)
            elif following is not None:
                here.append((following, FACING[port]))
    return delivered


def _synapses(image: MemoryImage, tile: int, number: int, shape: ImageShape) -> Integers:
    """How many synapses of a connection an event reaches in a tile.

    One for each axon or neuron of a source of that `shape`; none if the tile drops its events.
    """
    config, memories = image.config, image.tiles[tile]
    row = config.connection_row.unpack(memories.connections[number])
    channels, height, width = shape
    placed = row.get("image", 0)
    size = (row["height"], row["width"]) if placed else (1, 1)
    if (row["sources"], *size) != shape or not row["groups"]:
        return np.zeros(shape, np.int64)
    if not placed:
        return np.full(shape, row["synapses"])

    def axis(base: int, count: int) -> list[dict[str, int]]:
        return [
            config.coordinate_row.unpack(word) for word in memories.coordinates[base : base + count]
        ]

    rows, columns = (
        [entry["count"] for entry in axis(row[f"{name}_coordinates"], count)]
        for name, count in (("row", height), ("column", width))
    )
    each = [row["synapses"]] * channels
    if row["grouped"]:
        table = axis(row["channel_coordinates"], channels)
        each = [entry["synapses"] if entry["count"] else 0 for entry in table]
    return np.multiply.outer(each, np.multiply.outer(rows, columns))


def _host_senders(
    network: Network, image: MemoryImage, nodes: dict[str, ImageShape]
) -> Iterator[_Sender]:
    for node in network.inputs:
        channels, *size = nodes[node.name]
        entries = [entry for entry in image.entries if entry.input == node.name]
        if any((entry.image or (node.size, 1, 1)) != nodes[node.name] for entry in entries):
            raise ValueError(f"events of {node.name!r} do not have the places of its image")
        events = [(entry.connection, entry.delay, entry.route) for entry in entries]
        yield _Sender(node.name, 0, Port.WEST, 0, channels, (size[0], size[1]), events)


def _tile_senders(image: MemoryImage) -> Iterator[_Sender]:
    config = image.config
    for tile, memories in enumerate(image.tiles):
        targets = [config.target_row.unpack(word) for word in memories.targets]
        for word in memories.populations:
            row = config.population_row.unpack(word)
            events = [
                (target["connection"], target["delay"], target["route"])
                for target in targets[row["target_base"] :][: row["fan_out"]]
                if not target["host"]
            ]
            # An empty row sends nothing.
            if row["neurons"]:
                name = image.senders[row["number"]].name
                start, size, places = row["index_base"], row["neurons"], (1, 1)
                if config.images:
                    size, places = row["channels"], (row["height"], row["width"])
                    if size * places[0] * places[1] != row["neurons"]:
                        raise ValueError(f"tile {tile} does not fire each place of {name!r}")
                yield _Sender(name, tile, Port.LOCAL, start, size, places, events)
