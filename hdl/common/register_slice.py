"""RegisterSlice: registers between two streams."""

from amaranth import Module, Signal
from amaranth.hdl import ShapeLike
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class RegisterSlice(wiring.Component):
    """Half-bandwidth register slice: no combinational path between its sides, in any direction.

    Timing: a payload taken in clock n is offered from clock n + `latency` on; one payload every two
    clocks.

    Parameters
    ----------
    shape
        Shape of the payload.

    Members
    -------
    before : In(stream.Signature(shape))
    after : Out(stream.Signature(shape))
    """

    def __init__(self, shape: ShapeLike) -> None:
        super().__init__(
            {"before": In(stream.Signature(shape)), "after": Out(stream.Signature(shape))}
        )

    @property
    def latency(self) -> int:
        """Clocks from taking a payload to offering it."""
        return 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held = Signal()
        payload = Signal.like(self.after.payload)
        m.d.comb += [
            self.before.ready.eq(~held),
            self.after.valid.eq(held),
            self.after.payload.eq(payload),
        ]
        with m.If(held):
            m.d.sync += held.eq(~self.after.ready)
        with m.Else():
            m.d.sync += [held.eq(self.before.valid), payload.eq(self.before.payload)]
        return m
