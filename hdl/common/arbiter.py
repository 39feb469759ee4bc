"""Round-robin arbitration."""

from collections.abc import Sequence

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class RoundRobin(wiring.Component):
    """Grants one of the requests in cyclic order, starting with the one whose turn it is.

    A request keeps its turn until it has had as many grants as its weight, or until another one is
    granted; then the turn passes to the request after the last grant.

    Timing: combinational; one grant per clock. A request that stays asserted sees at most as many
    grants to others as the sum of their weights.

    Parameters
    ----------
    weights
        Grants per turn of each request, 1 or more. If all are 1, nothing is counted.

    Members
    -------
    requests : In(len(weights))
    enable : In(1)
        Grant in this clock.
    grant : Out(len(weights))
        One-hot, or 0 without a request or `enable`.
    """

    def __init__(self, weights: Sequence[int]) -> None:
        self.weights = tuple(weights)
        count = len(self.weights)
        super().__init__({"requests": In(count), "enable": In(1), "grant": Out(count)})

    def elaborate(self, platform: object) -> Module:
        count = len(self.weights)
        m = Module()
        turn = Signal(count, init=1)  # one-hot: the request with the highest priority
        twice = Cat(self.requests, self.requests)
        first = Signal(2 * count)
        # Subtracting the turn borrows through every bit below the first request.
        m.d.comb += first.eq(twice & ~(twice - turn))
        m.d.comb += self.grant.eq(Mux(self.enable, first[:count] | first[count:], 0))
        with m.If(self.grant.any()):
            m.d.sync += turn.eq(self.grant.rotate_left(1))
        if max(self.weights) > 1:
            used = Signal(range(max(self.weights)))  # grants of the present turn so far
            # Requests with a grant left in their turn after one in this clock.
            more = Cat(
                ~(turn[number] & (used == weight - 1)) if weight > 1 else Const(0)
                for number, weight in enumerate(self.weights)
            )
            with m.If((self.grant & more).any()):
                again = (self.grant & turn).any()
                m.d.sync += [turn.eq(self.grant), used.eq(Mux(again, used + 1, 1))]
            with m.Elif(self.grant.any()):
                m.d.sync += used.eq(0)
        return m
