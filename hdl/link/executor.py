"""Executor: does what accepted frames ask for, one after the other."""

from amaranth import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import enum, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from spikeloom.golden.contents import NOTHING
from spikeloom.golden.link import Command, Fault, Kind, LinkConfig, identity
from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.hdl.common.read import read_signature
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.link.event_codes import EventCodes
from spikeloom.hdl.link.frame_receiver import BYTE
from spikeloom.hdl.link.loader import Loader, counter_bytes
from spikeloom.hdl.link.reader import Reader


class State(enum.Enum, shape=unsigned(3)):
    """What the executor does."""

    COMMAND = 0
    LOAD = 1
    EVENTS = 2
    COUNTERS = 3
    ANSWER = 4
    REST = 5
    FAULT = 6
    READ = 7


class Executor(wiring.Component):
    """Executes commands; the frames to the host are made elsewhere.

    Timing: a byte in 2 clocks where the fabric does not make it wait, but for what `EventCodes` and
    `Loader` say.

    Parameters
    ----------
    config, link
        What the board is built with.

    Members
    -------
    body : In(stream.Signature(BYTE))
        Command and body of each accepted frame.
    host_in : Out(stream.Signature(config.host_in))
    load : Out(stream.Signature(config.load))
    read : Out(read_signature(config))
        With `readable` only.
    counters : In(config.counters)
    executed : Out(8)
        The frame that is executed next.
    answer : Out(stream.Signature(BYTE))
        The body of an answer.
    answers : Out(Kind)
        Its kind.
    fault : Out(2)
        A `Fault` that stopped the executor, or 0.
    """

    def __init__(self, config: FabricConfig, link: LinkConfig) -> None:
        self.config = config
        self.link = link
        super().__init__(
            {
                "body": In(stream.Signature(BYTE)),
                "host_in": Out(stream.Signature(struct(config.host_in))),
                "load": Out(stream.Signature(struct(config.load))),
                **({"read": Out(read_signature(config))} if config.readable else {}),
                "counters": In(struct(config.counters)),
                "executed": Out(8, init=1),
                "answer": Out(stream.Signature(BYTE)),
                "answers": Out(Kind),
                "fault": Out(2),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        m.submodules.events = events = EventCodes(config)
        m.submodules.loader = loader = Loader(config)
        connect(m, events.host_in, flipped(self.host_in))
        connect(m, loader.load, flipped(self.load))

        text = identity(self.link, config)
        place = Signal(range(len(text)))
        rom_address: Value = place
        rom_text = text
        if self.link.baked:
            # Which contents there are is as long true as nothing is loaded over them: a state of
            # the memories, so it lasts as long as theirs, over a reset. A second page of the ROM is
            # what the board says from then on.
            changed = Signal(reset_less=True)
            targets = sum(1 << target for target in self.link.baked if target != LoadTarget.CONTROL)
            with m.If(loader.load.valid & Const(targets, 8).bit_select(loader.load.p.target, 1)):
                m.d.sync += changed.eq(1)
            rom_address = Cat(place, changed)
            page = 1 << len(place)
            without = identity(self.link.with_contents(NOTHING, config), config)
            rom_text = text.ljust(page, b"\0") + without
        m.submodules.identity = rom = Memory(
            shape=8, depth=len(rom_text), init=rom_text, attrs={"rom_style": "block"}
        )
        rom_read = rom.read_port()
        left = Signal(range(max(len(text), counter_bytes(config))))
        fetched = Signal()
        is_identity = Signal()

        state = Signal(State)
        body, answer = self.body, self.answer
        ends = Signal()  # the last byte of the body is taken
        ended = Signal()  # it was
        m.d.comb += [
            ends.eq(body.valid & body.ready & body.p.last),
            events.codes.payload.eq(body.p.data),
            loader.body.p.eq(body.p),
            loader.counters.eq(self.counters),
            loader.tile.eq(body.p.data),
            rom_read.addr.eq(rom_address),
            answer.p.data.eq(Mux(is_identity, rom_read.data, loader.byte)),
            answer.p.last.eq(left == 0),
            self.answers.eq(Mux(is_identity, Kind.IDENTITY, Kind.COUNTERS)),
        ]
        with_body = [Command.LOAD, Command.COUNTERS]
        if config.readable:
            with_body.append(Command.READ)
            m.submodules.reader = reader = Reader(config)
            connect(m, reader.read, flipped(self.read))
            m.d.comb += reader.body.p.eq(body.p)
        # What a state finds out counts a clock later; a fault goes before all else.
        done, finished = Signal(), Signal()
        fault, stopped = Signal.like(self.fault), Signal.like(self.fault)
        with m.Switch(state):
            with m.Case(State.COMMAND):
                m.d.comb += body.ready.eq(1)
                m.d.sync += [ended.eq(body.p.last), fetched.eq(0), place.eq(0)]
                m.d.sync += is_identity.eq(body.p.data == Command.IDENTIFY)
                m.d.sync += left.eq(
                    Mux(body.p.data == Command.IDENTIFY, len(text), counter_bytes(config)) - 1
                )
                with m.If(body.valid):
                    with m.Switch(body.p.data):
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
                        if config.readable:
                            with m.Case(Command.READ):
                                m.d.sync += state.eq(State.READ)
                        with m.Default():
                            m.d.comb += fault.eq(Fault.COMMAND)
                    with m.If(body.p.last & body.p.data.matches(*with_body)):
                        m.d.comb += fault.eq(Fault.LENGTH)
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
                with m.If(ends):
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
                m.d.comb += answer.valid.eq(fetched)
                m.d.sync += fetched.eq(1)
                with m.If(answer.valid & answer.ready):
                    m.d.comb += loader.shift.eq(1)
                    m.d.sync += [fetched.eq(0), place.eq(place + 1), left.eq(left - 1)]
                    with m.If(answer.p.last):
                        m.d.sync += state.eq(State.REST)
            if config.readable:
                with m.Case(State.READ):
                    m.d.comb += [
                        reader.body.valid.eq(body.valid),
                        body.ready.eq(reader.body.ready),
                        answer.valid.eq(reader.answer.valid),
                        answer.p.eq(reader.answer.p),
                        reader.answer.ready.eq(answer.ready),
                        self.answers.eq(Kind.MEMORY),
                        done.eq(reader.accepted),
                        fault.eq(reader.fault),
                    ]
                    with m.If(ends):
                        m.d.sync += ended.eq(1)
                    with m.If(reader.done):
                        m.d.sync += state.eq(State.REST)
            with m.Case(State.REST):
                # Bytes that the command does not want.
                m.d.comb += body.ready.eq(~ended)
                with m.If(ends | ended):
                    m.d.sync += state.eq(State.COMMAND)
        m.d.sync += [finished.eq(done & (stopped == 0)), stopped.eq(fault)]
        with m.If(finished):
            m.d.sync += self.executed.eq(self.executed + 1)
        with m.If(stopped != 0):
            m.d.sync += [self.fault.eq(stopped), state.eq(State.FAULT)]
        return m
