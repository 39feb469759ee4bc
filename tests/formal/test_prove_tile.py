"""Proofs about a tile: its spike queue never overflows, and what it holds is seen.

Those of emit and integrate are unbounded, ABC finds the invariants; that of fire is by induction
over two clocks, with invariants that are written out.
"""

import pytest
from amaranth import Const, Elaboratable, Module, Mux, Signal, Value, signed
from amaranth.hdl import Assert, Assume, Cover
from amaranth.lib import data
from soaked import all_but
from specs import AnyUpdate, altered, beside_fire, holds, opened, tiny, transfer

from spikeloom.golden.spec import SWITCHES, FabricConfig, PacketKind
from spikeloom.hdl.common.queue import Queue
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.core.accumulate import Accumulate
from spikeloom.hdl.core.address_generation import AddressGeneration
from spikeloom.hdl.core.credits import lend
from spikeloom.hdl.core.emit import Emit
from spikeloom.hdl.core.fire import Fire
from spikeloom.hdl.core.integrate import Integrate
from spikeloom.hdl.mesh.collector import CollectorNode
from spikeloom.hdl.sequencer import Sequencer
from spikeloom.sim.formal import SMT, Mode, fixed, free, reaches, verify

Fault = tuple[str, str]


def with_current(spike: data.View) -> Value:
    """Whether a synaptic current precedes the state that the spike brings."""
    return spike.currents if "currents" in spike.shape().members else Const(0)


class FireSpec(Elaboratable):
    """Fire never sends a spike to a full queue, and at rest it does nothing.

    The queue takes any time to give up a spike; `inside` are those in it. Tables, sums and
    commands are free; a command comes only at rest, as the barrier sees to. The invariants: room
    that is not lent is there, credits + those given back + neurons on their way + spikes in the
    queue = size of the queue; and rows are fetched, and neurons on their way, in few states.
    """

    def __init__(self, config: FabricConfig, fault: Fault | None = None) -> None:
        self.config = config
        hooks = {
            'walks = fsm.ongoing("WALK")': (
                'walks = self.walks = fsm.ongoing("WALK"); self.drains = fsm.ongoing("DRAIN")'
            ),
            "entering = Signal.like(": "entering = self.entering = Signal.like(",
            "left = Signal.like(": "left = self.left = Signal.like(",
            "some = Signal()": "some = self.some = Signal()",
            "count = Signal(": "count = self.count = Signal(",
            "enough = Signal()": "enough = self.enough = Signal()",
            "lend(m, ": "self.credits, self.returned = lend(m, ",
            "occupied: list[Value] = ": "occupied = self.occupied = ",
        }
        names = {"NeuronUpdate": AnyUpdate}
        if fault in (*LEND_FAULTS.values(), ONE_GROUP_IS_ENOUGH):
            names["lend"] = altered(lend, *fault)
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
        m.d.comb += [
            Assert(~dut.spike_valid | (inside < config.queue), "room for every spike"),
            Assert(~dut.idle | ~(dut.spike_valid | dut.fetch.valid), "at rest, at rest"),
            Assert(
                ~dut.spike_valid | ((sent.spiked != 0) & (sent.fan_out != 0)) | sent.readout,
                "every spike in the queue becomes a packet",
            ),
            Assert(
                ~dut.spike_valid | (dut.routed == ((sent.spiked != 0) & (sent.fan_out != 0))),
                "routed: it goes along a fan-out",
            ),
            Assert(~dut.spike_valid | (dut.short == (sent.fan_out == 1)), "short: of one row"),
            Assert(
                ~dut.spike_valid
                | (
                    dut.single
                    == (
                        (~dut.routed & ~with_current(sent))
                        | ((sent.spiked == 1) & dut.short & ~sent.readout)
                    )
                ),
                "single: it becomes one packet",
            ),
            Cover((inside == config.queue) & (dut.credits == 0), "full"),
        ]
        if self.with_lemmas:
            moving = dut.entering + sum(dut.occupied[1:])
            walks, drains = dut.walks, dut.drains
            m.d.comb += [
                Assert(dut.credits + dut.returned + moving + inside == config.queue),
                Assert(walks | drains | (moving == 0)),
                Assert(walks | ~dut.fetch.valid),
                Assert(dut.entering <= config.lanes),
                Assert(~dut.enough | (dut.credits >= config.lanes)),
                Assert(~(walks | drains) | (dut.some == (dut.left != 0))),
            ]
            if not config.images:
                fits = Mux(dut.left < config.lanes, dut.left, config.lanes)
                m.d.comb += Assert(~(walks & dut.some) | (dut.count == fits))
        return m


class EmitSpec(Elaboratable):
    """Emit takes every spike that there is room for, and `idle` says that it holds nothing.

    `inside` are the spikes in the queue. Tables and the readiness of both outputs are free. `owed`
    are the packets still to come of the spikes taken in.
    """

    def __init__(self, config: FabricConfig, fault: Fault | None = None) -> None:
        self.config = config
        hooks = {
            "submodules.queue = queue": "submodules.queue = self.queue = queue",
            "b_valid = Signal()": "b_valid = self.b_valid = Signal()",
            "c_valid = Signal()": "c_valid = self.c_valid = Signal()",
            "late = Signal()": "late = self.late = Signal()",
            "c_free = Signal()": "c_free = self.c_free = Signal()",
        }
        if fault:
            hooks[fault[0]] = fault[1]
        rows = {
            "written = Signal(bits)": "written = self.written = Signal(bits)",
            "taken = Signal(bits)": "taken = self.taken = Signal(bits)",
        }
        self.dut = opened(Emit, hooks, Queue=opened(Queue, rows))(config)

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        m.submodules.dut = dut = self.dut
        inside = Signal(range(config.queue + 2))
        push = Signal()
        spike = free(m, struct(config.spike), "spike")
        current = spike.readout & with_current(spike)
        m.d.comb += [
            push.eq(free(m, 1, "push") & (inside < config.queue)),
            dut.spike_valid.eq(push),
            dut.spike.eq(spike),
            dut.routed.eq((spike.spiked != 0) & (spike.fan_out != 0)),
            dut.short.eq(spike.fan_out == 1),
            dut.single.eq(
                (~dut.routed & ~current)
                | ((spike.spiked == 1) & (spike.fan_out == 1) & ~spike.readout)
            ),
            dut.slot.eq(free(m, config.slot_width, "slot")),
            dut.ahead.eq(free(m, config.slot_width, "ahead")),
            dut.event.ready.eq(free(m, 1, "event_ready")),
            dut.host.ready.eq(free(m, 1, "host_ready")),
            dut.load.valid.eq(free(m, 1, "load_valid")),
            dut.load.word.eq(free(m, struct(config.load), "load")),
            Assume(((spike.spiked != 0) & (spike.fan_out != 0)) | spike.readout),
        ]
        m.d.sync += inside.eq(inside + push - dut.popped)
        beats = spike.spiked * spike.fan_out + spike.readout + current
        gone = transfer(dut.event) + transfer(dut.host) + (dut.b_valid & dut.late & dut.c_free)
        owed = Signal(5)
        m.d.sync += owed.eq(owed + Mux(push, beats, 0) - gone)
        queue = dut.queue
        held = (queue.written - queue.taken)[: len(queue.taken)] + queue.valid
        rested = Signal()
        m.d.sync += rested.eq(dut.idle & ~push)
        out = dut.event.valid | dut.host.valid
        m.d.comb += [
            Assert(~dut.popped | (inside != 0), "it gives back no more room than it took"),
            Assert(held == inside, "and none is lost"),
            Assert(dut.idle == ((inside == 0) & ~dut.b_valid & ~dut.c_valid), "idle is empty"),
            Assert(~dut.idle | ~out, "nothing comes out of an idle emit"),
            Assert(~rested | dut.idle, "nor comes to be in it"),
            Assert(~dut.idle | (owed == 0), "every spike has all its packets"),
            Assert(~out | (owed != 0), "and no more"),
            Assert(~(dut.event.valid & dut.host.valid), "one packet at a time"),
            Assert(holds(m, dut.event), "valid and payload hold"),
            Assert(holds(m, dut.host), "valid and payload hold"),
            Cover((inside == config.queue) & out, "full"),
        ]
        if config.traces and config.synaptic_current:
            self._pairs(m, push)
        return m

    def _pairs(self, m: Module, push: Value) -> None:
        """After a synaptic current the next packet is the state of its neuron."""
        dut = self.dut
        host = dut.host.p
        sent = Signal(struct(self.config.host_out))  # the last packet
        has_current = Signal()  # it was a current
        with m.If(transfer(dut.host)):
            m.d.sync += [sent.eq(host), has_current.eq(host.kind == PacketKind.CURRENT)]
        same = (host.population == sent.population) & (host.index == sent.index)
        pair = dut.host.valid & (host.kind == PacketKind.STATE) & same
        pushed, spiked = Signal(range(3)), Signal()  # neurons pushed; packets of spikes came out
        m.d.sync += [
            pushed.eq(Mux(pushed == 2, 2, pushed + push)),
            spiked.eq(spiked | transfer(dut.event)),
        ]
        m.d.comb += [
            Assert(~has_current | ~(dut.event.valid | dut.host.valid) | pair, "then its state"),
            Cover(has_current & pair & spiked & (pushed == 1), "a whole neuron"),
        ]


class IntegrateSpec(Elaboratable):
    """An event is `pending` from when it is taken in until its last group is issued.

    One event is followed, taken in at any time; `waits` while another one is described. `left` are
    the groups that it has still to issue, in all its segments, once it is described; before that
    `described` is 0. Tables and fetches are free.
    """

    def __init__(self, config: FabricConfig, fault: tuple[type, str, str] | None = None) -> None:
        self.config = config
        hooks: dict[type, dict[str, str]] = {
            AddressGeneration: {"d_valid = Signal()": "d_valid = self.d_valid = Signal()"},
            Integrate: {
                "issue = Signal()": "issue = self.issue = Signal()",
                "taken = Signal()": "taken = self.taken = Signal()",
                "segment = generation.segments": "segment = self.segment = generation.segments",
                "generation = AddressGeneration(": (
                    "generation = self.generation = AddressGeneration("
                ),
            },
        }
        if fault:
            hooks[fault[0]][fault[1]] = fault[2]
        generation = opened(AddressGeneration, hooks[AddressGeneration])
        self.dut = opened(Integrate, hooks[Integrate], AddressGeneration=generation)(config)

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        m.submodules.dut = dut = self.dut
        m.d.comb += [
            dut.event.valid.eq(free(m, 1, "valid")),
            dut.event.p.eq(free(m, struct(config.event), "p")),
            dut.fetch.valid.eq(free(m, 1, "fetch")),
            dut.fetch.address.eq(free(m, dut.fetch.address.shape(), "address")),
            dut.load.valid.eq(free(m, 1, "load_valid")),
            dut.load.word.eq(free(m, struct(config.load), "load")),
            dut.slot.eq(free(m, config.slot_width, "slot")),
        ]
        here = Signal()
        waits = Signal()
        described = Signal()
        slot = Signal(config.slot_width)
        segment = dut.segment.p
        groups = segment.groups
        if config.images:
            groups = segment.rows * segment.columns * groups
        left = Signal(groups.shape())
        with m.If(~here & transfer(dut.event) & free(m, 1, "choose")):
            m.d.sync += [here.eq(1), described.eq(0), slot.eq(dut.event.p.slot)]
            m.d.sync += waits.eq(dut.generation.d_valid & ~dut.taken)
        with m.Elif(here & waits & dut.taken):
            m.d.sync += waits.eq(0)
        with m.Elif(here & ~described & dut.taken):
            m.d.sync += [here.eq(segment.has_targets), described.eq(1), left.eq(groups)]
        with m.Elif(here & described & dut.issue):
            m.d.sync += [left.eq(left - 1), here.eq(left != 1)]
        m.d.comb += [
            Assert(~here | (slot != dut.slot) | dut.pending, "what is here is pending"),
            Assert(~(here & described) | (left != 0)),
            Cover(here & described & (left == 2) & dut.stalled, "waits for a fetch"),
        ]
        return m


class SumSpec(Elaboratable):
    """A fetched row holds every weight added to it since it was fetched, whatever comes between.

    One row is followed, with `total` what was added to it. Events, tables and weights are free, and
    so are fetches, but for those of the row in the two clocks after another operation on it.
    """

    def __init__(self, config: FabricConfig, fault: tuple[str, str] | None = None) -> None:
        self.config = config
        hooks = {
            "issue = Signal()": "issue = self.issue = Signal()",
            "accumulate = Accumulate(": "accumulate = self.accumulate = Accumulate(",
            "weight_read = weights.read_port()": "weight_read = self.added = weights.read_port()",
        }
        rows = {"address = Signal(index": "address = self.address = Signal(index"}
        if fault:
            rows[fault[0]] = fault[1]
        self.dut = opened(Integrate, hooks, Accumulate=opened(Accumulate, rows))(config)

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        m.submodules.dut = dut = self.dut
        chosen = fixed(m, dut.accumulate.address.shape(), "chosen")
        total = Signal(signed(config.sum_bits))
        adds, fetched = Signal(), Signal()
        last, next_to_last = Signal(), Signal()
        of_row = Signal()
        m.d.comb += [
            dut.event.valid.eq(free(m, 1, "valid")),
            dut.event.p.eq(free(m, struct(config.event), "p")),
            dut.load.valid.eq(free(m, 1, "load_valid")),
            dut.load.word.eq(free(m, struct(config.load), "load")),
            dut.fetch.address.eq(free(m, dut.fetch.address.shape(), "address")),
            dut.fetch.valid.eq(free(m, 1, "fetch")),
            of_row.eq((dut.issue | dut.fetch.valid) & (dut.accumulate.address == chosen)),
            Assume(~(dut.fetch.valid & of_row & (last | next_to_last))),
        ]
        m.d.sync += [
            last.eq(of_row),
            next_to_last.eq(last),
            adds.eq(dut.issue & of_row),
            fetched.eq(dut.fetch.valid & of_row),
        ]
        with m.If(adds):
            m.d.sync += total.eq(total + dut.added.data[0])
        with m.If(fetched):
            m.d.sync += total.eq(0)
        m.d.comb += [
            Assert(~fetched | (dut.fetch.sums[0] == total), "the row is its sum"),
            Cover(fetched & (total == -3), "several additions"),
        ]
        return m


FIRE = tiny(lanes=2, neurons=4, queue=3)
EMIT = tiny(queue=2, targets=2)
TRACES = tiny(queue=1, targets=2, traces=True, synaptic_current=True)
INTEGRATE = tiny(neurons=4, connections=2)


@pytest.mark.parametrize("queue", all_but({2, 3}, [2, 3, 4]))
def test_fire_and_its_credits(queue: int) -> None:
    config = tiny(lanes=2, neurons=4, queue=queue)
    assert verify(FireSpec(config), Mode.PROVE, depth=2, engine=SMT).status == "PASS"
    assert verify(FireSpec(config), Mode.COVER, depth=24).status == "PASS"


def test_fire_with_images() -> None:
    config = tiny(
        lanes=2, neurons=4, queue=3, extent=2, coordinates=2, max_spikes=3, lower_clamp=True
    )
    assert verify(FireSpec(config), Mode.PROVE, depth=2, engine=SMT).status == "PASS"


def test_fire_with_traces() -> None:
    config = tiny(lanes=2, neurons=4, queue=3, traces=True, synaptic_current=True)
    assert verify(FireSpec(config), Mode.PROVE, depth=2, engine=SMT).status == "PASS"
    assert verify(FireSpec(config), Mode.COVER, depth=28).status == "PASS"


def test_fire_with_switches() -> None:
    config = tiny(lanes=2, neurons=4, queue=3, **dict.fromkeys(SWITCHES, True))
    assert verify(FireSpec(config), Mode.PROVE, depth=2, engine=SMT).status == "PASS"


def test_emit() -> None:
    assert verify(EmitSpec(tiny(queue=1, targets=2)), Mode.PROVE).status == "PASS"
    assert verify(EmitSpec(EMIT), Mode.COVER, depth=12).status == "PASS"


@pytest.mark.soak
def test_emit_with_a_queue_of_two() -> None:
    assert verify(EmitSpec(EMIT), Mode.PROVE).status == "PASS"


def test_emit_with_several_spikes() -> None:
    # Bounded: the multiplication in what is owed is too much for an unbounded proof.
    config = tiny(queue=1, targets=1, max_spikes=3)
    assert verify(EmitSpec(config), Mode.BMC, depth=14).status == "PASS"


def test_emit_with_traces() -> None:
    assert verify(EmitSpec(TRACES), Mode.PROVE).status == "PASS"
    assert verify(EmitSpec(TRACES), Mode.COVER, depth=12).status == "PASS"


def test_integrate_with_images() -> None:
    config = tiny(neurons=2, connections=1, extent=2, coordinates=2)
    assert verify(IntegrateSpec(config), Mode.PROVE).status == "PASS"


def test_integrate() -> None:
    assert verify(IntegrateSpec(INTEGRATE), Mode.PROVE).status == "PASS"
    assert verify(IntegrateSpec(INTEGRATE), Mode.COVER, depth=8).status == "PASS"


SUM = tiny(neurons=2, sum_bits=8, connections=1)


def test_sums() -> None:
    assert verify(SumSpec(SUM), Mode.BMC, depth=12).status == "PASS"
    assert verify(SumSpec(SUM), Mode.COVER, depth=12).status == "PASS"


@pytest.mark.soak
def test_sums_for_ever() -> None:
    assert verify(SumSpec(SUM), Mode.PROVE).status == "PASS"


SUM_FAULTS = {
    "the last is missed": ("r_after_last.eq(r_valid & ", "r_after_last.eq(0 & "),
    "the one before is missed": (
        "r_after_next_to_last.eq(a_valid & ",
        "r_after_next_to_last.eq(0 & ",
    ),
    "what is not there is taken": ("r_after_last.eq(r_valid & ", "r_after_last.eq(1 & "),
    "not emptied": ("row.as_value().eq(0), ", ""),
}


@pytest.mark.parametrize("fault", SUM_FAULTS)
def test_broken_sums(fault: str) -> None:
    assert verify(SumSpec(SUM, SUM_FAULTS[fault]), Mode.BMC, depth=14).status == "FAIL"


LEND_FAULTS = {
    "one credit is enough": ("credits >= Mux(", "credits >= 1 + 0 * Mux("),
    "credits given twice": ("unused + popped", "unused + unused + popped"),
    "a credit too many": (
        "count_bits(config.queue), init=config.queue)",
        "count_bits(config.queue + 1), init=config.queue + 1)",
    ),
}
ONE_GROUP_IS_ENOUGH = "Mux(begins, 2 * ", "Mux(begins, 1 * "
FIRE_FAULTS = {
    **LEND_FAULTS,
    "leaves early": ("(entering == 0) & ~moving", "entering == 0"),
}
EMIT_FAULTS = {
    "forgets": ("queue.push.eq(self.spike_valid)", "queue.push.eq(self.spike_valid & queue.empty)"),
    "pops every beat": ("queue.pop.eq(b_free & last)", "queue.pop.eq(b_free)"),
    "idle too early": ("queue.empty & ~b_valid & ~c_valid", "queue.empty & ~c_valid"),
    "overwritten": ("b_free.eq(~b_valid | c_free)", "b_free.eq(1)"),
    "does not hold": ("with m.If(c_free):", "with m.If(1):"),
}
TRACES_FAULTS = {  # and the claim that each breaks
    "no current": (
        "self.host.valid.eq(c_valid & c_host)",
        "self.host.valid.eq(c_valid & c_host & (c_packet.kind != PacketKind.CURRENT))",
        "every spike has all its packets",
    ),
    "the current again": ("current_sent.eq(current)", "current_sent.eq(0)", "then its state"),
    "endless": ("walked.eq(1), ends.eq(1)]", "walked.eq(1), ends.eq(0)]", "and no more"),
}
INTEGRATE_FAULTS = {
    "forgets X": (Integrate, "| (x_valid & (event.slot == self.slot))", ""),
    "forgets D": (AddressGeneration, "d_valid & (d_event.slot == self.slot)", "0"),
    "forgets W": (AddressGeneration, "w_valid & (w_event.slot == self.slot)", "0"),
    "W overwritten": (AddressGeneration, "self.event.ready.eq(~w_valid)", "self.event.ready.eq(1)"),
    "overwritten": (Integrate, "segment.ready.eq(~x_valid | last)", "segment.ready.eq(1)"),
}


@pytest.mark.parametrize("fault", FIRE_FAULTS)
def test_broken_fire(fault: str) -> None:
    report = verify(FireSpec(FIRE, FIRE_FAULTS[fault]), Mode.BMC, depth=24)
    assert report.status == "FAIL"


def test_broken_fire_of_one_lane() -> None:
    # Only groups of one neuron follow each other so closely.
    spec = FireSpec(tiny(neurons=4, queue=2), ONE_GROUP_IS_ENOUGH)
    assert verify(spec, Mode.BMC, depth=24).status == "FAIL"


@pytest.mark.parametrize("fault", EMIT_FAULTS)
def test_broken_emit(fault: str) -> None:
    assert verify(EmitSpec(EMIT, EMIT_FAULTS[fault]), Mode.PROVE).status == "FAIL"


@pytest.mark.parametrize("fault", TRACES_FAULTS)
def test_broken_emit_with_traces(fault: str) -> None:
    right, wrong, claim = TRACES_FAULTS[fault]
    config = tiny(queue=1, targets=1, traces=True, synaptic_current=True)
    verdict = verify(EmitSpec(config, (right, wrong)), Mode.BMC, depth=12)
    assert verdict.failed == (claim,)


@pytest.mark.parametrize("fault", INTEGRATE_FAULTS)
def test_broken_integrate(fault: str) -> None:
    spec = IntegrateSpec(INTEGRATE, INTEGRATE_FAULTS[fault])
    assert verify(spec, Mode.PROVE).status == "FAIL"


def test_no_valid_depends_on_a_ready() -> None:
    for component in (Emit(EMIT), CollectorNode(EMIT, 3), Sequencer(EMIT)):
        for output, inputs in reaches(component).items():
            if output.endswith("__valid"):
                assert not [name for name in inputs if name.endswith("__ready")], output
