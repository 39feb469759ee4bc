"""Cycle-level golden model of what lies between sequencer and tiles: section Mesh of
`docs/hardware.md`, and the trees of registers.
"""

from collections import deque
from typing import TypeVar

from spikeloom.golden.cycle.collector import Collector
from spikeloom.golden.cycle.fire import Command
from spikeloom.golden.cycle.mesh import Mesh
from spikeloom.golden.spec import FabricConfig

T = TypeVar("T")


class Interconnect:
    """Mesh, collector and register trees between the sequencer and the tiles.

    Each deque is a tree of `tree_depth` registers, the newest value last: command, slot and load
    word on the way to the tiles, `busy` and `collecting` on the way back. `active` is the set of
    tiles that are not at rest.
    """

    __slots__ = ("active", "busy", "collecting", "collector", "commands", "loads", "mesh", "slots")

    def __init__(self, config: FabricConfig, trace: bool) -> None:
        self.mesh = Mesh(config, trace)
        self.collector = Collector(config)
        self.active: set[int] = set()
        depth = config.tree_depth
        self.commands: deque[Command | None] = deque([None] * depth)
        self.slots = deque([0] * depth)
        self.loads: deque[int | None] = deque([None] * depth)
        self.busy = deque([False] * depth)
        self.collecting = deque([False] * depth)


def through(line: deque[T], value: T) -> T:
    """Shift `value` into a line of registers; returns the value that leaves it in this clock."""
    line.append(value)
    return line.popleft()
