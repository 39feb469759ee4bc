"""Proofs about learning: each word is written at most once, bounds hold, no event is lost.

In a convolution a word is written at most once at each position.

The barrier of a fabric that learns is in a specification of its own; `test_prove_barrier` has that
of one that does not.
"""

import dataclasses

import pytest
from amaranth import Const, Elaboratable, Module, Mux, Signal, unsigned
from amaranth.hdl import Assert, Assume, Cover
from specs import opened, tiny, transfer

from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.fall_through_queue import FallThroughQueue
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.core.address_generation import AddressGeneration
from spikeloom.hdl.core.learning.axons import Axons
from spikeloom.hdl.core.learning.kernel_walk import KernelWalk
from spikeloom.hdl.core.learning.learn import PENDING, Learn
from spikeloom.hdl.core.learning.notes import NOTES, NoteQueue
from spikeloom.hdl.core.learning.rules import Rules
from spikeloom.hdl.core.learning.synapses import Synapses
from spikeloom.hdl.core.learning.targets import Targets
from spikeloom.sim.formal import Mode, fixed, free, verify

Fault = tuple[str, str]
PLASTIC = {"plasticity": True, "rules": 1, "rule_terms": 1, "plastic_axons": 2, "stamp_bits": 8}
CONFIG = tiny(**PLASTIC, neurons=1, weight_words=2)
TWO_PORTS = dataclasses.replace(CONFIG, two_ports=True)
TWO_GROUPS = tiny(**PLASTIC, neurons=2, weight_words=4)
TWO_PASSES = tiny(**PLASTIC, lanes=2, learn_lanes=1, neurons=2, queue=2, weight_words=2)
IMAGES = tiny(**PLASTIC, extent=2, coordinates=2, plastic_kernels=True)
TWO_POSITIONS = tiny(**PLASTIC, neurons=2, weight_words=4, extent=2, plastic_kernels=True)


class AnyRules(Rules):
    """A rule that never changes, and any decays and curves."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self.row.eq(fixed(m, self.row.shape(), "any_row")),
            self.terms.eq(fixed(m, self.terms.shape(), "any_terms")),
            self.decay.eq(free(m, self.decay.shape(), "any_decay")),
            self.curves.eq(free(m, self.curves.shape(), "any_curves")),
        ]
        return m


class AnyTargets(Targets):
    """Neurons of which any learn, and any time to load them."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.If(self.loads):
            m.d.sync += self.learns.eq(free(m, self.learns.shape(), "any_learns"))
        m.d.comb += [
            self.done.eq(self.loads & free(m, 1, "any_done")),
            self.states.active.eq(self.loads),
        ]
        return m


class LearnSpec(Elaboratable):
    """Learn reads and writes only what it may, and each word once.

    Notes come at any time, of any axon of the rule, as long as there is room; so do neurons that
    touch a group, the axons to which a term applies, and what was noted in this step before.
    `was_read` and `written` are about one word and the present LEARN, or in a convolution the
    present position; `begun` is 1 from a command on.
    """

    def __init__(
        self, config: FabricConfig = CONFIG, fault: tuple[type, str, str] | None = None
    ) -> None:
        self.config = config
        hooks: dict[type, dict[str, str]] = {
            Axons: {
                "(hits & self.group_learns).any()": "self.any_hit & self.group_learns.any()",
                "self.known.eq(spiked3)": "self.known.eq(valid_state3 & self.any_known)",
                "axon_bits = index_bits": (
                    "self.any_hit = Signal()\n        self.any_known = Signal()\n"
                    "        axon_bits = index_bits"
                ),
            },
            KernelWalk: {},
            Learn: {
                "pending = Signal(count": "pending = self.pending = Signal(count",
                "m.submodules.rules = rules": "m.submodules.rules = self.rules = rules",
                "m.submodules.axons = axons": "m.submodules.axons = self.axons = axons",
                "group = self._groups(": "group = self.group = self._groups(",
            },
        }
        if fault:
            hooks[fault[0]][fault[1]] = fault[2]
        self.dut = opened(
            Learn,
            hooks[Learn],
            Rules=AnyRules,
            Targets=AnyTargets,
            Axons=opened(Axons, hooks[Axons]),
            KernelWalk=opened(KernelWalk, hooks[KernelWalk]),
        )(config)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        row = dut.rules.row
        two_ports = self.config.two_ports
        word = dut.weights.address
        written_word = dut.weights.write_address if two_ports else word
        chosen = fixed(m, word.shape(), "chosen")
        began = Signal()
        written = Signal()
        was_read = Signal()
        command = free(m, 1, "command") & dut.idle & began
        note = free(m, dut.notes.p.shape(), "note")
        learn_word = free(m, 1, "learn_word") & dut.idle
        m.d.sync += began.eq(1)
        kernels = self.config.plastic_kernels
        words = 2 if kernels else self.config.weight_words
        last_group = dut.group.number == self.config.groups - 1
        begun = Signal()
        m.d.comb += [
            dut.axons.any_hit.eq(free(m, 1, "any_hit")),
            dut.axons.any_known.eq(free(m, 1, "any_known")),
            dut.command.valid.eq(command),
            dut.command.ends.eq(free(m, 1, "ends")),
            dut.notes.valid.eq(
                free(m, 1, "noted") & dut.notes.learning & ~dut.notes.full & dut.idle & ~command
            ),
            dut.notes.p.eq(note),
            dut.touches.eq(free(m, 1, "touches")),
            dut.written.eq(free(m, dut.written.shape(), "neuron")),
            dut.load.valid.eq(learn_word),
            dut.load.word.target.eq(LoadTarget.LEARN),
            dut.load.word.data.eq(free(m, 1, "learning")),
            # The rule of a tiny fabric: two axons, and a word for each in each group.
            Assume((row.sources == 2) & (row.axon_base == 0) & (row.weight_base == 0)),
            Assume((row.groups <= self.config.groups) & (row.neuron_base == 0)),
            Assume(~learn_word | ~command),
        ]
        if kernels:  # two positions of one channel; any strides, paddings and sizes of the source
            m.d.comb += [
                Assume(row.kernel & (row.channels * row.kernel_columns <= 2)),
                Assume((row.channels != 0) & (row.kernel_columns != 0)),
                Assume(row.target_height * row.target_width == 2),
            ]
        reads, writes = dut.weight_read, dut.weights.write
        over = dut.group.advance
        with m.If(command | over if kernels else command):
            m.d.sync += [written.eq(0), was_read.eq(0)]
        with m.If(command):
            m.d.sync += begun.eq(1)
        with m.If(reads & (word == chosen)):
            m.d.sync += was_read.eq(1)
        with m.If(writes & (written_word == chosen)):
            m.d.sync += written.eq(1)
        one_word = word == written_word
        m.d.comb += [
            Assert(~(writes & (written_word == chosen) & written), ONCE),
            Assert(~(reads & (word == chosen) & was_read), "and read once"),
            Assert(
                ~(writes & (written_word == chosen)) | was_read, "only what was read is written"
            ),
            Assert(~(reads & writes & one_word), "one port, or each port another word"),
            Assert(~(reads | writes) | dut.weights.active, "what is used is owned"),
            Assert(begun | ~(dut.weights.active | dut.states.active), UNTOUCHED),
            Assert(~dut.idle | ~(dut.weights.active | dut.states.active), "at rest, at rest"),
            Assert((row.groups != 0) | ~(dut.weights.active | dut.states.active), NO_RULE),
            Assert(~over | (was_read == written), "what was read is written with its group"),
            Assert(~over | (dut.pending == 0), "nothing is left between groups"),
            Assert(dut.pending <= PENDING),
            Assert((word < words) | ~reads, "of the rule's words"),
            Assert((written_word < words) | ~writes),
            Cover(over & last_group & written & (chosen == words - 1), "the last word"),
        ]
        return m


ONCE = "a word is written once"
UNTOUCHED = "without a command nothing is touched"
NO_RULE = "nor without a rule"

LEARN_FAULTS: dict[str, tuple[type, str, str]] = {
    "an axon is active twice": (
        Axons,
        "self.noted & ~valid_state3",
        "self.noted",
    ),
    "the list is not emptied": (Axons, "m.d.sync += [each.eq(0) for each in counts]", "pass"),
    "goes on with words unwritten": (
        Learn,
        "(state == State.DRAIN) & (pending == 0)",
        "(state == State.DRAIN)",
    ),
    "begins by itself": (Learn, "starts = due & notes.empty", "starts = notes.empty"),
    "an unused rule is used": (
        Learn,
        "(rules.row.groups == 0) | (rules.row.at_end & ~ends)",
        "rules.row.at_end & ~ends",
    ),
}


KERNEL_FAULTS: dict[str, tuple[type, str, str]] = {
    "other words at each position": (Learn, "with m.If(turns):", "with m.If(1):"),
    "a word comes twice": (KernelWalk, "self.entry.source + 1", "self.entry.source"),
    "goes on with words unwritten": LEARN_FAULTS["goes on with words unwritten"],
}


@pytest.mark.soak
def test_words_of_kernels_are_written_once_at_a_position() -> None:
    spec = LearnSpec(TWO_POSITIONS)
    assert verify(spec, Mode.PROVE).status == "PASS"
    assert verify(LearnSpec(TWO_POSITIONS), Mode.COVER, depth=60).status == "PASS"


@pytest.mark.parametrize("fault", KERNEL_FAULTS)
def test_broken_kernels(fault: str) -> None:
    spec = LearnSpec(TWO_POSITIONS, fault=KERNEL_FAULTS[fault])
    assert verify(spec, Mode.PROVE).status == "FAIL"


@pytest.mark.soak
@pytest.mark.parametrize("config", [CONFIG, TWO_PORTS], ids=["one port", "two ports"])
def test_words_are_written_once(config: FabricConfig) -> None:
    assert verify(LearnSpec(config), Mode.PROVE).status == "PASS"
    assert verify(LearnSpec(config), Mode.COVER, depth=50).status == "PASS"


@pytest.mark.soak
@pytest.mark.parametrize("config", [TWO_GROUPS, TWO_PASSES], ids=["two groups", "two passes"])
def test_words_of_more_are_written_once(config: FabricConfig) -> None:
    assert verify(LearnSpec(config), Mode.PROVE).status == "PASS"
    assert verify(LearnSpec(config), Mode.COVER, depth=70).status == "PASS"


@pytest.mark.parametrize("fault", LEARN_FAULTS)
def test_broken_learn(fault: str) -> None:
    assert verify(LearnSpec(fault=LEARN_FAULTS[fault]), Mode.PROVE).status == "FAIL"


@pytest.mark.soak
def test_a_word_written_a_clock_early_is_another() -> None:
    fault = Learn, "latency = synapses.latency + 1", "latency = synapses.latency"
    assert verify(LearnSpec(TWO_PORTS, fault), Mode.PROVE).status == "FAIL"


class BoundsSpec(Elaboratable):
    """Whatever the factors, sum and rounding: a weight within bounds stays within them.

    A lane to which no term applies keeps it. The lane is the last one of the word.
    """

    def __init__(self, fault: Fault | None = None, config: FabricConfig = CONFIG) -> None:
        self.config = config
        self.dut = opened(Synapses, dict([fault] if fault else []))(config)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        row = fixed(m, dut.row.shape(), "row")
        terms = fixed(m, dut.terms.shape(), "terms")
        began = delayed(m, Const(1, 1), dut.latency)
        m.d.comb += [dut.row.eq(row), dut.terms.eq(terms), Assume(row.lowest <= row.highest)]
        for name in ("index", "random_state", "source", "valid", "gates", "factors"):
            m.d.comb += getattr(dut, name).eq(free(m, getattr(dut, name).shape(), name))
        for name in ("target_gates", "target_factors", "weights", "go"):
            m.d.comb += getattr(dut, name).eq(free(m, getattr(dut, name).shape(), name))
        lane, passes = self.config.lanes - 1, self.config.learn_passes
        if passes > 1:
            began = dut.changed_valid
            m.d.comb += Assume(~(dut.valid & delayed(m, dut.valid, 1)))  # of two passes
        new = dut.changed[lane]
        old = delayed(m, dut.weights[lane], dut.latency - 1)
        applies = delayed(m, dut.gates, 1 + passes) & dut.target_gates[lane]
        applied = delayed(m, applies.any(), dut.latency - 1 - passes)
        counted = Mux(dut.valid, sum((dut.gates & gates).any() for gates in dut.target_gates), 0)
        fits = (old >= row.lowest) & (old <= row.highest)
        m.d.comb += [
            Assert(~began | ~fits | ((new >= row.lowest) & (new <= row.highest)), "within bounds"),
            Assert(~began | applied | ~fits | (new == old), "or as it was"),
            Assert(dut.updates == counted, "and counted if not"),
            Cover(began & (new == row.highest) & (old == row.lowest) & (new != old), "a jump"),
        ]
        return m


@pytest.mark.parametrize("config", [CONFIG, TWO_PASSES], ids=["one pass", "two passes"])
def test_bounds(config: FabricConfig) -> None:
    depth = 8 + config.learn_passes
    assert verify(BoundsSpec(config=config), Mode.BMC, depth=depth).status == "PASS"
    assert verify(BoundsSpec(config=config), Mode.COVER, depth=depth).status == "PASS"


BOUNDS_FAULTS = {
    "no upper bound": ("(changed < bound) == falls", "(changed < bound) & falls"),
    "no lower bound": ("(changed < bound) == falls", "(changed >= bound) & ~falls"),
    "a gate is forgotten": ("Mux(applies[k], first, 0)", "first"),
    "rounded twice": ("fraction.eq(half << shift - 1)", "fraction.eq(half << shift)"),
}


@pytest.mark.parametrize("fault", BOUNDS_FAULTS)
def test_broken_bounds(fault: str) -> None:
    assert verify(BoundsSpec(BOUNDS_FAULTS[fault]), Mode.BMC, depth=9).status == "FAIL"


class QueueSpec(Elaboratable):
    """What is pushed comes out once, in order, and as soon as nothing is before it.

    One item is followed, with as many as are `before` it.
    """

    def __init__(self, fault: Fault | None = None) -> None:
        self.dut = opened(FallThroughQueue, dict([fault] if fault else []))(unsigned(1), 4)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        inside = Signal(range(6))
        push = free(m, 1, "push") & (inside < self.dut.depth)
        item = free(m, 1, "item")
        pop = free(m, 1, "pop")
        m.d.comb += [dut.push.eq(push), dut.item.eq(item), dut.pop.eq(pop)]
        leaves = dut.valid & pop
        m.d.sync += inside.eq(inside + push - leaves)
        here = Signal()
        value = Signal()
        before = Signal(range(6))
        present = inside != 0
        with m.If(~here & push & free(m, 1, "choose") & (present | ~pop)):
            m.d.sync += [here.eq(1), value.eq(item), before.eq(inside - (leaves & present))]
        with m.Elif(here & leaves):
            m.d.sync += [before.eq(before - 1), here.eq(before != 0)]
        m.d.comb += [
            Assert(dut.valid == (present | push), "what is there is offered"),
            Assert(present | ~push | (dut.head == item), "it falls through"),
            Assert(~here | (before != 0) | (dut.head == value), "in order, unchanged"),
            Cover(here & (before == 0) & (inside == self.dut.depth), "full"),
        ]
        return m


QUEUE_FAULTS = {
    "a word that waits is lost": ("keeps.eq(self.push & (held | ~self.pop))", "keeps.eq(0)"),
    "one behind it is lost": ("(held & ~self.pop) | some | keeps", "(held & ~self.pop) | keeps"),
    "written over": ("stored.eq(stored + write.en - read.en)", "stored.eq(write.en)"),
    "the wrong one is first": (
        "with m.Elif(self.pop | ~held):",
        "with m.Elif(self.pop | self.push):",
    ),
}


def test_words_that_wait() -> None:
    assert verify(QueueSpec(), Mode.PROVE).status == "PASS"
    assert verify(QueueSpec(), Mode.COVER, depth=16).status == "PASS"


@pytest.mark.parametrize("fault", QUEUE_FAULTS)
def test_broken_queue(fault: str) -> None:
    assert verify(QueueSpec(QUEUE_FAULTS[fault]), Mode.BMC, depth=12).status == "FAIL"


class NotesSpec(Elaboratable):
    """The queue of notes never overflows, and it holds what was taken."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.dut = opened(NoteQueue, dict([fault] if fault else []))(CONFIG)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        inside = Signal(range(NOTES + 2))
        note = free(m, 1, "note") & ~dut.notes.full
        pop = free(m, 1, "pop")
        m.d.comb += [dut.notes.valid.eq(note), dut.pop.eq(pop)]
        m.d.sync += inside.eq(inside + note - (pop & dut.valid))
        m.d.comb += [
            Assert(inside <= NOTES, "there is room for every note"),
            Assert(dut.notes.full == (inside == NOTES), "full is full"),
            Assert(dut.empty == (inside == 0), "empty is empty"),
            Cover(dut.notes.full & pop, "full"),
        ]
        return m


def test_notes() -> None:
    assert verify(NotesSpec(), Mode.PROVE).status == "PASS"
    assert verify(NotesSpec(), Mode.COVER, depth=24).status == "PASS"


def test_broken_notes() -> None:
    fault = "- (queue.valid & self.pop)", "- self.pop"
    assert verify(NotesSpec(fault), Mode.BMC, depth=22).status == "FAIL"


class PlasticEventsSpec(Elaboratable):
    """An event of a plastic connection is noted once, in the clock in which it is taken.

    While notes are full none is taken; the event stays, and is `pending`. What is dropped is not
    noted. The note is of the event's axon, also if that is of an image, and without targets.
    """

    def __init__(self, config: FabricConfig = CONFIG, fault: Fault | None = None) -> None:
        self.config = config
        hooks = {
            "exists = Signal()": "exists = self.exists = Signal()",
            "d_event = Signal(": "d_event = self.d_event = Signal(",
            "row = connection_read.data": "row = self.row = connection_read.data",
            "d_take = Signal()": "d_take = self.d_take = Signal()",
            "d_valid = Signal()": "d_valid = self.d_valid = Signal()",
        }
        if fault:
            hooks[fault[0]] = fault[1]
        self.dut = opened(AddressGeneration, hooks)(config)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        config = self.config
        m.d.comb += [
            dut.event.valid.eq(free(m, 1, "valid")),
            dut.event.p.eq(free(m, struct(config.event), "p")),
            dut.segments.ready.eq(free(m, 1, "ready")),
            dut.load.valid.eq(free(m, 1, "load_valid")),
            dut.load.word.eq(free(m, struct(config.load), "load")),
            dut.slot.eq(free(m, config.slot_width, "slot")),
            dut.notes.learning.eq(free(m, 1, "learning")),
            dut.notes.full.eq(free(m, 1, "full")),
        ]
        inside = Signal(range(4))
        taken = transfer(dut.segments)
        m.d.sync += inside.eq(inside + transfer(dut.event) - taken)
        wanted = taken & dut.notes.learning & dut.row.plastic & dut.exists
        row, event, note = dut.row, dut.d_event, dut.notes.p
        axon = row.axon_base + event.index
        if config.images:
            axon += Mux(row.image, (event.y << row.axon_row) + (event.x << row.axon_column), 0)
        waits = row.image if config.images else Const(0)
        blocked = dut.notes.learning & dut.notes.full & dut.row.plastic
        m.d.comb += [
            Assert(dut.notes.valid == wanted, "one note for each"),
            Assert(~dut.notes.valid | ~dut.notes.full, "none without room"),
            Assert(~taken | dut.d_valid, "what is taken was there"),
            Assert(dut.occupied == (inside != 0), "none is lost"),
            Assert(~dut.notes.valid | (note.axon == axon[: len(note.axon)]), "of its axon"),
            Assert(
                ~dut.d_valid | blocked | waits | dut.segments.valid, "none waits without a reason"
            ),
            Cover(dut.d_valid & blocked & (inside == 2), "waits"),
        ]
        return m


@pytest.mark.parametrize("config", [CONFIG, IMAGES], ids=["dense", "images"])
def test_plastic_events(config: FabricConfig) -> None:
    assert verify(PlasticEventsSpec(config), Mode.PROVE).status == "PASS"
    assert verify(PlasticEventsSpec(config), Mode.COVER, depth=8).status == "PASS"


@pytest.mark.parametrize(
    "fault",
    [
        ("self.segments.valid.eq(0)", "self.segments.valid.eq(1)"),
        ("self.notes.valid.eq(d_take & exists & noted)", "self.notes.valid.eq(d_valid & noted)"),
        ("with m.If(noted & self.notes.full):", "with m.If(self.notes.full):"),
    ],
)
def test_broken_notes_of_events(fault: Fault) -> None:
    assert verify(PlasticEventsSpec(fault=fault), Mode.BMC, depth=8).status == "FAIL"


@pytest.mark.parametrize(
    "fault",
    [
        ("(event.x << row.axon_column)", "(event.x << row.axon_row)"),
        ("(row.axon_base + event.index + rows + columns)[:bits], 1)", "row.axon_base, 1)"),
        ("clock == Mux(row.grouped, 4, 3)", "clock == Mux(row.grouped, 4, 1)"),
        ("self.notes.valid.eq(d_take & exists & noted)", "self.notes.valid.eq(d_take & noted)"),
    ],
)
def test_broken_notes_of_images(fault: Fault) -> None:
    assert verify(PlasticEventsSpec(IMAGES, fault), Mode.BMC, depth=8).status == "FAIL"
