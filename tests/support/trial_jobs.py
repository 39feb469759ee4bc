"""Functions for jobs, as the workers of the tests import them."""

import os
import time
from pathlib import Path

from spikeloom.golden.errors import SpikeloomError


def joined(shared: bytes, own: bytes) -> bytes:
    """Both arguments."""
    return shared + own


def noted(shared: bytes, own: bytes) -> bytes:
    """Note in folder `shared` that job `own` begins, in which process; it takes a while."""
    folder = Path(shared.decode())
    with (folder / own.decode()).open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(0.2)
    return own * 2


def talking(shared: bytes, own: bytes) -> bytes:
    """A result that does not mix with what the job prints."""
    print("said aloud", flush=True)
    return own


def refusing(shared: bytes, own: bytes) -> bytes:
    """Raise what a user can cause."""
    raise SpikeloomError(f"{own.decode()} does not fit")


def failing(shared: bytes, own: bytes) -> bytes:
    """Raise something else."""
    raise KeyError(own.decode())


def dying(shared: bytes, own: bytes) -> bytes:
    """End the worker."""
    os._exit(3)
