"""CRC-32 of bytes, one bit per clock."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out


class Checksum(wiring.Component):
    """The CRC of frames: CRC-32/ISO-HDLC, as in zlib.

    Bytes on a serial line are 40 clocks or more apart, so one bit per clock is fast enough and
    takes half the logic of one byte per clock.

    Timing: `crc` and `match` include a byte `latency` clocks after it was given.

    Members
    -------
    start : In(1)
        Restarts the CRC.
    valid : In(1)
        There is a byte; only while `idle`.
    data : In(8)
        The byte.
    own : In(1)
        With a byte: it is the current low byte of `crc`, and the next one replaces it.
    idle : Out(1)
        No byte is being processed.
    crc : Out(8)
        Low byte of the CRC.
    match : Out(1)
        The last four bytes were the CRC of the bytes before them.
    """

    start: In(1)
    valid: In(1)
    data: In(8)
    own: In(1)
    idle: Out(1)
    crc: Out(8)
    match: Out(1)

    @property
    def latency(self) -> int:
        """Clocks from a byte to the CRC that includes it."""
        return 9

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.processor = processor = CRC32_ISO_HDLC(data_width=1).create()
        bits = Signal(8)
        remaining = Signal(range(9))
        m.d.comb += [
            self.idle.eq(remaining == 0),
            self.crc.eq(processor.crc[:8]),
            self.match.eq(processor.match_detected),
            processor.start.eq(self.start),
            processor.valid.eq(~self.idle),
            processor.data.eq(bits[0]),
        ]
        with m.If(self.valid):
            # The register holds the complement of the CRC, and shifts where it is given itself.
            m.d.sync += [bits.eq(self.data ^ self.own.replicate(8)), remaining.eq(8)]
        with m.Elif(~self.idle):
            m.d.sync += [bits.eq(bits >> 1), remaining.eq(remaining - 1)]
        return m
