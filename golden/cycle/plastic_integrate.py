"""Cycle-level golden model of integrate with learning: Notes in `docs/hardware.md`."""

from spikeloom.golden.cycle.note_queue import Note, NoteQueue
from spikeloom.golden.cycle.sparse_integrate import SparseIntegrate
from spikeloom.golden.spec import FabricConfig, index_bits

IMAGE_CLOCKS = 3
"""Clocks of address generation for an event of a convolution that is not grouped."""


class PlasticIntegrate(SparseIntegrate):
    """Integrate of a fabric that is built with `plasticity`, whatever else it has.

    `learning` is the tile's register; `notes` is the queue to learn.
    """

    __slots__ = ("axon_mask", "learning", "notes")

    def __init__(self, config: FabricConfig) -> None:
        super().__init__(config)
        self.axon_mask = (1 << index_bits(config.plastic_axons)) - 1
        self.learning = False
        self.notes = NoteQueue()

    def clock(self, event: int | None, fetching: int, fetch_address: int) -> int:
        """Advance by one clock, as in `Integrate.clock`."""
        if self.connection.plastic and self._complete:
            self.described = not (self.learning and self.notes.full)
        return super().clock(event, fetching, fetch_address)

    @property
    def _complete(self) -> bool:
        """Whether the event in D, whose row is plastic, has its addresses."""
        return not self.connection.image or self.a_clock == IMAGE_CLOCKS

    def _look_up(self) -> None:
        if not (self.connection.plastic and self._complete):
            super()._look_up()

    def take(self) -> None:
        """`d_take`: move the event in D to X, which is free, or drop it."""
        row = self.connection
        super().take()
        if self.learning and row.plastic and not self.dropped:
            axon = row.axon_base + self.d_index
            if row.image:
                axon += (self.d_y << row.axon_row) + (self.d_x << row.axon_column)
            self.notes.push(Note(row.rule, axon & self.axon_mask))
