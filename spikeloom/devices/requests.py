"""Requests of docs/link.md to a board within one session, and their answers."""

from collections.abc import Collection, Iterator, Sequence

from spikeloom.devices.session import LinkLost, Session
from spikeloom.golden.link import (
    MOST_READ,
    Command,
    Identity,
    Kind,
    parse_identity,
    whole_bytes,
)
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.spec import FabricConfig, LoadTarget, ReadTarget

_LOAD_HEADER = 5
"""Bytes before the rows of LOAD: target, tile, address."""


def answer(session: Session, kind: Kind) -> bytes:
    """The body of the next answer, which must be of this kind."""
    while not session.received:
        session.wait()
    actual, body = session.received.popleft()
    if actual != kind:
        raise LinkLost(f"{actual.name} instead of {kind.name}")
    return body


def identify(session: Session) -> Identity:
    """Ask the board for its identity."""
    session.send(Command.IDENTIFY)
    return parse_identity(answer(session, Kind.IDENTITY))


def load(
    session: Session,
    image: MemoryImage,
    built_in: Collection[LoadTarget] = (),
    held: MemoryImage | None = None,
) -> None:
    """Write `image`, except the memories `built_in` and rows `held`, and wait until it is done."""
    for body in load_bodies(image, session.largest_body, built_in, held):
        session.send(Command.LOAD, body)
    while not session.settled:
        session.wait()


def load_bodies(
    image: MemoryImage,
    room: int,
    built_in: Collection[LoadTarget] = (),
    held: MemoryImage | None = None,
) -> Iterator[bytes]:
    """The bodies of LOAD, at most `room` bytes each, that write the tables of an image.

    Rows that the image does not have keep their contents; nothing refers to them.

    Parameters
    ----------
    built_in
        Memories to leave out.
    held
        What the board holds: only rows that differ are written.
    """
    for piece in image.rows(held):
        if piece.target in built_in:
            continue
        size = whole_bytes(image.config.memories[piece.target].row.width)
        count = max(1, (room - _LOAD_HEADER) // size)
        for start in range(0, len(piece.rows), count):
            rows = piece.rows[start : start + count]
            yield _load_body(piece.target, piece.tile, piece.address + start, size, rows)


def control_body(image: MemoryImage) -> bytes:
    """The body of LOAD that writes the control register."""
    size = whole_bytes(image.config.control_row.width)
    return _load_body(LoadTarget.CONTROL, 0, 0, size, (image.control,))


def _load_body(
    target: LoadTarget, tile: int, address: int, size: int, rows: Sequence[int]
) -> bytes:
    """One body of LOAD, with rows of `size` bytes."""
    data = b"".join(row.to_bytes(size, "little") for row in rows)
    return bytes([target, tile]) + address.to_bytes(3, "little") + data


def counters(session: Session, fabric: FabricConfig) -> list[dict[str, int]]:
    """The counters of every tile."""
    size = whole_bytes(fabric.counter_bits)
    names = ("cycles", *fabric.tile_counters)
    values = []
    for tile in range(fabric.tiles):
        session.send(Command.COUNTERS, bytes([tile]))
        body = answer(session, Kind.COUNTERS)
        if len(body) != 1 + size * len(names) or body[0] != tile:
            raise LinkLost("malformed counters")
        values.append(dict(zip(names, _integers(body[1:], size), strict=True)))
    return values


def read(
    session: Session,
    fabric: FabricConfig,
    target: ReadTarget,
    tile: int,
    address: int,
    rows: int,
) -> list[int]:
    """Rows of a memory, packed as in `FabricConfig.readable_memories`."""
    size = whole_bytes(fabric.readable_memories[target].row.width)
    limit = MOST_READ // size
    counts = [min(limit, rows - start) for start in range(0, rows, limit)]
    for number, count in enumerate(counts):
        start = address + number * limit
        head = bytes([target, tile]) + start.to_bytes(3, "little")
        session.send(Command.READ, head + bytes([count * size]))
    values: list[int] = []
    for count in counts:
        body = answer(session, Kind.MEMORY)
        if len(body) != count * size:
            raise LinkLost("malformed memory rows")
        values += _integers(body, size)
    return values


def _integers(body: bytes, size: int) -> list[int]:
    """Unsigned integers of `size` bytes each."""
    return [int.from_bytes(body[at : at + size], "little") for at in range(0, len(body), size)]
