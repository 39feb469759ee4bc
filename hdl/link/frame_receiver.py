"""Frame receiver: bytes of the line in, commands and bodies of accepted frames out."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from spikeloom.golden.link import CRC_BYTES, HOST_HEADER, Command, Refusal
from spikeloom.hdl.common.shapes import memory
from spikeloom.hdl.link.checksum import Checksum
from spikeloom.hdl.link.cobs_decoder import CobsDecoder
from spikeloom.hdl.link.frame_reader import FrameReader
from spikeloom.hdl.link.ports import BODY

MIN_LENGTH = HOST_HEADER + CRC_BYTES
"""Bytes of the shortest frame, without COBS."""


class FrameReceiver(wiring.Component):
    """Stores intact frames that arrive in order until they are read.

    A frame is written into a ring behind the accepted ones and becomes one of them only at its
    end. Then the address of the next frame replaces its first byte, the session, and the next
    frame overwrites its CRC.

    Timing: the command of an accepted frame is at `body` `latency` clocks after its delimiter, if
    no frame is before it, and the next byte 3 clocks after one was taken. `refused`, `repeated` and
    `reset` are 1 two clocks after the delimiter. Bytes from the line are 12 clocks or more apart.

    Parameters
    ----------
    buffer
        Bytes of the ring, a power of two, 512 or more.

    Members
    -------
    valid : In(1)
        There is a byte from the line.
    data : In(8)
        The byte.
    body : Out(stream.Signature(BODY))
        Command and body of the accepted frames.
    session : Out(8)
        Number of the session.
    expected : Out(8)
        Number of the frame that is accepted next.
    before : Out(8)
        Number of the session before.
    reset : Out(1)
        For one clock: a session begins in the next.
    refused : Out(1)
        For one clock: a frame was refused, the first one since a frame was accepted.
    reason : Out(3)
        The `Refusal`, with `refused`.
    repeated : Out(1)
        For one clock: a frame arrived that was accepted before.
    """

    def __init__(self, buffer: int) -> None:
        self.buffer = buffer
        super().__init__(
            {
                "valid": In(1),
                "data": In(8),
                "body": Out(stream.Signature(BODY)),
                "session": Out(8),
                "expected": Out(8, init=1),
                "before": Out(8),
                "reset": Out(1),
                "refused": Out(1),
                "reason": Out(3),
                "repeated": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from the delimiter of a frame to its command."""
        return 8

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.ring = ring = memory(unsigned(8), self.buffer)
        write, read = ring.write_port(), ring.read_port()
        m.submodules.decoder = decoder = CobsDecoder()
        m.submodules.checksum = checksum = Checksum()
        m.submodules.reader = reader = FrameReader(self.buffer)
        connect(m, reader.body, flipped(self.body))
        start = Signal(range(self.buffer))  # address of the frame that is being received
        byte = decoder.byte
        m.d.comb += [
            decoder.valid.eq(self.valid),
            decoder.data.eq(self.data),
            checksum.valid.eq(decoder.decoded),
            checksum.data.eq(byte),
            reader.start.eq(start),
            reader.clear.eq(self.reset),
            read.addr.eq(reader.address),
            reader.data.eq(read.data),
        ]

        # Header fields, and whether there is room. `full` is 1 where the next byte would overwrite
        # the one that is read next; the first byte of a frame never does. Bytes are far enough
        # apart for registers at `address` and `full`.
        address = Signal(range(self.buffer))
        incoming = Signal(8)
        is_reset = Signal()
        known = Signal()
        following = Signal()
        repeated = Signal()
        ahead = Signal(8)
        full = Signal()
        overflowed = Signal()
        m.d.sync += [
            address.eq(start + decoder.count),
            full.eq((address == reader.address) & (decoder.count != 0)),
        ]
        m.d.comb += ahead.eq(byte - self.expected)
        with m.If(decoder.decoded):
            with m.Switch(decoder.count):
                with m.Case(0):
                    m.d.sync += [incoming.eq(byte), known.eq(byte == self.session)]
                with m.Case(1):
                    m.d.sync += [following.eq(ahead == 0), repeated.eq(ahead[-1])]
                with m.Case(2):
                    m.d.sync += is_reset.eq(byte == Command.RESET)
            with m.If(full):
                m.d.sync += overflowed.eq(1)

        # The end of a frame: judged in one clock, accepted in the next.
        judge = Signal()
        accept = Signal()
        judged = Signal()
        intact = Signal()
        silent = Signal()  # a frame was refused, and none accepted since
        m.d.sync += [
            judge.eq(decoder.end),
            judged.eq(judge),
            intact.eq(
                checksum.match & decoder.on_code & (decoder.count >= MIN_LENGTH) & ~decoder.too_long
            ),
            accept.eq(0),
            self.reset.eq(0),
            self.refused.eq(0),
            self.repeated.eq(0),
        ]

        def refuse(reason: Refusal) -> None:
            m.d.sync += [self.refused.eq(~silent), self.reason.eq(reason), silent.eq(1)]

        with m.If(judge):
            with m.If(~intact):
                refuse(Refusal.CORRUPT)
            with m.Elif(is_reset):
                m.d.sync += [
                    self.reset.eq(1),
                    self.before.eq(self.session),
                    self.session.eq(incoming),
                    self.expected.eq(1),
                    silent.eq(0),
                ]
            with m.Elif(~known):
                refuse(Refusal.SESSION)
            with m.Elif(repeated):
                m.d.sync += self.repeated.eq(1)
            with m.Elif(~following):
                refuse(Refusal.MISSING)
            with m.Elif(overflowed | full):
                refuse(Refusal.ROOM)
            with m.Else():
                m.d.sync += [accept.eq(1), self.expected.eq(self.expected + 1), silent.eq(0)]
        # The CRC is not needed any more: the next frame starts at its first byte.
        next_start = Signal(range(self.buffer))
        m.d.comb += [
            next_start.eq(address - CRC_BYTES),
            decoder.clear.eq(judged),
            checksum.start.eq(judged),
            write.en.eq(decoder.decoded & ~full & ~overflowed | accept),
            write.addr.eq(Mux(accept, start, address)),
            write.data.eq(Mux(accept, next_start[:8], byte)),
        ]
        with m.If(judged):
            m.d.sync += overflowed.eq(0)
        with m.If(accept):
            m.d.sync += start.eq(next_start)
        with m.If(self.reset):
            m.d.sync += start.eq(0)
        return m
