"""CRC-32 of bytes, a bit in each clock."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out


class Checksum(wiring.Component):
    """The CRC of the frames, that of zlib.

    A serial line leaves 40 clocks a byte at least; a bit in each clock takes half the logic of a
    byte in each clock.

    Timing: a byte given in clock n is in `crc` and `match` from clock n + 9 on.

    Members
    -------
    start : In(1)
        Begin anew.
    valid : In(1), data : In(8)
        A byte; only when `idle`.
    own : In(1)
        In the clock of a byte: it is the lowest byte of `crc` itself, which is replaced by the
        next.
    idle : Out(1)
    crc : Out(8)
        The lowest byte of the CRC.
    match : Out(1)
        The last four bytes were the CRC of those before.
    """

    start: In(1)
    valid: In(1)
    data: In(8)
    own: In(1)
    idle: Out(1)
    crc: Out(8)
    match: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.processor = processor = CRC32_ISO_HDLC(data_width=1).create()
        bits = Signal(8)
        left = Signal(range(9))
        m.d.comb += [
            self.idle.eq(left == 0),
            self.crc.eq(processor.crc[:8]),
            self.match.eq(processor.match_detected),
            processor.start.eq(self.start),
            processor.valid.eq(~self.idle),
            processor.data.eq(bits[0]),
        ]
        with m.If(self.valid):
            # The register holds the complement of the CRC, and shifts where it is given itself.
            m.d.sync += [bits.eq(self.data ^ self.own.replicate(8)), left.eq(8)]
        with m.Elif(~self.idle):
            m.d.sync += [bits.eq(bits >> 1), left.eq(left - 1)]
        return m
