"""Cycle-level golden model of AXON and ACTIVE, in the section Learning of `docs/hardware.md`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.cycle.learning_rows import AGES, RuleMemories
from spikeloom.golden.cycle.synapses import applies
from spikeloom.golden.spec import MAX_AGE, FabricConfig, Factor


@dataclass(frozen=True, slots=True)
class Sources:
    """What SCAN makes of the entries of a rule, in their order.

    `numbers` are their axons; `gates` (H) and `factors` (B) have a row for each term.
    """

    numbers: NDArray[np.int64]
    gates: NDArray[np.bool_]
    factors: NDArray[np.int64]


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

    def scanned(self, memories: RuleMemories, r: int, t: int) -> Sources:
        """The entries of rule `r` in LEARN(t), as stages 0 to 4 of SCAN have them."""
        rule = memories.rules[r]
        if rule.silent:
            axons = np.arange(rule.axon_base, rule.axon_base + rule.sources)
        else:
            axons = self.active[rule.axon_base : rule.axon_base + self.counts[r]]
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
            gates.append(applies(term.pre_gate, term.pre_first, term.pre_last, spiked, age))
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
        return Sources(axons, np.array(gates), np.array(factors))
