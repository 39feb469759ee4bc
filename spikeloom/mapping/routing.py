"""The ways of packets through the mesh, and the route tables that make them go there.

A packet goes along its row first and then along the column of its destination. One for several
destinations takes all these ways at once and branches where they part. So what a router has to do
depends on the destinations alone: a port is in the row of its table if a destination lies behind
it. Where the packet came from does not matter, because no router sends a packet back or from a
column into a row (`golden.spec.TURNS`). One route therefore serves every source, the host too.
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


def way_out(config: FabricConfig, tile: int, destination: int) -> Port:
    """The port through which the router of `tile` sends what is for `destination`."""
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
                {way_out(config, tile, destination).name.lower(): 1 for destination in route}
            )
            for route in routes
        )
        for tile in range(config.tiles)
    ]


@functools.lru_cache(maxsize=4)
def ways(config: FabricConfig) -> NDArray[np.bool_]:
    """Which of `links` a packet takes, of shape (sources, destinations, links)."""
    number = {link: n for n, link in enumerate(links(config))}
    taken = np.zeros((config.tiles, config.tiles, len(number)), np.bool_)
    for source, destination in np.ndindex(config.tiles, config.tiles):
        tile = source
        while (port := way_out(config, tile, destination)) is not Port.LOCAL:
            taken[source, destination, number[tile, port]] = True
            following = config.neighbour(tile, port)
            assert following is not None
            tile = following
    taken.flags.writeable = False
    return taken
