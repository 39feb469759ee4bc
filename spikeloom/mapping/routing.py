"""Paths of packets through the mesh, and the route tables that implement them.

A packet goes along its row first, then along the column of its destination. A multicast packet
follows the paths to all its destinations and branches where they part. The action of a router
therefore depends on the destinations alone: the row of its table names a port if a destination lies
beyond it. The origin of the packet does not matter, because no router sends a packet back, or from
a column into a row (`golden.spec.TURNS`). One route thus serves every source, including the host.
"""

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.spec import FabricConfig, Port

Link = tuple[int, Port]
"""A tile, and the port through which its router sends to the next one."""


def links(config: FabricConfig) -> tuple[Link, ...]:
    """Every link between two routers."""
    return tuple(
        (tile, port)
        for tile in range(config.tiles)
        for port in Port
        if config.neighbour(tile, port) is not None
    )


def output_port(config: FabricConfig, tile: int, destination: int) -> Port:
    """The output port at the router of `tile` for packets to `destination`."""
    row, column = divmod(tile, config.columns)
    to_row, to_column = divmod(destination, config.columns)
    if to_column != column:
        return Port.EAST if to_column > column else Port.WEST
    if to_row != row:
        return Port.SOUTH if to_row > row else Port.NORTH
    return Port.LOCAL


def route_rows(config: FabricConfig, routes: Sequence[frozenset[int]]) -> list[tuple[int, ...]]:
    """For each tile, the rows of its route table: one for each set of destinations."""
    return [
        tuple(
            config.route_row.pack(
                {output_port(config, tile, destination).name.lower(): 1 for destination in route}
            )
            for route in routes
        )
        for tile in range(config.tiles)
    ]


@functools.lru_cache(maxsize=4)
def paths(config: FabricConfig) -> NDArray[np.bool_]:
    """Whether a packet takes each of `links`, shape (sources, destinations, links)."""
    number = {link: n for n, link in enumerate(links(config))}
    taken = np.zeros((config.tiles, config.tiles, len(number)), np.bool_)
    for source, destination in np.ndindex(config.tiles, config.tiles):
        tile = source
        while (port := output_port(config, tile, destination)) is not Port.LOCAL:
            taken[source, destination, number[tile, port]] = True
            following = config.neighbour(tile, port)
            assert following is not None
            tile = following
    taken.flags.writeable = False
    return taken
