"""Cycle-level golden model of integrate with learning: Notes in `docs/hardware.md`."""

from spikeloom.golden.cycle.note_queue import Note, NoteQueue
from spikeloom.golden.cycle.sparse_integrate import SparseIntegrate
from spikeloom.golden.spec import FabricConfig


class PlasticIntegrate(SparseIntegrate):
    """Integrate of a fabric that is built with `plasticity`, whatever else it has.

    `learning` is the tile's register; `notes` is the queue to learn.
    """

    __slots__ = ("learning", "notes")

    def __init__(self, config: FabricConfig) -> None:
        super().__init__(config)
        self.learning = False
        self.notes = NoteQueue()

    def clock(self, event: int | None, fetching: int, fetch_address: int) -> int:
        """Advance by one clock, as in `Integrate.clock`."""
        if self.connection.plastic:
            self.described = not (self.learning and self.notes.full)
        return super().clock(event, fetching, fetch_address)

    def _look_up(self) -> None:
        if not self.connection.plastic:
            super()._look_up()

    def take(self) -> None:
        """`d_take`: move the event in D to X, which is free, or drop it."""
        row = self.connection
        super().take()
        if self.learning and row.plastic and not self.dropped:
            self.notes.push(Note(row.rule, row.axon_base + self.d_index))
