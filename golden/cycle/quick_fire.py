"""Cycle-level golden model of fire with several fire lanes: section Fire of `docs/hardware.md`."""

import itertools

from spikeloom.golden.cycle.fire import DRAIN, IDLE, SETUP, Command, Spike
from spikeloom.golden.cycle.full_fire import FullFire
from spikeloom.golden.spec import FabricConfig


class QuickFire(FullFire):
    """Fire as in "Sooner, with several fire lanes" of `docs/hardware.md`."""

    __slots__ = ("before", "last", "learns")

    def __init__(self, config: FabricConfig) -> None:
        super().__init__(config)
        self.last = False  # of the command
        self.learns = config.plasticity
        self.before = False, 0  # `enough` and `credits` at the start of the clock

    @property
    def idle(self) -> bool:
        """`fire.idle`."""
        if self.waiting is not None:
            return False
        row = self.population
        mute = not (row.spiking or row.trace or row.more or self.learns) and self.ahead != 0
        return self.state == IDLE or (self.state == DRAIN and not self.entering and mute)

    def rest(self) -> None:
        """Advance by one clock in IDLE; a command that waits starts in it."""
        self.before = self.enough, self.credits
        super().rest()
        if self.waiting is not None:
            command, self.waiting = self.waiting, None
            self.start(command)

    def start(self, command: Command) -> None:
        """Latch `command`; where its row is there already, this clock is SETUP."""
        there = not command[0] or not (self.row or self.schedules)
        super().start(command)
        self.last = bool(command[4])
        if there:
            self.population = self.populations[self.row]
            self.setup()
            self._begin()

    def clock(self, fetched: int) -> list[Spike]:
        """Advance by one clock in a state other than IDLE, as in `Fire.clock`."""
        self.before = self.enough, self.credits
        row, setup = self.row, self.state == SETUP
        entering = self.entering or self.begun or self.arriving or self.held
        # The oldest row is in its last stage.
        moving = entering or any(itertools.islice(self.pipeline, 1, None))
        drained = self.state == DRAIN and not moving
        entry = super().clock(fetched)
        if setup:
            self._begin()
        elif drained and self.population.more:
            self.row = (row + 1) % len(self.populations)
            self.population = self.populations[self.row]
            self.state = SETUP
        elif drained:
            self.row = 0 if self.last else (row + 1) % len(self.populations)
            self.state = IDLE
        return entry

    def _begin(self) -> None:
        """In SETUP, begin the first group."""
        enough, credits = self.before
        if self.images or not enough or not self.left:
            return
        self.begun = min(self.lanes, self.left)
        self.left -= self.begun
        self.entering = -(-self.begun // self.fire_lanes)
        self.credits -= self.entering
        self.enough = credits >= 2 * self.group_rows
        self._step()
