"""The cache: damaged entries, killed and concurrent processes, full disks, limits."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from spikeloom.golden.errors import SpikeloomError
from spikeloom.sim import cache


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Maker:
    """Fills an entry, and counts how often."""

    def __init__(self, text: str = "result") -> None:
        self.text = text
        self.calls = 0

    def __call__(self, directory: Path) -> None:
        self.calls += 1
        (directory / "a").write_text(self.text)
        (directory / "inner").mkdir()
        (directory / "inner" / "b").write_bytes(bytes(1000))


def test_an_intact_entry_is_used_again() -> None:
    make = Maker()
    path = cache.cached("kind", "key", make)
    assert cache.cached("kind", "key", make) == path
    assert make.calls == 1
    assert (path / "a").read_text() == "result"


def truncate(entry: Path) -> None:
    os.truncate(entry / "inner" / "b", 500)


def alter(entry: Path) -> None:
    (entry / "a").write_text("resulT")


def remove(entry: Path) -> None:
    (entry / "a").unlink()


def empty(entry: Path) -> None:
    (entry / "a").write_bytes(b"")


def add(entry: Path) -> None:
    (entry / "more.o").write_bytes(b"")


def forget(entry: Path) -> None:
    (entry / cache.MANIFEST).unlink()


def nonsense(entry: Path) -> None:
    (entry / cache.MANIFEST).write_bytes(b"\xff[" * 1000)


def nested(entry: Path) -> None:
    (entry / cache.MANIFEST).write_bytes(b"[" * 100_000)


def replace(entry: Path) -> None:
    for path in sorted(entry.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


@pytest.mark.parametrize(
    "damage", [truncate, alter, remove, empty, add, forget, nonsense, nested, replace]
)
def test_a_damaged_entry_is_made_again(damage: Callable[[Path], None]) -> None:
    make = Maker()
    path = cache.cached("kind", "key", make)
    damage(path)
    assert cache.cached("kind", "key", make) == path
    assert make.calls == 2
    assert (path / "a").read_text() == "result"
    assert {file.name for file in path.rglob("*")} == {"a", "inner", "b", cache.MANIFEST}
    assert cache.cached("kind", "key", make) == path
    assert make.calls == 2


def test_of_two_that_find_a_damaged_entry_the_second_keeps_the_result_of_the_first() -> None:
    path = cache.cached("kind", "key", Maker())
    alter(path)
    first = Maker("first")
    started, go_on = threading.Event(), threading.Event()
    seen = []

    def slow(directory: Path) -> None:
        Maker("second")(directory)
        started.set()
        assert go_on.wait(10)

    thread = threading.Thread(target=lambda: seen.append(cache.cached("kind", "key", slow)))
    thread.start()
    assert started.wait(10)
    cache.cached("kind", "key", first)
    go_on.set()
    thread.join()
    assert seen == [path]
    assert (path / "a").read_text() == "first"
    assert [entry.name for entry in path.parent.iterdir()] == ["key"]


KILLED = """
import sys, time
from spikeloom.sim import cache
def make(directory):
    (directory / "half").write_bytes(bytes(1000))
    print(directory, flush=True)
    time.sleep(60)
cache.cached("kind", "other", make)
"""


def test_what_a_killed_process_left_is_swept_and_a_living_one_is_not(root: Path) -> None:
    command = [sys.executable, "-c", KILLED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        work = Path(process.stdout.readline().strip())
        cache.cached("kind", "one", Maker())
        assert (work / "half").exists()
        assert [entry.path.name for entry in cache.entries()] == ["one"]
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert work.name in [entry.path.name for entry in cache.entries()]
    cache.cached("kind", "two", Maker())
    assert sorted(path.name for path in (root / "kind").iterdir()) == ["one", "two"]


ORPHANED = """
import subprocess, sys
from spikeloom.sim import cache

def make(directory):
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    inside = subprocess.Popen(sleep, cwd=directory)
    named = subprocess.Popen([*sleep, "-o", str(directory / "output")])
    print(inside.pid, named.pid, flush=True)
    named.wait()
cache.cached("kind", "other", make)
"""


def running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="no /proc: nothing is found")
def test_compilers_that_a_killed_process_left_are_ended(root: Path) -> None:
    command = [sys.executable, "-c", ORPHANED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        orphans = [int(number) for number in process.stdout.readline().split()]
        cache.cached("kind", "one", Maker())
        assert all(map(running, orphans))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert all(map(running, orphans))
    cache.cached("kind", "two", Maker())
    for _ in range(100):
        if not any(map(running, orphans)):
            break
        time.sleep(0.1)
    assert not any(map(running, orphans))
    assert sorted(path.name for path in (root / "kind").iterdir()) == ["one", "two"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_full_disk_is_one_line_and_leaves_nothing(root: Path, number: int) -> None:
    def fail(directory: Path) -> None:
        (directory / "half").write_bytes(bytes(1000))
        raise OSError(number, os.strerror(number), str(directory / "half"))

    with pytest.raises(SpikeloomError, match=r"^cannot write to the cache .*SPIKELOOM_CACHE"):
        cache.cached("kind", "key", fail)
    assert list((root / "kind").iterdir()) == []


def test_other_errors_are_not_disguised(root: Path) -> None:
    def fail(directory: Path) -> None:
        (directory / "missing").read_bytes()

    with pytest.raises(FileNotFoundError):
        cache.cached("kind", "key", fail)
    assert list((root / "kind").iterdir()) == []


def test_a_cache_in_the_place_of_a_file(root: Path) -> None:
    root.write_text("")
    with pytest.raises(SpikeloomError, match="set SPIKELOOM_CACHE"):
        cache.cached("kind", "key", Maker())
    assert cache.entries() == []


def test_the_least_recently_used_entries_are_removed_first() -> None:
    paths = [cache.cached(kind, key, Maker()) for kind in "ab" for key in "12"]
    for age, path in enumerate(paths):
        os.utime(path, (1000 + age, 1000 + age))
    cache.cached("a", "1", Maker())  # now the last used
    listed = cache.entries()
    assert [entry.path for entry in listed] == [*paths[1:], paths[0]]
    assert all(entry.size > 1006 for entry in listed)
    total = sum(entry.size for entry in listed)
    assert cache.limit(total) == []
    assert [entry.path for entry in cache.limit(total - 1)] == [paths[1]]
    assert [entry.path for entry in cache.limit(listed[0].size)] == [*paths[2:]]
    assert [entry.path for entry in cache.entries()] == [paths[0]]
    assert len(cache.limit(0)) == 1
    assert cache.entries() == []


def test_only_the_newest_files_are_kept(root: Path) -> None:
    root.mkdir()
    for age in range(5):
        (root / f"{age}.vcd").write_text("")
        os.utime(root / f"{age}.vcd", (1000 + age, 1000 + age))
    cache.keep_newest(root, 2)
    assert sorted(path.name for path in root.iterdir()) == ["3.vcd", "4.vcd"]
