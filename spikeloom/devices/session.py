"""The host's end of the link of docs/link.md: frames, sessions, and sending again."""

import random
import time
import zlib
from collections import deque
from typing import Protocol

from cobs import cobs

from spikeloom.golden.link import (
    BOARD_HEADER,
    CRC_BYTES,
    HOST_HEADER,
    LARGEST,
    Command,
    Fault,
    Kind,
    Refusal,
)

_REMINDERS = 4
"""How often a board is reminded, in vain, before a session counts as lost."""
_SEQUENCES = 256
_BEFORE = 128
"""Frames before the expected one that count as heard before."""
_OUTSTANDING = 127
"""Most frames on the way: so many that the board still knows one that is sent again."""
_SMALLEST_BUFFER = 512


class Line(Protocol):
    """A byte stream, such as `serial.Serial` with a timeout."""

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read at once."""

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes; fewer after the timeout."""

    def write(self, data: bytes, /) -> int | None:
        """Send `data`, all of it."""


class LinkLost(Exception):
    """A session that cannot go on. What was asked in it, and not answered, is to be asked again."""


class Frames:
    """Frames out of a byte stream, cut anywhere; what is no whole frame is left out."""

    def __init__(self) -> None:
        self._partial = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The contents of the frames that end in `data`."""
        *whole, rest = (self._partial + data).split(b"\0")
        # No frame is longer, so what is cut off does not make one of what is none.
        self._partial = rest[: LARGEST + 2]
        contents = (decoded(frame) for frame in whole if frame)
        return [content for content in contents if content is not None]


def encoded(content: bytes) -> bytes:
    """The frame with this content, its ending 0 included."""
    data = content + zlib.crc32(content).to_bytes(CRC_BYTES, "little")
    return bytes(cobs.encode(data)) + b"\0"


def decoded(frame: bytes) -> bytes | None:
    """The content of a frame, without its ending 0; None where it was changed on the way."""
    try:
        data = bytes(cobs.decode(frame))
    except cobs.DecodeError:
        return None
    content, check = data[:-CRC_BYTES], data[-CRC_BYTES:]
    if zlib.crc32(content) != int.from_bytes(check, "little"):
        return None
    return content


class Session:
    """Sends frames so that each is executed once and in order, and hears all that is answered.

    As many frames are on the way as the board's buffer holds. `send` returns when there was room
    for the frame, `wait` when something was heard; whatever is heard meanwhile goes to `heard`.

    Parameters
    ----------
    line
        The byte stream; its timeout is at most `patience`.
    patience
        Seconds without an answer after which to ask again.

    Attributes
    ----------
    heard
        What came in IDENTITY, COUNTERS, RESULTS and MEMORY, in order, for the caller to take.
    buffer
        Bytes of the board's receive buffer.
    refused, resent, sessions
        Refusals heard, frames sent again, and sessions begun.

    Raises
    ------
    LinkLost
        By every method: results are missing, the board began again, or does not answer.
    """

    def __init__(self, line: Line, patience: float) -> None:
        self.line = line
        self.patience = patience
        self.heard: deque[tuple[Kind, bytes]] = deque()
        self.buffer = _SMALLEST_BUFFER
        self.refused = self.resent = self.sessions = 0
        self._session = random.randrange(1, 256)
        self._begun = False
        self._known: int | None = None  # the last session that is known to have begun
        self._frames = Frames()
        self._outstanding: deque[tuple[Command, bytes]] = deque()  # not yet executed
        self._cost = 0
        self._first = 1  # number of the first of them
        self._accepted = 0  # of them, as the board last said
        self._sequence = 1  # of the next frame of the board
        self._heard_at = 0.0
        self._vain = 0  # reminders since something happened

    @property
    def largest_body(self) -> int:
        """Bytes of body that are sent at once: four frames fill a small buffer."""
        return min(LARGEST, self.buffer // 4 - 1) - HOST_HEADER - CRC_BYTES

    @property
    def settled(self) -> bool:
        """Whether every frame was executed."""
        return not self._outstanding

    def begin(self) -> bool:
        """Begin a session.

        Returns
        -------
        Whether the board still was in the last session of this link, so that its memories are as
        they were.
        """
        self._begun = False
        self._session = self._session % 255 + 1
        self.heard.clear()
        self._outstanding.clear()
        self._cost = self._accepted = self._vain = 0
        self._first, self._sequence = 1, 1
        # The first 0 ends what may have been left of a byte, the second that of a frame.
        self.line.write(b"\0\0" + encoded(bytes([self._session, 0, Command.RESET])))
        self.sessions += 1
        self._heard_at = time.monotonic()
        while time.monotonic() - self._heard_at < self.patience:
            before = self._ready()
            if before is not None:
                kept = before == self._known
                self._known = self._session
                self._begun = True
                return kept
        raise LinkLost("no answer")

    def _ready(self) -> int | None:
        """What READY says, once it is heard."""
        header = bytes([self._session, 0, Kind.READY, 1, 1])
        contents = self._frames.feed(self._read())
        for n, content in enumerate(contents):
            if content[:BOARD_HEADER] == header and len(content) == BOARD_HEADER + 1:
                for later in contents[n + 1 :]:
                    self._hear(later)
                return content[BOARD_HEADER]
        return None

    def send(self, command: Command, body: bytes = b"") -> None:
        """Send a frame, as soon as there is room for it."""
        if not self._outstanding:
            self._heard_at = time.monotonic()
        self._listen(wait=False)
        cost = HOST_HEADER + len(body) + CRC_BYTES + 1
        while self._cost + cost > self.buffer or len(self._outstanding) == _OUTSTANDING:
            self._listen()
        number = (self._first + len(self._outstanding)) % _SEQUENCES
        frame = encoded(bytes([self._session, number, command]) + body)
        self._outstanding.append((command, frame))
        self._cost += _cost(frame)
        self.line.write(frame)

    def wait(self) -> None:
        """Listen until something comes, or for a while."""
        self._listen()

    def _read(self) -> bytes:
        return self.line.read(max(1, self.line.in_waiting))

    def _listen(self, wait: bool = True) -> None:
        if not self._begun:
            raise LinkLost("no session")
        waiting = self.line.in_waiting
        if wait or waiting:
            for content in self._frames.feed(self.line.read(max(1, waiting))):
                self._hear(content)
        if time.monotonic() - self._heard_at > self.patience:
            self._remind()

    def _remind(self) -> None:
        """Make the board say something: what is missing then shows."""
        self._struggle()
        self._heard_at = time.monotonic()
        if not self._outstanding:
            self.send(Command.POLL)
        elif self._accepted < len(self._outstanding):
            self._resend()
        else:
            self.line.write(b"\0" + self._outstanding[-1][1])
            self.resent += 1

    def _struggle(self) -> None:
        self._vain += 1
        if self._vain > _REMINDERS:
            raise LinkLost("no progress")

    def _resend(self) -> None:
        """Send what was not accepted once more, after a 0 that ends what is left of a frame."""
        again = [frame for _, frame in self._outstanding][self._accepted :]
        self.resent += len(again)
        self.line.write(b"".join((b"\0", *again)))

    def _hear(self, content: bytes) -> None:
        """Take a frame of the board."""
        if len(content) < BOARD_HEADER:
            return
        session, sequence, kind, executed, expected = content[:BOARD_HEADER]
        body = content[BOARD_HEADER:]
        if session != self._session:
            if kind == Kind.REFUSED and body == bytes([Refusal.SESSION]):
                raise LinkLost(f"the board is in session {session}, not {self._session}")
            return
        if kind == Kind.READY and body == bytes([session]):
            raise LinkLost("the session began twice")
        missing = (sequence - self._sequence) % _SEQUENCES
        if missing >= _SEQUENCES - _BEFORE:
            return  # heard before
        if missing:
            raise LinkLost(f"{missing} frames of the board are missing")
        self._sequence = (sequence + 1) % _SEQUENCES
        self._heard_at = time.monotonic()
        self._note(executed, expected)
        match kind:
            case Kind.IDENTITY | Kind.COUNTERS | Kind.RESULTS | Kind.MEMORY:
                self._vain = 0
                self.heard.append((Kind(kind), body))
            case Kind.REFUSED:
                self.refused += 1
                self._struggle()
                self._resend()
            case Kind.FAULT:
                raise LinkLost(f"the board could not execute a frame ({_reason(body)})")
            case Kind.STATUS:
                pass
            case _:
                raise LinkLost(f"the board says {kind}, which is nothing")

    def _note(self, executed: int, expected: int) -> None:
        """Forget the frames that were executed."""
        done = (executed - self._first) % _SEQUENCES
        accepted = (expected - self._first) % _SEQUENCES
        if not done <= accepted <= len(self._outstanding):
            raise LinkLost(f"the board expects frame {expected}, which is not next")
        for _ in range(done):
            command, frame = self._outstanding.popleft()
            self._cost -= _cost(frame)
            if command != Command.POLL:
                self._vain = 0
        self._first = executed
        self._accepted = accepted - done


def _cost(frame: bytes) -> int:
    """What a frame takes of the board's buffer: all but the byte of COBS."""
    return len(frame) - 1


def _reason(body: bytes) -> str:
    try:
        return Fault(body[0]).name.lower()
    except (IndexError, ValueError):
        return "no reason given"
