"""Cycle-level golden model of the collector: the section Mesh of `docs/hardware.md`."""

from collections import deque
from collections.abc import Mapping

from spikeloom.golden.spec import FabricConfig, Port

INPUTS = 3
"""Inputs of a node, in the order of its arbitration: own, EAST, SOUTH."""

DEPTH = 2
"""Entries of a node's queue."""


class Collector:
    """Carries the packets of all tiles to the host through a tree with a node for each tile.

    Packets are packed `config.host_out` payloads. `held` is the number of packets in all nodes.
    """

    __slots__ = ("feeds", "held", "next", "queues", "turns")

    def __init__(self, config: FabricConfig) -> None:
        tiles = range(config.tiles)
        self.queues: list[deque[int]] = [deque() for _ in tiles]
        self.turns = [0 for _ in tiles]
        self.held = 0
        # For each node the next node towards the host, and the queues at its inputs EAST and SOUTH:
        # an empty queue stands for a missing input.
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
        """The packet valid at `host_out`, if any."""
        queue = self.queues[0]
        return queue[0] if queue else None

    def clock(self, offered: Mapping[int, int], host_ready: bool) -> list[int]:
        """Advance by one clock.

        Parameters
        ----------
        offered
            The packet that each tile offers, by tile.
        host_ready
            Whether the host accepts a packet.

        Returns
        -------
        list of int
            The tiles whose packets transfer.
        """
        if not offered and not self.held:
            return []
        # Nodes with a packet at an input, and the input that each grants.
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

        # The edge. A packet popped here was at the head of its queue before the edge.
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
