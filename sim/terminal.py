"""A pseudo-terminal with a board's end of a serial line behind it, in a thread of its own."""

import contextlib
import os
import select
import threading
import tty
from types import TracebackType
from typing import Protocol, Self

_AT_REST = 0.01
"""Seconds between looks at a machine at rest."""
_ROOM = 1 << 16


class Machine(Protocol):
    """What lies behind the terminal."""

    @property
    def at_rest(self) -> bool:
        """Whether it seems that nothing happens before a byte comes."""

    def play(self, data: bytes) -> bytes:
        """Go on for a while; bytes in, bytes out."""

    def close(self) -> None:
        """Release what it holds."""


class Terminal:
    """Serves `machine` until it is closed. What it says while nobody listens is lost.

    If the machine raises, the line hangs up.

    Parameters
    ----------
    machine
        Only ever called in one thread at a time.

    Attributes
    ----------
    port
        Path of the terminal, which a program opens as its serial port.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._lock = threading.Lock()
        # The other end stays open here too: the line does not hang up between two hosts.
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self.port = os.ttyname(self._theirs)
        self._over = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, name=self.port, daemon=True)
        self._thread.start()

    def paused(self) -> threading.Lock:
        """Hold this while something else touches the machine."""
        return self._lock

    def close(self) -> None:
        """Stop serving; raises what the machine raised."""
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
                heard = os.read(self._ours, _ROOM) if ready else b""
                with self._lock:
                    said = self._machine.play(heard)
                with contextlib.suppress(BlockingIOError):
                    os.write(self._ours, said)
        except BaseException as error:
            self._failure = error
        finally:
            os.close(self._ours)
            os.close(self._theirs)
