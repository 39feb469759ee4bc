"""Constants of the link between host and board, and the identity of a board; see `docs/link.md`."""

import dataclasses
import enum
import hashlib
import itertools
from dataclasses import dataclass
from typing import Any

from spikeloom.golden.contents import Contents
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import FabricConfig, LoadTarget

PROTOCOL = 6
"""Version of docs/link.md; it changes with every change that the other side can observe."""

LARGEST = 254
"""Maximum bytes of content and CRC in a frame."""
CRC_BYTES = 4
HOST_HEADER = 3
"""Bytes before the body in a frame to the board: session, sequence, command."""
BOARD_HEADER = 5
"""Bytes before the body in a frame to the host: session, sequence, kind, executed, expected."""
MOST_READ = LARGEST - BOARD_HEADER - CRC_BYTES
"""Maximum bytes that one READ requests."""

MASK = 0x80
"""A code with this bit has a bit for each of the next `MASK_POSITIONS` positions."""
MASK_POSITIONS = 7
SINGLE = 0x40
"""A code with this bit and not `MASK` names one position, up to `SINGLE_REACH` ahead."""
SINGLE_REACH = 63


class Command(enum.IntEnum):
    """Commands of the host."""

    RESET = 0
    IDENTIFY = 1
    LOAD = 2
    EVENTS = 3
    COUNTERS = 4
    POLL = 5
    READ = 6


class Kind(enum.IntEnum):
    """Kinds of frames from the board."""

    STATUS = 0
    READY = 1
    IDENTITY = 2
    COUNTERS = 3
    RESULTS = 4
    REFUSED = 5
    FAULT = 6
    MEMORY = 7


class Refusal(enum.IntEnum):
    """Why a frame was refused."""

    CORRUPT = 1
    SESSION = 2
    ROOM = 3
    MISSING = 4


class Fault(enum.IntEnum):
    """Why a frame cannot be executed."""

    COMMAND = 1
    CODE = 2
    LENGTH = 3


class EventCode(enum.IntEnum):
    """Codes of EVENTS that are not positions."""

    SKIP = 0x02
    ENTRY = 0x03
    AGAIN = 0x04
    MARK = 0x20
    """`first` is in bit 4, `ahead` in the bits below."""


class ResultCode(enum.IntEnum):
    """Codes of RESULTS that are not positions."""

    STEP = 0x01
    SKIP = 0x02
    POPULATION = 0x03
    PLACE = 0x04
    STATE = 0x05
    CURRENT = 0x06
    SPIKE = 0x07


def whole_bytes(bits: int) -> int:
    """Bytes that hold `bits` bits."""
    return -(-bits // 8)


NO_DIGEST = "0" * 32


@dataclass(frozen=True)
class LinkConfig:
    """Parameters that a board's link is built with.

    Parameters
    ----------
    board
        Name of the board, at most 16 ASCII characters.
    clock_hz
        Clock frequency of fabric and link.
    clocks_per_bit
        Clocks per bit on the serial line, 4..65535.
    buffer
        Size of the receive buffer in bytes: a power of two, 512..32768.
    build
        Digest of the sources of the hardware, 32 hexadecimal digits.
    baked
        Targets with baked contents; they include `CONTROL` unless there are none.
    contents
        Digest of the baked contents, 32 hexadecimal digits; zeros if there are none.

    Raises
    ------
    SpikeloomError
        `board`, `clocks_per_bit` or `buffer` is out of range.
    """

    board: str
    clock_hz: int
    clocks_per_bit: int
    buffer: int = 512
    build: str = NO_DIGEST
    baked: tuple[LoadTarget, ...] = ()
    contents: str = NO_DIGEST

    def __post_init__(self) -> None:
        if not (self.board.isascii() and 1 <= len(self.board) <= 16):
            raise SpikeloomError(f"board must be 1..16 ASCII characters, not {self.board!r}")
        if not 4 <= self.clocks_per_bit < 1 << 16:
            raise SpikeloomError(
                f"clocks_per_bit must be 4..65535, not {self.clocks_per_bit}: "
                "take another baud rate or clock"
            )
        if self.buffer not in (1 << n for n in range(9, 16)):
            raise SpikeloomError(
                f"buffer must be a power of two, 512..32768, not {self.buffer} bytes"
            )

    @property
    def baud(self) -> int:
        """Baud rate of the serial line, rounded."""
        return round(self.clock_hz / self.clocks_per_bit)

    def with_contents(self, contents: Contents, fabric: FabricConfig) -> "LinkConfig":
        """The link of a board whose `fabric` has these baked contents."""
        digest = contents_digest(contents, fabric)
        return dataclasses.replace(self, baked=contents.targets, contents=digest)


def contents_digest(contents: Contents, fabric: FabricConfig) -> str:
    """Hexadecimal digest of baked contents as docs/link.md defines it; zeros if there are none."""
    if not contents.targets:
        return NO_DIGEST
    sizes = {target: whole_bytes(memory.row.width) for target, memory in fabric.memories.items()}
    total = hashlib.sha256()
    for number, tables in enumerate(contents.tiles):
        for target, rows in sorted(tables.items()):
            total.update(bytes([number, target]) + len(rows).to_bytes(3, "little"))
            total.update(b"".join(row.to_bytes(sizes[target], "little") for row in rows))
    total.update(contents.control.to_bytes(sizes[LoadTarget.CONTROL], "little"))
    return total.hexdigest()[:32]


_SIZES_AT = 58
"""Offset of the sizes of the fabric in an identity, in bytes."""


@dataclass(frozen=True)
class Identity:
    """What a board reports about itself.

    Parameters
    ----------
    protocol
        The `PROTOCOL` that it speaks.
    link, fabric
        The parameters that it was built with.
    """

    protocol: int
    link: LinkConfig
    fabric: FabricConfig


def _width(size: Any) -> int:
    """Bytes of a field of `FabricConfig`, by a value of it."""
    return 1 if isinstance(size, bool) else 4


def identity(link: LinkConfig, fabric: FabricConfig) -> bytes:
    """The body of IDENTITY.

    In order: protocol (1 byte), board (16, padded with zeros), clock_hz (4), clocks_per_bit (2),
    buffer (2), build (16), baked (1, bit n for target n), contents (16), and the fields of
    `FabricConfig` in order of declaration (4 each, flags 1). Numbers are little-endian.
    """
    sizes = dataclasses.asdict(fabric).values()
    return b"".join(
        (
            bytes([PROTOCOL]),
            link.board.encode("ascii").ljust(16, b"\0"),
            link.clock_hz.to_bytes(4, "little"),
            link.clocks_per_bit.to_bytes(2, "little"),
            link.buffer.to_bytes(2, "little"),
            bytes.fromhex(link.build),
            bytes([sum(1 << target for target in link.baked)]),
            bytes.fromhex(link.contents),
            *(int(size).to_bytes(_width(size), "little") for size in sizes),
        )
    )


def parse_identity(body: bytes) -> Identity:
    """Parse the body of IDENTITY, the inverse of `identity`.

    Raises
    ------
    SpikeloomError
        The protocol has another version, or the body has the wrong length.
    """
    protocol = body[0] if body else -1
    if protocol != PROTOCOL:
        raise SpikeloomError(
            f"the board speaks version {protocol} of the link, this Spikeloom version {PROTOCOL}: "
            "build its bitstream again"
        )
    fields = dataclasses.fields(FabricConfig)
    ends = [*itertools.accumulate((_width(field.default) for field in fields), initial=_SIZES_AT)]
    if len(body) != ends[-1]:
        raise SpikeloomError(
            f"the board's identity has {len(body)} bytes, not {ends[-1]}: build its bitstream again"
        )
    numbers = (int.from_bytes(body[a:b], "little") for a, b in itertools.pairwise(ends))
    sizes: dict[str, Any] = {
        field.name: bool(number) if isinstance(field.default, bool) else number
        for field, number in zip(fields, numbers, strict=True)
    }
    link = LinkConfig(
        body[1:17].rstrip(b"\0").decode("ascii", "replace"),
        int.from_bytes(body[17:21], "little"),
        int.from_bytes(body[21:23], "little"),
        int.from_bytes(body[23:25], "little"),
        body[25:41].hex(),
        tuple(target for target in LoadTarget if body[41] >> target & 1),
        body[42:58].hex(),
    )
    return Identity(protocol, link, FabricConfig(**sizes))
