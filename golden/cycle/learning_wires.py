"""Cycle-level golden model of the wires of learn: the section Learning of `docs/hardware.md`."""

from collections import deque
from collections.abc import Sequence

from spikeloom.golden.cycle.interconnect import Interconnect, through
from spikeloom.golden.cycle.learning_sequencer import LearningSequencer
from spikeloom.golden.cycle.learning_tile import LearningTile
from spikeloom.golden.cycle.packing import offsets
from spikeloom.golden.spec import FabricConfig


class LearningWires:
    """The trees of registers for `learn`, to the tiles, and `occupied`, back to the sequencer."""

    __slots__ = ("between", "commands", "occupied", "sequencer", "shift", "tiles")

    def __init__(
        self,
        config: FabricConfig,
        sequencer: LearningSequencer,
        tiles: Sequence[LearningTile],
        between: Interconnect | None,
    ) -> None:
        self.sequencer = sequencer
        self.tiles = tiles
        self.between = between
        self.commands: deque[int | None] = deque([None] * config.tree_depth)
        # With the sequencer's register, less the clock between two calls of `clock`.
        self.occupied = deque([False] * config.tree_depth)
        self.shift = offsets(config.probe)["learn.valid"]

    def updates(self, tile: int) -> int:
        """The counter `updates` of a tile."""
        return self.tiles[tile].learn.updates

    def clock(self, occupied: bool) -> int:
        """End a clock; returns `learn` of the clock, shifted to its offset in the probe word.

        Parameters
        ----------
        occupied
            Whether an event was in a router, or in W, D or X of a tile, when the clock began.
        """
        self.sequencer.occupied = through(self.occupied, occupied)
        command = self.sequencer.learn
        arriving = through(self.commands, command)
        if arriving is not None:
            for tile in self.tiles:
                tile.learn.command(arriving)
            if self.between is not None:
                self.between.active.update(range(len(self.tiles)))
        return 0 if command is None else (1 | command << 1) << self.shift
