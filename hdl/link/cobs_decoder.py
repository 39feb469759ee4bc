"""COBS decoder: bytes of the line become the bytes of a frame."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.link import LARGEST


class CobsDecoder(wiring.Component):
    """Decodes consistent overhead byte stuffing and finds the ends of frames.

    The first byte of a frame, and each byte after a whole block, is a code byte: the distance to
    the next one. All but the first stand for a 0.

    Timing: `count` rises in the clock after a byte; `on_code` follows `count` after `latency`
    clocks. Bytes are 2 clocks or more apart.

    Members
    -------
    valid : In(1)
        There is a byte from the line.
    data : In(8)
        The byte.
    clear : In(1)
        Waits for the next frame.
    decoded : Out(1)
        There is a decoded byte, in the same clock.
    byte : Out(8)
        The decoded byte.
    count : Out(8)
        Number of the next decoded byte; -1 before the first code byte.
    end : Out(1)
        The byte from the line is the delimiter of a frame that is not empty.
    on_code : Out(1)
        The next byte is a code byte; at an end: the last block is whole.
    too_long : Out(1)
        The frame has more than `LARGEST` bytes; the rest is dropped.
    """

    valid: In(1)
    data: In(8)
    clear: In(1)
    decoded: Out(1)
    byte: Out(8)
    count: Out(8, init=-1)
    end: Out(1)
    on_code: Out(1, init=1)
    too_long: Out(1)

    @property
    def latency(self) -> int:
        """Clocks from `count` to `on_code`."""
        return 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        block_end = Signal(8, init=-1)
        started = Signal()
        taken = Signal()
        # Bytes are far enough apart for a register here.
        m.d.sync += self.on_code.eq(self.count == block_end)
        m.d.comb += [
            self.byte.eq(Mux(self.on_code, 0, self.data)),
            taken.eq(self.valid & (self.data != 0) & ~self.too_long),
            self.decoded.eq(taken & started),
            self.end.eq(self.valid & (self.data == 0) & started),
        ]
        with m.If(taken):
            m.d.sync += [
                started.eq(1),
                self.count.eq(self.count + 1),
                self.too_long.eq(started & (self.count == LARGEST)),
            ]
            with m.If(self.on_code):
                m.d.sync += block_end.eq(self.count + self.data)
        with m.If(self.clear):
            m.d.sync += [
                self.count.eq(-1),
                block_end.eq(-1),
                started.eq(0),
                self.too_long.eq(0),
            ]
        return m
