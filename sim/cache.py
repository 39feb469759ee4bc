"""An on-disk cache: each result is stored under the hash of everything it was made from.

The directory is the environment variable `SPIKELOOM_CACHE`, or else the user's cache directory.
It may be deleted at any time, and nothing in it is trusted: each entry has a manifest with the size
and the hash of its files, written last and checked whenever the entry is used. An entry that is
incomplete or altered is made again.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from spikeloom.golden.errors import SpikeloomError

MANIFEST = "manifest.json"
"""Name of the manifest in an entry."""

_WORK = ".work-"
"""Prefix of a directory that is being filled, and locked as long as its process lives."""

_ENVIRONMENT_ERRORS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO),
    *(errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG),
}
"""Errors that the user's disk causes, not a bug."""


def directory() -> Path:
    """The directory of the cache."""
    return Path(os.environ.get("SPIKELOOM_CACHE") or platformdirs.user_cache_dir("spikeloom"))


def digest(*parts: str) -> str:
    """A hash of `parts`, 32 hexadecimal digits; different sequences of strings differ in it."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode()
        total.update(b"%d:" % len(data) + data)
    return total.hexdigest()[:32]


def cached(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """The directory that `make` filled for `key`; filled now if it is not in the cache.

    Any number of processes may request the same key at once: each works in its own directory, the
    first to finish renames its result to the final name, and the others use that one. If `make`
    raises, nothing is left behind; what a killed process left is removed by the next that fills a
    directory of this kind.

    Parameters
    ----------
    kind
        Subdirectory of the cache, one for each kind of result.
    key
        Digest of everything the result depends on.
    make
        Fills an empty directory.

    Raises
    ------
    SpikeloomError
        The cache is not writable, or the disk is full.
    """
    if entry := stored(kind, key):
        return entry
    final = directory() / kind / key
    with _one_line():
        final.parent.mkdir(parents=True, exist_ok=True)
        _sweep(final.parent)
        with _work_directory(final.parent) as work:
            make(work)
            _write_manifest(work)
            with _locked():
                if not _intact(final):
                    shutil.rmtree(final, ignore_errors=True)
                    work.rename(final)
    return final


def stored(kind: str, key: str) -> Path | None:
    """The directory that `cached` filled for `key` earlier; None if it is not in the cache."""
    final = directory() / kind / key
    if not _intact(final):
        return None
    with contextlib.suppress(OSError):
        os.utime(final)  # for `limit`
    return final


@contextlib.contextmanager
def _one_line() -> Iterator[None]:
    """Errors of the disk become a `SpikeloomError`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _ENVIRONMENT_ERRORS:
            raise
        raise SpikeloomError(
            f"cannot write to the cache ({error}): free space there (spikeloom cache --help), or "
            "set SPIKELOOM_CACHE to a writable directory"
        ) from None


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """Keep other processes from removing, replacing or locking entries."""
    root = os.open(directory(), os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(root, fcntl.LOCK_EX)
        yield
    finally:
        os.close(root)


@contextlib.contextmanager
def _work_directory(parent: Path) -> Iterator[Path]:
    """A new directory, locked; removed at the end unless it was renamed."""
    with _locked():
        work = Path(tempfile.mkdtemp(prefix=_WORK, dir=parent))
        lock = os.open(work, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        os.close(lock)


def _sweep(parent: Path) -> None:
    """Remove the working directories of processes that have ended."""
    for path in parent.glob(f"{_WORK}*"):
        with _locked():
            if not _in_use(path):
                _end_processes(path)
                shutil.rmtree(path, ignore_errors=True)


def _end_processes(path: Path) -> None:
    """End the compilers that a killed process left at work in its directory.

    They are known by their working directory or their arguments. Where there is no `/proc`, they
    end by themselves, and what they write is removed by the next sweep.
    """
    own = f"{path}/".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            place = (process / "cwd").readlink()
            arguments = (process / "cmdline").read_bytes()
            if f"{place}/".encode().startswith(own) or own in arguments:
                os.kill(int(process.name), signal.SIGKILL)


def _in_use(path: Path) -> bool:
    """Whether a process holds the lock of a working directory."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _files(entry: Path) -> dict[str, list[int | str]]:
    """Size and hash of every file in an entry but the manifest, by relative path."""
    files: dict[str, list[int | str]] = {}
    for path in sorted(entry.rglob("*")):
        name = path.relative_to(entry).as_posix()
        if path.is_file() and name != MANIFEST:
            with path.open("rb") as file:
                total = hashlib.file_digest(file, "sha256").hexdigest()
            files[name] = [path.stat().st_size, total]
    return files


def _write_manifest(entry: Path) -> None:
    (entry / MANIFEST).write_text(json.dumps(_files(entry)), encoding="utf-8")


def _intact(entry: Path) -> bool:
    """Whether an entry has exactly the files of its manifest."""
    try:
        manifest = json.loads((entry / MANIFEST).read_bytes())
        return bool(manifest == _files(entry))
    except (OSError, ValueError, RecursionError):
        return False


@dataclass(frozen=True)
class Entry:
    """An entry of the cache, or another file or directory in it.

    Parameters
    ----------
    kind
        The subdirectory that it lies in.
    path
        Its path.
    size
        Bytes of its files.
    used
        Time of its last use, in seconds since the epoch.
    """

    kind: str
    path: Path
    size: int
    used: float


def entries() -> list[Entry]:
    """Everything in the cache, the least recently used first; not what is being filled now."""
    listed = []
    for path in directory().glob("*/*"):
        if path.name.startswith(_WORK) and _in_use(path):
            continue
        with contextlib.suppress(OSError):
            inner = [path, *path.rglob("*")]
            size = sum(file.lstat().st_size for file in inner if file.is_file())
            listed.append(Entry(path.parent.name, path, size, path.stat().st_mtime))
    return sorted(listed, key=lambda entry: entry.used)


def limit(size: int) -> list[Entry]:
    """Remove the least recently used entries until the rest has at most `size` bytes.

    Returns the removed entries. Raises `SpikeloomError` if one cannot be removed.
    """
    listed = entries()
    total = sum(entry.size for entry in listed)
    removed = []
    for entry in listed:
        if total <= size:
            break
        _remove(entry.path)
        total -= entry.size
        removed.append(entry)
    return removed


def keep_newest(folder: Path, count: int) -> None:
    """Remove all but the `count` newest files of a folder in the cache."""
    for path in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)[:-count]:
        path.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    try:
        with _locked():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    except OSError as error:
        raise SpikeloomError(f"cannot remove {path}: {error.strerror}") from None
