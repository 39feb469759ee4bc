"""Cycle-level golden model of AXON and ACTIVE, in the section Learning of `docs/hardware.md`."""

from dataclasses import dataclass

import numpy as np

from spikeloom.golden.cycle.groups import Group
from spikeloom.golden.cycle.learning_rows import AGES, RuleMemories, RuleRow
from spikeloom.golden.cycle.synapses import Flags, Numbers, applies
from spikeloom.golden.spec import MAX_AGE, FabricConfig, Factor


@dataclass(frozen=True, slots=True)
class Sources:
    """What SCAN makes of the entries of a rule, in their order.

    `numbers` say which source each is; `gates` (H) and `factors` (B) have a row for each term.
    """

    numbers: Numbers
    gates: Flags
    factors: Numbers


class Axons:
    """AXON, a column for each field, and ACTIVE with the registers `count`."""

    __slots__ = ("active", "before", "counts", "row", "stamp", "stamp_mask", "trace", "valid")

    def __init__(self, config: FabricConfig) -> None:
        self.row = config.axon_row
        self.stamp_mask = (1 << config.stamp_bits) - 1
        self.valid, self.stamp, self.before, self.trace, self.active = np.zeros(
            (5, config.plastic_axons), np.int64
        )
        self.counts = [0] * config.rules

    def age(self, axon: int, t: int) -> int:
        """Steps since the last spike of an axon, by what AXON has."""
        if not self.valid[axon]:
            return MAX_AGE
        return min(t - int(self.stamp[axon]) & self.stamp_mask, MAX_AGE)

    def write(self, axon: int, valid: int, stamp: int, before: int, trace: int) -> int:
        """Write a row of AXON; returns it packed."""
        self.valid[axon], self.stamp[axon] = valid, stamp
        self.before[axon], self.trace[axon] = before, trace
        fields = {"valid": valid, "stamp": stamp, "before": before, "trace": trace}
        return self.row.pack(fields)

    def _entries(self, rule: RuleRow, count: int, group: Group) -> tuple[Numbers, Numbers, Flags]:
        """Axon and source of each entry, and whether it can have a hit."""
        if rule.kernel:
            sources = np.arange(rule.sources)
            tap, d = np.divmod(sources, rule.channels)
            row, column = np.divmod(tap, rule.kernel_columns)
            i, j = group.top + row, group.left + column
            inside = (i >= 0) & (i < rule.source_height) & (j >= 0) & (j < rule.source_width)
            axons = rule.axon_base + (i << rule.axon_row) + (j << rule.axon_column) + d
            axons[~inside] = 0  # any: it has no hit
            return axons, sources, inside & ((self.valid[axons] == 1) | bool(rule.silent))
        if rule.silent:
            axons = np.arange(rule.axon_base, rule.axon_base + rule.sources)
        else:
            axons = self.active[rule.axon_base : rule.axon_base + count]
        return axons, axons - rule.axon_base, np.ones(len(axons), np.bool_)

    def scanned(self, memories: RuleMemories, r: int, t: int, group: Group) -> Sources:
        """The entries of rule `r` and `group` in LEARN(t), as stages 0 to 4 of SCAN have them.

        They are the same for all groups of a rule without `kernel`.
        """
        rule = memories.rules[r]
        axons, sources, present = self._entries(rule, self.counts[r], group)
        # Stage 2.
        valid = self.valid[axons] == 1
        since = t - self.stamp[axons] & self.stamp_mask
        spiked = valid & (since == 0)
        d = np.where(valid, np.minimum(since, MAX_AGE), MAX_AGE)
        a = np.where(spiked, self.before[axons], d)
        # Stage 3.
        trace = self.trace[axons]
        raised = np.full_like(trace, rule.pre_amount)
        decayed = (raised if rule.nearest_pre else np.minimum(255, trace + rule.pre_amount)) * (
            memories.pre_decay[r * AGES + d]
        ) >> 8
        x = np.where(spiked, trace, np.where(valid, decayed, 0))
        now = raised if rule.nearest_pre else np.minimum(255, x + rule.pre_amount)
        gates, factors = [], []
        for rows, curve in zip(memories.terms, memories.curves, strict=True):
            term = rows[r]
            age = np.where(spiked, 0, a) if term.pre_now else a
            gate = applies(term.pre_gate, term.pre_first, term.pre_last, spiked, age)
            gates.append(gate & present)
            # Stage 4.
            used = {term.left, term.right}
            factor = np.ones_like(x)
            if Factor.CONSTANT in used:
                factor = np.full_like(x, term.constant)
            elif Factor.PRE_TRACE in used:
                factor = np.where(spiked, now, x) if term.pre_now else x
            elif Factor.PRE_CURVE in used:
                factor = curve[r * AGES + age]
            factors.append(factor)
        return Sources(sources, np.array(gates), np.array(factors))
