"""Proofs about the parts of a router, for ever, with tables that may be written at any time.

ABC finds the invariants. The whole router is in the proofs about the mesh.
"""

import pytest
from amaranth import Array, Cat, Elaboratable, Module, Mux, Signal
from amaranth.hdl import Assert, Cover
from specs import broken, holds, in_turn, tiny, transfer, using

from spikeloom.golden.spec import TURNS, LoadTarget, Port
from spikeloom.hdl.common.arbiter import RoundRobin
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.mesh.router import Router, RouterInput, RouterOutput
from spikeloom.sim.formal import Mode, fixed, free, reaches, verify

CONFIG = tiny(columns=3, rows=3)


class InputSpec(Elaboratable):
    """Any packet that an input takes in leaves once through each port of its row.

    Any one packet is followed: `place` packets are in front of it, and `rest` is the set of ports
    through which it still has to leave. All others only count.
    """

    def __init__(self, turns: tuple[Port, ...], unit: type[RouterInput] = RouterInput) -> None:
        self.turns = turns
        self.dut = unit(CONFIG, turns)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        packet = dut.packet
        slot = fixed(m, CONFIG.slot_width, "slot")
        load = free(m, struct(CONFIG.load), "load")
        load_valid = free(m, 1, "load_valid")
        m.d.comb += [
            packet.valid.eq(free(m, 1, "valid")),
            packet.p.eq(free(m, struct(CONFIG.event), "p")),
            dut.granted.eq(free(m, len(self.turns), "granted") & dut.wants),
            dut.slot.eq(slot),
            dut.load.valid.eq(load_valid),
            dut.load.word.eq(load),
        ]
        table = Array(Signal(len(Port), name=f"row{n}") for n in range(CONFIG.routes))
        with m.If(load_valid & (load.target == LoadTarget.ROUTE)):
            m.d.sync += table[load.address].eq(load.data)
        row = Signal(len(Port))
        m.d.comb += row.eq(table[packet.p.route])

        taken = transfer(packet)
        wants = dut.wants
        leaves = Signal()
        m.d.comb += leaves.eq(wants.any() & ~(wants & ~dut.granted).any())
        inside = Signal(range(CONFIG.buffer + 2))
        due = Signal.like(inside)
        before = Signal(struct(CONFIG.event))  # the packet accepted last
        m.d.sync += [
            inside.eq(inside + taken - leaves - dut.dropped),
            due.eq(
                due
                + (taken & (packet.p.slot == slot))
                - (leaves & (dut.head.slot == slot))
                - (dut.dropped & (before.slot == slot))
            ),
        ]
        with m.If(taken):
            m.d.sync += before.eq(packet.p)
        m.d.comb += [
            Assert(inside <= CONFIG.buffer, "never more than there is room for"),
            Assert(packet.ready == (inside < CONFIG.buffer), "ready if there is room"),
            Assert(inside.any() | ~(wants.any() | dut.dropped), "nothing comes from nothing"),
            Assert(dut.pending == (due != 0), "pending says what is here"),
        ]

        chosen = Signal()
        mark = Signal()
        age = Signal(2)
        place = Signal.like(inside)
        rest = Signal(len(self.turns))
        expected = Signal(struct(CONFIG.event))
        m.d.comb += mark.eq(taken & free(m, 1, "choose") & ~chosen)
        with m.If(mark):
            m.d.sync += [
                chosen.eq(1),
                place.eq(inside - leaves - dut.dropped),
                rest.eq(Cat(row[turn] for turn in self.turns)),
                expected.eq(packet.p),
            ]
        with m.If(chosen):
            m.d.sync += age.eq(Mux(age == 2, 2, age + 1))
            with m.If(age == 0):
                m.d.comb += Assert(dut.dropped == (rest == 0), "dropped if it cannot leave")
            with m.If(rest != 0):
                with m.If(place != 0):
                    m.d.sync += place.eq(place - leaves)
                with m.Elif(age == 0):
                    m.d.comb += Assert(wants == 0, "nothing is in front of it")
                with m.Else():
                    m.d.sync += rest.eq(rest & ~dut.granted)
                    m.d.comb += [
                        Assert(wants == rest, "it leaves where it still has to"),
                        Assert(dut.head == expected, "unchanged"),
                    ]
        m.d.comb += [
            Cover(chosen & (place == 2) & rest.all(), "waits behind others"),
            Cover(chosen & (age == 2) & (rest == 0) & (inside == CONFIG.buffer), "has left"),
        ]
        return m


class OutputSpec(Elaboratable):
    """Every grant becomes one transfer, unchanged, and an input that asks gets its turn.

    `full` and `expected` are what should be on the output.
    """

    def __init__(self, sources: tuple[int, ...], unit: type[RouterOutput] = RouterOutput) -> None:
        self.dut = unit(CONFIG, sources)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        count = len(dut.sources)
        wanted = free(m, count, "wanted")
        slot = fixed(m, CONFIG.slot_width, "slot")
        m.d.comb += [
            dut.wanted.eq(wanted),
            dut.packet.ready.eq(free(m, 1, "ready")),
            dut.slot.eq(slot),
        ]
        for number in range(count):
            head = free(m, struct(CONFIG.event), f"head{number}")
            m.d.comb += dut.heads[number].eq(head)
        granted = dut.granted
        full = Signal()
        expected = Signal(struct(CONFIG.event))
        with m.If(granted.any()):
            m.d.sync += full.eq(1)
        with m.Elif(transfer(dut.packet)):
            m.d.sync += full.eq(0)
        for number in range(count):
            with m.If(granted[number]):
                m.d.sync += expected.eq(dut.heads[number])
        free_now = ~full | dut.packet.ready
        m.d.comb += [
            Assert((granted & (granted - 1)) == 0, "one grant"),
            Assert((granted & ~wanted) == 0, "to one that asks"),
            Assert(granted.any() == (free_now & wanted.any()), "whenever there is room"),
            Assert(dut.packet.valid == full, "one transfer for each grant"),
            Assert(~full | (dut.packet.p == expected), "unchanged"),
            Assert(holds(m, dut.packet), "valid and payload hold"),
            Assert(dut.pending == (full & (expected.slot == slot)), "pending says what is here"),
        ]
        in_turn(m, wanted, granted, dut.sources)
        m.d.comb += Cover(granted.any() & full, "one after the other")
        return m


INPUT_TURNS = sorted({TURNS[port] for port in Port}, key=len)


@pytest.mark.parametrize("turns", INPUT_TURNS, ids=len)
def test_input(turns: tuple[Port, ...]) -> None:
    assert verify(InputSpec(turns), Mode.PROVE).status == "PASS"


def test_input_moves() -> None:
    assert verify(InputSpec(TURNS[Port.EAST]), Mode.COVER, depth=12).status == "PASS"


MIDDLE = (1, 1, 3, 3, 1)
"""Sources of the inputs of L in the middle of 3x3."""


@pytest.mark.parametrize("sources", [(1,), (2, 1), MIDDLE], ids=str)
def test_output(sources: tuple[int, ...]) -> None:
    assert verify(OutputSpec(sources), Mode.PROVE).status == "PASS"
    assert verify(OutputSpec(sources), Mode.COVER, depth=20).status == "PASS"


INPUT_FAULTS = {
    "overflow": ("level + l_valid < config.buffer", "level <= config.buffer"),
    "overflow by what comes": ("level + l_valid < config.buffer", "level < config.buffer"),
    "leaves early": (
        "popped.eq((level != 0) & ~left.any())",
        "popped.eq((level != 0) & self.granted.any())",
    ),
    "leaves twice": ("queue[0].wants.eq(left)", "queue[0].wants.eq(self.wants)"),
    "another's row": ("addr.eq(self.packet.p.route)", "addr.eq(l_packet.route)"),
    "altered": ("l_packet.eq(self.packet.p)", "l_packet.eq(self.packet.p.as_value() & ~1)"),
    "overtaken": ("queued & (level == number + popped)", "queued & (level == number)"),
    "not seen on its way": ("due = [l_valid & (l_packet.slot == self.slot)]", "due = []"),
    "lost without a word": ("self.dropped.eq(l_valid & ~ports.any())", "self.dropped.eq(0)"),
    "one place unseen": (
        "due.append(queue[number].wants.any()",
        "due.append(queue[0].wants.any()",
    ),
}


@pytest.mark.parametrize("fault", INPUT_FAULTS)
def test_broken_input(fault: str) -> None:
    unit = broken(RouterInput, *INPUT_FAULTS[fault])
    assert verify(InputSpec(TURNS[Port.EAST], unit), Mode.PROVE).status == "FAIL"


OUTPUT_FAULTS = {
    "overwritten": ("free.eq(~self.packet.valid | self.packet.ready)", "free.eq(1)"),
    "twice": (
        "self.packet.valid.eq(self.wanted.any())",
        "self.packet.valid.eq(self.packet.valid | self.wanted.any())",
    ),
    "altered": ("with m.If(self.granted[number]):", "with m.If(self.wanted[number]):"),
    "not seen on its way": (
        "self.pending.eq(self.packet.valid & (",
        "self.pending.eq(self.packet.ready & (",
    ),
}


@pytest.mark.parametrize("fault", OUTPUT_FAULTS)
def test_broken_output(fault: str) -> None:
    unit = broken(RouterOutput, *OUTPUT_FAULTS[fault])
    assert verify(OutputSpec((1, 2, 1), unit), Mode.PROVE).status == "FAIL"


UNFAIR = {
    "the same first": ("m.d.sync += turn.eq(self.grant.rotate_left(1))", "pass"),
    "without its sources": ("if weight > 1", "if weight > 9"),
    "never counted anew": ("m.d.sync += used.eq(0)", "pass"),
}


@pytest.mark.parametrize("fault", UNFAIR)
def test_unfair_output(fault: str) -> None:
    unit = using(RouterOutput, RoundRobin=broken(RoundRobin, *UNFAIR[fault]))
    assert verify(OutputSpec((1, 2, 1), unit), Mode.PROVE).status == "FAIL"


def test_no_stream_depends_on_an_input_of_the_same_clock() -> None:
    reached = reaches(Router(CONFIG, 4))
    assert reached.pop("pending") == {"slot"}
    assert len(reached) == 3 * len(Port) + 2  # of each stream, and `dropped` and `occupied`
    assert not any(reached.values())
