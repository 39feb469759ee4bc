"""Reader: what READ asks for is fetched from the read port, byte by byte."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.link import MOST_READ, Fault, whole_bytes
from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.common.read import read_signature
from spikeloom.hdl.link.frame_receiver import BYTE
from spikeloom.hdl.link.row_address import PLACE, keep_place


class State(enum.Enum, shape=unsigned(2)):
    """What the reader does."""

    HEAD = 0
    FETCH = 1
    OFFER = 2
    END = 3


HEAD = PLACE + 1
"""Bytes of READ: where, and how many bytes."""


class Reader(wiring.Component):
    """Walks the rows that READ asks for.

    Timing: a byte in `config.read_clocks` + 3 clocks, if it is taken at once.

    Parameters
    ----------
    config
        Sizes of the fabric, with `readable`.

    Members
    -------
    body : In(stream.Signature(BYTE))
        The body of a READ.
    accepted : Out(1)
        In one clock: it can be answered.
    fault : Out(2)
        A `Fault`, in one clock and instead; else 0.
    read : Out(read_signature(config))
    answer : Out(stream.Signature(BYTE))
        The body of MEMORY.
    done : Out(1)
        In one clock: all of it was taken, and not only by a place that keeps it.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        super().__init__(
            {
                "body": In(stream.Signature(BYTE)),
                "accepted": Out(1),
                "fault": Out(2),
                "read": Out(read_signature(config)),
                "answer": Out(stream.Signature(BYTE)),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        state = Signal(State)
        count = Signal(range(max(HEAD, config.read_clocks + 1)))  # of the head; then clocks
        left = Signal(range(MOST_READ + 1))
        body, answer, word = self.body, self.answer, self.read.word
        target, tile = Signal.like(word.target), Signal.like(word.tile)
        address, byte = Signal.like(word.address), Signal.like(word.byte)

        ends_row = Signal()
        exists = Signal()  # the memory that the first byte of the head names
        m.d.comb += exists.eq(body.p.data.matches(*config.readable_memories))
        with m.Switch(target):
            for number, (row, _) in config.readable_memories.items():
                with m.Case(number):
                    m.d.comb += ends_row.eq(byte == whole_bytes(row.width) - 1)

        m.d.comb += [
            word.target.eq(target),
            word.tile.eq(tile),
            word.address.eq(address),
            word.byte.eq(byte),
            self.read.active.eq(state != State.HEAD),
            body.ready.eq(state == State.HEAD),
            answer.valid.eq(state == State.OFFER),
            answer.p.last.eq(left == 0),
        ]
        with m.Switch(state):
            with m.Case(State.HEAD):
                with m.If(body.valid):
                    m.d.sync += count.eq(count + 1)
                    keep_place(m, count, body.p.data, target, tile, address)
                    with m.If((count == 0) & ~exists):
                        m.d.comb += self.fault.eq(Fault.COMMAND)
                    with m.Elif(count == HEAD - 1):
                        m.d.sync += [left.eq(body.p.data - 1), byte.eq(0), count.eq(0)]
                        with m.If((body.p.data == 0) | (body.p.data > MOST_READ)):
                            m.d.comb += self.fault.eq(Fault.LENGTH)
                        with m.Else():
                            m.d.comb += self.accepted.eq(1)
                            m.d.sync += state.eq(State.FETCH)
                    with m.Elif(body.p.last):
                        m.d.comb += self.fault.eq(Fault.LENGTH)
            with m.Case(State.FETCH):
                m.d.sync += count.eq(count + 1)
                with m.If(count == config.read_clocks):
                    m.d.sync += [answer.p.data.eq(self.read.data), state.eq(State.OFFER)]
            with m.Case(State.OFFER):
                with m.If(answer.ready):
                    m.d.sync += [
                        count.eq(0),
                        left.eq(left - 1),
                        byte.eq(byte + 1),
                        state.eq(State.FETCH),
                    ]
                    with m.If(ends_row):
                        m.d.sync += [byte.eq(0), address.eq(address + 1)]
                    with m.If(answer.p.last):
                        m.d.sync += state.eq(State.END)
            with m.Case(State.END):
                # Only now does nobody have to know any more what the answer is.
                with m.If(answer.ready):
                    m.d.comb += self.done.eq(1)
                    m.d.sync += [count.eq(0), state.eq(State.HEAD)]
        return m
