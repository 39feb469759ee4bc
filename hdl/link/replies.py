"""Replies: the frames that the board sends."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.link import Kind
from spikeloom.hdl.link.ports import BODY, CONTENT


class Header(enum.Enum, shape=unsigned(3)):
    """Bytes before the body."""

    SESSION = 0
    SEQUENCE = 1
    KIND = 2
    EXECUTED = 3
    EXPECTED = 4


class Replies(wiring.Component):
    """Chooses the kind of the next frame and sends its content.

    A frame of results grows until the line is free and no code waits, until it is full, or until
    another frame is pending.

    Timing: a frame starts `latency` clocks after its cause; then one byte in every clock in which
    `content` takes one.

    Members
    -------
    content : Out(stream.Signature(CONTENT))
        Content of the frames.
    full : In(1)
        The frame is full.
    free : In(1)
        The line is free, and no frame waits for it.
    session : In(8)
        Number of the session.
    expected : In(8)
        Number of the frame that is accepted next.
    before : In(8)
        Number of the session before.
    executed : In(8)
        Number of the frame that is executed next.
    begun : In(1)
        For one clock: a session has begun.
    refused : In(1)
        For one clock: a frame was refused.
    reason : In(3)
        The `Refusal`, with `refused`.
    repeated : In(1)
        For one clock: a frame arrived that was accepted before.
    fault : In(2)
        The `Fault` that stopped the executor, or 0.
    answer : In(stream.Signature(BODY))
        Body of an answer.
    answers : In(Kind)
        Kind of the answer.
    codes : In(stream.Signature(8))
        Body of RESULTS.
    quiet : In(1)
        No code is on its way.
    """

    content: Out(stream.Signature(CONTENT))
    full: In(1)
    free: In(1)
    session: In(8)
    expected: In(8)
    before: In(8)
    executed: In(8)
    begun: In(1)
    refused: In(1)
    reason: In(3)
    repeated: In(1)
    fault: In(2)
    answer: In(stream.Signature(BODY))
    answers: In(Kind)
    codes: In(stream.Signature(8))
    quiet: In(1)

    @property
    def latency(self) -> int:
        """Clocks from an answer to the first byte of its frame."""
        return 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        header = Signal(Header)
        sequence = Signal(16)  # its upper byte is in the CRC alone
        kind = Signal(Kind)

        # Causes of frames, until the frame is sent.
        ready = Signal()
        refusal = Signal(3)
        twice = Signal()
        fault_sent = Signal()
        sent = Signal(8, init=1)  # the last `executed` that was sent
        changed = Signal()
        urgent = Signal()
        note = Signal(8)
        closes = Signal()  # a frame of results may end
        m.d.sync += closes.eq(self.quiet & (self.free | urgent))
        m.d.sync += changed.eq((sent != self.executed) | twice)
        m.d.comb += urgent.eq(
            ready | (refusal != 0) | ((self.fault != 0) & ~fault_sent) | self.answer.valid
        )

        content = self.content
        taken = Signal()
        m.d.comb += taken.eq(content.valid & content.ready)
        note_sent = Signal()
        with m.FSM():
            with m.State("CHOOSE"):
                m.d.sync += header.eq(Header.SESSION)
                m.next = "HEADER"
                with m.If(ready):
                    m.d.sync += [kind.eq(Kind.READY), note.eq(self.before)]
                with m.Elif(refusal != 0):
                    m.d.sync += [kind.eq(Kind.REFUSED), note.eq(refusal)]
                with m.Elif((self.fault != 0) & ~fault_sent):
                    m.d.sync += [kind.eq(Kind.FAULT), note.eq(self.fault)]
                with m.Elif(self.answer.valid):
                    m.d.sync += kind.eq(self.answers)
                with m.Elif(self.codes.valid):
                    m.d.sync += kind.eq(Kind.RESULTS)
                with m.Elif(changed & self.free & self.content.ready):
                    # The end of the frame before has left, so `free` speaks of that one, too: a
                    # frame with a body that follows would report the same.
                    m.d.sync += kind.eq(Kind.STATUS)
                with m.Else():
                    m.next = "CHOOSE"
            with m.State("HEADER"):
                m.d.comb += content.valid.eq(1)
                with m.If(taken):
                    m.d.sync += header.eq(header.as_value() + 1)
                with m.Switch(header):
                    with m.Case(Header.SESSION):
                        m.d.comb += content.p.data.eq(self.session)
                    with m.Case(Header.SEQUENCE):
                        m.d.comb += content.p.data.eq(sequence[:8])
                    with m.Case(Header.KIND):
                        m.d.comb += content.p.data.eq(kind)
                    with m.Case(Header.EXECUTED):
                        m.d.comb += content.p.data.eq(self.executed)
                        m.d.sync += sent.eq(self.executed)
                    with m.Case(Header.EXPECTED):
                        m.d.comb += content.p.data.eq(self.expected)
                        m.d.sync += twice.eq(0)
                        with m.If(taken):
                            m.next = "BODY"
            with m.State("BODY"):
                with m.Switch(kind):
                    with m.Case(Kind.STATUS):
                        m.next = "END"
                    with m.Case(Kind.READY, Kind.REFUSED, Kind.FAULT):
                        m.d.comb += [content.valid.eq(1), content.p.data.eq(note)]
                        m.d.comb += note_sent.eq(taken)
                        with m.If(taken):
                            m.next = "END"
                    with m.Case(Kind.IDENTITY, Kind.COUNTERS, Kind.MEMORY):
                        m.d.comb += [
                            content.valid.eq(self.answer.valid),
                            content.p.data.eq(self.answer.p.data),
                            self.answer.ready.eq(content.ready),
                        ]
                        with m.If(taken & self.answer.p.last):
                            m.next = "END"
                    with m.Case(Kind.RESULTS):
                        m.d.comb += [
                            content.valid.eq(self.codes.valid & ~self.full),
                            content.p.data.eq(self.codes.payload),
                            self.codes.ready.eq(content.ready & ~self.full),
                        ]
                        with m.If(self.full | closes):
                            m.next = "END"
            with m.State("END"):
                m.d.comb += [
                    content.valid.eq(1),
                    content.p.end.eq(1),
                    content.p.data.eq(sequence[8:]),
                ]
                with m.If(taken):
                    m.d.sync += sequence.eq(sequence + 1)
                    m.next = "CHOOSE"

        with m.If(note_sent):
            with m.Switch(kind):
                with m.Case(Kind.READY):
                    m.d.sync += ready.eq(0)
                with m.Case(Kind.REFUSED):
                    m.d.sync += refusal.eq(0)
                with m.Case(Kind.FAULT):
                    m.d.sync += fault_sent.eq(1)
        with m.If(self.begun):
            m.d.sync += ready.eq(1)
        with m.If(self.refused):
            m.d.sync += refusal.eq(self.reason)
        with m.If(self.repeated):
            m.d.sync += twice.eq(1)
        return m
