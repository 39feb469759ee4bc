"""A pseudo-terminal that a thread connects to the board's end of a serial line."""

import contextlib
import os
import select
import threading
import tty
from types import TracebackType
from typing import Protocol, Self

_AT_REST = 0.01
"""Polling interval of a machine at rest, in seconds."""
_ROOM = 1 << 16


class Machine(Protocol):
    """The board's end of the line."""

    @property
    def at_rest(self) -> bool:
        """Whether the machine seems idle until the next byte arrives."""

    def play(self, data: bytes) -> bytes:
        """Continue for a while: takes bytes from the line, returns bytes to it."""

    def close(self) -> None:
        """Release all resources."""


class Terminal:
    """Serves `machine` until closed. Bytes that it sends while the buffer is full are lost.

    If the machine raises, the line hangs up.

    Parameters
    ----------
    machine
        Called by one thread at a time.

    Attributes
    ----------
    port
        Path of the terminal, to be opened as a serial port.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._lock = threading.Lock()
        # Both ends stay open here, so the line does not hang up between two hosts.
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self.port = os.ttyname(self._theirs)
        self._over = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, name=self.port, daemon=True)
        self._thread.start()

    def paused(self) -> threading.Lock:
        """The lock to hold while other code uses the machine."""
        return self._lock

    def close(self) -> None:
        """Stop serving; re-raises an exception of the machine."""
        if self._over.is_set():
            return
        self._over.set()
        self._thread.join()
        self._machine.close()
        if self._failure is not None:
            raise self._failure

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _serve(self) -> None:
        try:
            while not self._over.is_set():
                wait = _AT_REST if self._machine.at_rest else 0
                ready, _, _ = select.select([self._ours], [], [], wait)
                received = os.read(self._ours, _ROOM) if ready else b""
                with self._lock:
                    reply = self._machine.play(received)
                with contextlib.suppress(BlockingIOError):
                    os.write(self._ours, reply)
        except BaseException as error:
            self._failure = error
        finally:
            os.close(self._ours)
            os.close(self._theirs)
