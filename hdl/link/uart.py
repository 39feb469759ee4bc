"""UART: bytes over a serial line, 8 data bits, no parity, 1 stop bit."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

BITS = 10
"""Bits of a byte on the line: start, 8 data bits, stop."""


class Receiver(wiring.Component):
    """Bytes from the line; each bit is looked at in its middle.

    Timing: a byte is there in the middle of its stop bit. The line may begin the next at the end
    of that bit, up to half a bit before it by the receiver's clock. A byte whose stop bit is 0 is
    dropped, and the next begins after the line was idle.

    Parameters
    ----------
    clocks_per_bit
        4 or more.

    Members
    -------
    rx : In(1, init=1)
        The pin; it may change at any time.
    valid : Out(1)
        In one clock: there is a byte.
    data : Out(8)
        The byte; it holds for a bit at least.
    """

    rx: In(1, init=1)
    valid: Out(1)
    data: Out(8)

    def __init__(self, clocks_per_bit: int) -> None:
        self.clocks_per_bit = clocks_per_bit
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        line = Signal(init=1)
        m.submodules += FFSynchronizer(self.rx, line, init=1)

        wait = Signal(range(self.clocks_per_bit))
        left = Signal(range(BITS + 1))  # bits that have not been looked at; 0: between bytes
        broken = Signal()  # the line was 0 where it had to be 1, and still is
        m.d.sync += self.valid.eq(0)
        with m.If(left == 0):
            m.d.sync += wait.eq(self.clocks_per_bit // 2 - 1)
            with m.If(line):
                m.d.sync += broken.eq(0)
            with m.Elif(~broken):
                m.d.sync += left.eq(BITS)
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Else():
            m.d.sync += [wait.eq(self.clocks_per_bit - 1), left.eq(left - 1)]
            with m.If(left == 1):
                m.d.sync += [self.valid.eq(line), broken.eq(~line)]
            with m.Elif((left == BITS) & line):
                m.d.sync += left.eq(0)  # no start bit
            with m.Else():
                m.d.sync += self.data.eq(Cat(self.data[1:], line))
        return m


class Transmitter(wiring.Component):
    """Bytes onto the line.

    Timing: the start bit of a byte taken in clock n begins in clock n + 1; a byte takes
    10 * `clocks_per_bit` clocks, and the next one may follow without a pause.

    Parameters
    ----------
    clocks_per_bit
        4 or more.

    Members
    -------
    bytes : In(stream.Signature(8))
    tx : Out(1, init=1)
        The pin.
    """

    bytes: In(stream.Signature(8))
    tx: Out(1, init=1)

    def __init__(self, clocks_per_bit: int) -> None:
        self.clocks_per_bit = clocks_per_bit
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        wait = Signal(range(self.clocks_per_bit))
        left = Signal(range(BITS))  # bits to follow the present one
        later = Signal(BITS - 1, init=-1)
        ends = Signal()  # no bit, or the last clock of one
        m.d.comb += [
            ends.eq(wait == 0),
            self.bytes.ready.eq(ends & (left == 0)),
        ]
        with m.If(~ends):
            m.d.sync += wait.eq(wait - 1)
        with m.Elif(left != 0):
            m.d.sync += [
                wait.eq(self.clocks_per_bit - 1),
                left.eq(left - 1),
                Cat(self.tx, later).eq(Cat(later, 1)),
            ]
        with m.Elif(self.bytes.valid):
            m.d.sync += [
                wait.eq(self.clocks_per_bit - 1),
                left.eq(BITS - 1),
                Cat(self.tx, later).eq(Cat(Const(0, 1), self.bytes.payload, Const(1, 1))),
            ]
        return m
