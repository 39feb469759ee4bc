"""Checks a memory image: every event sent arrives exactly once wherever it has a synapse."""

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
from spikeloom.mapping.parts import outgoing


@dataclass(frozen=True)
class _Sender:
    """Axons of an input, or neurons of a population in one tile, and the events each of them sends.

    Parameters
    ----------
    name
        The input or population.
    tile, port
        Where its packets enter the mesh.
    start, size
        First channel, and number of channels.
    positions
        Rows and columns of its image.
    events
        (connection, delay, route) of each event.
    """

    name: str
    tile: int
    port: Port
    start: int
    size: int
    positions: tuple[int, int]
    events: list[tuple[int, int, int]]


def check_delivery(network: Network, image: MemoryImage) -> None:
    """Check that no synapse is lost or doubled.

    Every neuron must be in exactly one tile and send the event of each of its connections once; for
    each axon or neuron that may send it, the tiles in which an event arrives must together have as
    many synapses for it as its connection.

    Raises
    ------
    ValueError
        One of these does not hold: a fault of the mapper.
    """
    nodes = shapes(network)
    fan_out = [network.fan_out(c).reshape(nodes[c.source]) for c in network.connections]
    checked: set[tuple[int, tuple[int, ...]]] = set()
    senders: dict[str, list[_Sender]] = {}
    for sender in (*_host_senders(network, image, nodes), *_tile_senders(image)):
        same = senders.setdefault(sender.name, [])
        if sender not in same:  # as in each set of rows, where these change from step to step
            same.append(sender)
    mesh = _Mesh(image)
    all_nodes: list[Input | Population] = [*network.inputs, *network.populations]
    for node in all_nodes:
        channels, *size = nodes[node.name]
        parts = sorted(senders.get(node.name, []), key=lambda sender: sender.start)
        ends = [0, *itertools.accumulate(sender.size for sender in parts)]
        starts = [*(sender.start for sender in parts), channels]
        if starts != ends or any(sender.positions != tuple(size) for sender in parts):
            raise ValueError(f"not every neuron of {node.name!r} is in exactly one tile")
        expected = [(number, c.delay) for number, c in outgoing(network, node)]
        for sender in parts:
            if sorted(event[:2] for event in sender.events) != expected:
                raise ValueError(f"tile {sender.tile} does not send each event of {node.name!r}")
            for number, _, route in sender.events:
                tiles = tuple(sorted(mesh.arrivals(sender.tile, sender.port, route)))
                if (number, tiles) in checked:
                    continue
                synapses = [_synapses(image, tile, number, nodes[node.name]) for tile in tiles]
                if not np.array_equal(sum(synapses), fan_out[number]):
                    raise ValueError(f"connection {number} from tile {sender.tile} is not whole")
                checked.add((number, tiles))


class _Mesh:
    """Follows packets through the route tables of an image."""

    def __init__(self, image: MemoryImage) -> None:
        self._image = image
        self._arrivals: dict[tuple[int, Port, int], tuple[int, ...]] = {}
        self._outputs: dict[tuple[int, int], tuple[Port, ...]] = {}

    def arrivals(self, tile: int, entry: Port, route: int) -> tuple[int, ...]:
        """The tiles that receive a packet; `TURNS` leaves one path to each, so none twice.

        Parameters
        ----------
        tile, entry
            The router that it enters, and the port: LOCAL from the tile itself, WEST of tile 0 from
            the host.
        route
            Its route; a single tile has no router, and receives every packet.
        """
        if self._image.config.tiles == 1:
            return (0,)
        if (tile, entry, route) not in self._arrivals:
            delivered: list[int] = []
            for port in self._routed(tile, route):
                if port not in TURNS[entry]:
                    continue
                following = self._image.config.neighbour(tile, port)
                if port is Port.LOCAL:
                    delivered.append(tile)
                elif following is not None:
                    delivered += self.arrivals(following, FACING[port], route)
            self._arrivals[tile, entry, route] = tuple(delivered)
        return self._arrivals[tile, entry, route]

    def _routed(self, tile: int, route: int) -> tuple[Port, ...]:
        """The ports in a row of a tile's route table."""
        if (tile, route) not in self._outputs:
            row = self._image.config.route_row.unpack(self._image.tiles[tile].routes[route])
            self._outputs[tile, route] = tuple(port for port in Port if row[port.name.lower()])
        return self._outputs[tile, route]


def _synapses(image: MemoryImage, tile: int, number: int, shape: ImageShape) -> Integers:
    """Number of synapses that an event of a connection reaches in a tile.

    One count for each axon or neuron of a source of that `shape`; 0 if the tile drops its events.
    """
    config, memories = image.config, image.tiles[tile]
    row = config.connection_row.unpack(memories.connections[number])
    channels, height, width = shape
    if row.get("sparse", 0):
        if (row["sources"], 1, 1) != shape or not row["groups"]:
            return np.zeros(shape, np.int64)
        first = row["channel_coordinates"]
        sources = map(config.coordinate_row.unpack, memories.coordinates[first : first + channels])
        return np.array([s["synapses"] if s["count"] else 0 for s in sources]).reshape(shape)
    if row.get("one_to_one", 0):
        if (row["sources"], 1, 1) != shape or not row["groups"]:
            return np.zeros(shape, np.int64)
        numbers = np.arange(channels).reshape(shape)
        reached = (numbers >= row["first"]) & (numbers <= row["last"])
        return reached * row["synapses"]
    placed = row.get("image", 0)
    size = (row["height"], row["width"]) if placed else (1, 1)
    if (row["sources"], *size) != shape or not row["groups"]:
        return np.zeros(shape, np.int64)
    if not placed:
        return np.full(shape, row["synapses"])

    def coordinates(base: int, count: int) -> list[dict[str, int]]:
        return [
            config.coordinate_row.unpack(word) for word in memories.coordinates[base : base + count]
        ]

    rows, columns = (
        [entry["count"] for entry in coordinates(row[f"{name}_coordinates"], count)]
        for name, count in (("row", height), ("column", width))
    )
    per_channel = [row["synapses"]] * channels
    if row["grouped"]:
        table = coordinates(row["channel_coordinates"], channels)
        per_channel = [entry["synapses"] if entry["count"] else 0 for entry in table]
    return np.multiply.outer(per_channel, np.multiply.outer(rows, columns))


def _host_senders(
    network: Network, image: MemoryImage, nodes: dict[str, ImageShape]
) -> Iterator[_Sender]:
    for node in network.inputs:
        channels, *size = nodes[node.name]
        entries = [entry for entry in image.entries if entry.input == node.name]
        if any((entry.image or (node.size, 1, 1)) != nodes[node.name] for entry in entries):
            raise ValueError(f"events of {node.name!r} do not have the positions of its image")
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
                start, size, positions = row["index_base"], row["neurons"], (1, 1)
                if config.images:
                    size, positions = row["channels"], (row["height"], row["width"])
                    if size * positions[0] * positions[1] != row["neurons"]:
                        raise ValueError(f"tile {tile} does not fire each position of {name!r}")
                yield _Sender(name, tile, Port.LOCAL, start, size, positions, events)
