"""Frame sender: content in, frames for the line out."""

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.hdl import ResetInserter
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.link import CRC_BYTES, LARGEST
from spikeloom.hdl.common.shapes import memory
from spikeloom.hdl.link.checksum import Checksum

PIECE = data.StructLayout({"data": unsigned(8), "end": unsigned(1)})
"""A byte of content, or, with `end` and no byte, the end of a frame."""

ON_THE_WAY = 2
"""Bytes that may be between whoever looks at `full` and the place in the frame."""


class Filler(enum.Enum, shape=unsigned(3)):
    """What the encoder does."""

    TAKE = 0
    WRITE = 1
    COUNT = 2
    CLOSE = 3
    DONE = 4


class FrameEncoder(wiring.Component):
    """Writes a frame into a buffer: content, CRC, and a 0 behind; COBS-encoded on the way.

    A byte of COBS stands where each 0 was, and one in front: the distance to the next such place,
    or to the end. So where a 0 comes, the place of the one before is written, and the place of this
    one is kept; a byte that is not 0 is written to its own place. The end is like a 0.

    Timing: 10 clocks a byte; a frame is `done` 43 clocks after its end was taken.

    Members
    -------
    content : In(stream.Signature(PIECE))
    full : Out(1)
        The frame has room for `ON_THE_WAY` bytes of content that were given already, and no more.
    write, place, byte : Out
        Writes `byte` to `place` of the buffer.
    done : Out(1), taken : In(1)
        The frame is complete, until it was taken.
    """

    content: In(stream.Signature(PIECE))
    full: Out(1)
    write: Out(1)
    place: Out(8)
    byte: Out(8)
    done: Out(1)
    taken: In(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.checksum = checksum = Checksum()
        state = Signal(Filler)
        position = Signal(8, init=1)
        mark = Signal(8)  # of the last place whose distance is not known
        byte = Signal(8)
        ending = Signal()
        left = Signal(range(CRC_BYTES + 1), init=CRC_BYTES)
        content = self.content
        zero = Signal()
        m.d.comb += [
            zero.eq(byte == 0),
            content.ready.eq(state == Filler.TAKE),
            self.full.eq(position > LARGEST - CRC_BYTES - ON_THE_WAY),
            self.done.eq(state == Filler.DONE),
            self.place.eq(Mux(zero, mark, position)),
            self.byte.eq(Mux(zero, position - mark, byte)),
            checksum.data.eq(byte),
            checksum.own.eq(ending),
        ]
        with m.Switch(state):
            with m.Case(Filler.TAKE):
                m.d.sync += [byte.eq(content.p.data), ending.eq(content.p.end)]
                with m.If(content.valid):
                    m.d.sync += state.eq(Mux(content.p.end, Filler.COUNT, Filler.WRITE))
            with m.Case(Filler.WRITE):
                m.d.comb += [self.write.eq(1), checksum.valid.eq(1)]
                m.d.sync += [position.eq(position + 1), state.eq(Filler.COUNT)]
                with m.If(zero):
                    m.d.sync += mark.eq(position)
            with m.Case(Filler.COUNT):
                with m.If(checksum.idle):
                    m.d.sync += state.eq(Filler.TAKE)
                    with m.If(ending):
                        m.d.sync += [left.eq(left - 1), byte.eq(checksum.crc)]
                        m.d.sync += state.eq(Filler.WRITE)
                        with m.If(left == 0):
                            m.d.sync += [byte.eq(0), state.eq(Filler.CLOSE)]
            with m.Case(Filler.CLOSE):
                # The last distance, then the delimiter behind.
                m.d.comb += self.write.eq(1)
                m.d.sync += mark.eq(position)
                with m.If(mark == position):
                    m.d.sync += state.eq(Filler.DONE)
            with m.Case(Filler.DONE):
                m.d.comb += checksum.start.eq(1)
                m.d.sync += [position.eq(1), mark.eq(0), left.eq(CRC_BYTES)]
                with m.If(self.taken):
                    m.d.sync += state.eq(Filler.TAKE)
        return m


class FrameSender(wiring.Component):
    """Two buffers: one is filled while the other is sent.

    Timing: the bytes of frames follow each other on the line without a pause, as long as frames
    are filled before they are needed.

    Members
    -------
    content : In(stream.Signature(PIECE))
        Content without CRC.
    full : Out(1)
        The frame has room for `ON_THE_WAY` bytes of content that were given already, and no more.
    discard : In(1)
        Forget what was not begun to be sent.
    free : Out(1)
        No frame is being sent.
    bytes : Out(stream.Signature(8))
        To the line.
    """

    content: In(stream.Signature(PIECE))
    full: Out(1)
    discard: In(1)
    free: Out(1)
    bytes: Out(stream.Signature(8))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        encoder = FrameEncoder()
        m.submodules.encoder = ResetInserter(self.discard)(encoder)
        wiring.connect(m, wiring.flipped(self.content), encoder.content)
        m.submodules.buffers = buffers = memory(unsigned(8), 512)
        write, read = buffers.write_port(), buffers.read_port()

        half = Signal()  # the buffer that is sent
        place = Signal(8)
        sending = Signal()
        fetched, looked_at = Signal(), Signal()
        ends = Signal()
        m.d.sync += ends.eq(read.data == 0)
        m.d.comb += [
            self.full.eq(encoder.full),
            write.en.eq(encoder.write),
            write.addr.eq(Cat(encoder.place, ~half)),
            write.data.eq(encoder.byte),
            read.addr.eq(Cat(place, half)),
            self.free.eq(~sending),
            self.bytes.valid.eq(looked_at),
            self.bytes.payload.eq(read.data),
            encoder.taken.eq(~sending & ~self.discard),
        ]
        with m.If(~sending):
            m.d.sync += place.eq(0)
            with m.If(encoder.done & ~self.discard):
                m.d.sync += [sending.eq(1), half.eq(~half)]
        with m.Elif(self.bytes.valid & self.bytes.ready):
            m.d.sync += [place.eq(place + 1), fetched.eq(0), looked_at.eq(0)]
            with m.If(ends):
                m.d.sync += sending.eq(0)
        with m.Else():
            m.d.sync += [fetched.eq(1), looked_at.eq(fetched)]
        return m
