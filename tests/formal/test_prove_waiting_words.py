"""Proofs about words that learning has changed: none is lost while it waits for the port.

The axons are replaced by any that hold to their contract, so however many words are read, and with
any gaps, nothing is overwritten.
"""

from collections.abc import Sequence

import pytest
from amaranth import Cat, Elaboratable, Module, Signal, Value
from amaranth.hdl import Assert, Assume, Cover
from specs import opened, tiny
from test_prove_learning import PLASTIC, AnyRules, AnyTargets

from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.core.learning.axons import Axons
from spikeloom.hdl.core.learning.learn import PENDING, Learn
from spikeloom.hdl.core.learning.synapses import Synapses
from spikeloom.sim.formal import Mode, free, verify

Fault = tuple[str, str]
TWO_PASSES = tiny(
    **PLASTIC, lanes=2, learn_lanes=1, neurons=2, queue=2, weight_words=4, eligibility=True
)
FOUR_PASSES = tiny(
    **PLASTIC, lanes=4, learn_lanes=1, neurons=4, queue=4, weight_words=4, eligibility=True
)
CONFIGS = {"two passes": TWO_PASSES, "four passes": FOUR_PASSES}


class AnyAxons(Axons):
    """Any number of entries in a scan, of any axons; a term applies to any of them."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ended = Signal()  # the scan has no entry any more
        m.d.comb += self.last.eq(ended | free(m, 1, "any_last"))
        with m.If(self.go):
            m.d.sync += [
                self.hit.eq(self.scans & ~self.last & free(m, 1, "any_hit")),
                self.source.eq(free(m, self.source.shape(), "any_source")),
                ended.eq(self.last),
            ]
        with m.If(self.begin):
            m.d.sync += ended.eq(0)
        return m


class AnySynapses(Synapses):
    """Any words, when the real ones come."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self.changed.eq(free(m, self.changed.shape(), "any_changed")),
            self.changed_valid.eq(delayed(m, self.valid, self.latency)),
        ]
        return m


class WaitingSpec(Elaboratable):
    """Each word that is read to be changed is written, once and in order, before its group ends.

    One that has changed is never overwritten by the next while it waits for a clock in which none
    is read. A rule has a plane, or none. One word is followed, with as many as are `before` it:
    what the arithmetic made of it is written where it was read. `claims` are those that are proved.
    """

    def __init__(
        self, config: FabricConfig, claims: Sequence[str], fault: Fault | None = None
    ) -> None:
        self.config = config
        self.claims = claims
        hooks = {
            "pending = Signal(count": "pending = self.pending = Signal(count",
            "m.submodules.rules = rules": "m.submodules.rules = self.rules = rules",
            "group = self._groups(": "group = self.group = self._groups(",
            "m.submodules.synapses = s": "m.submodules.synapses = self.synapses = s",
            "m.submodules.words = words": "m.submodules.words = self.words = words",
        }
        if fault:
            hooks[fault[0]] = fault[1]
        parts = {"Rules": AnyRules, "Targets": AnyTargets, "Axons": AnyAxons}
        self.dut = opened(Learn, hooks, **parts, Synapses=AnySynapses)(config)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        row, words, port = dut.rules.row, dut.words, dut.weights
        began = Signal()
        m.d.sync += began.eq(1)
        m.d.comb += [
            dut.command.valid.eq(free(m, 1, "command") & dut.idle & began),
            dut.command.ends.eq(free(m, 1, "ends")),
            dut.touches.eq(free(m, 1, "touches")),
            dut.written.eq(free(m, dut.written.shape(), "neuron")),
            Assume(row.groups <= self.config.groups),
        ]
        to_change, reads, writes = dut.synapses.valid, dut.weight_read, port.write
        inside = Signal(range(PENDING + 2))  # words that were read and not yet written
        m.d.sync += inside.eq(inside + to_change - writes)
        read_before, place_before = delayed(m, reads, 1), delayed(m, port.address, 1)
        place = place_before + row.weight_base - row.plane_base
        of_plane = read_before & (port.address == place[: len(port.address)])
        goes_on = Cat(delayed(m, to_change, n) for n in range(1, self.config.learn_passes)).any()
        claims = {
            WHOLE: ~(reads & goes_on),
            KEPT: ~(words.push & words.valid & ~words.pop),
            "what is written is there": ~(words.pop & ~words.valid),
            "and was read": ~writes | (inside != 0),
            BETWEEN: ~(reads & writes),
            "there is room for every address": (inside <= PENDING) & (inside == dut.pending),
            IN_GROUP: ~dut.group.advance | (inside == 0),
            AFTER_PLANE: ~(to_change & row.plane) | of_plane,
            **self._followed(m, inside),
        }
        m.d.comb += [Assert(claims[text], text) for text in self.claims]
        waits = words.valid & reads & read_before & row.plane & (inside > 1)
        m.d.comb += Cover(waits, "one waits for a plane")
        return m

    def _followed(self, m: Module, inside: Signal) -> dict[str, Value]:
        """The claims about the word that is followed."""
        port, synapses = self.dut.weights, self.dut.synapses
        here = Signal()
        before = Signal.like(inside)
        address = Signal.like(port.address)
        comes = Signal(synapses.latency)  # when the arithmetic is done
        data = Signal.like(synapses.changed)
        chosen = ~here & synapses.valid & free(m, 1, "choose")
        leaves = here & port.write & (before == 0)
        m.d.sync += comes.eq(comes << 1 | chosen)
        with m.If(chosen):
            m.d.sync += [here.eq(1), before.eq(inside - port.write), address.eq(port.address)]
        with m.Elif(here & port.write):
            m.d.sync += [before.eq(before - 1), here.eq(before != 0)]
        with m.If(comes[-1]):
            m.d.sync += data.eq(synapses.changed)
        return {CHANGED: ~leaves | (port.data == data), PLACE: ~leaves | (port.address == address)}


WHOLE = "nothing is read before the last pass"
KEPT = "none is overwritten"
BETWEEN = "written in a clock without a read"
IN_GROUP = "written before its group ends"
AFTER_PLANE = "read after its plane"
CHANGED = "as it was changed"
PLACE = "where it was read"
CLAIMS = (
    WHOLE,
    KEPT,
    "what is written is there",
    "and was read",
    BETWEEN,
    "there is room for every address",
    IN_GROUP,
    AFTER_PLANE,
)
NEVER_FULL = "m.d.comb += full.eq(goes_on(m, config, to_change))", "pass"
FAULTS = {
    "read in the clock of another pass": (WHOLE, NEVER_FULL),
    "pairs of reads in every clock": (KEPT, NEVER_FULL),
    "waits for two clocks without a read": (
        KEPT,
        (
            "words.valid & ~self.weight_read",
            "words.valid & ~self.weight_read & ~delayed(m, self.weight_read, 1)",
        ),
    ),
    "written meanwhile": (BETWEEN, ("words.valid & ~self.weight_read", "words.valid")),
    "goes on with words unwritten": (
        IN_GROUP,
        ("(state == State.DRAIN) & (pending == 0)", "(state == State.DRAIN)"),
    ),
    "the plane instead": (AFTER_PLANE, ("address.eq(address + to_weights)", "address.eq(address)")),
    "as it comes": (
        CHANGED,
        ("self.weights.data.eq(words.head)", "self.weights.data.eq(words.item)"),
    ),
    "where the plane is": (
        PLACE,
        ("addresses.push.eq(to_change)", "addresses.push.eq(self.weight_read)"),
    ),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_none_is_overwritten(config: FabricConfig) -> None:
    assert verify(WaitingSpec(config, CLAIMS), Mode.PROVE).status == "PASS"
    assert verify(WaitingSpec(config, CLAIMS), Mode.COVER, depth=40).status == "PASS"


@pytest.mark.soak
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_what_has_changed_is_written_where_it_was_read(config: FabricConfig) -> None:
    """Together with the other claims, without which it takes longer."""
    spec = WaitingSpec(config, [*CLAIMS, CHANGED, PLACE])
    assert verify(spec, Mode.PROVE).status == "PASS"


@pytest.mark.parametrize("fault", FAULTS)
def test_broken_waiting(fault: str) -> None:
    claim, change = FAULTS[fault]
    assert verify(WaitingSpec(TWO_PASSES, [claim], change), Mode.BMC, depth=30).status == "FAIL"
