"""What is known of plastic axons, and the walk over those that learn."""

from amaranth import Array, Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import WritePort
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import (
    AGE_BITS,
    FACTOR_BITS,
    NUMBER_BITS,
    TRACE_BITS,
    FabricConfig,
    Factor,
    count_bits,
    index_bits,
)
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.shapes import memory, struct
from spikeloom.hdl.core.learning.kernel_walk import kernel_entry
from spikeloom.hdl.core.learning.rules import AGES, applies, decays, traced, uses, within
from spikeloom.hdl.core.ports import MemoryWrite


class Axons(wiring.Component):
    """AXON and ACTIVE, and the five stages of a scan; a note goes through the middle ones.

        d = steps since the axon's last spike      a = the same, without the present step's
        x = trace, decayed by d                    B = the factor of the source, of each term

    Timing: entry e of a scan is in stage 0 in clock n, and in stage `latency` in clock n +
    `latency` if the scan goes all the while. An axon that is looked up in clock n has its age in
    clock n + 2, and its trace in clock n + 3.

    Parameters
    ----------
    config
        Sizes of the fabric, with `plasticity`.

    Members
    -------
    row, terms : In
        The rule, as of `Rules`.
    rule : In
        Its number.
    t : In
        The step.
    clear, clear_row : In
        Row `clear_row` of AXON becomes 0.
    forget : In(1)
        No rule has active axons any more.
    axon : In
        That of a note; its row of AXON is read while no scan goes on.
    noted : In(1)
        The axon's row is written, as after a spike in this step.
    known : Out(1)
        The axon looked up two clocks before has spiked in this step already.
    begin : In(1)
        A scan begins in the next clock.
    scans : In(1)
        It goes on.
    go : In(1)
        Its entries move on.
    age, curve_ages : Out
        Ages for which decays and curves are read.
    decay, curves : In
        What was read.
    group_learns : In
        Of each term: it applies to a neuron of the group.
    kernel : In(kernel_entry(config))
        With `plastic_kernels` only: the entry in stage 0 of a rule with `kernel`.
    last : Out(1)
        No entry is in stages 0..3.
    hit : Out(1)
        The entry in stage 4 has a term that applies.
    source : Out
        In stage 3: the number of the entry's word in its group.
    gates : Out
        Of each term, in stage 4: it applies to the axon.
    factors : Out
        Of each term, in the clock after stage 4: its factor of the source.
    write : Out(MemoryWrite)
        Writes to AXON.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        terms = config.rule_terms
        axon = index_bits(config.plastic_axons)
        super().__init__(
            {
                "row": In(struct(config.rule_row)),
                "terms": In(data.ArrayLayout(struct(config.term_row), terms)),
                "rule": In(index_bits(config.rules)),
                "t": In(config.stamp_bits),
                "clear": In(1),
                "clear_row": In(axon),
                "forget": In(1),
                "axon": In(axon),
                "noted": In(1),
                "known": Out(1),
                "begin": In(1),
                "scans": In(1),
                "go": In(1),
                "age": Out(AGE_BITS),
                "curve_ages": Out(data.ArrayLayout(AGE_BITS, terms)),
                "decay": In(decays()),
                "curves": In(data.ArrayLayout(signed(FACTOR_BITS), terms)),
                "group_learns": In(terms),
                "last": Out(1),
                "hit": Out(1),
                "source": Out(NUMBER_BITS),
                "gates": Out(terms),
                "factors": Out(data.ArrayLayout(signed(FACTOR_BITS), terms)),
                "write": Out(MemoryWrite(axon, config.axon_row.width)),
                **({"kernel": In(kernel_entry(config))} if config.plastic_kernels else {}),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from the first stage of an entry to the last one."""
        return 4

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        axon_bits = index_bits(config.plastic_axons)
        row = self.row
        m.submodules.known_axons = axons = memory(struct(config.axon_row), config.plastic_axons)
        m.submodules.active = active = memory(unsigned(axon_bits), config.plastic_axons)
        counts = Array(
            Signal(count_bits(config.plastic_axons), name=f"count{r}") for r in range(config.rules)
        )
        count = counts[self.rule]
        axon_read = axons.read_port()
        active_read = active.read_port()

        # Stage 0: the next entry of ACTIVE is read, or it is the next axon.
        place = Signal(axon_bits)
        left = Signal(max(len(count), len(row.sources)))
        by_number = row.silent | row.kernel if config.plastic_kernels else row.silent
        with m.If(self.begin):
            m.d.sync += [place.eq(row.axon_base), left.eq(Mux(by_number, row.sources, count))]
        with m.Elif(self.go & (left != 0)):
            m.d.sync += [place.eq(place + 1), left.eq(left - 1)]
        valid1, valid2, valid3 = (Signal(name=f"valid{stage}") for stage in range(1, 4))
        m.d.comb += [
            active_read.addr.eq(place),
            active_read.en.eq(self.go),
            self.last.eq((left == 0) & ~(valid1 | valid2 | valid3)),
        ]
        with m.If(self.go):
            m.d.sync += [
                valid1.eq(self.scans & (left != 0)),
                valid2.eq(valid1),
                valid3.eq(valid2),
            ]

        # Stage 1: its axon is read, whose number may come late from ACTIVE.
        place1, axon2 = (Signal(axon_bits, name=name) for name in ("place1", "axon2"))
        other = Mux(self.scans, place1, self.axon)
        m.d.comb += [
            axon_read.addr.eq(Mux(self.scans & ~by_number, active_read.data, other)),
            axon_read.en.eq(self.go),
        ]
        with m.If(self.go):
            m.d.sync += [
                place1.eq(place),
                axon2.eq(axon_read.addr),
                self.source.eq(axon2 - row.axon_base),
            ]

        # Stage 2: what is known of it has come, late in its clock: what follows from it is split.
        state = axon_read.data
        unequal = self.t ^ state.stamp
        parts = Cat(unequal[at : at + 8].any() for at in range(0, config.stamp_bits, 8))
        unequal3 = Signal.like(parts)
        valid_state3 = Signal()
        since3 = Signal(config.stamp_bits)
        before3 = Signal(AGE_BITS)
        trace3 = Signal(TRACE_BITS)
        with m.If(self.go):
            m.d.sync += [
                unequal3.eq(parts),
                valid_state3.eq(state.valid),
                since3.eq(self.t - state.stamp),
                before3.eq(state.before),
                trace3.eq(state.trace),
            ]

        # Stage 3: its ages; its decay and its curves are read.
        spiked3 = valid_state3 & ~unequal3.any()
        unknown3 = ~valid_state3 | since3[AGE_BITS:].any()
        last_age = since3[:AGE_BITS] | unknown3.replicate(AGE_BITS)
        age3 = Mux(spiked3, before3, last_age)
        m.d.comb += [self.age.eq(last_age), self.known.eq(spiked3)]
        trace4 = Signal(TRACE_BITS)
        level4 = Signal(TRACE_BITS)
        valid_state4 = Signal()
        spiked4 = Signal()
        age4 = Signal(AGE_BITS)
        hits = Signal(config.rule_terms)
        exists = self._kernel(m, place1, state.valid) if config.plastic_kernels else Const(1)
        for k, term in enumerate(self.terms):
            # An axon that is unknown has not spiked: its age is the highest, and joins late.
            age = Mux(spiked3, Mux(term.pre_now, 0, before3), since3[:AGE_BITS])
            in_range = within(age, term.pre_first, term.pre_last)
            in_range = Mux(unknown3, term.pre_last == AGES - 1, in_range)
            m.d.comb += [
                hits[k].eq(applies(term.pre_gate, spiked3, in_range)),
                self.curve_ages[k].eq(age | unknown3.replicate(AGE_BITS)),
            ]
        with m.If(self.go):
            m.d.sync += [
                trace4.eq(trace3),
                level4.eq(traced(trace3, row.pre_amount, row.nearest_pre)),
                valid_state4.eq(valid_state3),
                spiked4.eq(spiked3),
                age4.eq(age3),
                self.gates.eq(hits),
                self.hit.eq(valid3 & exists & (hits & self.group_learns).any()),
            ]

        # Stage 4: its trace. An axon of which a note is written has not spiked in this step.
        product = level4 * self.decay.pre_decay
        remains = product[TRACE_BITS : 2 * TRACE_BITS]
        decayed = Mux(valid_state4, remains, 0)
        trace = Mux(spiked4, trace4, decayed)
        of_source = trace, level4, spiked4, self.curves
        self._factors(m, *(delayed(m, value, 1) for value in of_source))
        kept = Mux(valid_state4 & ~self.clear, remains, 0)
        self._note(m, axons.write_port(), age4, kept)
        self._append(m, active.write_port(), count, self.noted & ~valid_state3)
        with m.If(self.forget):
            m.d.sync += [each.eq(0) for each in counts]
        return m

    def _kernel(self, m: Module, place1: Signal, is_valid: Value) -> Signal:
        """The entries of a rule with `kernel`; whether that in stage 3 has an axon that learns."""
        row = self.row
        entry1, entry2 = (Signal.like(self.kernel, name=f"entry{stage}") for stage in (1, 2))
        exists3 = Signal()
        with m.If(self.go):
            m.d.sync += [
                entry1.eq(self.kernel),
                entry2.eq(entry1),
                exists3.eq(~row.kernel | (entry2.inside & (is_valid | row.silent))),
            ]
            with m.If(row.kernel):
                m.d.sync += [place1.eq(self.kernel.axon), self.source.eq(entry2.source)]
        return exists3

    def _append(self, m: Module, write: WritePort, count: Value, is_new: Value) -> None:
        """Puts the axon of a note that is new behind the active ones of its rule."""
        m.d.comb += [
            write.addr.eq(self.row.axon_base + count),
            write.data.eq(self.axon),
            write.en.eq(is_new),
        ]
        with m.If(is_new):
            m.d.sync += count.eq(count + 1)

    def _factors(
        self, m: Module, trace5: Value, level5: Value, spiked5: Value, curves5: data.View
    ) -> None:
        """The factors of the source, a clock after stage 4; of an axon that spiked in this step,
        the trace after it is what decays from the next one on.
        """
        for k, term in enumerate(self.terms):
            trace = Mux(term.pre_now & spiked5, level5, trace5)
            with m.If(uses(term, Factor.CONSTANT)):
                m.d.comb += self.factors[k].eq(term.constant)
            with m.Elif(uses(term, Factor.PRE_TRACE)):
                m.d.comb += self.factors[k].eq(trace)
            with m.Elif(uses(term, Factor.PRE_CURVE)):
                m.d.comb += self.factors[k].eq(curves5[k])
            with m.Else():
                m.d.comb += self.factors[k].eq(1)

    def _note(self, m: Module, write: WritePort, age: Value, trace: Value) -> None:
        """Writes what is known of an axon after a spike, or that nothing is: `trace` is 0 then."""
        noted = Signal(struct(self.config.axon_row))
        with m.If(~self.clear):
            m.d.comb += [noted.valid.eq(1), noted.stamp.eq(self.t), noted.before.eq(age)]
        m.d.comb += [
            noted.trace.eq(trace),
            write.addr.eq(Mux(self.clear, self.clear_row, self.axon)),
            write.data.eq(noted),
            write.en.eq(self.clear | self.noted),
            self.write.valid.eq(write.en),
            self.write.address.eq(write.addr),
            self.write.data.eq(write.data),
        ]
