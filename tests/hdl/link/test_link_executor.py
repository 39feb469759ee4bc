"""Commands of accepted frames: what is loaded, sent to the fabric, read and answered, and when."""

import dataclasses
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator
from link_board import codes_of_words
from readable_fabrics import FABRICS
from test_link_codes import plain, random_words

from spikeloom.golden.contents import NOTHING
from spikeloom.golden.link import MOST_READ, Command, Fault, Kind, LinkConfig, identity, whole_bytes
from spikeloom.golden.spec import TILE_COUNTERS, FabricConfig, LoadTarget, ReadTarget
from spikeloom.hdl.link.executor import Executor

LINK = LinkConfig("test", 12_000_000, 8, 1024, "0123456789abcdef" * 2)
CONFIGS = {
    "two tiles": dataclasses.replace(
        FABRICS["two by two"], columns=2, rows=1, counter_bits=36, routes=64
    ),
    "images": FABRICS["images and synaptic currents"],
    "not readable": dataclasses.replace(FABRICS["narrow"], readable=False, slots=1),
}


def stored(target: int, tile: int, address: int, byte: int) -> int:
    """What the memories hold in these tests."""
    return (target * 67 + tile * 31 + address * 7 + byte * 3 + 1) % 256


class Executed:
    """What an executor did."""

    def __init__(self) -> None:
        self.loads: list[tuple[int, int]] = []  # number of the frame, word
        self.events: list[tuple[int, int]] = []
        self.answers: list[tuple[Kind, bytes]] = []
        self.counted: list[tuple[int, int]] = []  # clocks in which the counters are captured
        self.executed = 0
        self.fault = 0
        self.clocks = 0


def execute(
    config: FabricConfig,
    frames: Sequence[bytes],
    pace: float = 1.0,
    counters: Callable[[int], dict[str, int]] = lambda clock: {},
    link: LinkConfig = LINK,
) -> Executed:
    """Give commands with their bodies, byte by byte, to an executor."""
    dut = Executor(config, link)
    rng = np.random.default_rng(11)
    heard = Executed()

    async def bench(ctx: Any) -> None:
        left = deque(
            (byte, number == len(frame) - 1)
            for frame in frames
            for number, byte in enumerate(frame)
        )
        answer = bytearray()
        requests: deque[int | None] = deque([None] * config.read_clocks, config.read_clocks)
        offers = False
        quiet = 0
        while quiet < (270 if config.images else 40):  # longer than a skip
            offers = bool(left) and (offers or rng.random() < pace)
            takes = rng.random() < pace
            byte, last = left[0] if offers else rng.integers((256, 2)).tolist()
            ctx.set(dut.body.valid, offers)
            ctx.set(dut.body.p, {"data": byte, "last": last})
            ctx.set(dut.host_in.ready, takes)
            ctx.set(dut.answer.ready, takes)
            ctx.set(dut.counters, counters(heard.clocks))
            if config.readable:
                held = requests[0] if len(set(requests)) == 1 else None
                word = ctx.get(dut.read.word.as_value()) if ctx.get(dut.read.active) else None
                held = held if held == word else None
                fields = config.read.unpack(held) if held is not None else None
                wrong = int(rng.integers(256))
                ctx.set(dut.read.data, stored(**fields) if fields else wrong)
                requests.append(word)
            heard.executed = ctx.get(dut.executed)
            quiet += 1
            if ctx.get(dut.load.valid):
                heard.loads.append((heard.executed, ctx.get(dut.load.p.as_value())))
            if ctx.get(dut.host_in.valid):
                quiet = 0
                if takes:
                    heard.events.append((heard.executed, ctx.get(dut.host_in.p.as_value())))
            if ctx.get(dut.answer.valid):
                quiet = 0
                if takes:
                    answer.append(ctx.get(dut.answer.p.data))
                    if ctx.get(dut.answer.p.last):
                        heard.answers.append((Kind(ctx.get(dut.answers)), bytes(answer)))
                        answer.clear()
            if offers and ctx.get(dut.body.ready):
                left.popleft()
                offers = False
                quiet = 0
            heard.clocks += 1
            await ctx.tick()
        assert not answer
        heard.fault = ctx.get(dut.fault)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return heard


def load_frame(
    config: FabricConfig, target: LoadTarget, tile: int, address: int, rows: Sequence[int]
) -> tuple[bytes, list[int]]:
    """LOAD of some rows, and its words."""
    size = whole_bytes(config.memories[target].row.width)
    words = [
        config.load.pack({"target": target, "tile": tile, "address": address + n, "data": row})
        for n, row in enumerate(rows)
    ]
    body = b"".join(row.to_bytes(size, "little") for row in rows)
    return bytes([Command.LOAD, target, tile]) + address.to_bytes(3, "little") + body, words


@pytest.mark.parametrize("pace", [1.0, 0.4])
@pytest.mark.parametrize("name", CONFIGS)
def test_loads(name: str, pace: float) -> None:
    """Rows of every memory, alone and after each other, in order and in their frame."""
    config = CONFIGS[name]
    rng = np.random.default_rng(3)
    frames, expected = [bytes([Command.LOAD]) + bytes(5)], []  # no row
    for target, (row, depth) in config.memories.items():
        most = max(depth, 1)  # CONTROL is a register
        for count in (1, min(3, most)):
            address = int(rng.integers(most - count + 1))
            rows = [int.from_bytes(rng.bytes(whole_bytes(row.width))) for _ in range(count)]
            rows = [value & ((1 << row.width) - 1) for value in rows]
            tile = int(rng.integers(config.tiles))
            frame, words = load_frame(config, target, tile, address, rows)
            frames.append(frame)
            expected += [(len(frames), word) for word in words]
    heard = execute(config, frames, pace)
    assert heard.loads == expected
    assert (heard.executed, heard.fault) == (len(frames) + 1, 0)
    assert (heard.events, heard.answers) == ([], [])


@pytest.mark.parametrize("pace", [1.0, 0.4])
@pytest.mark.parametrize("name", CONFIGS)
def test_events(name: str, pace: float) -> None:
    """A frame is executed when the last of its events is taken; frames cut codes anywhere."""
    config = CONFIGS[name]
    words, sizes = random_words(config, 5, 12)
    codes = codes_of_words(config, words, sizes)
    bodies = [codes[n : n + 7] for n in range(0, len(codes), 7)]
    bodies.insert(3, b"")
    heard = execute(config, [bytes([Command.EVENTS]) + body for body in bodies], pace)
    assert plain(config, [word for _, word in heard.events]) == plain(config, words)
    assert (heard.executed, heard.fault) == (len(bodies) + 1, 0)
    numbers = [number for number, _ in heard.events]
    assert numbers == sorted(numbers)
    assert (heard.loads, heard.answers) == ([], [])


@pytest.mark.parametrize("pace", [1.0, 0.4])
def test_counters_are_those_of_one_clock(pace: float) -> None:
    config = CONFIGS["two tiles"]
    names = [f"{name}.{tile}" for tile in range(2) for name in TILE_COUNTERS]

    def counters(clock: int) -> dict[str, int]:
        every = {name: (clock * (3 + 2 * n) << 20) % (1 << 36) for n, name in enumerate(names)}
        return {"cycles": (1 << 35) + clock, **every}

    frames = [bytes([Command.COUNTERS, tile]) + more for tile in (0, 1) for more in (b"", b"xyz")]
    heard = execute(config, frames, pace, counters)
    assert heard.executed == 5
    assert [kind for kind, _ in heard.answers] == [Kind.COUNTERS] * 4
    for frame, (_, body) in zip(frames, heard.answers, strict=True):
        values = [int.from_bytes(body[n : n + 5], "little") for n in range(1, len(body), 5)]
        then = counters(values[0] - (1 << 35))
        wanted = [then["cycles"], *(then[f"{name}.{frame[1]}"] for name in TILE_COUNTERS)]
        assert (body[0], values) == (frame[1], wanted)


@pytest.mark.parametrize("pace", [1.0, 0.4])
@pytest.mark.parametrize("name", list(CONFIGS)[:2])
def test_reads(name: str, pace: float) -> None:
    """Any memory, from any row, any number of bytes; what follows in the frame is not used."""
    config = CONFIGS[name]
    rng = np.random.default_rng(6)
    frames, expected = [], []
    (top,) = (1 << field.width for field in config.read.fields if field.name == "address")
    for target, (row, depth) in config.readable_memories.items():
        size = whole_bytes(row.width)
        for count in (1, size, min(3 * size + 1, MOST_READ)):
            tile = int(rng.integers(config.tiles))
            address = int(rng.integers(depth))
            where = bytes([target, tile]) + address.to_bytes(3, "little")
            rest = rng.bytes(int(rng.integers(3)))
            frames.append(bytes([Command.READ]) + where + bytes([count]) + rest)
            rows = [(n // size, n % size) for n in range(count)]
            body = bytes(stored(target, tile, (address + r) % top, b) for r, b in rows)
            expected.append((Kind.MEMORY, body))
    frames.append(bytes([Command.READ, ReadTarget.BIAS, 0, 0, 0, 0, MOST_READ]))
    size = whole_bytes(config.bias_row.width)
    rows = [(n // size, n % size) for n in range(MOST_READ)]
    body = bytes(stored(ReadTarget.BIAS, 0, r % top, b) for r, b in rows)
    expected.append((Kind.MEMORY, body))
    frames.append(bytes([Command.POLL]))
    heard = execute(config, frames, pace)
    assert heard.answers == expected
    assert (heard.executed, heard.fault) == (len(frames) + 1, 0)


def test_commands_follow_each_other() -> None:
    """What a command leaves does not change the next one, in any order of two."""
    config = CONFIGS["two tiles"]
    load, words = load_frame(config, LoadTarget.WEIGHT, 1, 2, [5, 6])
    read = bytes([Command.READ, ReadTarget.WEIGHT, 1, 4, 0, 0, 2])
    commands = [
        bytes([Command.IDENTIFY]),
        bytes([Command.IDENTIFY]) + b"more",
        bytes([Command.POLL]),
        bytes([Command.POLL]) + b"more",
        bytes([Command.COUNTERS, 1]),
        bytes([Command.EVENTS, 0x31]),
        bytes([Command.EVENTS]),
        load,
        read,
        read + b"more",
    ]
    order = []
    for number, first in enumerate(commands):
        order.append(first)
        for second in commands[number + 1 :]:
            order += [first, second]
    order.append(commands[0])
    assert len(set(itertools.pairwise(order))) == len(commands) ** 2
    heard = execute(config, order)
    assert (heard.executed, heard.fault) == ((len(order) + 1) % 256, 0)
    assert [word for _, word in heard.loads] == words * order.count(load)
    assert len(heard.events) == order.count(bytes([Command.EVENTS, 0x31]))
    kinds = {Command.IDENTIFY: Kind.IDENTITY, Command.COUNTERS: Kind.COUNTERS}
    kinds[Command.READ] = Kind.MEMORY
    assert [kind for kind, _ in heard.answers] == [
        kinds[Command(frame[0])] for frame in order if frame[0] in kinds
    ]
    row = whole_bytes(config.weight_row.width)
    bodies = {
        Kind.IDENTITY: identity(LINK, config),
        Kind.MEMORY: bytes(stored(0, 1, 4 + n // row, n % row) for n in range(2)),
    }
    for kind, body in heard.answers:
        assert kind == Kind.COUNTERS or body == bodies[kind]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (bytes([7]), Fault.COMMAND),
        (bytes([0xFF]) + b"abc", Fault.COMMAND),
        (bytes([Command.LOAD, 8, 0, 0, 0, 0, 1]), Fault.COMMAND),
        (bytes([Command.LOAD]), Fault.LENGTH),
        (bytes([Command.LOAD]) + bytes(4), Fault.LENGTH),
        (bytes([Command.LOAD]) + bytes(5 + 1), Fault.LENGTH),
        (bytes([Command.COUNTERS]), Fault.LENGTH),
        (bytes([Command.READ]), Fault.LENGTH),
        (bytes([Command.READ]) + bytes(5), Fault.LENGTH),
        (bytes([Command.READ]) + bytes(6), Fault.LENGTH),
        (bytes([Command.READ, 0, 0, 0, 0, 0, MOST_READ + 1]), Fault.LENGTH),
        (bytes([Command.READ, LoadTarget.CONTROL, 0, 0, 0, 0, 1]), Fault.COMMAND),
        (bytes([Command.READ, 200, 0, 0, 0, 0, 1]), Fault.COMMAND),
        (bytes([Command.EVENTS, 0x30, 0x05, 0x30]), Fault.CODE),
        (bytes([Command.EVENTS, 0x1F]), Fault.CODE),
        (bytes([Command.EVENTS, 0x00]), Fault.CODE),
        (bytes([Command.EVENTS, 0x01]), Fault.CODE),
    ],
)
def test_faults_stop_it(frame: bytes, reason: Fault) -> None:
    """The frame before is executed, the faulty one and those after it are not."""
    config = CONFIGS["two tiles"]
    load, _ = load_frame(config, LoadTarget.WEIGHT, 0, 0, [1])
    after = [bytes([Command.IDENTIFY]), load, bytes([Command.EVENTS, 0x30])]
    heard = execute(config, [bytes([Command.POLL]), frame, *after])
    assert (heard.executed, heard.fault) == (2, reason)
    assert (heard.loads, heard.answers) == ([], [])
    assert len(heard.events) == (0x30 in frame[1:2])


def test_contents_are_baked_until_something_is_loaded_over_them() -> None:
    """Not by a row of CONTROL, nor of a memory that was not baked."""
    config = CONFIGS["not readable"]
    baked = (LoadTarget.WEIGHT, LoadTarget.POPULATION, LoadTarget.CONTROL)
    link = dataclasses.replace(LINK, baked=baked, contents="89abcdef" * 4)
    nothing = link.with_contents(NOTHING, config)
    others = [target for target in config.memories if target not in baked]
    loads = [load_frame(config, target, 0, 0, [0])[0] for target in (*others, LoadTarget.CONTROL)]
    ask = bytes([Command.IDENTIFY])
    for target in (LoadTarget.WEIGHT, LoadTarget.POPULATION):
        over = load_frame(config, target, 0, 0, [0])[0]
        heard = execute(config, [ask, *loads, ask, over, ask, ask], link=link)
        bodies = [body for _, body in heard.answers]
        assert bodies == [identity(link, config)] * 2 + [identity(nothing, config)] * 2
