"""The neurons of a group: what a learning rule takes from them."""

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import (
    AGE_BITS,
    FACTOR_BITS,
    TRACE_BITS,
    FabricConfig,
    Factor,
    count_bits,
    index_bits,
)
from spikeloom.hdl.common.arithmetic import saturate
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.shapes import memory, struct
from spikeloom.hdl.core.learning.rules import (
    applies,
    decays,
    limited,
    uses,
    within,
)
from spikeloom.hdl.core.ports import MemoryWrite, StatePort

LAST_STAGE = 3
"""Of a neuron that is loaded."""


class Targets(wiring.Component):
    """Loads the neurons of a group, one per clock, and brings their traces up to date.

        y = trace, decayed by the age of the neuron's last spike     Y = y after this step's spike
        P = the factor of the target, of each term     G = whether the term applies to the neuron

    The factors of a lane move down from the last lane as others come. A second walk reads the
    potentials of the third factor.

    Timing: `loads` holds for `latency` clocks, or `third_latency` with a third factor; in the last
    one of them, `learns` is there. The first neuron is read in the clock before them, which leaves
    a clock more between memories and multiplier.

    Parameters
    ----------
    config
        Sizes of the fabric, with `plasticity`.

    Members
    -------
    row, terms : In
        The rule, as of `Rules`.
    begin : In(1)
        The rule's first group is the next one.
    advance : In(1)
        Other neurons of the rule follow.
    group : In
        The group, by its rows of the state memory.
    enters, loads : In(1)
        Its neurons are loaded from the next clock on; they are being loaded.
    done : Out(1)
        This is the last clock of that.
    states : Out(StatePort(config))
        Reads the state memory.
    age, curve_ages : Out
        Ages for which decays and curves are read.
    decay, curves : In
        What was read.
    learns : Out
        Of each term: it applies to a neuron of the group.
    gates : Out
        Of each lane: a bit for each term, which applies to that neuron.
    factors : Out
        Of each lane: a factor for each term.
    write : Out(MemoryWrite)
        Writes to TRACE.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        terms = config.rule_terms
        factor = signed(FACTOR_BITS)
        super().__init__(
            {
                "row": In(struct(config.rule_row)),
                "terms": In(data.ArrayLayout(struct(config.term_row), terms)),
                "begin": In(1),
                "advance": In(1),
                "group": In(index_bits(config.groups)),
                "enters": In(1),
                "loads": In(1),
                "done": Out(1),
                "states": Out(StatePort(config)),
                "age": Out(AGE_BITS),
                "curve_ages": Out(data.ArrayLayout(AGE_BITS, terms)),
                "decay": In(decays()),
                "curves": In(data.ArrayLayout(signed(FACTOR_BITS), terms)),
                "learns": Out(terms),
                "gates": Out(data.ArrayLayout(terms, config.lanes)),
                "factors": Out(data.ArrayLayout(data.ArrayLayout(factor, terms), config.lanes)),
                "write": Out(MemoryWrite(index_bits(config.neurons), TRACE_BITS)),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks of a group."""
        return self.config.lanes + LAST_STAGE + 1

    @property
    def third_latency(self) -> int:
        """Clocks of a group whose rule has a third factor."""
        return max(self.latency, 2 * self.config.lanes + 2)

    def elaborate(self, platform: object) -> Module:
        config = self.config
        row, lanes = self.row, config.lanes
        lane_bits = index_bits(lanes) if lanes > 1 else 0
        m = Module()
        m.submodules.traces = traces = memory(TRACE_BITS, config.neurons)
        trace_read, trace_write = traces.read_port(), traces.write_port()

        # Stage 0, and the first of the second walk: which neuron is read.
        clock = Signal(range(self.third_latency + 1))
        works = self.loads | self.enters
        left = Signal(count_bits(config.neurons))  # neurons of the rule from this group on
        third, third_group = (
            Signal(index_bits(config.neurons), name=name) for name in ("third", "third_group")
        )
        lane = clock[:lane_bits]
        first_walk = Signal()
        second_walk = Signal()
        m.d.comb += [
            first_walk.eq(works & (clock < lanes)),
            second_walk.eq((clock >= lanes) & (clock < 2 * lanes)),
            self.states.active.eq(works),
            self.states.address.eq(Mux(second_walk, third, Cat(lane, self.group))),
            trace_read.addr.eq(Cat(lane, self.group)),
        ]
        last_but_one = Mux(row.third, self.third_latency, self.latency) - 1
        m.d.sync += [
            clock.eq(Mux(works & ~self.done, clock + 1, 0)),
            self.done.eq(clock == last_but_one),
        ]
        with m.If(self.begin):
            m.d.sync += [left.eq(row.neurons), third_group.eq(row.third_base)]
        with m.Elif(self.advance):
            m.d.sync += [left.eq(left - lanes), third_group.eq(third_group + lanes)]
        m.d.sync += third.eq(Mux(second_walk, third + 1, third_group))

        # Stage 1: its state is there.
        valid1 = delayed(m, first_walk, 1)
        one_of_rule = delayed(m, lane < left, 1)
        state = self.states.row
        age1, spiked1 = ~state.plasticity_recent, state.plasticity_spiked
        m.d.comb += self.age.eq(age1)

        # Stage 2: its decay comes, and its curves are read, which nothing multiplies. Then a clock
        # for the product, and its sum after a spike.
        for k, term in enumerate(self.terms):
            curve_age = Mux(term.post_now & spiked1, 0, age1)
            m.d.comb += self.curve_ages[k].eq(delayed(m, curve_age, 1))
        product = delayed(m, trace_read.data, 2) * delayed(m, self.decay.post_decay, 1)
        decayed = product[TRACE_BITS : 2 * TRACE_BITS]

        # Stage 3: its trace, its factors and whether it learns.
        valid3, spiked3, age3, member3 = (
            delayed(m, value, 3) for value in (valid1, spiked1, age1, one_of_rule)
        )
        potential3 = delayed(m, state.plasticity_potential, 3).as_signed()
        trace3, raised3 = delayed(m, decayed, 1), delayed(m, decayed + row.post_amount, 1)
        level3 = Mux(spiked3, limited(raised3, row.post_amount, row.nearest_post), trace3)
        curves3 = delayed(m, self.curves, 1)
        address3 = Cat(delayed(m, lane, 4), self.group) if lane_bits else self.group
        m.d.comb += [
            trace_write.addr.eq(address3),
            trace_write.data.eq(level3),
            trace_write.en.eq(valid3 & row.traces & spiked3 & member3),
            self.write.valid.eq(trace_write.en),
            self.write.address.eq(trace_write.addr),
            self.write.data.eq(trace_write.data),
        ]
        # The second walk: clocks for the row, the shift and the limits.
        third_valid = delayed(m, second_walk, 3)
        potential = delayed(m, state.plasticity_potential, 1).as_signed()
        clipped = delayed(m, saturate(potential >> row.third_shift, FACTOR_BITS), 1)

        for k, term in enumerate(self.terms):
            trace = Mux(term.post_now, level3, trace3)
            age = Mux(term.post_now & spiked3, 0, age3)
            in_range = within(age, term.post_first, term.post_last)
            gate = applies(term.post_gate, spiked3, in_range)
            gate &= within(potential3, term.lower, term.upper)
            gate &= within(trace, term.trace_lowest, term.trace_highest)
            is_third = uses(term, Factor.THIRD)
            factor = Signal(signed(FACTOR_BITS), name=f"factor{k}")
            m.d.comb += factor.eq(1)
            with m.If(is_third):
                m.d.comb += factor.eq(clipped)
            with m.Elif(uses(term, Factor.POST_TRACE)):
                m.d.comb += factor.eq(trace)
            with m.Elif(uses(term, Factor.POST_CURVE)):
                m.d.comb += factor.eq(curves3[k])
            moves = Mux(is_third, third_valid, valid3)
            self._move_down(m, k, moves, factor, valid3, gate & member3)
        return m

    def _move_down(
        self, m: Module, k: int, moves: Value, factor: Value, valid: Value, gate: Value
    ) -> None:
        """Put the factor, and the gate, of a neuron in the last lane; those before move down."""
        last = self.config.lanes - 1
        arrived = delayed(m, valid, 1)
        some = Signal(name=f"some{k}")  # of the neurons that came, but the last one
        with m.If(moves):
            for lane in range(last):
                m.d.sync += self.factors[lane][k].eq(self.factors[lane + 1][k])
            m.d.sync += self.factors[last][k].eq(factor)
        with m.If(valid):
            for lane in range(last):
                m.d.sync += self.gates[lane][k].eq(self.gates[lane + 1][k])
            m.d.sync += self.gates[last][k].eq(gate)
        with m.If(self.enters):
            m.d.sync += some.eq(0)
        with m.Elif(arrived & self.gates[last][k]):
            m.d.sync += some.eq(1)
        m.d.comb += self.learns[k].eq(some | self.gates[last][k])
