"""The tables of learning: rules, their terms, and what they make of ages."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import (
    AGE_BITS,
    FACTOR_BITS,
    TRACE_BITS,
    FabricConfig,
    Factor,
    Gate,
    LoadTarget,
    index_bits,
)
from spikeloom.hdl.common.load import connect_load, load_signature, loads
from spikeloom.hdl.common.shapes import memory, struct

AGES = 1 << AGE_BITS

SOURCE_FACTORS = Factor.CONSTANT, Factor.PRE_TRACE, Factor.PRE_CURVE
TARGET_FACTORS = Factor.POST_TRACE, Factor.POST_CURVE, Factor.THIRD
WEIGHT_FACTORS = Factor.ABOVE, Factor.BELOW, Factor.WEIGHT, Factor.BETWEEN


def synapse_factors(config: FabricConfig) -> tuple[Factor, ...]:
    """Those of the synapse itself: of its weight, and its eligibility where there are planes."""
    return (*WEIGHT_FACTORS, Factor.ELIGIBILITY) if config.eligibility else WEIGHT_FACTORS


def decays() -> data.StructLayout:
    """What is left of a trace of either end, in 1/256."""
    return data.StructLayout({"pre_decay": TRACE_BITS + 1, "post_decay": TRACE_BITS + 1})


class Rules(wiring.Component):
    """RULE, TERM, DECAY and CURVE. A single rule lies in registers.

    Timing: a row follows its address by one clock. Decays and curves stay while none is read.

    Parameters
    ----------
    config
        Sizes of the fabric, with `plasticity`.

    Members
    -------
    load : In(load_signature(config))
    number : In
        The rule that is read, in every clock.
    row : Out(config.rule_row)
    terms : Out
        Its terms, each as `config.term_row`.
    rule : In
        The rule whose decays and curves are read.
    read_age : In(1)
        Reads them.
    pre_age, post_age : In(6)
        Of the decay of each end.
    curve_ages : In
        Of the curve of each term.
    decay : Out(decays())
    curves : Out
        The value of each.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        number, terms = index_bits(config.rules), config.rule_terms
        super().__init__(
            {
                "load": In(load_signature(config)),
                "number": In(number),
                "row": Out(struct(config.rule_row)),
                "terms": Out(data.ArrayLayout(struct(config.term_row), terms)),
                "rule": In(number),
                "read_age": In(1),
                "pre_age": In(AGE_BITS),
                "post_age": In(AGE_BITS),
                "curve_ages": In(data.ArrayLayout(AGE_BITS, terms)),
                "decay": Out(decays()),
                "curves": Out(data.ArrayLayout(signed(FACTOR_BITS), terms)),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from an address to its row."""
        return 1

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        low = index_bits(config.rule_terms) if config.rule_terms > 1 else 0
        rule, term = struct(config.rule_row), struct(config.term_row)
        m.d.comb += self.row.eq(self._table(m, "rows", rule, LoadTarget.RULE))
        for k in range(config.rule_terms):
            row = self._table(m, f"terms{k}", term, LoadTarget.TERM, k, low)
            m.d.comb += self.terms[k].eq(row)
        pre, post = self.decay.pre_decay, self.decay.post_decay
        tables = {
            "pre_decays": (pre.shape(), self.pre_age, pre),
            "post_decays": (post.shape(), self.post_age, post),
        }
        for k in range(config.rule_terms):
            curve = signed(FACTOR_BITS), self.curve_ages[k], self.curves[k]
            tables[f"curve{k}"] = curve
        at = 0
        for name, (shape, age, value) in tables.items():
            # A block RAM is late before a multiplier; the others have a register between.
            m.submodules[name] = table = memory(
                shape, AGES * config.rules, in_blocks=name != "pre_decays"
            )
            write, read = table.write_port(), table.read_port()
            width = len(Value.cast(write.data))
            m.d.comb += [
                write.addr.eq(self.load.word.address),
                write.data.eq(self.load.word.data[at : at + width]),
                write.en.eq(loads(self.load, LoadTarget.CURVE)),
                read.addr.eq(Cat(age, self.rule)),
                read.en.eq(self.read_age),
                value.eq(read.data),
            ]
            at += width
        return m

    def _table(
        self, m: Module, name: str, shape: Any, target: LoadTarget, bank: int = 0, low: int = 0
    ) -> Value:
        """A row for each rule, loaded where the `low` lowest bits of an address are `bank`."""
        if self.config.rules > 1:
            m.submodules[name] = table = memory(shape, self.config.rules)
            connect_load(m, self.load, target, table, bank, low)
            read = table.read_port()
            m.d.comb += read.addr.eq(self.number)
            return read.data
        row = Signal(shape, name=name)
        with m.If(loads(self.load, target) & (self.load.word.address[:low] == bank)):
            m.d.sync += row.eq(self.load.word.data)
        return row


def within(value: Value, first: Value, last: Value) -> Value:
    """Whether a value is neither below `first` nor above `last`."""
    return (value >= first) & (value <= last)


def applies(gate: Value, spiked: Value, in_range: Value) -> Value:
    """Whether a gate applies to an end of a synapse, the age of whose last spike is `in_range`."""
    by_age = (gate == Gate.AGE) & in_range
    return (gate == Gate.ALWAYS) | ((gate == Gate.SPIKED) & spiked) | by_age


def uses(term: data.View, *factors: Factor) -> Value:
    """Whether a term has one of these factors."""
    return term.left.matches(*factors) | term.right.matches(*factors)


def traced(trace: Value, amount: Value, nearest: Value) -> Value:
    """A trace after a spike: `amount` itself, or that much more, up to the limit."""
    return limited(trace + amount, amount, nearest)


def limited(total: Value, amount: Value, nearest: Value) -> Value:
    """A trace after a spike, of which `total` is the sum."""
    most = Mux(total[TRACE_BITS], (1 << TRACE_BITS) - 1, total[:TRACE_BITS])
    return Mux(nearest, amount, most)
