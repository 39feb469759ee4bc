"""Tasks and who watches them."""

import contextvars
import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spikeloom.golden.progress import Journal, Task, task, watched


class Record:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def begin(self, task: Task) -> None:
        self.lines.append(f"{task.label} of {task.total}")

    def update(self, task: Task) -> None:
        self.lines.append(f"{task.label}: {task.count} {task.note}")

    def end(self, task: Task, seconds: float, failed: bool) -> None:
        assert seconds >= 0
        self.lines.append(f"{task.label} {'failed' if failed else 'ended'}")


def work(label: str) -> None:
    with task(label, 2) as step:
        step.log = Path(f"{label}.log")
        step.done(1)
        step.say("well")


def test_a_watcher_is_told_of_everything_in_its_context_and_of_nothing_after_it() -> None:
    record = Record()
    with watched(record), task("all"):
        work("part")
    work("later")
    part = ["part of 2", "part: 1 ", "part: 1 well", "part ended"]
    assert record.lines == ["all of None", *part, "all ended"]


def test_a_task_that_fails_ends() -> None:
    record = Record()
    with watched(record), pytest.raises(ZeroDivisionError), task("divide"):
        _ = 1 // 0
    assert record.lines == ["divide of None", "divide failed"]


def test_a_thread_is_watched_with_a_copy_of_the_context_only() -> None:
    record = Record()
    with watched(record), ThreadPoolExecutor(1) as pool:
        pool.submit(work, "unseen").result()
        pool.submit(contextvars.copy_context().run, work, "seen").result()
    assert [line.split()[0] for line in record.lines] == ["seen", "seen:", "seen:", "seen"]


def test_a_journal_adds_up_equal_labels_and_watches_beside_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = itertools.count(0.0, 2.5)
    monkeypatch.setattr("spikeloom.golden.progress.time.perf_counter", lambda: next(clock))
    journal, record = Journal(), Record()
    with watched(record), watched(journal):
        for _ in range(2):
            work("twice")
        work("once")
    assert journal.seconds == {"twice": 5.0, "once": 2.5}
    assert journal.logs == {name: Path(f"{name}.log") for name in ("twice", "once")}
    assert record.lines.count("twice ended") == 2
