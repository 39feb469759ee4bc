"""The host's end of the link of docs/link.md: frames, sessions and retransmission."""

import math
import random
import time
import zlib
from collections import deque
from collections.abc import Iterator
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

_MAX_REMINDERS = 4
"""Reminders without progress, one each `patience`, after which a session counts as lost."""
_SEQUENCES = 256
_MAX_OUTSTANDING = 127
"""Maximum number of unexecuted frames: the board still recognises each one when it is resent."""
_SMALLEST_BUFFER = 512
_NUMBERS = 1 << 16
"""Frames of the board after which their numbers repeat."""
_SHORTEST_FRAME = 10 * (BOARD_HEADER + CRC_BYTES + 2)
"""Bits on the line."""


class Line(Protocol):
    """A byte stream, such as `serial.Serial` with a timeout."""

    @property
    def in_waiting(self) -> int:
        """Number of bytes that can be read without waiting."""

    def read(self, size: int = 1) -> bytes:
        """Read up to `size` bytes; fewer after the timeout."""

    def write(self, data: bytes, /) -> int | None:
        """Send all of `data`."""


class LinkLost(Exception):
    """The session cannot go on. Requests that it left unanswered have to be repeated."""


class Frames:
    """Splits a byte stream, received in any pieces, into frames; drops invalid ones.

    Attributes
    ----------
    expected
        Number of the next frame, from 0 on; its header has the lowest byte.
    """

    def __init__(self) -> None:
        self._partial = b""
        self.expected = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The contents of the frames that end in `data`; `expected` may change between them."""
        *whole, rest = (self._partial + data).split(b"\0")
        # Longer input is no frame, and truncating it cannot turn it into a valid one.
        self._partial = rest[: LARGEST + 2]
        for frame in whole:
            content = decoded(frame, self.expected) if frame else None
            if content is not None:
                yield content

    def number(self, content: bytes) -> int:
        """Number of the frame with this content: that nearest to the expected one."""
        return _nearest(content[1], self.expected)


def _nearest(low: int, expected: int) -> int:
    """The number with this lowest byte that is nearest to `expected`, and not negative."""
    number = expected + (low - expected + _SEQUENCES // 2) % _SEQUENCES - _SEQUENCES // 2
    return number if number >= 0 else number + _SEQUENCES


def encoded(content: bytes) -> bytes:
    """The frame with this content, including the terminating 0."""
    data = content + zlib.crc32(content).to_bytes(CRC_BYTES, "little")
    return bytes(cobs.encode(data)) + b"\0"


def decoded(frame: bytes, expected: int = 0) -> bytes | None:
    """The content of a frame without its terminating 0; None if the frame is corrupt.

    So is one of a number that is far from the expected one, as the CRC has the number's second
    byte.
    """
    try:
        data = bytes(cobs.decode(frame))
    except cobs.DecodeError:
        return None
    content, check = data[:-CRC_BYTES], data[-CRC_BYTES:]
    upper = _nearest(content[1], expected) >> 8 & 0xFF if len(content) > 1 else 0
    if zlib.crc32(content) ^ upper != int.from_bytes(check, "little"):
        return None
    return content


def longest_silence(baud: int) -> float:
    """Seconds in which no board can send so many frames that their numbers repeat.

    A tenth less than that, for rates that are a little higher than they should be.
    """
    return 0.9 * _NUMBERS * _SHORTEST_FRAME / baud


def reminder_interval(patience: float, baud: int) -> float:
    """Seconds without an answer after which to ask again: `patience`, or less on a fast line."""
    return min(patience, longest_silence(baud) / 2)


class Session:
    """Sends frames such that each is executed exactly once and in order; collects the answers.

    Up to a receive buffer's worth of frames is in flight. `send` returns once there was room for
    its frame, `wait` once something was received; answers that arrive meanwhile go to `received`.

    Parameters
    ----------
    line
        The byte stream; its timeout is at most a quarter of `reminder_interval`.
    patience
        Seconds without an answer after which to ask again, at the latest.
    baud
        Bits per second of the line: after `longest_silence` the number of a frame would no longer
        show how many were lost before it.

    Attributes
    ----------
    received
        Bodies of IDENTITY, COUNTERS, RESULTS and MEMORY, in order, for the caller to take.
    buffer
        Bytes of the board's receive buffer.
    refused, resent, sessions
        Number of refusals received, frames resent, and sessions started.

    Raises
    ------
    LinkLost
        By every method: results are missing, the board restarted, or it does not answer.
    """

    def __init__(self, line: Line, patience: float, baud: int) -> None:
        self.line = line
        self.patience = patience
        self._silence = longest_silence(baud)
        self._interval = reminder_interval(patience, baud)
        self._max_reminders = math.ceil(_MAX_REMINDERS * patience / self._interval)
        self.received: deque[tuple[Kind, bytes]] = deque()
        self.buffer = _SMALLEST_BUFFER
        self.refused = self.resent = self.sessions = 0
        self._session = random.randrange(1, 256)
        self._begun = False
        self._known: int | None = None  # the last session known to have begun
        self._frames = Frames()
        self._outstanding: deque[tuple[Command, bytes]] = deque()  # not yet executed
        self._cost = 0  # bytes of the board's buffer that they take
        self._first = 1  # sequence number of the first of them
        self._accepted = 0  # how many of them the board has reported as accepted
        self._last_received = 0.0  # time
        self._heard = 0.0  # what the board sent until then was received or is known to be lost
        self._emptied = self._emptied_before = 0.0  # times at which the line had nothing more
        self._reminders = 0  # since the last progress

    @property
    def largest_body(self) -> int:
        """Maximum size of a body in bytes, chosen so that three frames fill a small buffer.

        Two cover the host's latency while one is executed; of smaller frames the headers would take
        more than a tenth.
        """
        return min(LARGEST, self.buffer // 3 - 1) - HOST_HEADER - CRC_BYTES

    @property
    def settled(self) -> bool:
        """Whether every frame was executed."""
        return not self._outstanding

    def begin(self) -> bool:
        """Start a session.

        Returns
        -------
        Whether the board was still in this object's last session, so that its memories are
        unchanged.
        """
        self._begun = False
        self._session = self._session % 255 + 1
        self.received.clear()
        self._outstanding.clear()
        self._cost = self._accepted = self._reminders = 0
        self._first = self._frames.expected = 1
        self.rested()
        # The first 0 completes a byte that may have been cut short, the second one a frame.
        self.line.write(b"\0\0" + encoded(bytes([self._session, 0, Command.RESET])))
        self.sessions += 1
        self._last_received = time.monotonic()
        while time.monotonic() - self._last_received < self.patience:
            before = self._ready()
            if before is not None:
                kept = before == self._known
                self._known = self._session
                self._begun = True
                return kept
        raise LinkLost("no answer")

    def _ready(self) -> int | None:
        """The board's previous session, from READY; None until that was received."""
        header = bytes([self._session, 0, Kind.READY, 1, 1])
        contents = self._frames.feed(self._read())
        for content in contents:
            if content[:BOARD_HEADER] == header and len(content) == BOARD_HEADER + 1:
                self._heard = self._emptied_before
                for later in contents:
                    self._receive(later)
                return content[BOARD_HEADER]
        return None

    def rested(self) -> None:
        """Note that everything was answered: the board had nothing more to send, until now."""
        self._heard = self._emptied = time.monotonic()

    def send(self, command: Command, body: bytes = b"") -> None:
        """Send a frame as soon as there is room for it."""
        if not self._outstanding:
            self._last_received = time.monotonic()
        self._poll(wait=False)
        cost = HOST_HEADER + len(body) + CRC_BYTES + 1
        while self._cost + cost > self.buffer or len(self._outstanding) == _MAX_OUTSTANDING:
            self._poll()
        number = (self._first + len(self._outstanding)) % _SEQUENCES
        frame = encoded(bytes([self._session, number, command]) + body)
        self._outstanding.append((command, frame))
        self._cost += _cost(frame)
        self.line.write(frame)

    def wait(self) -> None:
        """Receive until bytes arrive or the line's timeout passes."""
        self._poll()

    def _read(self) -> bytes:
        self._note_empty()
        return self.line.read(max(1, self.line.in_waiting))

    def _note_empty(self) -> None:
        """The bytes that wait now are read at once, so what the next read brings comes later."""
        self._emptied_before, self._emptied = self._emptied, time.monotonic()

    def _poll(self, wait: bool = True) -> None:
        if not self._begun:
            raise LinkLost("no session")
        if wait or self.line.in_waiting:
            for content in self._frames.feed(self._read()):
                self._receive(content)
        else:
            self._note_empty()
        if time.monotonic() - self._last_received > self._interval:
            self._remind()

    def _remind(self) -> None:
        """Make the board send a frame, which shows whatever is missing."""
        self._count_reminder()
        self._last_received = time.monotonic()
        if not self._outstanding:
            self.send(Command.POLL)
        elif self._accepted < len(self._outstanding):
            self._resend()
        else:
            self.line.write(b"\0" + self._outstanding[-1][1])
            self.resent += 1

    def _count_reminder(self) -> None:
        self._reminders += 1
        if self._reminders > self._max_reminders:
            raise LinkLost("no progress")

    def _resend(self) -> None:
        """Resend the frames not accepted, after a 0 that terminates a partial frame."""
        frames = [frame for _, frame in self._outstanding][self._accepted :]
        self.resent += len(frames)
        self.line.write(b"".join((b"\0", *frames)))

    def _receive(self, content: bytes) -> None:
        """Process a frame from the board."""
        if len(content) < BOARD_HEADER:
            return
        session, _, kind, executed, expected = content[:BOARD_HEADER]
        body = content[BOARD_HEADER:]
        if session != self._session:
            if kind == Kind.REFUSED and body == bytes([Refusal.SESSION]):
                raise LinkLost(f"the board is in session {session}, not {self._session}")
            return
        if kind == Kind.READY and body == bytes([session]):
            raise LinkLost("the session began twice")
        number = self._frames.number(content)
        if number < self._frames.expected:
            return
        if missing := number - self._frames.expected:
            raise LinkLost(f"{missing} frames from the board are missing")
        self._frames.expected += 1
        self._last_received = time.monotonic()
        if self._last_received - self._heard > self._silence:
            raise LinkLost(f"{_NUMBERS} frames from the board may be missing")
        self._heard = self._emptied_before
        self._acknowledge(executed, expected)
        match kind:
            case Kind.IDENTITY | Kind.COUNTERS | Kind.RESULTS | Kind.MEMORY:
                self._reminders = 0
                self.received.append((Kind(kind), body))
            case Kind.REFUSED:
                self.refused += 1
                self._count_reminder()
                self._resend()
            case Kind.FAULT:
                raise LinkLost(f"the board could not execute a frame ({_reason(body)})")
            case Kind.STATUS:
                pass
            case _:
                raise LinkLost(f"the board sent a frame of unknown kind {kind}")

    def _acknowledge(self, executed: int, expected: int) -> None:
        """Drop the frames that were executed."""
        done = (executed - self._first) % _SEQUENCES
        accepted = (expected - self._first) % _SEQUENCES
        if not done <= accepted <= len(self._outstanding):
            raise LinkLost(f"the board expects frame {expected}, which is not the next one")
        for _ in range(done):
            command, frame = self._outstanding.popleft()
            self._cost -= _cost(frame)
            if command != Command.POLL:
                self._reminders = 0
        self._first = executed
        self._accepted = accepted - done


def _cost(frame: bytes) -> int:
    """Bytes that a frame takes in the board's buffer: all but the overhead byte of COBS."""
    return len(frame) - 1


def _reason(body: bytes) -> str:
    try:
        return Fault(body[0]).name.lower()
    except (IndexError, ValueError):
        return "no reason given"
