"""READ through the pins: what was loaded, and what a run left, of every memory."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
from link_board import Board, Reply, codes_of_words
from random_networks import random_events
from readable_fabrics import FABRICS, network
from soaked import all_but
from test_link_board import (
    LINK,
    SMALL,
    chunks,
    clear,
    image_sizes,
    load_frames,
    play,
    results,
)

from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.host import host_words
from spikeloom.golden.link import MOST_READ, Command, Fault, Kind, identity, whole_bytes
from spikeloom.golden.spec import FabricConfig, LoadTarget, PacketKind, Port, ReadTarget
from spikeloom.mapping.plan import map_network

MADE = {
    **{name: FABRICS[name] for name in ("one tile", "images and synaptic currents")},
    "two tiles": dataclasses.replace(FABRICS["two by two"], columns=1),
}
ONE = MADE["one tile"]


def read_bodies(
    config: FabricConfig, target: ReadTarget, tile: int, rng: np.random.Generator
) -> Iterator[bytes]:
    """Bodies of READ for all rows of a memory, in pieces of any length."""
    layout, rows = config.readable_memories[target]
    size = whole_bytes(layout.width)
    address = 0
    while address < rows:
        some = min(int(rng.integers(1, MOST_READ // size + 1)), rows - address)
        yield bytes([target, tile]) + address.to_bytes(3, "little") + bytes([some * size])
        address += some


def read(under_test: Board, bodies: list[bytes]) -> bytes:
    """What several READ give, each sent when the one before was executed, but not answered."""
    replies: list[Reply] = []
    for body in bodies:
        under_test.send(under_test.frame(Command.READ, body))
        replies += under_test.until(lambda some: some[-1].executed == under_test.sequence)
    while sum(reply.kind == Kind.MEMORY for reply in replies) < len(bodies):
        replies += under_test.until(lambda _: True)
    assert {reply.kind for reply in replies} <= {Kind.STATUS, Kind.MEMORY}
    found = [reply.body for reply in replies if reply.kind == Kind.MEMORY]
    assert [len(body) for body in found] == [body[5] for body in bodies]
    return b"".join(found)


def memory(under_test: Board, target: ReadTarget, tile: int, rng: np.random.Generator) -> list[int]:
    config = under_test.config
    data = read(under_test, list(read_bodies(config, target, tile, rng)))
    size = whole_bytes(config.readable_memories[target][0].width)
    return [int.from_bytes(data[at : at + size], "little") for at in range(0, len(data), size)]


@pytest.mark.parametrize("name", all_but({"one tile"}, MADE))
def test_all_that_was_loaded_is_read(name: str) -> None:
    """Random rows in every memory, up to its end."""
    config = MADE[name]
    rng = np.random.default_rng(4)
    under_test = Board(config, LINK)
    under_test.begin(1)
    expected: dict[tuple[ReadTarget, int], list[int]] = {}
    for tile in range(config.tiles):
        for loaded, (layout, _) in config.memories.items():
            if loaded == LoadTarget.CONTROL or loaded not in list(config.readable_memories):
                continue
            target, size = ReadTarget(loaded), whole_bytes(layout.width)
            _, count = config.readable_memories[target]
            rows = [int.from_bytes(rng.bytes(size)) >> -layout.width % 8 for _ in range(count)]
            most = 240 // size
            for start in range(0, count, most):
                part = b"".join(row.to_bytes(size, "little") for row in rows[start:][:most])
                head = bytes([loaded, tile]) + start.to_bytes(3, "little")
                play(under_test, [(Command.LOAD, head + part)])
            if target == ReadTarget.ROUTE:
                inputs = (*config.links(tile), Port.LOCAL)
                rows = [sum(row << 8 * port for port in inputs) for row in rows]
            expected[target, tile] = rows
    assert len({target for target, _ in expected}) == 5 + config.images + (config.tiles > 1)
    for (target, tile), rows in expected.items():
        assert memory(under_test, target, tile, rng) == rows, (target, tile)


@pytest.mark.parametrize("name", MADE)
def test_what_a_run_left_is_read(name: str) -> None:
    """States and sums, in the middle of a step: as the model has them."""
    config = MADE[name]
    rng = np.random.default_rng(6)
    net = network(config)
    image = map_network(net, config, frozenset("ab"), frozenset("b"))
    counts = random_events(rng, net, 2, 6, 0.5)
    words = np.concatenate(host_words(image, counts)).tolist()[:-1]
    model = CycleModel(config)
    model.load(image)
    model.run(words)
    for _ in range(1000):
        model.clock()

    under_test = Board(config, LINK)
    under_test.begin(5)
    play(under_test, [(Command.LOAD, body) for body in load_frames(image)])
    clear(under_test, image)
    replies = play(under_test, chunks(codes_of_words(config, words, image_sizes(image))))
    packets = results(under_test, replies, 11)
    assert packets[-1]["kind"] == PacketKind.STEP
    for target in (ReadTarget.SUM, ReadTarget.STATE, ReadTarget.CURRENT):
        if target not in config.readable_memories:
            continue
        _, rows = config.readable_memories[target]
        for tile in range(config.tiles):
            expected = [model.row(target, tile, address) for address in range(rows)]
            assert memory(under_test, target, tile, rng) == expected
            assert any(expected) or tile
    # Reading changed nothing: the step ends as it would have.
    packets = results(under_test, play(under_test, chunks(b"\x20")), 1)
    for packet in packets:
        packet.pop("clock", None)
    wanted = [config.host_out.unpack(packet) for _, packet in model.run([1])]
    spikes = [(p["population"], p["index"]) for p in packets if p["kind"] == PacketKind.SPIKE]
    assert sorted(spikes) == sorted(
        (p["population"], p["index"]) for p in wanted if p["kind"] == PacketKind.SPIKE
    )


def test_any_number_of_bytes() -> None:
    under_test = Board(ONE, LINK)
    under_test.begin(3)
    rows = bytes(range(1, 211))  # 70 rows of 3 bytes
    play(under_test, [(Command.LOAD, bytes([LoadTarget.WEIGHT, 0, 0, 0, 0]) + rows)])
    for count in (1, 2, 3, 4, 200):
        # What follows is executed after the answer is whole, and does not change what it is.
        under_test.send(
            under_test.frame(Command.READ, bytes([ReadTarget.WEIGHT, 0, 1, 0, 0, count]) + b"more")
            + under_test.frame(Command.IDENTIFY)
        )
        heard = [reply for reply in under_test.quiet() if reply.kind != Kind.STATUS]
        assert [reply.kind for reply in heard] == [Kind.MEMORY, Kind.IDENTITY]
        assert heard[0].body == rows[3 : 3 + count]
        assert heard[1].body == identity(LINK, ONE)


@pytest.mark.parametrize(
    ("readable", "body", "reason"),
    [
        (False, bytes([ReadTarget.WEIGHT, 0, 0, 0, 0, 1]), Fault.COMMAND),
        (True, bytes([LoadTarget.CONTROL, 0, 0, 0, 0, 1]), Fault.COMMAND),
        (True, bytes([ReadTarget.CURRENT, 0, 0, 0, 0, 1]), Fault.COMMAND),  # not built
        (True, bytes([200, 0, 0, 0, 0, 1]), Fault.COMMAND),
        (True, b"", Fault.LENGTH),
        (True, bytes(5), Fault.LENGTH),
        (True, bytes(6), Fault.LENGTH),
        (True, bytes([0, 0, 0, 0, 0, MOST_READ + 1]), Fault.LENGTH),
    ],
)
def test_faults(readable: bool, body: bytes, reason: int) -> None:
    under_test = Board(ONE if readable else SMALL, LINK)
    under_test.begin(3)
    under_test.send(under_test.frame(Command.READ, body) + under_test.frame(Command.POLL))
    (answer,) = under_test.quiet()
    assert (answer.kind, answer.body) == (Kind.FAULT, bytes([reason]))
    assert under_test.begin(4).body == b"\3"


@pytest.mark.parametrize("clocks_per_bit", [8, 16])
def test_the_line_is_the_limit(clocks_per_bit: int) -> None:
    link = dataclasses.replace(LINK, clocks_per_bit=clocks_per_bit, buffer=512)
    under_test = Board(ONE, link)
    under_test.begin(1)
    body = bytes([ReadTarget.WEIGHT, 0, 0, 0, 0, 240])
    for _ in range(12):
        under_test.send(under_test.frame(Command.READ, body))
    start = len(under_test.bytes)
    under_test.quiet()
    clocks = np.array([clock for clock, _ in under_test.bytes[start:]])
    middle = clocks[len(clocks) // 4 : 3 * len(clocks) // 4]
    rate = 10 * clocks_per_bit * (len(middle) - 1) / (middle[-1] - middle[0])
    print(len(middle), rate)
    assert rate > 0.9
