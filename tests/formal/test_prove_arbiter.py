"""Proofs about the round-robin arbiter."""

import pytest
from amaranth import Elaboratable, Module
from amaranth.hdl import Assert
from soaked import all_but
from specs import broken, in_turn

from spikeloom.hdl.common.arbiter import RoundRobin
from spikeloom.sim.formal import Mode, free, verify


class Spec(Elaboratable):
    """At most one grant, to a request, whenever possible, and each in its turn."""

    def __init__(self, weights: tuple[int, ...], arbiter: type[RoundRobin] = RoundRobin) -> None:
        self.dut = arbiter(weights)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        requests = free(m, len(dut.weights), "requests")
        enable = free(m, 1, "enable")
        m.d.comb += [
            dut.requests.eq(requests),
            dut.enable.eq(enable),
            Assert((dut.grant & (dut.grant - 1)) == 0, "one grant"),
            Assert((dut.grant & ~requests) == 0, "a grant goes to a request"),
            Assert(dut.grant.any() == (enable & requests.any()), "no clock is wasted"),
        ]
        in_turn(m, requests, dut.grant, dut.weights)
        return m


WEIGHTS = [(1,) * count for count in range(1, 6)] + [(3,), (1, 2), (3, 1, 2), (1, 1, 3, 3, 1)]


@pytest.mark.parametrize("weights", all_but({(1, 2), (3, 1, 2)}, WEIGHTS), ids=str)
def test_round_robin(weights: tuple[int, ...]) -> None:
    assert verify(Spec(weights), Mode.PROVE).status == "PASS"
    assert verify(Spec(weights), Mode.COVER, depth=2 * sum(weights) + 2).status == "PASS"


FAULTS = {
    "the same first": ("m.d.sync += turn.eq(self.grant.rotate_left(1))", "pass"),
    "the last again": ("self.grant.rotate_left(1)", "self.grant"),
    "two at once": ("first[:count] | first[count:]", "self.requests"),
    "always": (
        "Mux(self.enable, first[:count] | first[count:], 0)",
        "first[:count] | first[count:]",
    ),
    "without a weight": ("if weight > 1", "if weight > 9"),
    "one more": ("used == weight - 1", "used == weight"),
    "one less": ("used == weight - 1", "used == weight - 2"),
    "never counted anew": ("m.d.sync += used.eq(0)", "pass"),
    "counted for another": ("Mux(again, used + 1, 1)", "used + 1"),
    "the last of another": ("~(turn[number] & (used == weight - 1))", "(used != weight - 1)"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_broken(fault: str) -> None:
    spec = Spec((3, 1, 2), broken(RoundRobin, *FAULTS[fault]))
    assert verify(spec, Mode.PROVE).status == "FAIL"
