"""Ctrl-C while modules are imported, which takes long enough for a user to change their mind."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

INTERRUPTED = 130
"""Exit status after Ctrl-C, as usual."""


@contextlib.contextmanager
def ending_at_once() -> Iterator[None]:
    """Ctrl-C inside ends the process with one line: an import may turn the exception into another.

    Only for code that leaves nothing half-written. Does nothing where Ctrl-C is ignored or handled
    by somebody else, or in another thread than the first.
    """
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(*_: object) -> None:
    os.write(sys.stderr.fileno(), b"interrupted\n")
    os._exit(INTERRUPTED)
