"""A queue of one item, whose writer knows that there is room."""

from amaranth import Module
from amaranth.hdl import ShapeLike
from amaranth.lib import wiring

from spikeloom.hdl.common.queue import members


class SingleItem(wiring.Component):
    """A `Queue` in a register: the writer must not push an item before the one before is popped.

    Timing: an item pushed in clock n is the head in clock n + `latency`.

    Parameters
    ----------
    shape
        Shape of an item.

    Members
    -------
    push, item, valid, head, pop : as of a `Queue`
    """

    def __init__(self, shape: ShapeLike) -> None:
        super().__init__(members(shape))

    @property
    def latency(self) -> int:
        """Clocks from the push of an item until it is the head."""
        return 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.valid.eq(self.push | (self.valid & ~self.pop))
        with m.If(self.push):
            m.d.sync += self.head.eq(self.item)
        return m
