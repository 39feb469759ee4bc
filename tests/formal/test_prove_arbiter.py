"""Proofs about the round-robin arbiter."""

import pytest
from amaranth import Elaboratable, Module, Mux, Signal
from amaranth.hdl import Assert, Cover
from specs import broken

from hdl.arbiter import RoundRobin
from sim.formal import Mode, fixed, free, verify


class Spec(Elaboratable):
    """At most one grant, to a request, whenever possible; none waits for `count` other grants."""

    def __init__(self, count: int, arbiter: type[RoundRobin] = RoundRobin) -> None:
        self.dut = arbiter(count)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        count = dut.count
        requests = free(m, count, "requests")
        enable = free(m, 1, "enable")
        m.d.comb += [dut.requests.eq(requests), dut.enable.eq(enable)]
        m.d.comb += [
            Assert((dut.grant & (dut.grant - 1)) == 0, "one grant"),
            Assert((dut.grant & ~requests) == 0, "a grant goes to a request"),
            Assert(dut.grant.any() == (enable & requests.any()), "no clock is wasted"),
        ]
        chosen = fixed(m, range(count), "chosen")
        one = Signal(count)
        m.d.comb += one.eq(1 << chosen)
        waited = Signal(range(count + 2))  # grants to others while the chosen one asks
        served = Signal()
        m.d.comb += served.eq((dut.grant & one).any())
        with m.If(served | ~(requests & one).any()):
            m.d.sync += waited.eq(0)
        with m.Elif(dut.grant.any()):
            m.d.sync += waited.eq(Mux(waited > count, waited, waited + 1))
        m.d.comb += [
            Assert(waited < count, "granted at the latest at the count-th grant"),
            Cover(served & (waited == count - 1), "the bound is reached"),
        ]
        return m


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_round_robin(count: int) -> None:
    assert verify(Spec(count), Mode.PROVE).status == "PASS"
    assert verify(Spec(count), Mode.COVER, depth=2 * count + 2).status == "PASS"


FAULTS = {
    "the same first": ("m.d.sync += turn.eq(self.grant.rotate_left(1))", "pass"),
    "the last again": ("self.grant.rotate_left(1)", "self.grant"),
    "two at once": ("first[:count] | first[count:]", "self.requests"),
    "always": (
        "Mux(self.enable, first[:count] | first[count:], 0)",
        "first[:count] | first[count:]",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_broken(fault: str) -> None:
    assert verify(Spec(3, broken(RoundRobin, *FAULTS[fault])), Mode.PROVE).status == "FAIL"
