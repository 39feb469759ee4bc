"""Which share of the network goes to which tile, for short paths and few packets per link.

The cost of a placement is in packets per step:

    cost = packets over the busiest link + packets over an average link

The first term bounds the rate of steps; the second, times the number of links, is the number of
hops of all packets of a step. Only links between routers count. Packets to the host are left out:
all of them pass tile 0, whatever their origin.
"""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping.routing import paths

MOVES = 10_000
"""Maximum number of exchanges that the search tries."""

Loads = NDArray[np.float64]
"""Packets per step over each of `spikeloom.mapping.routing.links`."""


@dataclass(frozen=True)
class Flow:
    """Packets with the same source and the same destinations.

    Parameters
    ----------
    source
        The share of the network that sends them; None for the host, which sends into tile 0.
    destinations
        The shares that receive each of them, at least one.
    packets
        Expected packets per step. Multiples of a power of two are added without rounding.
    """

    source: int | None
    destinations: frozenset[int]
    packets: float


def traffic(config: FabricConfig, flows: Sequence[Flow], tiles: Sequence[int]) -> Loads:
    """Packets per step over each of `links`, with share n of the network on tile `tiles[n]`."""
    return _Search(config, flows, tiles).loads()


def cost(loads: Loads) -> float:
    """The cost of a placement with this traffic, in packets per step."""
    return float(loads.max() + loads.sum() / loads.size) if loads.size else 0.0


def place(config: FabricConfig, flows: Sequence[Flow], seed: int = 0) -> tuple[int, ...]:
    """The tile of each share of the network: a local minimum of `cost`, never above reading order.

    Starts in reading order (share n on tile n) and exchanges two shares wherever that lowers the
    cost, in an order that depends on `seed`, until no exchange does or `MOVES` were tried.
    """
    search = _Search(config, flows, range(config.tiles))
    pairs = list(itertools.combinations(range(config.tiles), 2))
    generator = random.Random(seed)
    loads = search.loads()
    lowest = cost(loads)
    moves = MOVES
    improved = True
    while improved:
        improved = False
        generator.shuffle(pairs)
        for first, second in pairs:
            changed = search.affected(first, second)
            if not moves or not changed.size:
                continue
            moves -= 1
            search.exchange(first, second)
            taken = search.route(changed)
            after = loads + search.packets[changed] @ (taken - search.taken[changed])
            if cost(after) < lowest:
                loads, lowest, improved = after, cost(after), True
                search.taken[changed] = taken
            else:
                search.exchange(first, second)
    return tuple(search.tiles[: config.tiles].tolist())


class _Search:
    """The links that each flow takes in a placement."""

    def __init__(self, config: FabricConfig, flows: Sequence[Flow], tiles: Sequence[int]) -> None:
        all_paths = paths(config)
        self.links = all_paths.shape[2]
        self.paths = np.packbits(all_paths, axis=2)
        self.packets = np.array([flow.packets for flow in flows], np.float64)
        # The host counts as one more share, which never moves.
        self.tiles = np.append(tiles, 0)
        host = config.tiles
        self.sources = np.array([host if f.source is None else f.source for f in flows], np.int64)
        self.reaches = np.zeros((len(flows), config.tiles + 1), np.bool_)
        for n, flow in enumerate(flows):
            self.reaches[n, list(flow.destinations)] = True
        self.taken = self.route(np.arange(len(flows)))

    def loads(self) -> Loads:
        """Packets over each link."""
        return self.packets @ self.taken

    def affected(self, first: int, second: int) -> NDArray[np.int64]:
        """The flows whose links change if two shares are exchanged."""
        sends = (self.sources == first) | (self.sources == second)
        return np.flatnonzero(sends | (self.reaches[:, first] != self.reaches[:, second]))

    def exchange(self, first: int, second: int) -> None:
        """Exchange the tiles of two shares."""
        self.tiles[[first, second]] = self.tiles[[second, first]]

    def route(self, flows: NDArray[np.int64]) -> NDArray[np.float64]:
        """For each of `flows`, 1 for every link on the path to any of its destinations, else 0."""
        number, share = np.nonzero(self.reaches[flows])
        sources = self.tiles[self.sources[flows]]
        by_destination = self.paths[sources[number], self.tiles[share]]
        starts = np.flatnonzero(np.diff(number, prepend=-1))
        links = np.bitwise_or.reduceat(by_destination, starts)
        return np.unpackbits(links, axis=1, count=self.links).astype(np.float64)
