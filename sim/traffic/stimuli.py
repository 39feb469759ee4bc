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
    """What is offered and when, and who listens.

    A source offers its packets in order, each from its birth on or as soon as the one before it is
    accepted, until it is accepted. The sources are the tiles, then the host.

    Parameters
    ----------
    config
        Sizes of the fabric; two tiles or more.
    routes
        For each route the tiles that it leads to.
    tables
        For each tile the rows of its route table that do so.
    packets
        The packets of all sources, one source after another; no two are equal.
    births
        Of each packet the first clock in which it is offered if nothing is before it.
    starts
        Where the packets of each source begin, and at last where all end.
    listening
        For each clock a bit for each tile that takes a packet in it. It begins again at its end.
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
        """Clocks from the one in which a tile could take a packet to that in which it does."""
        tiles = np.arange(self.config.tiles, dtype=np.uint64)
        open_ = (self.listening[:, None] >> tiles & np.uint64(1)).astype(bool)
        longest = 0
        for times in (np.flatnonzero(column) for column in open_.T):
            if not len(times):
                raise ValueError("a tile never listens")
            around = np.append(times, times[0] + len(open_))
            longest = max(longest, int(np.diff(around).max()))
        return longest

    @property
    def sources(self) -> NDArray[np.int64]:
        """The source of each packet."""
        return np.searchsorted(self.starts, np.arange(len(self.packets)), side="right") - 1

    @property
    def destinations(self) -> NDArray[np.bool_]:
        """The tiles that each packet has to reach, of shape (packets, tiles)."""
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
    """Bernoulli traffic.

    Parameters
    ----------
    config, routes, tables
        See `Stimuli`.
    choices
        For each source the routes of its packets, each as likely as the others; none for a source
        that is silent.
    packets
        Packets of each source that is not.
    load
        Probability that a packet is born in a clock, 0..1, 0 left out.
    listening
        Probability that a tile takes a packet in a clock, 0..1, 0 left out.
    seed
        The same numbers give the same stimuli.
    """
    rng = np.random.default_rng(seed)
    route_bits = config.event.fields[0].width
    counts = [packets if routes_ else 0 for routes_ in choices]
    # What is no route is a number that no other packet has.
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
