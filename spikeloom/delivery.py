"""Follows events through an image: what is sent arrives, once, wherever it has a synapse."""

from golden.image import Image
from golden.network import Network
from golden.spec import TURNS, Port
from spikeloom.partition import firing_order

ENTRY = {
    Port.EAST: Port.WEST,
    Port.WEST: Port.EAST,
    Port.NORTH: Port.SOUTH,
    Port.SOUTH: Port.NORTH,
}
"""Through which port of the next router a packet comes in."""


class MappingError(Exception):
    """An image does not do what its network says: a fault of the mapper, not of its user."""


def arrivals(image: Image, tile: int, entry: Port, route: int) -> list[int]:
    """The tiles that a packet is delivered to, as often as it is.

    Parameters
    ----------
    tile, entry
        The router that it comes into, and the port: LOCAL from the tile itself, WEST of tile 0
        from the host.
    route
        Its route; the only tile of a fabric without routers gets everything.
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


def check_delivery(network: Network, image: Image) -> None:
    """Check that no synapse is lost or doubled.

    Every neuron is in exactly one tile; the events of every connection are sent, once, by the tile
    that has the source; and the tiles in which they arrive have all the synapses of the connection.

    Raises
    ------
    MappingError
        Something is not so.
    """
    config = image.config
    tables = [
        [config.connection_row.unpack(word) for word in tile.connections] for tile in image.tiles
    ]
    pieces: dict[int, list[tuple[int, int]]] = {}
    # What each input, and each part of a population, sends: route, connection, delay.
    sent: list[tuple[str, int, Port, list[tuple[int, int, int]]]] = []
    for node in network.inputs:
        words = [(e.route, e.connection, e.delay) for e in image.entries if e.input == node.name]
        sent.append((node.name, 0, Port.WEST, words))
    for tile, memories in enumerate(image.tiles):
        targets = [config.target_row.unpack(word) for word in memories.targets]
        for word in memories.populations:
            row = config.population_row.unpack(word)
            if row["neurons"] == 0:
                continue
            number, base = row["number"], row["target_base"]
            pieces.setdefault(number, []).append((row["index_base"], row["neurons"]))
            words = [
                (target["route"], target["connection"], target["delay"])
                for target in targets[base : base + row["fan_out"]]
                if not target["host"]
            ]
            sent.append((image.senders[number].name, tile, Port.LOCAL, words))

    for number, population in enumerate(firing_order(network)):
        reached = 0
        for start, size in sorted(pieces.get(number, [])):
            if start != reached:
                raise MappingError(
                    f"population {population.name!r}: not every neuron is placed once"
                )
            reached = start + size
        if reached != population.size:
            raise MappingError(f"population {population.name!r}: not every neuron is placed once")
    silent = {population.name for population in network.populations if not population.spiking}
    for name, tile, port, words in sent:
        expected = [
            (number, c.delay)
            for number, c in enumerate(network.connections)
            if c.source == name and name not in silent
        ]
        if sorted(word[1:] for word in words) != expected:
            raise MappingError(f"tile {tile} does not send each event of {name!r} once")
        for route, number, _ in words:
            reached_tiles = arrivals(image, tile, port, route)
            rows = [tables[there][number] for there in reached_tiles]
            weights = network.connections[number].weights
            if (
                len(set(reached_tiles)) != len(reached_tiles)
                or any(row["sources"] != weights.shape[0] for row in rows)
                or sum(row["synapses"] for row in rows) != weights.shape[1]
            ):
                raise MappingError(f"events of {name!r} do not reach connection {number} once")
