"""Progress: long work says what it does, and whoever watches is told.

    with task("comparing", samples) as step:
        for count in range(samples):
            ...
            step.done(count + 1)

`watched` installs a watcher, such as the bars of the command line or a `Journal`; without one a
task costs next to nothing. A context variable carries the watchers, so no function takes a
parameter for them, and two runs in two threads do not mix. A thread of a pool starts without them:
give it `contextvars.copy_context().run` where its tasks shall be seen.
"""

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Protocol


class Watcher(Protocol):
    """Is told of every task from its begin to its end, whatever thread it runs in."""

    def begin(self, task: "Task") -> None:
        """A task begins."""

    def update(self, task: "Task") -> None:
        """Its `count` or its `note` changed."""

    def end(self, task: "Task", seconds: float, failed: bool) -> None:
        """It ended after so many seconds, by an exception if `failed`."""


class Task:
    """Work that takes long.

    Parameters
    ----------
    label
        What is being done, such as "comparing".
    total
        Number of parts; None if unknown.
    watchers
        Who is told.

    Attributes
    ----------
    count
        Number of parts that are done.
    note
        A few words on how it goes, such as a clock that was reached.
    log
        File with what a tool said meanwhile; None without one. It may be gone, or of the run that
        made a result that is in the cache.
    """

    log: Path | None = None

    def __init__(self, label: str, total: int | None, watchers: tuple[Watcher, ...]) -> None:
        self.label, self.total = label, total
        self.count, self.note = 0, ""
        self._watchers = watchers

    def done(self, count: int) -> None:
        """`count` parts are done by now."""
        self.count = count
        for watcher in self._watchers:
            watcher.update(self)

    def say(self, note: str) -> None:
        """How it goes."""
        self.note = note
        for watcher in self._watchers:
            watcher.update(self)


_watchers: ContextVar[tuple[Watcher, ...]] = ContextVar("watchers", default=())


@contextlib.contextmanager
def task(label: str, total: int | None = None) -> Iterator[Task]:
    """Report work on `total` parts, or on one that cannot be divided, to the watchers."""
    watchers = _watchers.get()
    reported = Task(label, total, watchers)
    start = time.perf_counter()
    for watcher in watchers:
        watcher.begin(reported)
    failed = True
    try:
        yield reported
        failed = False
    finally:
        seconds = time.perf_counter() - start
        for watcher in watchers:
            watcher.end(reported, seconds, failed)


@contextlib.contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Tell `watcher`, besides those there are, of the tasks in this context."""
    token = _watchers.set((*_watchers.get(), watcher))
    try:
        yield
    finally:
        _watchers.reset(token)


class Journal:
    """Writes down how long each step took, and where its log is.

    Attributes
    ----------
    seconds
        For each label the seconds of all its tasks, in the order in which they first ended. Tasks
        may contain others, and run beside each other, so that their sum may exceed the time that
        passed.
    logs
        For each label the log of its last task that has one.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.logs: dict[str, Path] = {}

    def begin(self, task: Task) -> None:
        """See `Watcher`."""

    def update(self, task: Task) -> None:
        """See `Watcher`."""

    def end(self, task: Task, seconds: float, failed: bool) -> None:
        """See `Watcher`."""
        self.seconds[task.label] = round(self.seconds.get(task.label, 0.0) + seconds, 3)
        if task.log is not None:
            self.logs[task.label] = task.log
