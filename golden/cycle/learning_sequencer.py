"""Cycle-level golden model of the sequencer of a fabric that learns: the section Learning of
`docs/hardware.md`.
"""

from spikeloom.golden.cycle.fire import Command
from spikeloom.golden.cycle.sequencer import BUSY, DONE, Sequencer
from spikeloom.golden.spec import FabricConfig, LoadTarget

LEARN, LEARNING = DONE + 1, DONE + 2
"""Its states between BUSY and DONE."""


class LearningSequencer(Sequencer):
    """Sends `learn` after the last phase of a step.

    `occupied` is a register that the model sets. `learn` is `ends` in the clock in which `learn`
    is valid, else None.
    """

    __slots__ = ("learn", "learning", "occupied")

    def __init__(self, config: FabricConfig) -> None:
        super().__init__(config)
        self.learning = self.occupied = False
        self.learn: int | None = None

    def write(self, target: LoadTarget, row: dict[str, int]) -> None:
        """Write a row of CONTROL or LEARN."""
        if target == LoadTarget.LEARN:
            self.learning = bool(row["learning"])
        else:
            super().write(target, row)

    @property
    def reports(self) -> bool:
        """As in `Sequencer.reports`; after the last phase LEARN comes first."""
        return super().reports and not (self.learning and self.state == BUSY)

    def clock(self, busy: bool, reported: bool) -> Command | None:
        """Advance the fire side by one clock, as in `Sequencer.clock`."""
        state, done = self.state, not self.settle and not self.busy
        command = super().clock(busy, reported)
        self.learn = None
        if state == BUSY and self.state == DONE and self.learning:
            self.state = BUSY if self.occupied else LEARN
        elif state == LEARN:
            _, ahead = self.command
            self.learn = int(ahead == 0)
            self.settle = self.round_trip
            self.state = LEARNING
        elif state == LEARNING and done:
            self.state = DONE
        return command
