"""Executor: carries out the commands of accepted frames, one after another."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from spikeloom.golden.link import Command, Fault, Kind, LinkConfig
from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.common.read import read_signature
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.link.answers import Answers
from spikeloom.hdl.link.event_codes import EventCodes
from spikeloom.hdl.link.loader import Loader
from spikeloom.hdl.link.ports import BODY
from spikeloom.hdl.link.reader import Reader


class State(enum.Enum, shape=unsigned(3)):
    """State of the executor.

    A register and no `m.FSM`: a fault takes it to FAULT from any state, after all other
    transitions.
    """

    COMMAND = 0
    LOAD = 1
    EVENTS = 2
    COUNTERS = 3
    ANSWER = 4
    REST = 5
    FAULT = 6
    READ = 7


class Executor(wiring.Component):
    """Executes commands and sends the bodies of answers.

    Timing: one byte every 2 clocks, plus the clocks that `EventCodes`, `Loader` and the fabric
    take.

    Parameters
    ----------
    config
        Sizes of the fabric.
    link
        Settings of the link.

    Members
    -------
    body : In(stream.Signature(BODY))
        Command and body of each accepted frame.
    host_in : Out(stream.Signature(config.host_in))
        Events and step marks.
    load : Out(stream.Signature(config.load))
        Words for the memories.
    read : Out(read_signature(config))
        With `readable` only: reads the memories.
    counters : In(config.counters)
        Counters of the fabric.
    executed : Out(8)
        Number of the frame that is executed next.
    answer : Out(stream.Signature(BODY))
        Body of an answer.
    answers : Out(Kind)
        Kind of the answer.
    fault : Out(2)
        The `Fault` that stopped the executor, or 0.
    """

    def __init__(self, config: FabricConfig, link: LinkConfig) -> None:
        self.config = config
        self.link = link
        super().__init__(
            {
                "body": In(stream.Signature(BODY)),
                "host_in": Out(stream.Signature(struct(config.host_in))),
                "load": Out(stream.Signature(struct(config.load))),
                **({"read": Out(read_signature(config))} if config.readable else {}),
                "counters": In(struct(config.counters)),
                "executed": Out(8, init=1),
                "answer": Out(stream.Signature(BODY)),
                "answers": Out(Kind),
                "fault": Out(2),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.events = events = EventCodes(self.config)
        m.submodules.loader = loader = Loader(self.config)
        m.submodules.answers = answers = Answers(self.config, self.link)
        connect(m, events.host_in, flipped(self.host_in))
        connect(m, loader.load, flipped(self.load))
        if self.config.readable:
            m.submodules.reader = reader = Reader(self.config)
            connect(m, reader.read, flipped(self.read))
            m.d.comb += reader.body.p.eq(self.body.p)

        state = Signal(State)
        body, answer = self.body, self.answer
        is_last_taken = Signal()  # the last byte of the frame is taken in this clock
        ended = Signal()  # the last byte was taken
        # Both are registered before they take effect; a fault overrides everything else.
        done = Signal()
        finished = Signal()
        fault = Signal.like(self.fault)
        stopped = Signal.like(self.fault)
        m.d.comb += [
            is_last_taken.eq(body.valid & body.ready & body.p.last),
            events.codes.payload.eq(body.p.data),
            loader.body.p.eq(body.p),
            loader.counters.eq(self.counters),
            loader.tile.eq(body.p.data),
            loader.shift.eq(answers.shift),
            answers.identify.eq(body.p.data == Command.IDENTIFY),
            answers.load.eq(loader.load.valid),
            answers.target.eq(loader.load.p.target),
            answers.counters.eq(loader.byte),
            answer.p.eq(answers.body.p),
            self.answers.eq(answers.kind),
        ]
        with m.Switch(state):
            with m.Case(State.COMMAND):
                m.d.comb += [body.ready.eq(1), answers.start.eq(1)]
                m.d.sync += ended.eq(body.p.last)
                with m.If(body.valid):
                    self._dispatch(m, state, done, fault)
            with m.Case(State.LOAD):
                m.d.comb += [
                    loader.body.valid.eq(body.valid),
                    body.ready.eq(loader.body.ready),
                    done.eq(loader.done),
                    fault.eq(loader.fault),
                ]
                with m.If(done):
                    m.d.sync += state.eq(State.COMMAND)
            with m.Case(State.EVENTS):
                m.d.comb += [
                    events.codes.valid.eq(body.valid & ~ended),
                    body.ready.eq(events.codes.ready & ~ended),
                    done.eq(ended & events.idle),
                ]
                with m.If(is_last_taken):
                    m.d.sync += ended.eq(1)
                with m.If(done):
                    m.d.sync += state.eq(State.COMMAND)
                with m.If(events.fault):
                    m.d.comb += fault.eq(Fault.CODE)
            with m.Case(State.COUNTERS):
                m.d.comb += [body.ready.eq(1), loader.capture.eq(1)]
                with m.If(body.valid):
                    m.d.comb += done.eq(1)
                    m.d.sync += [ended.eq(body.p.last), state.eq(State.ANSWER)]
            with m.Case(State.ANSWER):
                m.d.comb += [
                    answers.enable.eq(1),
                    answer.valid.eq(answers.body.valid),
                    answers.body.ready.eq(answer.ready),
                ]
                with m.If(answers.shift & answer.p.last):
                    m.d.sync += state.eq(State.REST)
            if self.config.readable:
                with m.Case(State.READ):
                    self._lend(m, reader)
                    m.d.comb += [done.eq(reader.accepted), fault.eq(reader.fault)]
                    with m.If(is_last_taken):
                        m.d.sync += ended.eq(1)
                    with m.If(reader.done):
                        m.d.sync += state.eq(State.REST)
            with m.Case(State.REST):
                # Drops bytes that the command does not use.
                m.d.comb += body.ready.eq(~ended)
                with m.If(is_last_taken | ended):
                    m.d.sync += state.eq(State.COMMAND)
        m.d.sync += [finished.eq(done & (stopped == 0)), stopped.eq(fault)]
        with m.If(finished):
            m.d.sync += self.executed.eq(self.executed + 1)
        with m.If(stopped != 0):
            m.d.sync += [self.fault.eq(stopped), state.eq(State.FAULT)]
        return m

    def _dispatch(self, m: Module, state: Signal, done: Signal, fault: Signal) -> None:
        """Take the first byte of a frame, its command."""
        command, last = self.body.p.data, self.body.p.last
        needs_body = [Command.LOAD, Command.COUNTERS]
        with m.Switch(command):
            with m.Case(Command.IDENTIFY):
                m.d.comb += done.eq(1)
                m.d.sync += state.eq(State.ANSWER)
            with m.Case(Command.LOAD):
                m.d.sync += state.eq(State.LOAD)
            with m.Case(Command.EVENTS):
                m.d.sync += state.eq(State.EVENTS)
            with m.Case(Command.COUNTERS):
                m.d.sync += state.eq(State.COUNTERS)
            with m.Case(Command.POLL):
                m.d.comb += done.eq(1)
                m.d.sync += state.eq(State.REST)
            if self.config.readable:
                needs_body.append(Command.READ)
                with m.Case(Command.READ):
                    m.d.sync += state.eq(State.READ)
            with m.Default():
                m.d.comb += fault.eq(Fault.COMMAND)
        with m.If(last & command.matches(*needs_body)):
            m.d.comb += fault.eq(Fault.LENGTH)

    def _lend(self, m: Module, reader: Reader) -> None:
        """Lend the streams to the reader."""
        m.d.comb += [
            reader.body.valid.eq(self.body.valid),
            self.body.ready.eq(reader.body.ready),
            self.answer.valid.eq(reader.answer.valid),
            self.answer.p.eq(reader.answer.p),
            reader.answer.ready.eq(self.answer.ready),
            self.answers.eq(Kind.MEMORY),
        ]
