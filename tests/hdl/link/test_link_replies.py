"""What the board says: which frame comes next, its header, and where a frame of results ends."""

from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from spikeloom.golden.link import Fault, Kind, Refusal
from spikeloom.hdl.link.replies import Replies


@dataclass(frozen=True)
class Frame:
    """Content of a frame, with what ends it."""

    session: int
    sequence: int
    kind: Kind
    executed: int
    expected: int
    body: bytes


class Host:
    """Drives a `Replies` as the rest of the link does, and keeps its frames."""

    def __init__(self, ctx: Any, dut: Replies, pace: float, most: int) -> None:
        self.ctx, self.dut, self.pace, self.most = ctx, dut, pace, most
        self.rng = np.random.default_rng(12)
        self.frames: list[Frame] = []
        self.codes: deque[int] = deque()
        self.answer: deque[int] = deque()
        self.busy = 0  # clocks until the line is free
        self.line = 0  # clocks that a frame takes
        self.content = bytearray()
        self._answers = False  # the first byte of `answer` is offered
        ctx.set(dut.session, 9)
        ctx.set(dut.before, 77)
        ctx.set(dut.executed, 1)
        ctx.set(dut.expected, 1)

    async def tick(self, clocks: int = 1) -> None:
        ctx, dut = self.ctx, self.dut
        for _ in range(clocks):
            takes = self.rng.random() < self.pace
            ctx.set(dut.content.ready, takes)
            ctx.set(dut.free, not self.busy)
            ctx.set(dut.codes.valid, bool(self.codes))
            ctx.set(dut.codes.payload, self.codes[0] if self.codes else 0)
            ctx.set(dut.quiet, not self.codes)
            self._answers = self._answers or (bool(self.answer) and self.rng.random() < self.pace)
            ctx.set(dut.answer.valid, self._answers)
            ctx.set(dut.answer.p.data, self.answer[0] if self._answers else 0)
            ctx.set(dut.answer.p.last, len(self.answer) == 1 or not self._answers)
            self.busy = max(self.busy - 1, 0)
            code = self.codes and ctx.get(dut.codes.ready)
            answer = self._answers and ctx.get(dut.answer.ready)
            if takes and ctx.get(dut.content.valid):
                self._take()
            if code:
                self.codes.popleft()
            if answer:
                self.answer.popleft()
                self._answers = False
            await ctx.tick()
            # A register between the two, as in the link.
            ctx.set(dut.full, len(self.content) >= self.most)
            for pulse in (dut.begun, dut.refused, dut.repeated):
                ctx.set(pulse, 0)
            ctx.set(dut.reason, int(self.rng.integers(8)))

    def _take(self) -> None:
        data = self.ctx.get(self.dut.content.p.data)
        if not self.ctx.get(self.dut.content.p.end):
            self.content.append(data)
            return
        session, lower, kind, executed, expected = self.content[:5]
        sequence = data << 8 | lower
        body = bytes(self.content[5:])
        self.frames.append(Frame(session, sequence, Kind(kind), executed, expected, body))
        self.content.clear()
        self.busy = self.line

    def refuse(self, reason: Refusal) -> None:
        self.ctx.set(self.dut.refused, 1)
        self.ctx.set(self.dut.reason, reason)

    async def heard(self, clocks: int = 200) -> list[tuple[Kind, bytes]]:
        """Kind and body of the frames since the last call, after some more clocks."""
        await self.tick(clocks)
        heard = [(frame.kind, frame.body) for frame in self.frames]
        self.frames.clear()
        return heard


Script = Callable[[Host], Coroutine[Any, Any, None]]


def play(script: Script, pace: float = 1.0, most: int = 248) -> None:
    dut = Replies()

    async def bench(ctx: Any) -> None:
        await script(Host(ctx, dut, pace, most))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("pace", [1.0, 0.3])
def test_each_cause_gives_its_frame_once(pace: float) -> None:
    async def script(host: Host) -> None:
        ctx, dut = host.ctx, host.dut
        assert await host.heard() == []
        ctx.set(dut.begun, 1)
        assert await host.heard() == [(Kind.READY, b"\x4d")]
        for reason in Refusal:
            host.refuse(reason)
            assert await host.heard() == [(Kind.REFUSED, bytes([reason]))]
        ctx.set(dut.repeated, 1)
        assert await host.heard() == [(Kind.STATUS, b"")]
        ctx.set(dut.executed, 2)
        assert await host.heard() == [(Kind.STATUS, b"")]
        for kind in (Kind.IDENTITY, Kind.COUNTERS, Kind.MEMORY):
            ctx.set(dut.answers, kind)
            for size in (1, 30):
                body = bytes(range(size))
                host.answer.extend(body)
                assert await host.heard() == [(kind, body)]
        host.codes.extend(b"abc")
        ctx.set(dut.executed, 40)
        ctx.set(dut.repeated, 1)
        assert await host.heard() == [(Kind.RESULTS, b"abc")]
        ctx.set(dut.fault, Fault.COMMAND)
        assert await host.heard() == [(Kind.FAULT, bytes([Fault.COMMAND]))]
        host.codes.extend(b"x")
        assert await host.heard() == [(Kind.RESULTS, b"x")]

    play(script, pace)


def test_the_header() -> None:
    """Session and numbers are those of its clock, and the frames have numbers of two bytes."""

    async def script(host: Host) -> None:
        ctx, dut = host.ctx, host.dut
        for number in range(300):
            session, executed, expected = (int(n) for n in host.rng.integers(256, size=3))
            ctx.set(dut.session, session)
            ctx.set(dut.expected, expected)
            ctx.set(dut.executed, executed)
            ctx.set(dut.repeated, 1)
            before = len(host.frames)
            for _ in range(100):
                if len(host.frames) > before:
                    break
                await host.tick()
            assert host.frames[before:] == [
                Frame(session, number, Kind.STATUS, executed, expected, b"")
            ]

    play(script)


@pytest.mark.parametrize("pace", [1.0, 0.3])
def test_of_several_causes_the_urgent_come_first(pace: float) -> None:
    async def script(host: Host) -> None:
        ctx, dut = host.ctx, host.dut
        ctx.set(dut.begun, 1)
        host.refuse(Refusal.ROOM)
        await host.tick()
        ctx.set(dut.fault, Fault.CODE)
        ctx.set(dut.repeated, 1)
        ctx.set(dut.answers, Kind.COUNTERS)
        host.answer.extend(b"123")
        host.codes.extend(b"abc")
        assert await host.heard(400) == [
            (Kind.READY, b"\x4d"),
            (Kind.REFUSED, bytes([Refusal.ROOM])),
            (Kind.FAULT, bytes([Fault.CODE])),
            (Kind.COUNTERS, b"123"),
            (Kind.RESULTS, b"abc"),
        ]

    play(script, pace)


@pytest.mark.parametrize("pace", [1.0, 0.3])
def test_a_status_waits_until_the_line_is_free(pace: float) -> None:
    """Several frames that are executed meanwhile are reported together, or by another frame."""

    async def script(host: Host) -> None:
        ctx, dut = host.ctx, host.dut
        host.line = 500
        ctx.set(dut.executed, 2)
        assert await host.heard() == [(Kind.STATUS, b"")]
        for executed in (3, 4, 5):
            ctx.set(dut.executed, executed)
            assert await host.heard(60) == []
        assert await host.heard(500) == [(Kind.STATUS, b"")]
        ctx.set(dut.executed, 6)
        assert await host.heard(100) == []
        host.refuse(Refusal.CORRUPT)
        assert await host.heard(100) == [(Kind.REFUSED, bytes([Refusal.CORRUPT]))]
        assert await host.heard(1200) == []

    play(script, pace)


@pytest.mark.parametrize("pace", [1.0, 0.3])
def test_where_results_end(pace: float) -> None:
    """When the line is free and nothing more comes, when the frame is full, when others wait."""

    async def script(host: Host) -> None:
        ctx, dut = host.ctx, host.dut
        ctx.set(dut.answers, Kind.IDENTITY)
        host.line = 600
        host.codes.extend(b"a")
        assert await host.heard(100) == [(Kind.RESULTS, b"a")]
        # The line is in use: they collect.
        for code in b"bcd":
            host.codes.append(code)
            assert await host.heard(60) == []
        assert await host.heard(500) == [(Kind.RESULTS, b"bcd")]
        # Something that cannot wait ends the frame, but not before the codes on their way.
        host.codes.extend(b"efg")
        assert await host.heard(60) == []
        host.codes.extend(bytes(30))
        host.refuse(Refusal.MISSING)
        assert await host.heard(300) == [
            (Kind.RESULTS, b"efg" + bytes(30)),
            (Kind.REFUSED, bytes([Refusal.MISSING])),
        ]
        # So do the others that cannot wait, each once.
        for cause, frame in (
            (lambda: ctx.set(dut.begun, 1), (Kind.READY, b"\x4d")),
            (lambda: ctx.set(dut.fault, Fault.CODE), (Kind.FAULT, bytes([Fault.CODE]))),
            (lambda: host.answer.extend(b"1"), (Kind.IDENTITY, b"1")),
        ):
            host.codes.extend(b"xy")
            assert await host.heard(60) == []
            cause()
            assert await host.heard(200) == [(Kind.RESULTS, b"xy"), frame]
        await host.heard(1000)
        data = bytes(range(100))
        host.codes.extend(data)
        bodies = [body for kind, body in await host.heard(2500) if kind == Kind.RESULTS]
        assert b"".join(bodies) == data
        assert len(bodies) >= 3
        assert all(host.most - 5 <= len(body) <= host.most - 5 + 2 for body in bodies[:-1])

    play(script, pace, most=40)


def test_a_refusal_while_one_is_being_sent_is_not_lost() -> None:
    """The first frame is not taken to its end before the next refusal comes."""

    async def script(host: Host) -> None:
        host.refuse(Refusal.ROOM)
        while len(host.content) < 6:
            await host.tick()
        host.pace = 0.0
        host.refuse(Refusal.SESSION)
        await host.tick(9)
        host.pace = 1.0
        assert await host.heard() == [
            (Kind.REFUSED, bytes([Refusal.ROOM])),
            (Kind.REFUSED, bytes([Refusal.SESSION])),
        ]

    play(script)
