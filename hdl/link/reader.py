"""Reader: fetches the bytes that READ asks for from the memories."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.link import MOST_READ, Fault, whole_bytes
from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.common.read import read_signature
from spikeloom.hdl.link.ports import BODY
from spikeloom.hdl.link.row_address import ROW_ADDRESS_BYTES, keep_row_address

REQUEST_BYTES = ROW_ADDRESS_BYTES + 1
"""Bytes in the body of READ: the row address, and how many bytes to read."""


class Reader(wiring.Component):
    """Reads rows byte by byte.

    Timing: the first byte is at `answer` `latency` clocks after the last byte of the body was
    taken, and the next one as long after a byte was taken.

    Parameters
    ----------
    config
        Sizes of the fabric, with `readable`.

    Members
    -------
    body : In(stream.Signature(BODY))
        The body of READ.
    accepted : Out(1)
        For one clock: the request is valid and will be answered.
    fault : Out(2)
        For one clock instead of `accepted`: a `Fault`; else 0.
    read : Out(read_signature(config))
        Reads the memories.
    answer : Out(stream.Signature(BODY))
        The body of MEMORY.
    done : Out(1)
        For one clock: the last byte has left the register slice behind `answer`.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        super().__init__(
            {
                "body": In(stream.Signature(BODY)),
                "accepted": Out(1),
                "fault": Out(2),
                "read": Out(read_signature(config)),
                "answer": Out(stream.Signature(BODY)),
                "done": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from the request, or from a byte, to the next byte."""
        return self.config.read_clocks + 2

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        count = Signal(range(max(REQUEST_BYTES, config.read_clocks + 1)))  # bytes, then clocks
        remaining = Signal(range(MOST_READ + 1))
        body, answer, word = self.body, self.answer, self.read.word
        target = Signal.like(word.target)
        tile = Signal.like(word.tile)
        address = Signal.like(word.address)
        byte = Signal.like(word.byte)

        ends_row = Signal()
        exists = Signal()  # the memory that the first byte names
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
            answer.p.last.eq(remaining == 0),
        ]
        with m.FSM() as fsm:
            with m.State("HEAD"):
                with m.If(body.valid):
                    m.d.sync += count.eq(count + 1)
                    keep_row_address(m, count, body.p.data, target, tile, address)
                    with m.If((count == 0) & ~exists):
                        m.d.comb += self.fault.eq(Fault.COMMAND)
                    with m.Elif(count == REQUEST_BYTES - 1):
                        m.d.sync += [remaining.eq(body.p.data - 1), byte.eq(0), count.eq(0)]
                        with m.If((body.p.data == 0) | (body.p.data > MOST_READ)):
                            m.d.comb += self.fault.eq(Fault.LENGTH)
                        with m.Else():
                            m.d.comb += self.accepted.eq(1)
                            m.next = "FETCH"
                    with m.Elif(body.p.last):
                        m.d.comb += self.fault.eq(Fault.LENGTH)
            with m.State("FETCH"):
                m.d.sync += count.eq(count + 1)
                with m.If(count == config.read_clocks):
                    m.d.sync += answer.p.data.eq(self.read.data)
                    m.next = "OFFER"
            with m.State("OFFER"):
                with m.If(answer.ready):
                    m.d.sync += [
                        count.eq(0),
                        remaining.eq(remaining - 1),
                        byte.eq(byte + 1),
                    ]
                    m.next = "FETCH"
                    with m.If(ends_row):
                        m.d.sync += [byte.eq(0), address.eq(address + 1)]
                    with m.If(answer.p.last):
                        m.next = "END"
            with m.State("END"):
                # Until then the executor has to name the kind of the answer.
                with m.If(answer.ready):
                    m.d.comb += self.done.eq(1)
                    m.next = "HEAD"
        m.d.comb += [
            self.read.active.eq(~fsm.ongoing("HEAD")),
            body.ready.eq(fsm.ongoing("HEAD")),
            answer.valid.eq(fsm.ongoing("OFFER")),
        ]
        return m
