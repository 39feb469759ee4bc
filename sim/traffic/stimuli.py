"""Stimuli for a mesh of routers: the packets of each source, and when each sink is ready."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.spec import FabricConfig

Words = NDArray[np.uint64]

_PERIOD = 1 << 12
"""Clocks after which the readiness of the sinks repeats."""


@dataclass(frozen=True, eq=False)
class Stimuli:
    """The packets of each source, and when each sink is ready.

    A source offers its packets in order: each from its birth, or from the acceptance of the
    previous one if that is later, until it is accepted. The sources are the tiles, then the host.

    Parameters
    ----------
    config
        Sizes of the fabric; two tiles or more.
    routes
        For each route its destination tiles.
    tables
        For each tile the rows of its route table that implement `routes`.
    packets
        The packets of all sources, source by source; all differ.
    births
        For each packet the first clock in which its source may offer it.
    starts
        Index of the first packet of each source, then the number of packets.
    listening
        For each clock a bit per tile: its sink is ready. The sequence repeats.
    """

    config: FabricConfig
    routes: Sequence[frozenset[int]]
    tables: Sequence[Sequence[int]]
    packets: Words
    births: Words
    starts: Words
    listening: Words

    @property
    def patience(self) -> int:
        """The longest time, in clocks, from a grant to a tile until its sink is ready.

        Raises `ValueError` if a sink is never ready.
        """
        tiles = np.arange(self.config.tiles, dtype=np.uint64)
        open_ = (self.listening[:, None] >> tiles & np.uint64(1)).astype(bool)
        longest = 0
        for times in (np.flatnonzero(column) for column in open_.T):
            if not len(times):
                raise ValueError("a sink is never ready")
            around = np.append(times, times[0] + len(open_))
            longest = max(longest, int(np.diff(around).max()))
        return longest

    @property
    def sources(self) -> NDArray[np.int64]:
        """The source of each packet."""
        return np.searchsorted(self.starts, np.arange(len(self.packets)), side="right") - 1

    @property
    def destinations(self) -> NDArray[np.bool_]:
        """The destination tiles of each packet, bool (packets, tiles)."""
        reached = np.zeros((len(self.routes), self.config.tiles), np.bool_)
        for route, tiles in enumerate(self.routes):
            reached[route, sorted(tiles)] = True
        width = self.config.event.fields[0].width
        mask = np.uint64((1 << width) - 1)
        return reached[(self.packets & mask).astype(np.int64)]


def draw(
    config: FabricConfig,
    routes: Sequence[frozenset[int]],
    tables: Sequence[Sequence[int]],
    choices: Sequence[Sequence[int]],
    *,
    packets: int,
    load: float,
    listening: float,
    seed: int,
) -> Stimuli:
    """Draw Bernoulli traffic.

    Parameters
    ----------
    config, routes, tables
        See `Stimuli`.
    choices
        For each source the routes of its packets, equally likely; empty for a silent source.
    packets
        Packets of each source that is not silent.
    load
        Probability of a birth per clock and source, in (0, 1].
    listening
        Probability per clock that a sink is ready, in (0, 1].
    seed
        The same arguments give the same stimuli.
    """
    rng = np.random.default_rng(seed)
    route_bits = config.event.fields[0].width
    counts = [packets if routes_ else 0 for routes_ in choices]
    # The bits beyond the route hold a number that is unique among all packets.
    unique = rng.choice(1 << (config.event.width - route_bits), sum(counts), replace=False)
    words = unique.astype(np.uint64) << np.uint64(route_bits)
    starts = np.append(0, np.cumsum(counts))
    births = np.zeros(len(words), np.uint64)
    for chosen, start, stop in zip(choices, starts, starts[1:], strict=False):
        if stop > start:
            words[start:stop] |= rng.choice(chosen, stop - start).astype(np.uint64)
            births[start:stop] = rng.geometric(load, stop - start).cumsum() - 1
    bits = rng.random((_PERIOD, config.tiles)) < listening
    bits[0] = True
    weights = np.uint64(1) << np.arange(config.tiles, dtype=np.uint64)
    return Stimuli(config, routes, tables, words, births, starts.astype(np.uint64), bits @ weights)
