"""Cycle-level golden model of the queue from integrate to learn: Notes in `docs/hardware.md`."""

from collections import deque
from typing import NamedTuple

DEPTH = 16


class Note(NamedTuple):
    """That an axon spiked in this step."""

    rule: int
    axon: int


class NoteQueue:
    """Works like the spike queue: a head register behind a memory. `level` counts both."""

    __slots__ = ("_pushed", "head", "level", "memory")

    def __init__(self) -> None:
        self.memory: deque[Note] = deque()
        self.head: Note | None = None
        self.level = 0
        self._pushed: Note | None = None

    @property
    def full(self) -> bool:
        """Whether there is no room."""
        return self.level == DEPTH

    @property
    def empty(self) -> bool:
        """Whether it stays empty if nothing is pushed after this clock."""
        return not self.level and self._pushed is None

    def push(self, note: Note) -> None:
        """Push a note in this clock."""
        self._pushed = note

    def clock(self, pop: bool) -> None:
        """Advance by one clock, in which the head is popped if `pop`."""
        if pop:
            self.head = None
            self.level -= 1
        if self.head is None and self.memory:
            self.head = self.memory.popleft()
        if self._pushed is not None:
            self.memory.append(self._pushed)
            self._pushed = None
            self.level += 1
