"""Replies: what the board says, frame by frame."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.link import Kind
from spikeloom.hdl.link.frame_receiver import BYTE
from spikeloom.hdl.link.frame_sender import PIECE


class State(enum.Enum, shape=unsigned(2)):
    """Where in a frame it is."""

    CHOOSE = 0
    HEADER = 1
    BODY = 2
    END = 3


class Header(enum.Enum, shape=unsigned(3)):
    """The bytes before the body."""

    SESSION = 0
    SEQUENCE = 1
    KIND = 2
    EXECUTED = 3
    EXPECTED = 4


class Replies(wiring.Component):
    """Chooses the next frame and says its content.

    A frame of results grows until the line is free and nothing is to be added, or until it is full,
    or until something else waits.

    Timing: a byte in each clock that `content` takes one.

    Members
    -------
    content : Out(stream.Signature(PIECE))
    full, free : In(1)
        Of the sender.
    session, expected, before, executed : In(8)
        What headers and READY say.
    begun, refused, repeated : In(1), reason : In(3)
        In one clock: a session began; a frame was refused, for a reason; one came twice.
    fault : In(2)
        Why nothing more is executed, or 0.
    answer : In(stream.Signature(BYTE)), answers : In(Kind)
        Body of an answer, and its kind.
    codes : In(stream.Signature(8)), quiet : In(1)
        Body of RESULTS; no code is on its way.
    """

    content: Out(stream.Signature(PIECE))
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
    answer: In(stream.Signature(BYTE))
    answers: In(Kind)
    codes: In(stream.Signature(8))
    quiet: In(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        state = Signal(State)
        header = Signal(Header)
        sequence = Signal(8)
        kind = Signal(Kind)

        # What is to be said, until it was.
        ready, refusal, twice = Signal(), Signal(3), Signal()
        fault_said = Signal()
        said = Signal(8, init=1)  # the last `executed`
        changed = Signal()
        urgent = Signal()
        note = Signal(8)
        closes = Signal()  # nothing is to be added to results
        m.d.sync += closes.eq(self.quiet & (self.free | urgent))
        m.d.sync += changed.eq((said != self.executed) | twice)
        m.d.comb += urgent.eq(
            ready | (refusal != 0) | ((self.fault != 0) & ~fault_said) | self.answer.valid
        )

        content = self.content
        taken = Signal()
        m.d.comb += taken.eq(content.valid & content.ready)
        note_said = Signal()
        with m.Switch(state):
            with m.Case(State.CHOOSE):
                m.d.sync += [header.eq(Header.SESSION), state.eq(State.HEADER)]
                with m.If(ready):
                    m.d.sync += [kind.eq(Kind.READY), note.eq(self.before)]
                with m.Elif(refusal != 0):
                    m.d.sync += [kind.eq(Kind.REFUSED), note.eq(refusal)]
                with m.Elif((self.fault != 0) & ~fault_said):
                    m.d.sync += [kind.eq(Kind.FAULT), note.eq(self.fault)]
                with m.Elif(self.answer.valid):
                    m.d.sync += kind.eq(self.answers)
                with m.Elif(self.codes.valid):
                    m.d.sync += kind.eq(Kind.RESULTS)
                with m.Elif(changed & self.free):
                    m.d.sync += kind.eq(Kind.STATUS)
                with m.Else():
                    m.d.sync += state.eq(State.CHOOSE)
            with m.Case(State.HEADER):
                m.d.comb += content.valid.eq(1)
                with m.If(taken):
                    m.d.sync += header.eq(header.as_value() + 1)
                with m.Switch(header):
                    with m.Case(Header.SESSION):
                        m.d.comb += content.p.data.eq(self.session)
                    with m.Case(Header.SEQUENCE):
                        m.d.comb += content.p.data.eq(sequence)
                    with m.Case(Header.KIND):
                        m.d.comb += content.p.data.eq(kind)
                    with m.Case(Header.EXECUTED):
                        m.d.comb += content.p.data.eq(self.executed)
                        m.d.sync += said.eq(self.executed)
                    with m.Case(Header.EXPECTED):
                        m.d.comb += content.p.data.eq(self.expected)
                        m.d.sync += twice.eq(0)
                        with m.If(taken):
                            m.d.sync += state.eq(State.BODY)
            with m.Case(State.BODY):
                with m.Switch(kind):
                    with m.Case(Kind.STATUS):
                        m.d.sync += state.eq(State.END)
                    with m.Case(Kind.READY, Kind.REFUSED, Kind.FAULT):
                        m.d.comb += [content.valid.eq(1), content.p.data.eq(note)]
                        m.d.comb += note_said.eq(taken)
                        with m.If(taken):
                            m.d.sync += state.eq(State.END)
                    with m.Case(Kind.IDENTITY, Kind.COUNTERS, Kind.MEMORY):
                        m.d.comb += [
                            content.valid.eq(self.answer.valid),
                            content.p.data.eq(self.answer.p.data),
                            self.answer.ready.eq(content.ready),
                        ]
                        with m.If(taken & self.answer.p.last):
                            m.d.sync += state.eq(State.END)
                    with m.Case(Kind.RESULTS):
                        m.d.comb += [
                            content.valid.eq(self.codes.valid & ~self.full),
                            content.p.data.eq(self.codes.payload),
                            self.codes.ready.eq(content.ready & ~self.full),
                        ]
                        with m.If(self.full | closes):
                            m.d.sync += state.eq(State.END)
            with m.Case(State.END):
                m.d.comb += [content.valid.eq(1), content.p.end.eq(1)]
                with m.If(taken):
                    m.d.sync += [sequence.eq(sequence + 1), state.eq(State.CHOOSE)]

        with m.If(note_said):
            with m.Switch(kind):
                with m.Case(Kind.READY):
                    m.d.sync += ready.eq(0)
                with m.Case(Kind.REFUSED):
                    m.d.sync += refusal.eq(0)
                with m.Case(Kind.FAULT):
                    m.d.sync += fault_said.eq(1)
        with m.If(self.begun):
            m.d.sync += ready.eq(1)
        with m.If(self.refused):
            m.d.sync += refusal.eq(self.reason)
        with m.If(self.repeated):
            m.d.sync += twice.eq(1)
        return m
