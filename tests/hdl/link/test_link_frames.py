"""Frames in and out: whole, in order, once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator
from cobs import cobs
from link_board import frame

from spikeloom.golden.link import Refusal
from spikeloom.hdl.link.frame_receiver import FrameReceiver
from spikeloom.hdl.link.frame_sender import IN_FLIGHT, FrameSender

CORRUPT, SESSION, ROOM, MISSING = Refusal
EVERY = 12
"""Clocks from byte to byte; the fastest line takes more than three times as many."""


def contents(seed: int, count: int, most: int) -> list[bytes]:
    """Of any length, with many zeros and none; the longest and the shortest too."""
    print("seed", seed)
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        size = [1, most][number] if number < 2 else int(rng.integers(1, most + 1))
        zeros = rng.choice([0.0, 0.01, 0.3, 1.0])
        data = np.where(rng.random(size) < zeros, 0, rng.integers(1, 256, size))
        found.append(data.astype(np.uint8).tobytes())
    return found


class DecodedRun:
    """What a receiver said of some bytes."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.refused: list[int] = []
        self.repeated = 0
        self.resets: list[tuple[int, int]] = []
        self.expected = 0


def receive(
    line: bytes, *, ready: float = 1.0, pause: tuple[int, int] = (0, 0), seed: int = 9
) -> DecodedRun:
    """Play `line`; bodies are not read from the one clock to the other of `pause`."""
    dut = FrameReceiver(512)
    rng = np.random.default_rng(seed)
    heard = DecodedRun()

    async def bench(ctx: Any) -> None:
        body = bytearray()
        clocks = EVERY * len(line) + int(1600 / ready)
        willing = (rng.random(clocks) < ready).tolist()
        noise = rng.integers(256, size=clocks // EVERY + 1).tolist()
        for clock in range(clocks):
            number, phase = divmod(clock, EVERY)
            if phase == 0:
                ctx.set(dut.valid, number < len(line))
                ctx.set(dut.data, line[number] if number < len(line) else noise[number])
            elif phase == 1:
                ctx.set(dut.valid, 0)
                ctx.set(dut.data, noise[number])
            takes = willing[clock] and not pause[0] <= clock < pause[1]
            ctx.set(dut.body.ready, takes)
            if takes and ctx.get(dut.body.valid):
                body.append(ctx.get(dut.body.p.data))
                if ctx.get(dut.body.p.last):
                    heard.bodies.append(bytes(body))
                    body.clear()
            if ctx.get(dut.refused):
                heard.refused.append(ctx.get(dut.reason))
            heard.repeated += ctx.get(dut.repeated)
            if ctx.get(dut.reset):
                body.clear()
                heard.resets.append((ctx.get(dut.session), ctx.get(dut.before)))
            await ctx.tick()
        heard.expected = ctx.get(dut.expected)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return heard


def numbered(bodies: Sequence[bytes], session: int = 5, first: int = 1) -> list[bytes]:
    return [
        frame(bytes([session, (first + number) % 256]) + body) for number, body in enumerate(bodies)
    ]


RESET = frame(bytes([5, 0, 0]))


@pytest.mark.parametrize("ready", [1.0, 0.2])
def test_frames_are_received(ready: float) -> None:
    bodies = contents(1, 8, 248)
    bodies = [body if body[0] else b"\1" + body[1:] for body in bodies]
    heard = receive(RESET + b"".join(numbered(bodies)), ready=ready)
    assert heard.resets == [(5, 0)]
    assert heard.bodies == bodies
    assert heard.refused == []
    assert heard.expected == 9


def test_numbers_wrap() -> None:
    bodies = [bytes([1 + number % 255]) for number in range(260)]
    heard = receive(RESET + b"".join(numbered(bodies)))
    assert heard.bodies == bodies
    assert heard.expected == 261 % 256


def test_the_buffer_takes_what_the_host_may_send() -> None:
    """All that fits by the host's account is kept, wherever in the ring it begins."""
    rng = np.random.default_rng(3)
    for size in (247, 13):
        bodies, room = [], 512
        while room >= 8:
            bodies.append(rng.integers(1, 256, min(size, room - 7), np.uint8).tobytes())
            room -= len(bodies[-1]) + 7
        # One is read at once, so that the others, which wait, lie anywhere in the ring.
        begin = RESET + numbered([bytes([7]) * size])[0]
        line = begin + b"".join(numbered(bodies, first=2))
        heard = receive(line, pause=(EVERY * len(begin) + 800, EVERY * len(line)))
        assert heard.bodies == [bytes([7]) * size, *bodies]
        assert heard.refused == []


def test_what_has_no_room_is_refused_and_may_come_again() -> None:
    bodies = [bytes([n + 1]) * 200 for n in range(4)]
    frames = numbered(bodies)
    line = RESET + b"".join(frames)
    again = len(line)
    line += frames[2] + frames[3]
    heard = receive(line, pause=(0, EVERY * again))
    assert heard.bodies == bodies
    assert heard.refused == [ROOM]


def test_a_frame_without_room_harms_nothing() -> None:
    """It must not be written over what waits."""
    bodies = [bytes([n + 1]) * 160 for n in range(3)]
    line = RESET + b"".join(numbered(bodies)) + numbered([bytes([9]) * 248], first=4)[0]
    heard = receive(line, pause=(0, EVERY * len(line)))
    assert heard.bodies == bodies
    assert heard.refused == [ROOM]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (frame(bytes([5, 2, 5]))[:-2] + b"\x77\0", CORRUPT),
        (b"\1\0", CORRUPT),
        (b"\5abc\0", CORRUPT),  # ends within a block
        (frame(bytes([5, 2])), CORRUPT),  # 6 bytes
        (frame(bytes([5, 2, 3]) + bytes([1]) * 248), CORRUPT),  # 255 bytes
        (frame(bytes([5, 2, 3]) + bytes([1] * 100 + [0] + [1] * 147)), CORRUPT),  # 255, in 2 blocks
        # The CRC matches, but the last block is not whole.
        (bytes([frame(bytes([5, 2, 5]))[0] + 1]) + frame(bytes([5, 2, 5]))[1:], CORRUPT),
        (frame(bytes([5, 2, 3]) + bytes(300)), CORRUPT),
        (b"\1" * 300 + b"\0", CORRUPT),
        (frame(bytes([6, 2, 5])), SESSION),
        (frame(bytes([5, 4, 5])), MISSING),
        (frame(bytes([5, 2 + 127, 5])), MISSING),
    ],
)
def test_refused(wrong: bytes, reason: int) -> None:
    """What is wrong is refused; once, and what follows in order is accepted."""
    one, two, three = numbered([b"\5a", b"\5b", b"\5c"])
    heard = receive(RESET + one + wrong + wrong + two + wrong + three)
    assert heard.bodies == [b"\5a", b"\5b", b"\5c"]
    assert heard.refused == [reason, reason]
    assert heard.repeated == 0


def test_a_refusal_is_said_again_in_a_new_session() -> None:
    wrong = frame(bytes([6, 2, 5]))
    assert receive(RESET + wrong + wrong + RESET + wrong).refused == [SESSION, SESSION]


@pytest.mark.parametrize("more", [0, 1])
def test_a_frame_never_fills_the_ring(more: int) -> None:
    """A byte stays free; three of the first frame are read already."""
    sizes = 200, 200, 512 + 3 - 1 - 2 * 202 - 2 - 4 + more
    frames = numbered([bytes([7]) * size for size in sizes])
    line = RESET + b"".join(frames)
    heard = receive(line, pause=(0, EVERY * len(line) + 20))
    assert heard.refused == [ROOM] * more
    assert len(heard.bodies) == 3 - more


def test_a_frame_that_came_before_is_ignored() -> None:
    one, two, three = numbered([b"\5a", b"\5b", b"\5c"])
    heard = receive(RESET + one + one + two + two + one + three)
    assert heard.bodies == [b"\5a", b"\5b", b"\5c"]
    assert heard.repeated == 3
    assert heard.refused == []
    # 128 back is before, one more is missing.
    bodies = [b"\5"] * 130
    frames = numbered(bodies)
    heard = receive(RESET + b"".join(frames) + frames[2] + frames[1])
    assert (heard.repeated, heard.refused) == (1, [MISSING])


def test_nothing_between_delimiters_is_no_frame() -> None:
    heard = receive(b"\0\0" + RESET + b"\0\0\0" + numbered([b"\5"])[0] + b"\0")
    assert heard.bodies == [b"\5"]
    assert heard.refused == []


def test_a_reset_discards_what_waits() -> None:
    bodies = [bytes([n + 1]) * 200 for n in range(2)]
    line = RESET + b"".join(numbered(bodies)) + frame(bytes([77, 200, 0]))
    again = len(line)
    line += b"".join(numbered([b"\3x"], session=77))
    heard = receive(line, pause=(0, EVERY * again))
    assert heard.resets == [(5, 0), (77, 5)]
    assert heard.bodies == [b"\3x"]
    assert heard.refused == []
    # Also while one is being read.
    heard = receive(line, ready=0.1)
    assert heard.bodies[-1] == b"\3x"
    assert heard.bodies[:-1] == bodies[: len(heard.bodies) - 1]


def test_any_bytes_then_a_reset() -> None:
    """From any state a delimiter and RESET begin a session; nothing corrupt is accepted."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        high = int(rng.choice([3, 16, 256]))
        noise = rng.integers(0, high, int(rng.integers(1, 400)), np.uint8).tobytes()
        heard = receive(noise + b"\0" + RESET + numbered([b"\3x"])[0], seed=seed)
        assert heard.resets == [(5, 0)]
        assert heard.bodies == [b"\3x"]


def test_corrupt_frames_are_never_accepted() -> None:
    """Any change of a frame's bytes on the way; the CRC sees each of up to 32 bits in a row."""
    rng = np.random.default_rng(8)
    bodies = [b"\3" + rng.integers(0, 256, 30, np.uint8).tobytes() for _ in range(16)]
    line = bytearray(RESET)
    for number, whole in enumerate(numbered(bodies)):
        broken = bytearray(whole)
        match number % 4:
            case 0:
                broken[int(rng.integers(len(whole) - 1))] ^= 1 << int(rng.integers(8))
            case 1:
                del broken[int(rng.integers(len(whole) - 1))]
            case 2:
                at = int(rng.integers(len(whole) - 1))
                broken[at:at] = bytes([int(rng.integers(1, 256))])
            case 3:
                del broken[int(rng.integers(1, len(whole) - 1)) : -1]
        line += broken + whole
    heard = receive(bytes(line))
    assert heard.bodies == bodies
    assert set(heard.refused) == {CORRUPT}


# Sending.


def upper(number: int) -> int:
    """What is exclusive-ored into the first byte of the CRC of a frame; 0 for the first."""
    return 91 * number % 256


def numbered_frame(number: int, content: bytes) -> bytes:
    """The frame without its delimiter."""
    data = bytearray(cobs.decode(frame(content)[:-1]))
    data[-4] ^= upper(number)
    return bytes(cobs.encode(bytes(data)))


def sent(
    frames: Sequence[bytes], *, gap: float, ready: float, discard_at: Sequence[int] = ()
) -> list[bytes]:
    """The frames, each up to its delimiter."""
    dut = FrameSender()
    rng = np.random.default_rng(6)
    heard = bytearray()

    async def filler(ctx: Any) -> None:
        for number, content in enumerate(frames):
            for place, byte in enumerate([*content, None]):
                while rng.random() < gap:
                    await ctx.tick()
                while not ctx.get(dut.content.ready):
                    await ctx.tick()
                assert ctx.get(dut.full) == (place >= 250 - IN_FLIGHT)
                ctx.set(dut.content.p.data, upper(number) if byte is None else byte)
                ctx.set(dut.content.p.end, byte is None)
                ctx.set(dut.content.valid, 1)
                await ctx.tick()
                ctx.set(dut.content.valid, 0)
                if number in discard_at and place == len(content) // 2:
                    ctx.set(dut.discard, 1)
                    await ctx.tick()
                    ctx.set(dut.discard, 0)
                    break
        for _ in range(30_000):
            if heard.count(0) == len(frames) - len(discard_at):
                return
            await ctx.tick()
        raise AssertionError("frames are missing")

    async def line(ctx: Any) -> None:
        while True:
            takes = rng.random() < ready
            ctx.set(dut.bytes.ready, takes)
            if takes and ctx.get(dut.bytes.valid):
                heard.append(ctx.get(dut.bytes.payload))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(filler)
    simulator.add_testbench(line, background=True)
    simulator.run()
    *whole, rest = bytes(heard).split(b"\0")
    assert rest == b""
    return whole


@pytest.mark.parametrize("ready", [1.0, 0.1])
@pytest.mark.parametrize("gap", [0.0, 0.7])
def test_frames_are_sent(gap: float, ready: float) -> None:
    frames = contents(4, 6, 250)
    assert sent(frames, gap=gap, ready=ready) == [
        numbered_frame(number, content) for number, content in enumerate(frames)
    ]


def test_what_is_discarded_is_not_sent() -> None:
    """The frame that is being sent ends as it was."""
    frames = [content for content in contents(5, 9, 250) if len(content) > 2]
    dropped = range(1, len(frames), 3)
    expected = [numbered_frame(n, c) for n, c in enumerate(frames) if n not in dropped]
    assert sent(frames, gap=0.0, ready=0.1, discard_at=dropped) == expected


async def give(ctx: Any, dut: FrameSender, content: bytes) -> None:
    """A frame, each byte of it offered until it is taken; up to then its end changes nothing."""
    free = ctx.get(dut.free)
    for byte in (*content, None):
        ctx.set(dut.content.p.data, byte or 0)
        ctx.set(dut.content.p.end, byte is None)
        ctx.set(dut.content.valid, 1)
        while not ctx.get(dut.content.ready):
            assert ctx.get(dut.free) == free
            await ctx.tick()
        await ctx.tick()
        ctx.set(dut.content.valid, 0)


async def listen(ctx: Any, dut: FrameSender, clocks: int) -> bytes:
    """What comes, as fast as it does."""
    heard = bytearray()
    ctx.set(dut.bytes.ready, 1)
    for _ in range(clocks):
        if ctx.get(dut.bytes.valid):
            heard.append(ctx.get(dut.bytes.payload))
        await ctx.tick()
    ctx.set(dut.bytes.ready, 0)
    return bytes(heard)


def test_a_frame_is_discarded_up_to_the_clock_in_which_it_is_taken_over() -> None:
    dut = FrameSender()
    whole = numbered_frame(0, b"ab") + b"\0"
    last = dut.latency - 3  # clocks from there to the first byte

    async def bench(ctx: Any) -> None:
        for delay in (0, 1, last - 1, last, last + 1, last + 2):
            assert ctx.get(dut.free)
            await give(ctx, dut, b"ab")
            early = await listen(ctx, dut, delay - 1) if delay else b""
            assert early == b""
            assert not ctx.get(dut.free)
            ctx.set(dut.discard, 1)
            await ctx.tick()
            ctx.set(dut.discard, 0)
            heard = await listen(ctx, dut, 150)
            assert heard == (whole if delay > last else b""), delay

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_a_frame_that_waits_for_the_line_is_discarded() -> None:
    """The one before it ends, then the line is free."""
    dut = FrameSender()

    async def bench(ctx: Any) -> None:
        await give(ctx, dut, b"ab")
        await ctx.tick().repeat(60)
        await give(ctx, dut, b"cde")
        await ctx.tick().repeat(60)
        ctx.set(dut.discard, 1)
        await ctx.tick()
        ctx.set(dut.discard, 0)
        assert await listen(ctx, dut, 150) == numbered_frame(0, b"ab") + b"\0"
        assert ctx.get(dut.free)
        await give(ctx, dut, b"f")
        assert await listen(ctx, dut, 150) == numbered_frame(0, b"f") + b"\0"

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
