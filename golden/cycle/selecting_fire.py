"""Cycle-level golden model of fire with selections: section Selection of `docs/hardware.md`."""

from typing import NamedTuple

from spikeloom.golden.cycle.fire import LOOKUP, SETUP, Command, Result, Spike
from spikeloom.golden.cycle.full_fire import FullFire
from spikeloom.golden.cycle.switches.selection import Selection
from spikeloom.golden.spec import FabricConfig, Status, Then


class Candidate(NamedTuple):
    """A neuron that would spike."""

    u: int
    channel: int
    y: int
    x: int

    def beats(self, other: "Candidate | None") -> bool:
        """Whether it is better than another one, or there is no other one."""
        return other is None or (self.u, -self.channel) > (other.u, -other.channel)


class SelectingFire(FullFire):
    """Fire of a fabric that is built with `selection`.

    `begun` is what the tile sees: 0 in a settled walk, where `begun_unseen` has the group that
    begins.
    """

    __slots__ = (
        "any_remains",
        "begun_unseen",
        "best",
        "choosing",
        "chosen",
        "group_in_buffer",
        "places",
        "seeking",
        "settled",
    )

    def __init__(self, config: FabricConfig) -> None:
        super().__init__(config)
        self.settled = self.choosing = self.seeking = self.any_remains = False
        self.best: Candidate | None = None
        self.chosen: Candidate | None = None
        self.places: dict[tuple[int, int], Candidate | None] = {}
        self.begun_unseen = 0
        self.group_in_buffer = 0, 0, 0  # channel group, y, x

    def start(self, command: Command) -> None:
        """Latch `command`."""
        super().start(command)
        self.settled = self.choosing = False

    def clock(self, fetched: int) -> list[Spike]:
        """Advance by one clock in a state other than IDLE, as in `Fire.clock`."""
        state = self.state
        if self.settled:
            self.begun = self.begun_unseen
        entry = super().clock(fetched)
        if state == LOOKUP:
            self.settled = self.choosing = False
        elif state == SETUP:
            self.best, self.any_remains = None, False
        if self.settled:
            self.begun_unseen, self.begun = self.begun, 0
        return entry

    def end_walk(self) -> None:
        """Leave DRAIN, or walk the same row again."""
        unread = super()._reads() and not self._reads()
        if self._selection is None or not (self.any_remains or unread):
            super().end_walk()
            return
        self.state = SETUP
        self.seeking = self.any_remains and self.choosing and self._by_position
        self.choosing = self.any_remains and not self.seeking
        self.settled, self.chosen = True, self.best
        self.begun_unseen = 0

    @property
    def _selection(self) -> Selection | None:
        """The selection of the row read last, if it has one."""
        return next((stage for stage in self.active if isinstance(stage, Selection)), None)

    @property
    def _by_position(self) -> bool:
        selection = self._selection
        return (
            selection is not None
            and bool(selection.row["selection_by_position"])
            and (self.height, self.width) != (1, 1)
        )

    def _arrive(self) -> None:
        group, y, x, _ = self.origins[0]
        self.group_in_buffer = group, y, x
        super()._arrive()
        if self._by_position and not self.choosing and not group:
            self.places[y, x] = None

    def _reads(self) -> bool:
        reads = super()._reads()
        if self._selection is None:
            return reads
        return reads and self.settled and not self.choosing and not self.seeking

    def _candidate(self, u: int) -> Candidate:
        """The neuron in the last stage but one."""
        _, y, x = self.group_in_buffer
        channel = self.population.index_base + self.neuron & self.index_mask
        return Candidate(u, channel, y, x)

    def _note(self, candidate: Candidate) -> None:
        """Remember the best of its competition."""
        self.any_remains = True
        if self._by_position and not self.choosing:
            place = candidate.y, candidate.x
            if candidate.beats(self.places[place]):
                self.places[place] = candidate
        elif candidate.beats(self.best):
            self.best = candidate

    def _holds(self, address: int, u: int, spiked: int, kept: dict[str, int]) -> bool:
        selection = self._selection
        if selection is None:
            return False
        status, count = selection.stands(kept)
        if not spiked or status != Status.COMPETES:
            return False
        self._note(self._candidate(u))
        self._write(address, kept, Status.CANDIDATE, count)
        return True

    def _write(self, address: int, kept: dict[str, int], status: int, count: int) -> None:
        """Write what is kept, with another status and count."""
        fields = {**kept, "selection_status": status, "selection_count": count % 16}
        self.kept[address] = self.config.kept_row.pack(fields)

    def update(self) -> Result:
        """Update the neuron whose sum leaves the buffer, as in `Fire.update`."""
        return self._settle() if self.settled else super().update()

    def _settle(self) -> Result:
        """The same in a settled walk."""
        selection = self._selection
        assert selection is not None
        row = selection.row
        address = self.neuron_address
        u = self.states[address]
        kept = self.config.kept_row.unpack(self.kept[address])
        status, count = kept["selection_status"], kept["selection_count"]
        parameters = self.population
        own = self.parameters[self.bias_address] if self.neuron_parameters else parameters
        candidate = self._candidate(u)
        winner = self.chosen
        if self._by_position:
            winner = self.places[candidate.y, candidate.x]
        if not self.choosing:
            winner = None
        competes = status == Status.CANDIDATE
        wins = competes and candidate == winner
        loses = False
        if winner is not None:
            count += 1
            full = count >= row["selection_winners"]
            if not wins and status in (Status.COMPETES, Status.CANDIDATE):
                loses = full or (bool(row["selection_blocks"]) and self._blocked(candidate, winner))
        if competes and (wins or loses):
            self._keep(address, wins, kept, u)
            kept = self.config.kept_row.unpack(self.kept[address])
        if wins:
            u = self._after_spikes(u, u, 1, False, own)
            status = Status.FREE
        elif loses:
            status = Status.FREE if row["selection_then"] == Then.FREE else Status.LOST
            lowest = self.state_range[0]
            resets = row["selection_resets"]
            u = own.v_reset if resets else max(u - row["selection_amount"], lowest)
        elif competes:
            self._note(candidate)
        self._write(address, kept, status, count)
        return self._result(address, u, int(wins), self.currents[address], False)

    def _blocked(self, candidate: Candidate, winner: Candidate) -> bool:
        """Whether a winner blocks another neuron."""
        assert self._selection is not None
        radius = self._selection.row["selection_radius"]
        if candidate.channel == winner.channel:
            return True
        distance = max(abs(candidate.y - winner.y), abs(candidate.x - winner.x))
        return radius > 0 and distance <= radius
