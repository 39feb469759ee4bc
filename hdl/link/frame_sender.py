"""Frame sender: content in, frames for the line out."""

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.hdl import ResetInserter
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.link import CRC_BYTES, LARGEST
from spikeloom.hdl.common.shapes import memory
from spikeloom.hdl.link.checksum import Checksum
from spikeloom.hdl.link.ports import CONTENT

IN_FLIGHT = 2
"""Bytes of content that may be in flight towards the frame when `full` rises."""


class FrameEncoder(wiring.Component):
    """Writes a frame into a buffer: content, CRC and delimiter, COBS-encoded.

    COBS puts a code byte in front and in place of each 0: the distance to the next code byte, or
    to the end. So at a 0 the previous code byte is written and the position of this one is kept; a
    byte other than 0 is written to its own position. The end counts as a 0.

    Timing: 10 clocks per byte; `done` rises `latency` clocks after the end was taken.

    Members
    -------
    content : In(stream.Signature(CONTENT))
        Content of the frame and its end, whose `data` inverts bits of the first byte of the CRC.
    full : Out(1)
        The frame has room only for `IN_FLIGHT` more bytes.
    write : Out(1)
        Writes a byte to the buffer.
    position : Out(8)
        Its position in the buffer.
    byte : Out(8)
        The byte.
    done : Out(1)
        The frame is complete and waits for `taken`.
    taken : In(1)
        The frame was taken over: starts the next one.
    """

    content: In(stream.Signature(CONTENT))
    full: Out(1)
    write: Out(1)
    position: Out(8)
    byte: Out(8)
    done: Out(1)
    taken: In(1)

    @property
    def latency(self) -> int:
        """Clocks from the end of the content to `done`."""
        return 44

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.checksum = checksum = Checksum()
        position = Signal(8, init=1)
        mark = Signal(8)  # position of the code byte that is not written yet
        byte = Signal(8)
        inverted = Signal(8)  # bits of `byte` that are written inverted
        written = Signal(8)
        ending = Signal()
        remaining = Signal(range(CRC_BYTES + 1), init=CRC_BYTES)
        content = self.content
        zero = Signal()
        m.d.comb += [
            written.eq(byte ^ inverted),
            zero.eq(written == 0),
            self.full.eq(position > LARGEST - CRC_BYTES - IN_FLIGHT),
            self.position.eq(Mux(zero, mark, position)),
            self.byte.eq(Mux(zero, position - mark, written)),
            checksum.data.eq(byte),
            checksum.own.eq(ending),
        ]
        with m.FSM() as fsm:
            takes, writes = fsm.ongoing("TAKE"), fsm.ongoing("WRITE")
            with m.State("TAKE"):
                m.d.sync += [byte.eq(content.p.data), ending.eq(content.p.end)]
                with m.If(content.valid):
                    with m.If(content.p.end):
                        m.next = "COUNT"
                    with m.Else():
                        m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += self.write.eq(1)
                m.d.sync += position.eq(position + 1)
                m.next = "COUNT"
                with m.If(zero):
                    m.d.sync += mark.eq(position)
            with m.State("COUNT"):
                with m.If(checksum.idle):
                    m.next = "TAKE"
                    with m.If(ending):
                        m.d.sync += [
                            remaining.eq(remaining - 1),
                            byte.eq(checksum.crc),
                            inverted.eq(Mux(remaining == CRC_BYTES, byte, 0)),
                        ]
                        m.next = "WRITE"
                        with m.If(remaining == 0):
                            m.d.sync += byte.eq(0)
                            m.next = "CLOSE"
            with m.State("CLOSE"):
                # The last code byte, then the delimiter.
                m.d.comb += self.write.eq(1)
                m.d.sync += mark.eq(position)
                with m.If(mark == position):
                    m.next = "DONE"
            with m.State("DONE"):
                m.d.comb += checksum.start.eq(1)
                m.d.sync += [position.eq(1), mark.eq(0), remaining.eq(CRC_BYTES)]
                with m.If(self.taken):
                    m.next = "TAKE"
        m.d.comb += [
            content.ready.eq(takes),
            checksum.valid.eq(writes),
            self.done.eq(fsm.ongoing("DONE")),
        ]
        return m


class FrameSender(wiring.Component):
    """Sends frames from two buffers: one is filled while the other is sent.

    Timing: bytes follow one another on the line without a pause as long as each frame is complete
    in time. The first byte of a frame is valid `latency` clocks after the end of its content was
    taken, if the line is free.

    Members
    -------
    content : In(stream.Signature(CONTENT))
        Content of frames, without CRC.
    full : Out(1)
        The frame has room only for `IN_FLIGHT` more bytes.
    discard : In(1)
        Drops the frames of which nothing was sent yet.
    free : Out(1)
        No frame is being sent, and none has ended that will be.
    bytes : Out(stream.Signature(8))
        To the line.
    """

    content: In(stream.Signature(CONTENT))
    full: Out(1)
    discard: In(1)
    free: Out(1)
    bytes: Out(stream.Signature(8))

    @property
    def latency(self) -> int:
        """Clocks from the end of the content to the first byte of the frame."""
        return 47

    def elaborate(self, platform: object) -> Module:
        m = Module()
        encoder = FrameEncoder()
        m.submodules.encoder = ResetInserter(self.discard)(encoder)
        wiring.connect(m, wiring.flipped(self.content), encoder.content)
        m.submodules.buffers = buffers = memory(unsigned(8), 512)
        write, read = buffers.write_port(), buffers.read_port()

        half = Signal()  # the buffer that is sent
        position = Signal(8)
        sending = Signal()
        ended = Signal()  # a frame that was not taken over
        fetched = Signal()
        compared = Signal()
        is_delimiter = Signal()
        m.d.sync += is_delimiter.eq(read.data == 0)
        m.d.comb += [
            self.full.eq(encoder.full),
            write.en.eq(encoder.write),
            write.addr.eq(Cat(encoder.position, ~half)),
            write.data.eq(encoder.byte),
            read.addr.eq(Cat(position, half)),
            self.free.eq(~sending & ~ended),
            self.bytes.valid.eq(compared),
            self.bytes.payload.eq(read.data),
            encoder.taken.eq(~sending),
        ]
        with m.If(self.content.valid & self.content.ready & self.content.p.end):
            m.d.sync += ended.eq(1)
        with m.If(self.discard):
            m.d.sync += ended.eq(0)
        with m.If(~sending):
            m.d.sync += position.eq(0)
            with m.If(encoder.done & ~self.discard):
                m.d.sync += [sending.eq(1), half.eq(~half), ended.eq(0)]
        with m.Elif(self.bytes.valid & self.bytes.ready):
            m.d.sync += [position.eq(position + 1), fetched.eq(0), compared.eq(0)]
            with m.If(is_delimiter):
                m.d.sync += sending.eq(0)
        with m.Else():
            m.d.sync += [fetched.eq(1), compared.eq(fetched)]
        return m
