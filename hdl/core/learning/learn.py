"""Learn: changes the weights of plastic connections after each step."""

import enum
from typing import NamedTuple

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from spikeloom.golden.spec import (
    RANDOM_BITS,
    TRACE_BITS,
    FabricConfig,
    LoadTarget,
    count_bits,
    index_bits,
)
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.load import load_signature, loads
from spikeloom.hdl.common.queue import Queue
from spikeloom.hdl.common.shapes import lanes
from spikeloom.hdl.common.single_item import SingleItem
from spikeloom.hdl.core.learning.axons import Axons
from spikeloom.hdl.core.learning.kernel_walk import KernelWalk
from spikeloom.hdl.core.learning.notes import NoteQueue
from spikeloom.hdl.core.learning.passes import goes_on
from spikeloom.hdl.core.learning.rules import Rules
from spikeloom.hdl.core.learning.synapses import Synapses
from spikeloom.hdl.core.learning.targets import Targets
from spikeloom.hdl.core.ports import LearnCommand, MemoryWrite, Notes, StatePort, WeightPort

PENDING = 8
"""Words that may be read and not yet written; a power of two."""


class State(enum.Enum):
    """What learn does."""

    REST = 0
    NOTE1 = 1
    NOTE2 = 2
    NOTE3 = 3
    CLEAR = 4
    RULE = 5
    SETUP = 6
    GROUP = 7
    LOAD = 8
    SCAN = 9
    DRAIN = 10
    NEXT = 11
    END = 12


class _Group(NamedTuple):
    """The group of neurons whose synapses are being learned.

    Parameters
    ----------
    number
        By its rows of the state memory.
    advance
        The next one follows after this clock.
    touched
        It learns.
    over
        No group is left.
    word
        The first one of its weights, or of its plane if the rule has one.
    index
        Of its first neuron in its population.
    turns
        The next one's neurons and words are others; if not, it is at another position of an image.
    any_touched
        A spike touched a group.
    """

    number: Signal
    advance: Signal
    touched: Value
    over: Signal
    word: Signal
    index: Signal
    turns: Signal
    any_touched: Signal


class Learn(wiring.Component):
    """Notes the axons that spike, and applies the rules to the synapses when a step is over.

    For each rule, and each group of its neurons that a spike touched: loads these, then reads,
    changes and writes the weights to which a term applies, of the axons that spiked in the sample.

    Timing: a note takes 4 clocks, or 3 for an axon that spiked in this step before. A step that
    touched no group takes 2, if it is not the last of its sample. Else a rule takes 3 clocks and
    one for each of its groups, a touched one `Targets.latency` more, and one in which a term
    applies to a neuron 6 and one for each axon more, plus those in which writes, or reads of a
    plane, have the port. At the end of a sample, one for each axon clears what is known of it.

    Parameters
    ----------
    config
        Sizes of the fabric, with `plasticity`.

    Members
    -------
    command : In(LearnCommand())
        A step is over; comes only when idle.
    load : In(load_signature(config))
    notes : In(Notes(config))
    touches : In(1)
        The neuron whose state is written makes its group learn.
    written : In
        The row of that state.
    states : Out(StatePort(config))
    weights : Out(WeightPort(config))
    random_state : In(32)
        What the random numbers of the step are made of.
    idle : Out(1)
        No step is to be learned from, nor is being.
    updates : Out
        Synapses of this clock to which a term applied.
    weight_read : Out(1)
        A word of weights is read.
    axon_write, trace_write : Out(MemoryWrite)
        Writes to AXON and TRACE.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        axon, neuron = index_bits(config.plastic_axons), index_bits(config.neurons)
        super().__init__(
            {
                "command": In(LearnCommand()),
                "load": In(load_signature(config)),
                "notes": In(Notes(config)),
                "touches": In(1),
                "written": In(neuron),
                "states": Out(StatePort(config)),
                "weights": Out(WeightPort(config)),
                "random_state": In(RANDOM_BITS),
                "idle": Out(1),
                "updates": Out(count_bits(config.lanes)),
                "weight_read": Out(1),
                "axon_write": Out(MemoryWrite(axon, config.axon_row.width)),
                "trace_write": Out(MemoryWrite(neuron, TRACE_BITS)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        m.submodules.notes = notes = NoteQueue(config)
        m.submodules.rules = rules = Rules(config)
        m.submodules.axons = axons = Axons(config)
        m.submodules.targets = targets = Targets(config)
        connect(m, flipped(self.notes), notes.notes)
        connect(m, flipped(self.load), rules.load)
        connect(m, targets.states, flipped(self.states))
        connect(m, axons.write, flipped(self.axon_write))
        connect(m, targets.write, flipped(self.trace_write))

        state = Signal(State)
        active = Signal()  # SCAN or DRAIN, in a register, as all addresses of weights hang on it
        due = Signal()
        ends = Signal()
        t = Signal(config.stamp_bits)
        rule = Signal(index_bits(config.rules))
        axon = Signal(index_bits(config.plastic_axons))
        clear_row = Signal.like(axon)
        starts = due & notes.empty
        at_rest = state == State.REST
        learn_word = loads(self.load, LoadTarget.LEARN)
        forgets = learn_word | ((state == State.END) & ends)
        group = self._groups(m, state, learn_word | (state == State.END), rules.row)
        if config.plastic_kernels:
            self._kernels(m, state, group, rules.row, axons)
        pending = self._weights(m, state, group, rules, axons, targets)
        drained = (state == State.DRAIN) & (pending == 0)
        m.d.comb += [
            # Where no group is, it may advance, too: SETUP begins anew.
            group.advance.eq(~group.touched | (targets.done & ~targets.learns.any()) | drained),
            self.weights.active.eq(active),
            notes.pop.eq(at_rest),
            rules.number.eq(Mux(at_rest, notes.head.rule, rule)),
            axons.t.eq(t),
            axons.clear.eq(state == State.CLEAR),
            axons.clear_row.eq(clear_row),
            axons.forget.eq(forgets),
            axons.axon.eq(Mux(at_rest, notes.head.axon, axon)),
            axons.noted.eq(state == State.NOTE3),
            axons.begin.eq(targets.done),
            targets.begin.eq(state == State.SETUP),
            targets.advance.eq(group.advance & group.turns),
            targets.group.eq(group.number),
            targets.enters.eq((state == State.GROUP) & ~group.over & group.touched),
            targets.loads.eq(state == State.LOAD),
            self.idle.eq(
                ~due & state.matches(State.REST, State.NOTE1, State.NOTE2, State.NOTE3, State.CLEAR)
            ),
        ]
        self._look_up(m, state, rule, rules, axons, targets)

        with m.If(self.command.valid):
            m.d.sync += [due.eq(1), ends.eq(self.command.ends)]
        with m.Switch(state):
            with m.Case(State.REST):
                m.d.sync += [rule.eq(Mux(starts, 0, notes.head.rule)), axon.eq(notes.head.axon)]
                with m.If(starts):
                    learns = group.any_touched | ends
                    m.d.sync += [state.eq(Mux(learns, State.RULE, State.END)), due.eq(0)]
                with m.Elif(notes.valid):
                    m.d.sync += state.eq(State.NOTE1)
            with m.Case(State.NOTE1):
                m.d.sync += state.eq(State.NOTE2)
            with m.Case(State.NOTE2):
                m.d.sync += state.eq(Mux(axons.known, State.REST, State.NOTE3))
            with m.Case(State.NOTE3):
                m.d.sync += state.eq(State.REST)
            with m.Case(State.CLEAR):
                m.d.sync += clear_row.eq(clear_row + 1)
                with m.If(clear_row == config.plastic_axons - 1):
                    m.d.sync += [clear_row.eq(0), state.eq(State.REST)]
            with m.Case(State.RULE):
                m.d.sync += state.eq(State.SETUP)
            with m.Case(State.SETUP):
                unused = (rules.row.groups == 0) | (rules.row.at_end & ~ends)
                m.d.sync += state.eq(Mux(unused, State.NEXT, State.GROUP))
            with m.Case(State.GROUP):
                with m.If(group.over):
                    m.d.sync += state.eq(State.NEXT)
                with m.Elif(group.touched):
                    m.d.sync += state.eq(State.LOAD)
            with m.Case(State.LOAD):
                with m.If(targets.done):
                    learns = targets.learns.any()
                    m.d.sync += [state.eq(Mux(learns, State.SCAN, State.GROUP)), active.eq(learns)]
            with m.Case(State.SCAN):
                with m.If(axons.go & axons.last):
                    m.d.sync += state.eq(State.DRAIN)
            with m.Case(State.DRAIN):
                with m.If(drained):
                    m.d.sync += [state.eq(State.GROUP), active.eq(0)]
            with m.Case(State.NEXT):
                last = rule == config.rules - 1
                m.d.sync += [rule.eq(rule + 1), state.eq(Mux(last, State.END, State.RULE))]
            with m.Case(State.END):
                m.d.sync += [t.eq(t + 1), state.eq(Mux(ends, State.CLEAR, State.REST))]
        with m.If(forgets):
            m.d.sync += t.eq(0)
        with m.If(learn_word):
            m.d.sync += [
                notes.learning.eq(self.load.word.data[0]),
                state.eq(State.CLEAR),
                active.eq(0),
                clear_row.eq(0),
            ]
        return m

    def _look_up(
        self, m: Module, state: Signal, rule: Signal, rules: Rules, axons: Axons, targets: Targets
    ) -> None:
        """Decays and curves are read for the neurons of a group, else for axons."""
        loading = state == State.LOAD
        m.d.comb += [
            rules.rule.eq(rule),
            rules.read_age.eq(axons.go),
            rules.pre_age.eq(axons.age),
            rules.post_age.eq(targets.age),
            axons.rule.eq(rule),
            axons.group_learns.eq(targets.learns),
        ]
        for part in (axons, targets):
            m.d.comb += [
                part.row.eq(rules.row),
                part.terms.eq(rules.terms),
                part.decay.eq(rules.decay),
                part.curves.eq(rules.curves),
            ]
        for k in range(self.config.rule_terms):
            ages = targets.curve_ages[k], axons.curve_ages[k]
            m.d.comb += rules.curve_ages[k].eq(Mux(loading, *ages))

    def _groups(self, m: Module, state: Signal, forgets: Value, row: data.View) -> _Group:
        """The groups of a rule, one after the other; which of them a spike touched, until this
        `forgets`.
        """
        config = self.config
        lane_bits = index_bits(config.lanes) if config.lanes > 1 else 0
        number = Signal(index_bits(config.groups), name="group")
        following = Signal.like(number, name="next_group")
        advance, is_touched, over = (Signal(name=n) for n in ("advance", "is_touched", "over"))
        left = Signal.like(row.groups, name="groups_left")
        word = Signal.like(row.weight_base, name="word")
        index = Signal.like(row.index_base, name="index")
        touched = Signal(config.groups)
        any_touched = Signal()
        turns = Signal(init=1)
        with m.If(forgets):
            m.d.sync += [touched.eq(0), any_touched.eq(0)]
        touches = delayed(m, self.touches, 1)
        written = delayed(m, self.written[lane_bits:], 1) if config.groups > 1 else Const(0)
        with m.If(touches):
            m.d.sync += [touched.bit_select(written, 1).eq(1), any_touched.eq(1)]

        first_word = row.weight_base
        if config.eligibility:  # the plane's words are read first
            first_word = Mux(row.plane, row.plane_base, row.weight_base)
        begins = state == State.SETUP
        m.d.comb += following.eq(Mux(begins, row.neuron_base[lane_bits:], number + 1))
        with m.If(begins):
            m.d.sync += [
                left.eq(row.groups),
                over.eq(0),
                word.eq(first_word),
                index.eq(row.index_base),
            ]
        with m.Elif(advance):
            m.d.sync += [left.eq(left - 1), over.eq(left == 1)]
            with m.If(turns):
                m.d.sync += [word.eq(word + row.sources), index.eq(index + config.lanes)]
        with m.If(begins | advance):
            m.d.sync += [number.eq(following), is_touched.eq(touched.bit_select(following, 1))]
        learns = is_touched | row.at_end
        return _Group(number, advance, learns, over, word, index, turns, any_touched)

    def _kernels(
        self, m: Module, state: Signal, group: _Group, row: data.View, axons: Axons
    ) -> None:
        """Where the groups of a rule with `kernel` are, and the entries of their scans."""
        m.submodules.kernels = kernels = KernelWalk(self.config)
        m.d.comb += [
            kernels.row.eq(row),
            kernels.begin.eq(state == State.SETUP),
            kernels.advance.eq(group.advance),
            kernels.start.eq(axons.begin),
            kernels.go.eq(axons.go),
            group.turns.eq(kernels.turns),
            axons.kernel.eq(kernels.entry),
        ]

    def _weights(
        self,
        m: Module,
        state: Signal,
        group: _Group,
        rules: Rules,
        axons: Axons,
        targets: Targets,
    ) -> Signal:
        """Reads and writes words of weights; returns how many are read and not yet written."""
        config = self.config
        m.submodules.synapses = synapses = Synapses(config)
        scans = state == State.SCAN
        pending = Signal(count_bits(PENDING))
        following = Signal.like(pending)
        full = Signal()  # pending == PENDING, or a word has passes to come
        reads = Signal()
        written = Signal()
        address = Signal(index_bits(config.weight_words))
        waits: Value = full
        to_change: Value = reads
        if config.eligibility:
            of_plane = self._planes(m, rules.row, reads, address)
            waits, to_change = full | of_plane, reads & ~of_plane
        m.d.comb += [
            reads.eq(axons.hit & ~full),
            following.eq(pending + to_change - written),
            axons.scans.eq(scans),
            axons.go.eq(~(axons.hit & waits)),
        ]
        m.d.sync += pending.eq(following)
        if config.learn_passes > 1:
            m.d.comb += full.eq(goes_on(m, config, to_change))
        elif not config.two_ports:
            m.d.sync += full.eq(following == PENDING)
        if config.two_ports:
            self._write_meanwhile(m, synapses, to_change, address, written)
        else:
            self._write_between(m, synapses, to_change, address, written)
        with m.If(axons.go):
            m.d.sync += address.eq(group.word + axons.source)
        m.d.comb += [
            synapses.row.eq(rules.row),
            synapses.terms.eq(rules.terms),
            synapses.index.eq(group.index),
            synapses.random_state.eq(self.random_state),
            synapses.source.eq(axons.source),
            synapses.go.eq(axons.go),
            synapses.valid.eq(to_change),
            synapses.gates.eq(axons.gates),
            synapses.factors.eq(axons.factors),
            synapses.target_gates.eq(targets.gates),
            synapses.target_factors.eq(targets.factors),
            synapses.weights.eq(self.weights.weights),
            self.weights.write.eq(written),
            self.weight_read.eq(reads),
            self.updates.eq(synapses.updates),
        ]
        return pending

    def _write_between(
        self, m: Module, synapses: Synapses, to_change: Value, address: Value, written: Signal
    ) -> None:
        """One port: changed words wait in a queue for a clock in which none is read."""
        config = self.config
        m.submodules.addresses = addresses = Queue(index_bits(config.weight_words), PENDING)
        word = lanes(config.lanes, config.weight_bits)
        several = config.learn_passes > 1
        m.submodules.words = words = SingleItem(word) if several else Queue(word, PENDING)
        m.d.comb += [
            written.eq(words.valid & ~self.weight_read),
            addresses.push.eq(to_change),
            addresses.item.eq(address),
            addresses.pop.eq(written),
            words.push.eq(synapses.changed_valid),
            words.item.eq(synapses.changed),
            words.pop.eq(written),
            self.weights.address.eq(Mux(self.weight_read, address, addresses.head)),
            self.weights.data.eq(words.head),
        ]

    def _write_meanwhile(
        self, m: Module, synapses: Synapses, to_change: Value, address: Value, written: Signal
    ) -> None:
        """Two ports: a changed word is written in the clock after it is there."""
        latency = synapses.latency + 1
        m.d.comb += [
            written.eq(delayed(m, synapses.changed_valid, 1)),
            self.weights.address.eq(address),
            self.weights.write_address.eq(delayed(m, address, latency, reset_less=True)),
            self.weights.data.eq(delayed(m, synapses.changed, 1, reset_less=True)),
        ]

    def _planes(self, m: Module, row: data.View, reads: Value, address: Signal) -> Value:
        """Whether the address is that of a word of the plane; it becomes that of the weights."""
        half = Signal()
        of_plane = Signal()
        to_weights = Signal.like(address, name="to_weights")
        m.d.comb += of_plane.eq(row.plane & ~half)
        reads_plane = reads & of_plane
        m.d.sync += [half.eq(reads_plane), to_weights.eq(row.weight_base - row.plane_base)]
        with m.If(reads_plane):
            m.d.sync += address.eq(address + to_weights)
        return of_plane
