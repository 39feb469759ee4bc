"""The arithmetic of learning: from a word of weights to what it becomes."""

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import (
    FACTOR_BITS,
    NUMBER_BITS,
    RANDOM_BITS,
    RULE_NUMBER_BITS,
    RULE_SHIFTS,
    TRACE_BITS,
    FabricConfig,
    Factor,
    Rounding,
    count_bits,
    index_bits,
)
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.shapes import lanes, struct
from spikeloom.hdl.core.learning.rules import TARGET_FACTORS, synapse_factors, uses
from spikeloom.hdl.core.random_numbers import mixed

MAX_SHIFT = RULE_SHIFTS[-1]


class Synapses(wiring.Component):
    """Applies a rule to a word of weights, in every clock.

        w' = min(max(w + ((term 0 + term 1 + r) >> shift), lowest), highest)
        term = left * right, or 0 where a gate does not hold

    Timing: with the axon's number in clock n - 1, its gates in clock n, its factors and its word in
    clock n + 1, the new word is there in clock n + `latency`.

    Parameters
    ----------
    config
        Sizes of the fabric, with `plasticity`.

    Members
    -------
    row, terms : In
        The rule, as of `Rules`.
    index : In
        Of the group's first neuron in its population.
    random_state : In(32)
        What the random numbers of the step are made of.
    source : In(16)
        Number of the axon whose factors come next, if `go`.
    go : In(1)
        The factors change after this clock.
    valid : In(1)
        A word is being read.
    address : In
        Which one.
    gates : In
        Of the axon, of each term.
    factors : In
        Of the axon of the clock before, of each term.
    target_gates, target_factors : In
        Of each lane's neuron, of each term.
    weights : In
        The word read in the clock before; before that, with a plane, that of the plane.
    changed_valid, changed_address, changed : Out
        A word to be written.
    updates : Out
        The lanes of it to which a term applied; 0 without a word.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        terms = config.rule_terms
        word = lanes(config.lanes, config.weight_bits)
        factor = signed(FACTOR_BITS + 1)
        super().__init__(
            {
                "row": In(struct(config.rule_row)),
                "terms": In(data.ArrayLayout(struct(config.term_row), terms)),
                "index": In(config.index_width),
                "random_state": In(RANDOM_BITS),
                "source": In(NUMBER_BITS),
                "go": In(1),
                "valid": In(1),
                "address": In(index_bits(config.weight_words)),
                "gates": In(terms),
                "factors": In(data.ArrayLayout(signed(FACTOR_BITS), terms)),
                "target_gates": In(data.ArrayLayout(terms, config.lanes)),
                "target_factors": In(
                    data.ArrayLayout(data.ArrayLayout(factor, terms), config.lanes)
                ),
                "weights": In(word),
                "changed_valid": Out(1),
                "changed_address": Out(index_bits(config.weight_words)),
                "changed": Out(word),
                "updates": Out(count_bits(config.lanes)),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from the read of a word to the new one."""
        return 6

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        # Clock n + 1: the word arrives. Of the operands that a term multiplies, the first one is
        # the factor of the source, if it has one or no factor of the target that a weight's
        # factor needs; the second one that of the weight, if it has one, or that of the target.
        first, gates = [], delayed(m, delayed(m, self.gates, 1), 1)
        for k, term in enumerate(self.terms):
            of_target = uses(term, *TARGET_FACTORS) & uses(term, *synapse_factors(config))
            factor = self.factors[k]
            turned = delayed(m, Mux(term.negative & ~of_target, -factor, factor), 1)
            first.append((of_target, turned))
        rounding = self._rounding(m)
        updates: list[Value] = []
        for lane in range(config.lanes):
            applies = gates & self.target_gates[lane]
            updates.append(delayed(m, applies.any(), 4))
            self._lane(m, lane, applies, first, rounding)
        valid = delayed(m, self.valid, self.latency)
        m.d.comb += [
            self.changed_valid.eq(valid),
            self.changed_address.eq(delayed(m, self.address, self.latency)),
            self.updates.eq(Mux(valid, sum(updates, Const(0)), 0)),
        ]
        return m

    def _lane(
        self,
        m: Module,
        lane: int,
        applies: Value,
        first: list[tuple[Value, Value]],
        rounding: Value,
    ) -> None:
        """A lane, from clock n + 1 on; `applies` and `first` are of clock n + 2."""
        config, row = self.config, self.row
        w1 = self.weights[lane]
        w2 = delayed(m, w1, 1)
        above, below = delayed(m, row.highest - w1, 1), delayed(m, w1 - row.lowest, 1)
        if config.eligibility:  # its word came a clock before that of the weight
            eligibility = delayed(m, w2, 1)
        # n + 2: the operands.
        products = []
        for k, term in enumerate(self.terms):
            of_target, of_source = first[k]
            target = self.target_factors[lane][k]
            of_weight = Mux(
                uses(term, Factor.ABOVE), above, Mux(uses(term, Factor.BELOW), below, w2)
            )
            if config.quadratic_bounds:
                between = (above * below) >> TRACE_BITS
                of_weight = Mux(uses(term, Factor.BETWEEN), between, of_weight)
            if config.eligibility:
                of_weight = Mux(uses(term, Factor.ELIGIBILITY), eligibility, of_weight)
            of_end = Mux(of_target, target, of_source)
            left = delayed(m, Mux(applies[k], of_end, 0), 1)
            has_weight = uses(term, *synapse_factors(config))
            right = delayed(m, Mux(has_weight, of_weight, target)[:FACTOR_BITS].as_signed(), 1)
            # n + 3.
            products.append(delayed(m, left * right, 1))
        # n + 4.
        w4 = delayed(m, w2, 2)
        total = delayed(m, sum(products, self._rounds(m, lane, rounding)), 1)
        w5 = delayed(m, w4, 1)
        above, below = delayed(m, row.highest - w4, 1), delayed(m, row.lowest - w4, 1)
        # n + 5.
        change = Signal(signed(len(total)), name=f"change{lane}")
        with m.Switch(row.shift):
            for number, shift in enumerate(RULE_SHIFTS):
                with m.Case(number):
                    m.d.comb += change.eq(total >> shift)
        sum_ = (w5 + change)[: config.weight_bits].as_signed()
        changed = Mux(change > above, row.highest, Mux(change < below, row.lowest, sum_))
        m.d.sync += self.changed[lane].eq(changed)

    def _rounding(self, m: Module) -> Value:
        """The random number of a word, in clock n + 3."""
        key = Signal(RANDOM_BITS)
        m.d.comb += key.eq(
            (self.source | self.index[4:] << NUMBER_BITS | self.row.number << KEY_SHIFT)[
                : RANDOM_BITS - 1
            ]
        )
        word = Signal(RANDOM_BITS)
        with m.If(self.go):
            m.d.sync += word.eq(self.random_state ^ key)
        return delayed(m, mixed(m, word)[:MAX_SHIFT], 1)

    def _rounds(self, m: Module, lane: int, random: Value) -> Value:
        """What a lane adds before the shift, in clock n + 4."""
        row = self.row
        by = (self.index[:4] | lane)[:4] if len(self.index) > 4 else (self.index | lane)[:4]
        rounds = Signal(MAX_SHIFT, name=f"rounds{lane}")
        with m.Switch(row.shift):
            for number, shift in enumerate(RULE_SHIFTS[1:], 1):
                with m.Case(number):
                    with m.If(row.rounding == Rounding.NEAREST):
                        m.d.sync += rounds.eq(1 << shift - 1)
                    with m.Elif(row.rounding == Rounding.STOCHASTIC):
                        high = (random[shift - 4 : shift] + by)[:4]
                        m.d.sync += rounds.eq(Cat(random[: shift - 4], high))
                    with m.Else():
                        m.d.sync += rounds.eq(0)
            with m.Default():
                m.d.sync += rounds.eq(0)
        return rounds


KEY_SHIFT = RANDOM_BITS - 1 - RULE_NUMBER_BITS
"""Where a rule's number begins in a key."""
