"""A queue whose writer knows that there is room."""

from amaranth import Module, Signal
from amaranth.hdl import ShapeLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Member, Out

from spikeloom.golden.spec import index_bits
from spikeloom.hdl.common.shapes import memory


def members(shape: ShapeLike) -> dict[str, Member]:
    """What every queue of items of this shape has; `Queue` says what they mean."""
    return {
        "push": In(1),
        "item": In(shape),
        "valid": Out(1),
        "head": Out(shape),
        "pop": In(1),
    }


class Queue(wiring.Component):
    """A FIFO without backpressure: the writer must not push more than `depth` items ahead.

    A memory, whose output register holds the head.

    Timing: an item pushed in clock n into an empty queue is the head in clock n + `latency`; one
    push and one pop per clock.

    Parameters
    ----------
    shape
        Shape of an item.
    depth
        Items that it has room for.

    Members
    -------
    push : In(1)
        Appends `item`.
    item : In(shape)
    valid : Out(1)
        There is a head.
    head : Out(shape)
    pop : In(1)
        Removes the head, if there is one.
    empty : Out(1)
        The queue holds nothing.
    """

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        self.shape = shape
        self.depth = depth
        super().__init__(members(shape) | {"empty": Out(1)})

    @property
    def latency(self) -> int:
        """Clocks from the push of an item into an empty queue until it is the head."""
        return 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # The head is not in the memory, so the memory is never full.
        bits = index_bits(self.depth)
        m.submodules.storage = storage = memory(self.shape, 1 << bits)
        write = storage.write_port()
        read = storage.read_port()
        written = Signal(bits)  # row of the next push
        taken = Signal(bits)  # row of the next head
        after = Signal(bits, init=1)  # taken + 1
        stored = Signal()  # the memory is not empty
        m.d.comb += [
            write.addr.eq(written),
            write.data.eq(self.item),
            write.en.eq(self.push),
            read.addr.eq(taken),
            read.en.eq(stored & (~self.valid | self.pop)),
            self.head.eq(read.data),
            self.empty.eq(~stored & ~self.valid),
        ]
        # Sums instead of enables: an enable beside a reset costs a LUT on the longest path.
        m.d.sync += [taken.eq(taken + read.en), after.eq(after + read.en)]
        with m.If(self.push):
            m.d.sync += [written.eq(written + 1), stored.eq(1)]
        with m.Elif(read.en & (written == after)):
            m.d.sync += stored.eq(0)
        m.d.sync += self.valid.eq(stored | (self.valid & ~self.pop))
        return m
