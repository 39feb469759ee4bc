"""A job, as a worker does it."""

import importlib
import sys
import traceback
from collections.abc import Callable
from enum import IntEnum

from spikeloom.golden.errors import SpikeloomError

Work = Callable[[bytes, bytes], bytes]
"""What a job does with the bytes that all jobs share, and with its own."""

ATTEMPTS = 3
"""Workers that may die under a job before it is given up."""


class Status(IntEnum):
    """How a job ended."""

    DONE = 0
    """With a result."""
    REFUSED = 1
    """With a `SpikeloomError`, whose text is given."""
    FAILED = 2
    """With another exception, whose traceback is given."""
    LOST = 3
    """`ATTEMPTS` workers died under it."""


Outcome = tuple[Status, bytes]


def name_of(work: Work) -> str:
    """How a worker finds a function."""
    module = sys.modules[work.__module__]
    # The module of `python -m` is called __main__ here, and as it is in a worker.
    name = module.__spec__.name if module.__spec__ else module.__name__
    return f"{name}:{work.__qualname__}"


def do(name: str, shared: bytes, own: bytes) -> Outcome:
    """Call the function called `name`."""
    module, _, function = name.partition(":")
    try:
        work: Work = getattr(importlib.import_module(module), function)
        return Status.DONE, work(shared, own)
    except SpikeloomError as error:
        return Status.REFUSED, str(error).encode()
    except Exception:
        return Status.FAILED, traceback.format_exc().encode()
