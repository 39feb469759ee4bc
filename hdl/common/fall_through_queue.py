"""A queue whose items fall through it, and whose writer knows that there is room."""

from amaranth import Module, Mux, Signal
from amaranth.hdl import ShapeLike
from amaranth.lib import wiring

from spikeloom.hdl.common.queue import members
from spikeloom.hdl.common.shapes import memory


class FallThroughQueue(wiring.Component):
    """A FIFO without backpressure: the writer must not push more than `depth` items ahead.

    The head is in a register, if it came when there was no other item, or in the output register
    of a memory, which has the others.

    Timing: an item pushed in clock n into an empty queue is the head in clock n + `latency`, and
    after a pop the next item, if it came before, is the head in the next clock.

    Parameters
    ----------
    shape
        Shape of an item.
    depth
        Items that it has room for, a power of two.

    Members
    -------
    push, item, valid, head, pop : as of a `Queue`
    """

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        self.shape = shape
        self.depth = depth
        super().__init__(members(shape))

    @property
    def latency(self) -> int:
        """Clocks from the push of an item into an empty queue until it is the head."""
        return 0

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.storage = storage = memory(self.shape, self.depth)
        write, read = storage.write_port(), storage.read_port()
        held = Signal()  # there is a head besides what is pushed
        first = Signal(self.shape)
        in_memory = Signal()  # the head is what the memory read
        written, taken = (Signal(range(self.depth), name=name) for name in ("written", "taken"))
        stored = Signal(range(self.depth + 1))  # items of the memory that are not the head
        some = Signal()  # stored != 0
        keeps = Signal()
        m.d.comb += [
            self.head.eq(Mux(held, Mux(in_memory, read.data, first), self.item)),
            self.valid.eq(held | self.push),
            keeps.eq(self.push & (held | ~self.pop)),  # what is pushed stays
            write.addr.eq(written),
            write.data.eq(self.item),
            write.en.eq(keeps & held & ~(self.pop & ~some)),
            read.addr.eq(taken),
            read.en.eq(self.pop & some),
        ]
        m.d.sync += [
            written.eq(written + write.en),
            taken.eq(taken + read.en),
            stored.eq(stored + write.en - read.en),
            some.eq(write.en | Mux(read.en, stored[1:].any(), some)),
            held.eq((held & ~self.pop) | some | keeps),
        ]
        with m.If(read.en):
            m.d.sync += in_memory.eq(1)
        with m.Elif(self.pop | ~held):
            m.d.sync += [in_memory.eq(0), first.eq(self.item)]
        return m
