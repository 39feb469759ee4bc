"""A host of its own for a compiled board: the frames and codes of docs/link.md, once more.

What is on the pins is given and kept clock by clock, so that a test can do anything to it.
"""

import ctypes
import functools
import weakref
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cobs import cobs
from locking import one_at_a_time
from numpy.typing import NDArray

from spikeloom.golden.link import Command, Kind, LinkConfig
from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.fabric_with_link import FabricWithLink
from spikeloom.sim import cache
from spikeloom.sim.verilator import build_library
from spikeloom.sim.verilog import cached, generate

Levels = NDArray[np.uint8]

_WRAPPER = """
module board(input clk, input rx, output tx, input load__valid, input load__payload);
  linked_fabric linked(.clk(clk), .rst(1'b0), .rx(rx), .tx(tx));
endmodule
"""


@functools.cache
def library(config: FabricConfig, link: LinkConfig) -> ctypes.CDLL:
    """The compiled board."""
    title = f"Board of the tests, {link}"
    text = cached(
        title,
        config,
        lambda: generate(title, config, FabricWithLink(config, link), "linked_fabric"),
    )
    driver = Path(__file__).with_name("link_pins.cpp").read_text(encoding="utf-8")
    with one_at_a_time(cache.digest(text)):
        loaded = ctypes.CDLL(str(build_library(text + _WRAPPER, "board", driver)))
    loaded.spikeloom_create.restype = ctypes.c_void_p
    loaded.spikeloom_destroy.argtypes = [ctypes.c_void_p]
    loaded.spikeloom_pins.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_uint64]
    return loaded


# Frames.


def frame(content: bytes) -> bytes:
    """With CRC, encoded, and the delimiter."""
    return cobs.encode(content + zlib.crc32(content).to_bytes(4, "little")) + b"\0"


def serial(data: bytes, clocks_per_bit: int) -> Levels:
    """The line while `data` is sent."""
    octets = np.frombuffer(data, np.uint8)
    bits = np.unpackbits(octets[:, None], axis=1, bitorder="little")
    framed = np.pad(bits, ((0, 0), (1, 1)), constant_values=((0, 0), (0, 1)))
    return framed.reshape(-1).repeat(clocks_per_bit)


@dataclass(frozen=True)
class Reply:
    """A frame of the board."""

    session: int
    sequence: int  # with its second byte, which is in the CRC
    kind: Kind
    executed: int
    expected: int
    body: bytes

    @classmethod
    def of(cls, encoded: bytes) -> "Reply":
        whole = cobs.decode(encoded)
        assert 9 <= len(whole) <= 254
        content, crc = whole[:-4], whole[-4:]
        upper = zlib.crc32(content) ^ int.from_bytes(crc, "little")
        assert upper < 256
        session, lower, kind, executed, expected = content[:5]
        return cls(session, upper << 8 | lower, Kind(kind), executed, expected, content[5:])


class Board:
    """A compiled board, fresh from reset, and what was heard of it."""

    def __init__(self, config: FabricConfig, link: LinkConfig) -> None:
        self.config = config
        self.link = link
        self._library = library(config, link)
        self._model = self._library.spikeloom_create()
        weakref.finalize(self, self._library.spikeloom_destroy, self._model)
        self.clock = 0
        self.bytes: list[tuple[int, int]] = []  # clock of the start bit, value
        self._line = np.ones(0, np.uint8)  # of tx, what is not decoded
        self._line_at = 0
        self._frames_from = 0
        self.session = 0
        self.sequence = 0
        self.listener = Listener(config)

    def play(self, levels: Levels) -> None:
        """What the pin rx is in each clock."""
        rx = np.ascontiguousarray(levels, np.uint8)
        tx = np.empty(len(rx), np.uint8)
        self._library.spikeloom_pins(self._model, rx.ctypes.data, tx.ctypes.data, len(rx))
        self.clock += len(rx)
        self._line = np.concatenate([self._line, tx])
        self._decode()

    def idle(self, clocks: int) -> None:
        self.play(np.ones(clocks, np.uint8))

    def send(self, data: bytes) -> None:
        self.play(serial(data, self.link.clocks_per_bit))

    def _decode(self) -> None:
        """Bytes of tx; a stop bit that is 0, or a level that is no whole bit, is a fault."""
        bit = self.link.clocks_per_bit
        place = 0
        while True:
            low = np.flatnonzero(self._line[place:] == 0)
            place = place + int(low[0]) if low.size else len(self._line)
            if place + 10 * bit > len(self._line):
                break
            bits = self._line[place : place + 10 * bit].reshape(10, bit)
            assert (bits == bits[:, :1]).all(), "a bit is shorter than it should be"
            assert bits[0, 0] == 0
            assert bits[9, 0] == 1
            value = int(np.packbits(bits[1:9, 0], bitorder="little")[0])
            self.bytes.append((self._line_at + place, value))
            place += 10 * bit
        self._line = self._line[place:]
        self._line_at += place

    def replies(self) -> list[Reply]:
        """The frames that ended since the last call."""
        heard = bytes(value for _, value in self.bytes[self._frames_from :])
        *whole, rest = heard.split(b"\0")
        self._frames_from = len(self.bytes) - len(rest)
        return [Reply.of(encoded) for encoded in whole]

    # A session.

    def frame(self, command: int, body: bytes = b"") -> bytes:
        """The next frame of the session, to be sent."""
        content = bytes([self.session, self.sequence, command]) + body
        self.sequence = (self.sequence + 1) % 256
        return frame(content)

    def begin(self, session: int) -> Reply:
        """A new session; its READY."""
        self.session, self.sequence = session, 0
        self.listener = Listener(self.config)  # the codes of a session are one stream
        self.send(b"\0\0" + self.frame(Command.RESET))
        *_, ready = self.until(lambda replies: replies[-1].session == session)
        assert ready.kind == Kind.READY
        assert (ready.sequence, ready.executed, ready.expected) == (0, 1, 1)
        return ready

    def until(self, done: Callable[[list[Reply]], bool], clocks: int = 5_000_000) -> list[Reply]:
        """Wait for frames, until `done` says of all of them that they are enough."""
        replies: list[Reply] = []
        end = self.clock + clocks
        while not (replies and done(replies)):
            assert self.clock < end, f"only {replies[-1:]}"
            self.idle(10 * self.link.clocks_per_bit)
            replies += self.replies()
        return replies

    def ask(self, command: int, body: bytes = b"") -> list[Reply]:
        """Send a frame, and wait until it is executed; what came meanwhile."""
        self.send(self.frame(command, body))
        return self.until(lambda replies: replies[-1].executed == self.sequence)

    def quiet(self) -> list[Reply]:
        """What comes until the line is idle for a while."""
        bit = self.link.clocks_per_bit
        while True:
            before = len(self.bytes)
            self.idle(400 * bit)
            if len(self.bytes) == before and self._line.all():
                return self.replies()


# Codes.


def event_codes(positions: Iterable[int]) -> bytes:
    """Rising positions of an entry, from cursor 0: the shorter code at each place."""
    codes = bytearray()
    cursor = 0
    left = list(positions)
    while left:
        window = [p for p in left if p < cursor + 7]
        if window:
            codes.append(0x80 | sum(1 << (p - cursor) for p in window))
            left = left[len(window) :]
            cursor += 7
        elif left[0] - cursor < 64:
            codes.append(0x40 | (left[0] - cursor))
            cursor = left.pop(0) + 1
        else:
            skip = min(left[0] - cursor, 256)
            codes += bytes([0x02, skip - 1])
            cursor += skip
    return bytes(codes)


def entry_code(
    route: int, connection: int, ahead: int, image: Sequence[int] | None = None
) -> bytes:
    """`image`: height and width, in a fabric with images."""
    code = b"\x03" + route.to_bytes(2, "little") + connection.to_bytes(2, "little")
    code += bytes([ahead])
    return code if image is None else code + bytes([image[0] - 1, image[1] - 1])


def mark_code(first: int, ahead: int) -> bytes:
    return bytes([0x20 | first << 4 | ahead])


Sizes = Mapping[tuple[int, int, int], tuple[int, int]]


def codes_of_words(config: FabricConfig, words: Iterable[int], sizes: Sizes | None = None) -> bytes:
    """EVENTS that say words of `host_in` in their order.

    `sizes`: in a fabric with images, (height, width) for each (route, connection, ahead).
    """
    codes = bytearray()
    current: tuple[int, int, int] | None = None
    positions: list[int] = []
    height = width = 1

    def say() -> None:
        cut = 0
        for end in range(1, len(positions) + 1):
            # A position that does not rise begins again.
            if end == len(positions) or positions[end] <= positions[end - 1]:
                if cut:
                    codes.append(0x04)
                codes.extend(event_codes(positions[cut:end]))
                cut = end
        positions.clear()

    for word in words:
        fields = config.host_in.unpack(int(word))
        if fields["step"]:
            say()
            current = None
            codes.extend(mark_code(fields["first"], fields["ahead"]))
            continue
        entry = fields["route"], fields["connection"], fields["ahead"]
        if entry != current:
            say()
            current = entry
            image = None
            if config.images:
                assert sizes is not None
                image = height, width = sizes[entry]
            codes.extend(entry_code(*entry, image))
        place = (fields["y"], fields["x"]) if config.images else (0, 0)
        positions.append((fields["index"] * height + place[0]) * width + place[1])
    say()
    return bytes(codes)


@dataclass
class Listener:
    """RESULTS of a session, decoded to packets of `host_out`."""

    config: FabricConfig
    population: int = 0
    position: tuple[int, int] = (0, 0)
    cursor: int = 0

    def __post_init__(self) -> None:
        self.rest = b""
        self.packets: list[dict[str, int]] = []

    def decode_packets(self, body: bytes) -> None:
        data = self.rest + body
        at = 0
        while at < len(data):
            length = self._code(data[at:])
            if length == 0:
                break
            at += length
        self.rest = data[at:]

    def _packet(self, kind: int, **fields: int) -> None:
        self.packets.append({"kind": kind, **fields})

    def _spike(self, index: int) -> None:
        self._packet(0, population=self.population, position=self.position, index=index)

    def _code(self, data: bytes) -> int:
        """Decode the code in front; its bytes, or 0 if it is not whole."""
        code = data[0]
        size = -(-self.config.state_bits // 8)
        length = {1: 5, 2: 2, 3: 3, 4: 3, 5: 1 + size, 6: 1 + size}.get(code, 1)
        if len(data) < length:
            return 0
        operand = int.from_bytes(data[1:length], "little")
        if code & 0x80:
            for bit in range(7):
                if code >> bit & 1:
                    self._spike(self.cursor + bit)
            self.cursor += 7
        elif code & 0x40:
            self.cursor += code & 63
            self._spike(self.cursor)
            self.cursor += 1
        elif code == 1:
            self._packet(2, clock=operand)
        elif code == 2:
            self.cursor += operand + 1
        elif code == 3:
            self.population, self.position, self.cursor = operand, (0, 0), 0
        elif code == 4:
            assert self.config.images
            self.position, self.cursor = (data[1], data[2]), 0
        elif code in (5, 6):
            assert code == 5 or (self.config.traces and self.config.synaptic_current)
            value = int.from_bytes(data[1:length], "little", signed=True)
            low = -(1 << (self.config.state_bits - 1))
            assert low <= value < -low
            self._packet(
                {5: 1, 6: 3}[code],
                population=self.population,
                position=self.position,
                index=self.cursor,
                value=value,
            )
            self.cursor += code == 5
        else:
            raise AssertionError(f"{code:#x} is no code")
        return length

    def words(self) -> tuple[list[int], list[int]]:
        """Payloads of `host_out`, and for each the clock of its step, or 0."""
        words, clocks = [], []
        for packet in self.packets:
            fields = dict(packet)
            clocks.append(fields.pop("clock", 0))
            y, x = fields.pop("position", (0, 0))
            if self.config.images:
                fields |= {"y": y, "x": x}
            words.append(self.config.host_out.pack(fields))
        return words, clocks
