"""Cycle-level golden model of the collector; see the section Mesh of `docs/hardware.md`."""

from collections import deque
from collections.abc import Mapping

from spikeloom.golden.spec import FabricConfig, Port

INPUTS = 3
"""Inputs of a node, in the order of its arbitration: own, EAST, SOUTH."""

DEPTH = 2
"""Places of a node's queue."""


class Collector:
    """Brings the packets of all tiles to the host: a node for each tile.

    Packets are packed `config.host_out` payloads. `held` counts those in all nodes.
    """

    __slots__ = ("feeds", "held", "next", "queues", "turns")

    def __init__(self, config: FabricConfig) -> None:
        tiles = range(config.tiles)
        self.queues: list[deque[int]] = [deque() for _ in tiles]
        self.turns = [0 for _ in tiles]
        self.held = 0
        # The node that each leads to, and the queues that lead to it from EAST and SOUTH: one that
        # is always empty where there is no such input.
        self.next: list[int | None] = []
        self.feeds: list[tuple[deque[int], deque[int]]] = []
        for tile in tiles:
            first = tile % config.columns == 0
            self.next.append(config.neighbour(tile, Port.NORTH if first else Port.WEST))
            east = config.neighbour(tile, Port.EAST)
            south = config.neighbour(tile, Port.SOUTH) if first else None
            self.feeds.append(
                (
                    deque() if east is None else self.queues[east],
                    deque() if south is None else self.queues[south],
                )
            )

    @property
    def output(self) -> int | None:
        """The packet that is valid at `host_out`, if any."""
        queue = self.queues[0]
        return queue[0] if queue else None

    def clock(self, offered: Mapping[int, int], host_ready: bool) -> list[int]:
        """One clock with the packets that tiles offer, and whether the host takes one.

        Returns the tiles whose packets transfer.
        """
        if not offered and not self.held:
            return []
        # Nodes that have a packet at an input, and what they grant.
        nodes = set(offered)
        nodes.update(
            after
            for after, queue in zip(self.next, self.queues, strict=True)
            if queue and after is not None
        )
        grants: list[tuple[int, int]] = []
        for node in nodes:
            if len(self.queues[node]) < DEPTH:
                valid = (node in offered, *self.feeds[node])
                turn = self.turns[node]
                order = (n % INPUTS for n in range(turn, turn + INPUTS))
                grants.append((node, next(n for n in order if valid[n])))

        # The edge. Nothing that a node takes now is the first place of a queue that is emptied now.
        if host_ready and self.queues[0]:
            self.queues[0].popleft()
            self.held -= 1
        taken = []
        for node, source in grants:
            self.turns[node] = (source + 1) % INPUTS
            if source:
                packet = self.feeds[node][source - 1].popleft()
            else:
                packet = offered[node]
                taken.append(node)
                self.held += 1
            self.queues[node].append(packet)
        return taken
