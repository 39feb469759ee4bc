"""Round-robin arbitration."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class RoundRobin(wiring.Component):
    """Grants one of the requests, beginning with the one after the last that was granted.

    Timing: combinational; one grant per clock. A request that stays is granted at the latest at the
    `count`-th grant.

    Parameters
    ----------
    count
        Number of requests.

    Members
    -------
    requests : In(count)
    enable : In(1)
        Grant in this clock.
    grant : Out(count)
        At most one bit, and only where there is a request.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__({"requests": In(count), "enable": In(1), "grant": Out(count)})

    def elaborate(self, platform: object) -> Module:
        count = self.count
        m = Module()
        turn = Signal(count, init=1)  # one bit: the request that comes first
        twice = Cat(self.requests, self.requests)
        first = Signal(2 * count)
        # Subtracting the turn borrows through all that come before the first request.
        m.d.comb += first.eq(twice & ~(twice - turn))
        m.d.comb += self.grant.eq(Mux(self.enable, first[:count] | first[count:], 0))
        with m.If(self.grant.any()):
            m.d.sync += turn.eq(self.grant.rotate_left(1))
        return m
