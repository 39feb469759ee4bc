"""A queue that cannot refuse what it is given."""

from amaranth import Module, Signal
from amaranth.hdl import ShapeLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import index_bits
from spikeloom.hdl.common.shapes import memory


class Queue(wiring.Component):
    """Keeps what is pushed in order; whoever pushes sees to it that there is room.

    A memory, and before its output register a row that is the head.

    Timing: what is pushed in clock n into an empty queue is the head in clock n + 2; one push and
    one pop per clock.

    Parameters
    ----------
    shape
        Of what it holds.
    depth
        How many it has room for.

    Members
    -------
    push : In(1), item : In(shape)
    valid : Out(1), head : Out(shape)
    pop : In(1)
        Take the head away, if there is one.
    empty : Out(1)
    """

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        self.shape = shape
        self.depth = depth
        super().__init__(
            {
                "push": In(1),
                "item": In(shape),
                "valid": Out(1),
                "head": Out(shape),
                "pop": In(1),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # The head is beside the memory, so that this is never full.
        bits = index_bits(self.depth)
        m.submodules.storage = storage = memory(self.shape, 1 << bits)
        write = storage.write_port()
        read = storage.read_port()
        written, taken = Signal(bits), Signal(bits)  # places: of the next one in, and out
        after = Signal(bits, init=1)  # taken + 1
        stored = Signal()  # the memory holds something
        m.d.comb += [
            write.addr.eq(written),
            write.data.eq(self.item),
            write.en.eq(self.push),
            read.addr.eq(taken),
            read.en.eq(stored & (~self.valid | self.pop)),
            self.head.eq(read.data),
            self.empty.eq(~stored & ~self.valid),
        ]
        # Sums, and no enables: with a reset that would be one more LUT on the longest path.
        m.d.sync += [taken.eq(taken + read.en), after.eq(after + read.en)]
        with m.If(self.push):
            m.d.sync += [written.eq(written + 1), stored.eq(1)]
        with m.Elif(read.en & (written == after)):
            m.d.sync += stored.eq(0)
        m.d.sync += self.valid.eq(stored | (self.valid & ~self.pop))
        return m
