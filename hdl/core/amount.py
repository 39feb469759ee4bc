"""What an event counts: the bits of a magnitude, issued one after the other, and a sign."""

from amaranth import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data

from spikeloom.golden.spec import FabricConfig, index_bits


def next_bits(
    m: Module, config: FabricConfig, event: data.View, taken: tuple[Signal, Value], issue: Signal
) -> tuple[Signal, Signal]:
    """With `graded_bits`: the bits for which the group in stage X has yet to be issued.

    Parameters
    ----------
    event
        The event in X.
    taken
        Whether X takes another event at the end of this clock, and the magnitude of that.
    issue
        A group is issued in this clock, for the lowest of the bits.

    Returns
    -------
    tuple
        The bits, and whether the issue goes on to the next group: one bit is left.
    """
    bits = Signal(config.graded_bits, name="x_bits")
    single = Signal(name="x_ends_bits")
    advances = Signal(name="x_advances")
    following = Signal.like(bits, name="x_next_bits")
    takes, magnitude = taken
    m.d.comb += [
        advances.eq(issue & single),
        following.eq(Mux(takes, magnitude, Mux(single, event.magnitude, _others(bits)))),
    ]
    with m.If(takes | issue):
        m.d.sync += [bits.eq(following), single.eq(_others(following) == 0)]
    return bits, advances


def _others(bits: Value) -> Value:
    """The bits without the lowest one that is 1."""
    return (bits & (bits - 1))[: len(bits)]


class Amount:
    """Multiplies weights by what the event in stage R counts: in R, but for a carry of stage A.

    Parameters
    ----------
    m
        Gets the registers.
    config
        Sizes of the fabric.
    event, bits
        The event in stage X, and the bits of its magnitude.

    Attributes
    ----------
    bits
        By how many bits a product is wider than a weight.
    """

    def __init__(self, m: Module, config: FabricConfig, event: data.View, bits: Value) -> None:
        self.bits = max(0, config.graded_bits - 1)
        self._shift: Signal | None = None
        self._negative: Signal | None = None
        if config.graded_bits:
            self._shift = Signal(unsigned(index_bits(config.graded_bits)), name="r_shift")
            for bit in reversed(range(config.graded_bits)):
                with m.If(bits[bit]):
                    m.d.sync += self._shift.eq(bit)
        if config.signed_spikes:
            self._negative = Signal(name="r_negative")
            m.d.sync += self._negative.eq(event.negative)

    def times(self, weight: Value) -> Value:
        """A weight times the amount, less 1 where that is negative."""
        product = weight if self._shift is None else weight << self._shift
        return product if self._negative is None else product ^ self._negative.as_signed()

    def carry(self, m: Module, clears: Signal) -> Signal | None:
        """What stage A adds besides: 1 for a negative amount. None where there is none."""
        if self._negative is None:
            return None
        carry = Signal(name="a_negative")
        m.d.sync += carry.eq(self._negative & ~clears)
        return carry
