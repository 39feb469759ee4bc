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
from spikeloom.golden.spec import TILE_COUNTERS, FabricConfig, LoadTarget, ReadTarget

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


def load(session: Session, image: MemoryImage, held: Collection[LoadTarget]) -> None:
    """Write the memories of `image` except those `held`, and wait until that is done."""
    for body in load_bodies(image, session.largest_body, held):
        session.send(Command.LOAD, body)
    while not session.settled:
        session.wait()


def load_populations(session: Session, loaded: MemoryImage, image: MemoryImage) -> None:
    """Write the population rows of `image` that differ from those `loaded`, and wait."""
    size = whole_bytes(image.config.population_row.width)
    for number, (old, new) in enumerate(zip(loaded.tiles, image.tiles, strict=True)):
        rows = zip(old.populations, new.populations, strict=True)
        for address, (before, after) in enumerate(rows):
            if after != before:
                body = _load_body(LoadTarget.POPULATION, number, address, size, (after,))
                session.send(Command.LOAD, body)
    while not session.settled:
        session.wait()


def load_bodies(
    image: MemoryImage, room: int, held: Collection[LoadTarget] = ()
) -> Iterator[bytes]:
    """The bodies of LOAD, at most `room` bytes each, that write all memories except those `held`.

    Rows that the image does not have keep their contents; nothing refers to them.
    """
    memories = image.config.memories
    for number, tile in enumerate(image.tiles):
        for target, rows in tile.tables.items():
            if target in held:
                continue
            size = whole_bytes(memories[target].row.width)
            count = max(1, (room - _LOAD_HEADER) // size)
            for address in range(0, len(rows), count):
                chunk = rows[address : address + count]
                yield _load_body(target, number, address, size, chunk)


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
    names = ("cycles", *TILE_COUNTERS)
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
