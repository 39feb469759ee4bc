"""A lock between test processes."""

import contextlib
import fcntl
from collections.abc import Iterator

from spikeloom.sim import cache


@contextlib.contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Hold the lock `name`, so that processes that need the same build make it once."""
    directory = cache.directory() / "locks"
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
