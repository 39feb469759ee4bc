"""Proofs about fire and emit with several fire lanes, whose walk starts and ends sooner."""

import pytest
from amaranth import Cat, Elaboratable, Module, Mux, Signal
from amaranth.hdl import Assert, Assume, Cover
from specs import AnyUpdate, altered, beside_fire, holds, opened, tiny, transfer

from spikeloom.golden.spec import SWITCHES, FabricConfig
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.core.credits import lend
from spikeloom.hdl.core.emit import Emit
from spikeloom.hdl.core.fire import Fire
from spikeloom.hdl.core.quick_walk import quick_walk
from spikeloom.sim.formal import SMT, Mode, free, verify

Fault = tuple[str, str]
LEND_FAULT = "unused + popped", "unused + unused + popped"
WALK_FAULT = "walk.entering[1:].any() & enough", "walk.entering[1:].any()"


class FireLanesSpec(Elaboratable):
    """Fire never sends an entry to a full queue, and nothing happens at rest.

    As `FireSpec` in `test_prove_tile.py`; a command may come while neurons that send nothing are
    still on their way. `inside` are the entries in the queue.
    """

    def __init__(self, config: FabricConfig, fault: Fault | None = None) -> None:
        self.config = config
        hooks = {
            "walk = quick_walk(": "walk = self.walk = quick_walk(",
            "enough = Signal()": "enough = self.enough = Signal()",
            "lend(m, ": "self.credits, self.returned = lend(m, ",
            "occupied: list[Value] = ": "occupied = self.occupied = ",
        }
        shown = (
            'ends = fsm.ongoing("DRAIN")',
            'fire.walks, fire.drains, fire.some = fsm.ongoing("WALK"), fsm.ongoing("DRAIN"), some; '
            'ends = fsm.ongoing("DRAIN")',
        )
        names = {"NeuronUpdate": AnyUpdate, "quick_walk": altered(quick_walk, *shown)}
        if fault == LEND_FAULT:
            names["lend"] = altered(lend, *fault)
        elif fault == WALK_FAULT:
            names["quick_walk"] = altered(quick_walk, *fault)
        elif fault:
            hooks[fault[0]] = fault[1]
        self.with_lemmas = not fault
        self.dut = opened(Fire, hooks, **names)(config)

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        m.submodules.dut = dut = self.dut
        inside = beside_fire(m, dut, config)
        sent = dut.spike
        lanes = range(config.fire_lanes)
        spiked = [(sent[f"spiked{lane}"] != 0) & (sent.fan_out != 0) for lane in lanes]
        m.d.comb += [
            Assert(~dut.spike_valid | (inside < config.queue), "room for every entry"),
            Assert(~dut.idle | ~(dut.spike_valid | dut.fetch.valid), "at rest, at rest"),
            Assert(~dut.spike_valid | sent.sends.any(), "somebody sends"),
            Assert(~dut.spike_valid | (dut.short == (sent.fan_out == 1)), "short: of one row"),
            Cover((inside == config.queue) & (dut.credits == 0), "full"),
        ]
        for lane in lanes:
            sends = dut.spike_valid & sent.sends[lane]
            m.d.comb += [
                Assert(~sends | spiked[lane] | sent.readout, "who sends becomes a packet"),
                Assert(~sends | (dut.routed[lane] == spiked[lane]), "routed: along a fan-out"),
                Cover(sends & (sent.sends != (1 << config.fire_lanes) - 1), f"{lane} alone"),
            ]
        if self.with_lemmas:
            moving = dut.walk.entering + sum(lanes.any() for lanes in dut.occupied[1:])
            walks, drains = dut.walks, dut.drains
            m.d.comb += [
                Assert(dut.credits + dut.returned + moving + inside == config.queue),
                Assert(walks | drains | (moving == 0)),
                Assert(walks | ~dut.fetch.valid),
                Assert(dut.walk.entering <= config.group_rows),
                Assert(~dut.enough | (dut.credits >= config.group_rows)),
                Assert(~(walks | drains) | (dut.some == (dut.walk.left != 0))),
                Assert(walks | ~dut.some),
            ]
        return m


class EmitLanesSpec(Elaboratable):
    """Every neuron of an accepted entry that sends has its packets, and idle is empty."""

    def __init__(self, config: FabricConfig, fault: Fault | None = None) -> None:
        self.config = config
        hooks = {
            "b_valid = Signal()": "b_valid = self.b_valid = Signal()",
            "late = Signal()": "late = self.late = Signal()",
            "c_free = Signal()": "c_free = self.c_free = Signal()",
        }
        if fault:
            hooks[fault[0]] = fault[1]
        self.dut = opened(Emit, hooks)(config)

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        m.submodules.dut = dut = self.dut
        inside = Signal(range(config.queue + 2))
        push = Signal()
        spike = free(m, struct(config.spike_row), "spike")
        lanes = range(config.fire_lanes)
        routed = Cat((spike[f"spiked{n}"] != 0) & (spike.fan_out != 0) for n in lanes)
        m.d.comb += [
            push.eq(free(m, 1, "push") & (inside < config.queue)),
            dut.spike_valid.eq(push),
            dut.spike.eq(spike),
            dut.routed.eq(routed),
            dut.short.eq(spike.fan_out == 1),
            dut.single.eq(Cat(~r | ((spike.fan_out == 1) & ~spike.readout) for r in routed)),
            dut.slot.eq(free(m, config.slot_width, "slot")),
            dut.ahead.eq(free(m, config.slot_width, "ahead")),
            dut.event.ready.eq(free(m, 1, "event_ready")),
            dut.host.ready.eq(free(m, 1, "host_ready")),
            dut.load.valid.eq(free(m, 1, "load_valid")),
            dut.load.word.eq(free(m, struct(config.load), "load")),
            Assume(spike.sends.any()),
            *(Assume(~spike.sends[n] | routed[n] | spike.readout) for n in lanes),
        ]
        m.d.sync += inside.eq(inside + push - dut.popped)
        beats = sum(
            Mux(spike.sends[n], Mux(routed[n], spike.fan_out, 0) + spike.readout, 0) for n in lanes
        )
        gone = transfer(dut.event) + transfer(dut.host) + (dut.b_valid & dut.late & dut.c_free)
        owed = Signal(6)
        m.d.sync += owed.eq(owed + Mux(push, beats, 0) - gone)
        out = dut.event.valid | dut.host.valid
        m.d.comb += [
            Assert(~dut.popped | (inside != 0), "it gives back no more room than it took"),
            Assert(~dut.idle | (inside == 0), "idle is empty"),
            Assert(~dut.idle | ~out, "nothing comes out of an idle emit"),
            Assert(~dut.idle | (owed == 0), "every spike has all its packets"),
            Assert(~out | (owed != 0), "and no more"),
            Assert(holds(m, dut.event), "valid and payload hold"),
            Assert(holds(m, dut.host), "valid and payload hold"),
            Cover((inside == config.queue) & (owed == 4), "full"),
        ]
        return m


TWO = tiny(lanes=2, fire_lanes=2, neurons=4, queue=2)
FOUR = tiny(lanes=8, fire_lanes=4, neurons=8, queue=3)
SWITCHED = {**dict.fromkeys(SWITCHES, True), "selection": False, "plasticity": True}
FABRICS = {
    "two lanes": TWO,
    "four lanes, two rows": FOUR,
    "two lanes, images": tiny(
        lanes=2, fire_lanes=2, neurons=4, queue=2, extent=2, coordinates=2, max_spikes=3
    ),
    "two lanes, switches and learning": tiny(
        lanes=2, fire_lanes=2, neurons=4, queue=2, plastic_axons=2, **SWITCHED
    ),
}


@pytest.mark.parametrize("name", FABRICS)
def test_fire_and_its_credits(name: str) -> None:
    spec = FireLanesSpec(FABRICS[name])
    assert verify(spec, Mode.PROVE, depth=2, engine=SMT).status == "PASS"


def test_fire_fills_the_queue() -> None:
    assert verify(FireLanesSpec(TWO), Mode.COVER, depth=24).status == "PASS"


def test_emit() -> None:
    config = tiny(lanes=2, fire_lanes=2, queue=1, targets=1)
    assert verify(EmitLanesSpec(config), Mode.PROVE).status == "PASS"
    assert verify(EmitLanesSpec(config), Mode.COVER, depth=12).status == "PASS"


FIRE_FAULTS = {
    "credits given twice": LEND_FAULT,
    "begins without credits": WALK_FAULT,
    "leaves early": ("else occupied[1:-1]", "else occupied[1:-2]"),
    "sends without a neuron": ("pushed.append(done[lane] & (", "pushed.append(1 & ("),
}


@pytest.mark.parametrize("fault", FIRE_FAULTS)
def test_broken_fire(fault: str) -> None:
    report = verify(FireLanesSpec(TWO, FIRE_FAULTS[fault]), Mode.BMC, depth=24)
    assert report.status == "FAIL"


EMIT_FAULTS = {
    "pops with the first lane": ("popped &= queue.last", "pass"),
    "pops every beat": ("queue.pop.eq(b_free & last)", "queue.pop.eq(b_free)"),
    "idle too early": ("queue.empty & ~b_valid & ~c_valid", "queue.empty & ~c_valid"),
}


@pytest.mark.parametrize("fault", EMIT_FAULTS)
def test_broken_emit(fault: str) -> None:
    config = tiny(lanes=2, fire_lanes=2, queue=1, targets=1)
    assert verify(EmitLanesSpec(config, EMIT_FAULTS[fault]), Mode.BMC, depth=14).status == "FAIL"
