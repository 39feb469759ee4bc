"""Which share of the network on which tile, so that packets go short ways and share few links.

The cost of a placement is in packets per step:

    cost = packets over the busiest link + packets over an average link

The first bounds how fast a step can be; the second, times the number of links, is how many links
all packets of a step take together. The links are those between routers; what goes to the host is
left out, as all of it passes tile 0 wherever it is from.
"""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping.routing import ways

MOVES = 10_000
"""Most swaps that the search tries."""

Loads = NDArray[np.float64]
"""Packets in a step over each of `spikeloom.mapping.routing.links`."""


@dataclass(frozen=True)
class Flow:
    """Packets that take the same way.

    Parameters
    ----------
    source
        The share of the network that sends them; None for the host, which sends into tile 0.
    destinations
        The shares that all of them go to, at least one.
    packets
        Packets expected in a step. Multiples of a power of two are added without rounding.
    """

    source: int | None
    destinations: frozenset[int]
    packets: float


def traffic(config: FabricConfig, flows: Sequence[Flow], places: Sequence[int]) -> Loads:
    """Packets in a step over each of `links`, with share n of the network on tile `places[n]`."""
    return _Search(config, flows, places).loads()


def cost(loads: Loads) -> float:
    """The cost of a placement with this traffic, in packets per step."""
    return float(loads.max() + loads.sum() / loads.size) if loads.size else 0.0


def place(config: FabricConfig, flows: Sequence[Flow], seed: int = 0) -> tuple[int, ...]:
    """The tile of each share of the network: a local optimum of `cost`, never above reading order.

    Starts in reading order (share n on tile n) and exchanges two shares wherever that lowers the
    cost, in an order that `seed` decides, until no exchange does or `MOVES` were tried.
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
        for one, other in pairs:
            changed = search.affected(one, other)
            if not moves or not changed.size:
                continue
            moves -= 1
            search.exchange(one, other)
            taken = search.route(changed)
            after = loads + search.packets[changed] @ (taken - search.taken[changed])
            if cost(after) < lowest:
                loads, lowest, improved = after, cost(after), True
                search.taken[changed] = taken
            else:
                search.exchange(one, other)
    return tuple(search.places[: config.tiles].tolist())


class _Search:
    """The links that each flow takes in a placement."""

    def __init__(self, config: FabricConfig, flows: Sequence[Flow], places: Sequence[int]) -> None:
        all_ways = ways(config)
        self.links = all_ways.shape[2]
        self.ways = np.packbits(all_ways, axis=2)
        self.packets = np.array([flow.packets for flow in flows], np.float64)
        # The host is one more share, which never moves.
        self.places = np.append(places, 0)
        host = config.tiles
        self.sources = np.array([host if f.source is None else f.source for f in flows], np.int64)
        self.goes_to = np.zeros((len(flows), config.tiles + 1), np.bool_)
        for n, flow in enumerate(flows):
            self.goes_to[n, list(flow.destinations)] = True
        self.taken = self.route(np.arange(len(flows)))

    def loads(self) -> Loads:
        """Packets over each link."""
        return self.packets @ self.taken

    def affected(self, one: int, other: int) -> NDArray[np.int64]:
        """The flows that take other links if two shares are exchanged."""
        sends = (self.sources == one) | (self.sources == other)
        return np.flatnonzero(sends | (self.goes_to[:, one] != self.goes_to[:, other]))

    def exchange(self, one: int, other: int) -> None:
        """Exchange the tiles of two shares."""
        self.places[[one, other]] = self.places[[other, one]]

    def route(self, flows: NDArray[np.int64]) -> NDArray[np.float64]:
        """For each of `flows` the links that are on the way to any of its destinations: 1, or 0."""
        number, share = np.nonzero(self.goes_to[flows])
        sources = self.places[self.sources[flows]]
        on_the_way = self.ways[sources[number], self.places[share]]
        starts = np.flatnonzero(np.diff(number, prepend=-1))
        links = np.bitwise_or.reduceat(on_the_way, starts)
        return np.unpackbits(links, axis=1, count=self.links).astype(np.float64)
