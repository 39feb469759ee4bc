"""The arithmetic of learning: from a word of weights to what it becomes."""

from typing import NamedTuple

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
)
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.shapes import lanes, struct
from spikeloom.hdl.core.learning.passes import Passes
from spikeloom.hdl.core.learning.rules import TARGET_FACTORS, synapse_factors, uses
from spikeloom.hdl.core.random_numbers import mixed

MAX_SHIFT = RULE_SHIFTS[-1]


class _Operands(NamedTuple):
    """What makes the operands of a term, in every lane.

    The first one is the factor of the target before one of the synapse, else `source`. The second
    one is that of the target, or `offset` and the weight, or its complement if it `turns`.
    """

    of_target: Value
    source: Value
    of_synapse: Value
    turns: Value
    offset: Value
    is_between: Value
    is_eligibility: Value


class _Rounding(NamedTuple):
    """What is added to the sums of a word: `fraction`, but in the four bits of a place `high`.

    `high` is that of lane 0.
    """

    fraction: Value
    high: Value
    places: list[Value]


class Synapses(wiring.Component):
    """Applies a rule to a word of weights, in every clock or every `learn_passes` clocks.

        w' = w + ((term 0 + term 1 + r) >> shift), or a bound that it would pass
        term = left * right, or 0 where a gate does not hold

    Timing: with the axon's number in clock n - 1, its gates in clock n, its factors and its word in
    clock n + 1, the new word is there in clock n + `latency`. Another one can be read in clock n +
    `learn_passes`.

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
    gates : In
        Of the axon, of each term.
    factors : In
        Of the axon of the clock before, of each term.
    target_gates, target_factors : In
        Of each lane's neuron, of each term.
    weights : In
        The word read in the clock before; before that, with a plane, that of the plane.
    changed_valid, changed : Out
        A word to be written.
    updates : Out
        The lanes of the word being read to which a term applies; 0 without one.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        terms = config.rule_terms
        word = lanes(config.lanes, config.weight_bits)
        factor = signed(FACTOR_BITS)
        super().__init__(
            {
                "row": In(struct(config.rule_row)),
                "terms": In(data.ArrayLayout(struct(config.term_row), terms)),
                "index": In(config.index_width),
                "random_state": In(RANDOM_BITS),
                "source": In(NUMBER_BITS),
                "go": In(1),
                "valid": In(1),
                "gates": In(terms),
                "factors": In(data.ArrayLayout(signed(FACTOR_BITS), terms)),
                "target_gates": In(data.ArrayLayout(terms, config.lanes)),
                "target_factors": In(
                    data.ArrayLayout(data.ArrayLayout(factor, terms), config.lanes)
                ),
                "weights": In(word),
                "changed_valid": Out(1),
                "changed": Out(word),
                "updates": Out(count_bits(config.lanes)),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from the read of a word to the new one."""
        return 6 + self.config.learn_passes

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        passes = Passes(m, config, self.valid, self.weights)
        gates = passes.hold(m, delayed(m, self.gates, 1))
        operands = [self._operands(m, passes, k) for k in range(config.rule_terms)]
        rounding = self._rounding(m, passes)
        changed = passes.gathered(m, self.changed)
        for lane in range(passes.lanes):
            applies = gates & passes.turn([*self.target_gates], lane)
            new = self._lane(m, passes, lane, applies, operands, rounding)
            m.d.comb += changed[lane].eq(new)
        updates = ((self.gates & gates).any() for gates in self.target_gates)
        m.d.comb += [
            self.changed_valid.eq(delayed(m, self.valid, self.latency)),
            self.updates.eq(Mux(self.valid, sum(updates, Const(0)), 0)),
        ]
        return m

    def _operands(self, m: Module, passes: Passes, k: int) -> _Operands:
        """What makes the operands of a term; all but `source` stays while a rule does.

        highest - w is highest + 1 and the complement of w; w - lowest is -lowest and w. So the sign
        of a term is that of its factor of the synapse, if it has one, else that of `source`.
        """
        term, row = self.terms[k], self.row
        of_synapse = uses(term, *synapse_factors(self.config))
        of_target = uses(term, *TARGET_FACTORS) & of_synapse
        factor = self.factors[k]
        source = Mux(term.negative & ~of_synapse, -factor, factor)
        # To turn a number is to take its complement and 1.
        turns = (uses(term, Factor.ABOVE) ^ term.negative) & of_synapse
        above = Mux(uses(term, Factor.ABOVE), row.highest, 0)
        offset = delayed(m, Mux(uses(term, Factor.BELOW), -row.lowest, above), 1)
        offset = Mux(term.negative, -offset, offset) + turns
        values = (
            of_target,
            source,
            of_synapse,
            turns,
            offset[:FACTOR_BITS].as_signed(),
            uses(term, Factor.BETWEEN),
            uses(term, Factor.ELIGIBILITY),
        )
        return _Operands(*(passes.hold(m, value) for value in values))

    def _lane(
        self,
        m: Module,
        passes: Passes,
        lane: int,
        applies: Value,
        operands: list[_Operands],
        rounding: _Rounding,
    ) -> Value:
        """What a lane makes of its weight, from clock n + 1 on, in the first pass.

        `applies` and what makes operands are of clock n + 2.
        """
        config, row = self.config, self.row
        bits = config.weight_bits

        def register(value: Value, clocks: int = 1) -> Value:
            return delayed(m, value, clocks, reset_less=True)

        w1, w2, eligibility = passes.weight(m, lane)
        above, below = register(row.highest - w1), register(w1 - row.lowest)
        # n + 2: the operands.
        products = []
        for k, operand in enumerate(operands):
            target = passes.turn([factors[k] for factors in self.target_factors], lane)
            of_synapse: Value = w2
            if config.eligibility:
                of_synapse = Mux(operand.is_eligibility, eligibility, of_synapse)
            if config.quadratic_bounds:
                between = (above * below)[TRACE_BITS : 2 * TRACE_BITS]
                of_synapse = Mux(operand.is_between, between[:bits].as_signed(), of_synapse)
            turned = (of_synapse.as_unsigned() ^ operand.turns.replicate(bits)).as_signed()
            second = Mux(operand.of_synapse, turned, target) + operand.offset
            first = Mux(operand.of_target, target, operand.source)
            left = register(Mux(applies[k], first, 0))
            right = register(second[:FACTOR_BITS].as_signed())
            # n + 3: a product is 2**16 at most. Its register has a reset: one without is taken
            # into SB_MAC16 by Yosys, and that netlist learns nothing (test_netlist_learning).
            product = (left * right)[: 2 * FACTOR_BITS].as_signed()
            products.append(delayed(m, product, 1))
        # n + 4, n + 5.
        sum_bits = 2 * FACTOR_BITS + config.rule_terms - 1
        both = register(sum(products, Const(0))[:sum_bits].as_signed())
        total = register((both + self._rounds(m, lane, rounding))[:sum_bits].as_signed())
        # n + 6: the change, if it fits, and its bound.
        sign = total[-1]
        extended = Cat(total, sign.replicate(MAX_SHIFT))
        change = Signal(signed(bits + 1), name=f"change{lane}")
        rest = Signal(sum_bits, name=f"rest{lane}")
        with m.Switch(row.shift):
            for number, shift in enumerate(RULE_SHIFTS):
                with m.Case(number):
                    above_it = extended[shift + bits : sum_bits + shift]
                    m.d.comb += [
                        change.eq(Cat(extended[shift : shift + bits], sign)),
                        rest.eq(above_it ^ sign.replicate(len(above_it))),
                    ]
        falls = register(sign)
        large = register(rest.any())
        bound = register(Mux(sign, row.lowest, row.highest))
        changed = register(register(w2, 4) + change)
        # n + 7.
        beyond = large | ((changed < bound) == falls)
        return Mux(beyond, bound, changed[:bits].as_signed())

    def _rounding(self, m: Module, passes: Passes) -> _Rounding:
        """What the sums of a word are rounded with, in clock n + 4."""
        row = self.row
        key = Signal(RANDOM_BITS)
        m.d.comb += key.eq(
            (self.source | self.index[4:] << NUMBER_BITS | row.number << KEY_SHIFT)[
                : RANDOM_BITS - 1
            ]
        )
        word = Signal(RANDOM_BITS)
        with m.If(self.go):
            m.d.sync += word.eq(self.random_state ^ key)
        random = delayed(m, mixed(m, word)[:MAX_SHIFT], 1)
        is_random = row.rounding == Rounding.STOCHASTIC
        fraction = Signal(MAX_SHIFT)
        high = Signal(4)
        if passes.count > 1:
            m.d.sync += high.eq(high + passes.lanes)  # of the next pass
        with passes.after(m, 3), m.Switch(row.shift):
            for number, shift in enumerate(RULE_SHIFTS[1:], 1):
                with m.Case(number):
                    m.d.sync += high.eq(random[shift - 4 : shift] + self.index[:4])
                    with m.If(is_random):
                        m.d.sync += fraction.eq(random[: shift - 4])
                    with m.Else():
                        half = row.rounding == Rounding.NEAREST
                        m.d.sync += fraction.eq(half << shift - 1)
            with m.Default():
                m.d.sync += fraction.eq(0)
        places = [is_random & (row.shift == number) for number in range(1, len(RULE_SHIFTS))]
        return _Rounding(fraction, high, [delayed(m, place, 1) for place in places])

    def _rounds(self, m: Module, lane: int, rounding: _Rounding) -> Value:
        """What a lane adds before the shift, in clock n + 5."""
        high = (rounding.high + lane)[:4]
        parts = [
            Mux(place, high, rounding.fraction[4 * number : 4 * number + 4])
            for number, place in enumerate(rounding.places)
        ]
        return delayed(m, Cat(parts), 1)


KEY_SHIFT = RANDOM_BITS - 1 - RULE_NUMBER_BITS
"""Where a rule's number begins in a key."""
