"""UART: bytes over a serial line, 8 data bits, no parity, 1 stop bit."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

BITS = 10
"""Bits of a byte on the line: start bit, 8 data bits, stop bit."""


class Receiver(wiring.Component):
    """Receives bytes; samples each bit in its middle.

    Counters and no state machine: the number of bits remaining and the clocks to the next sample.

    Timing: `valid` is 1 `latency` clocks after the falling edge of the start bit, in the middle of
    the stop bit. The next start bit may come at the end of the stop bit, by the receiver's clock up
    to half a bit earlier. A byte whose stop bit is 0 is dropped; the next start bit counts only
    after the line was idle.

    Parameters
    ----------
    clocks_per_bit
        Clocks of a bit, 4 or more.

    Members
    -------
    rx : In(1, init=1)
        The pin; asynchronous.
    valid : Out(1)
        For one clock: there is a byte.
    data : Out(8)
        The byte; stable for at least one bit.
    """

    rx: In(1, init=1)
    valid: Out(1)
    data: Out(8)

    def __init__(self, clocks_per_bit: int) -> None:
        self.clocks_per_bit = clocks_per_bit
        super().__init__()

    @property
    def latency(self) -> int:
        """Clocks from the edge of the start bit to `valid`."""
        return 3 + self.clocks_per_bit // 2 + (BITS - 1) * self.clocks_per_bit

    def elaborate(self, platform: object) -> Module:
        m = Module()
        line = Signal(init=1)
        m.submodules += FFSynchronizer(self.rx, line, init=1)

        wait = Signal(range(self.clocks_per_bit))
        remaining = Signal(range(BITS + 1))  # bits to sample; 0: between bytes
        broken = Signal()  # the line was 0 where it had to be 1, and still is
        m.d.sync += self.valid.eq(0)
        with m.If(remaining == 0):
            m.d.sync += wait.eq(self.clocks_per_bit // 2 - 1)
            with m.If(line):
                m.d.sync += broken.eq(0)
            with m.Elif(~broken):
                m.d.sync += remaining.eq(BITS)
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Else():
            m.d.sync += [wait.eq(self.clocks_per_bit - 1), remaining.eq(remaining - 1)]
            with m.If(remaining == 1):
                m.d.sync += [self.valid.eq(line), broken.eq(~line)]
            with m.Elif((remaining == BITS) & line):
                m.d.sync += remaining.eq(0)  # no start bit
            with m.Else():
                m.d.sync += self.data.eq(Cat(self.data[1:], line))
        return m


class Transmitter(wiring.Component):
    """Sends bytes.

    Counters and no state machine: the number of bits remaining and the clocks to the next bit.

    Timing: the start bit of a byte taken in clock n begins in clock n + `latency`; a byte takes
    10 * `clocks_per_bit` clocks, and the next one may follow without a pause.

    Parameters
    ----------
    clocks_per_bit
        Clocks of a bit, 4 or more.

    Members
    -------
    bytes : In(stream.Signature(8))
        The bytes.
    tx : Out(1, init=1)
        The pin.
    """

    bytes: In(stream.Signature(8))
    tx: Out(1, init=1)

    def __init__(self, clocks_per_bit: int) -> None:
        self.clocks_per_bit = clocks_per_bit
        super().__init__()

    @property
    def latency(self) -> int:
        """Clocks from a byte to its start bit."""
        return 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        wait = Signal(range(self.clocks_per_bit))
        remaining = Signal(range(BITS))  # bits after the current one
        later = Signal(BITS - 1, init=-1)
        ends = Signal()  # idle, or the last clock of a bit
        m.d.comb += [
            ends.eq(wait == 0),
            self.bytes.ready.eq(ends & (remaining == 0)),
        ]
        with m.If(~ends):
            m.d.sync += wait.eq(wait - 1)
        with m.Elif(remaining != 0):
            m.d.sync += [
                wait.eq(self.clocks_per_bit - 1),
                remaining.eq(remaining - 1),
                Cat(self.tx, later).eq(Cat(later, 1)),
            ]
        with m.Elif(self.bytes.valid):
            m.d.sync += [
                wait.eq(self.clocks_per_bit - 1),
                remaining.eq(BITS - 1),
                Cat(self.tx, later).eq(Cat(Const(0, 1), self.bytes.payload, Const(1, 1))),
            ]
        return m
