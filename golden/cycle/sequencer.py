"""Cycle-level golden model of the sequencer: the section Sequencer of `docs/hardware.md`."""

from spikeloom.golden.cycle.fire import Command
from spikeloom.golden.cycle.packing import masks, offsets, shifts
from spikeloom.golden.spec import FabricConfig, LoadTarget

WAIT, START, BUSY, DONE = range(4)
"""States of the sequencer's fire side."""


class Sequencer:
    """Turns host words into events and steps, and fires the phases of each step."""

    __slots__ = (
        "busy",
        "command",
        "commands",
        "event_mask",
        "event_shift",
        "field_masks",
        "field_shifts",
        "fire_slot",
        "in_slot",
        "last_phase",
        "lead",
        "open",
        "open_after_mark",
        "phase",
        "quick",
        "round_trip",
        "settle",
        "slot_shift",
        "slots",
        "state",
        "window",
    )

    def __init__(self, config: FabricConfig) -> None:
        self.slots = config.slots
        self.quick = config.fire_lanes > 1
        self.round_trip = 2 * config.tree_depth + 1
        self.field_shifts = shifts(config.host_in)[:3]
        self.field_masks = masks(config.host_in)[:3]
        # From the route to what it counts, the fields of a host word are those of an event.
        self.event_shift = offsets(config.host_in)["route"]
        self.slot_shift = offsets(config.event)["slot"]
        self.event_mask = (1 << self.slot_shift) - 1
        self.last_phase = self.window = 0
        self.in_slot = self.fire_slot = self.lead = self.phase = self.settle = 0
        self.commands = [(0, 0)] * config.slots  # first, ahead
        self.command = 0, 0  # the row read last
        self.open = self.open_after_mark = True
        self.busy = False  # registered: of the previous clock
        self.state = WAIT

    def write(self, target: LoadTarget, row: dict[str, int]) -> None:
        """Write a row of CONTROL."""
        self.last_phase, self.window = row["last_phase"], row["window"]

    def event(self, word: int) -> int:
        """The packed event of a host word."""
        ahead = word >> self.field_shifts[2] & self.field_masks[2]
        slot = (self.in_slot + ahead) % self.slots
        return word >> self.event_shift & self.event_mask | slot << self.slot_shift

    def mark(self, word: int) -> None:
        """Accept a step mark; call after `clock`."""
        _, first, ahead = self.field_shifts
        self.commands[self.in_slot] = word >> first & 1, word >> ahead & self.field_masks[2]
        self.in_slot = (self.in_slot + 1) % self.slots
        self.open = self.open_after_mark
        self.lead += 1

    def close(self) -> None:
        """Accept nothing in the next clock; call after `clock` and `mark`."""
        self.open = False

    @property
    def reports(self) -> bool:
        """Whether the step is complete, and its STEP packet valid if nothing is `collecting`."""
        if self.state == DONE:
            return True
        last = self.quick and self.state == BUSY and self.phase == self.last_phase
        return last and not self.settle and not self.busy

    def clock(self, busy: bool, reported: bool) -> Command | None:
        """Advance the fire side by one clock.

        Parameters
        ----------
        busy
            Whether any tile or router is busy, as it arrives from the tiles.
        reported
            Whether the STEP packet transfers.

        Returns
        -------
        tuple or None
            The command that is valid in this clock, if any.
        """
        self.open = self.lead <= self.window
        self.open_after_mark = self.lead < self.window
        self.busy, busy = busy, self.busy
        command: Command | None = None
        state = self.state
        if state == WAIT and not self.lead:
            self.settle = self.round_trip
        elif state == START:
            first, ahead = self.command
            command = int(self.phase == 0), first, ahead, self.fire_slot
            self.state = BUSY
            self.settle = self.round_trip
        elif self.settle:
            self.settle -= 1
        elif state == WAIT:
            if not busy:
                self.state = START
        elif state == BUSY and not busy:
            if self.phase == self.last_phase:
                self.state = DONE
            else:
                self.state = START
                self.phase += 1
        if self.quick and self.state == START:
            first, ahead = self.command
            last = self.phase == self.last_phase
            command = int(self.phase == 0), first, ahead, self.fire_slot, int(last)
            self.state = BUSY
            self.settle = self.round_trip
        self.command = self.commands[self.fire_slot]
        if reported:
            self.fire_slot = (self.fire_slot + 1) % self.slots
            self.lead -= 1
            self.phase = 0
            self.state = WAIT
            self.settle = self.round_trip
        return command
