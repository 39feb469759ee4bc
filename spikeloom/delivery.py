"""Follows events through an image: what is sent arrives, once, wherever it has a synapse."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from golden.image import Image
from golden.network import Input, Network, Population
from golden.spec import TURNS, Port
from spikeloom.partition import outgoing

ENTRY = {
    Port.EAST: Port.WEST,
    Port.WEST: Port.EAST,
    Port.NORTH: Port.SOUTH,
    Port.SOUTH: Port.NORTH,
}
"""Through which port of the next router a packet comes in."""


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
        Its first axon or neuron, and how many there are.
    events
        (connection, delay, route) of each event.
    """

    name: str
    tile: int
    port: Port
    start: int
    size: int
    events: list[tuple[int, int, int]]


def check_delivery(network: Network, image: Image) -> None:
    """Check that no synapse is lost or doubled.

    Every neuron is in exactly one tile and sends the events of its connections, each once; the
    tiles in which an event arrives have together as many synapses for it as its connection has.

    Raises
    ------
    ValueError
        Something is not so: a fault of the mapper.
    """
    tables = [
        [image.config.connection_row.unpack(word) for word in tile.connections]
        for tile in image.tiles
    ]
    senders = [*_host_senders(network, image), *_tile_senders(image)]
    nodes: list[Input | Population] = [*network.inputs, *network.populations]
    for node in nodes:
        mine = sorted((s for s in senders if s.name == node.name), key=lambda s: s.start)
        ends = [0, *itertools.accumulate(sender.size for sender in mine)]
        if [*(sender.start for sender in mine), node.size] != ends:
            raise ValueError(f"not every neuron of {node.name!r} is in exactly one tile")
        expected = [(number, c.delay) for number, c in outgoing(network, node)]
        for sender in mine:
            if sorted(event[:2] for event in sender.events) != expected:
                raise ValueError(f"tile {sender.tile} does not send each event of {node.name!r}")
            for number, _, route in sender.events:
                tiles = arrivals(image, sender.tile, sender.port, route)
                rows = [tables[tile][number] for tile in tiles]
                sources, size = network.connections[number].weights.shape
                if (
                    any(row["sources"] != sources for row in rows)
                    or sum(row["synapses"] for row in rows) != size
                ):
                    raise ValueError(f"connection {number} from tile {sender.tile} is not whole")


def arrivals(image: Image, tile: int, entry: Port, route: int) -> list[int]:
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
                here.append((following, ENTRY[port]))
    return delivered


def _host_senders(network: Network, image: Image) -> Iterator[_Sender]:
    for node in network.inputs:
        events = [(e.connection, e.delay, e.route) for e in image.entries if e.input == node.name]
        yield _Sender(node.name, 0, Port.WEST, 0, node.size, events)


def _tile_senders(image: Image) -> Iterator[_Sender]:
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
                yield _Sender(name, tile, Port.LOCAL, row["index_base"], row["neurons"], events)
