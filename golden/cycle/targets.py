"""Cycle-level golden model of LOAD, in the section Learning of `docs/hardware.md`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.cycle.full_fire import FullFire
from spikeloom.golden.cycle.groups import Group
from spikeloom.golden.cycle.learning_rows import AGES, RuleMemories
from spikeloom.golden.cycle.packing import offsets
from spikeloom.golden.cycle.synapses import applies
from spikeloom.golden.spec import FACTOR_BITS, MAX_AGE, FabricConfig, Factor

MOST = (1 << (FACTOR_BITS - 1)) - 1
"""The highest factor."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What LOAD makes of a group, by lane.

    `gates` (G) and `factors` (P) have a row for each term. `traces`: the lanes whose row of TRACE
    is written, and with what.
    """

    gates: NDArray[np.bool_]
    factors: NDArray[np.int64]
    traces: dict[int, int]


NO_TARGETS = Targets(np.zeros((0, 0), np.bool_), np.zeros((0, 0), np.int64), {})


class NeuronMemories:
    """STATE, read through fire's port, and TRACE."""

    __slots__ = ("fire", "lanes", "potential_mask", "shifts", "trace")

    def __init__(self, config: FabricConfig, fire: FullFire) -> None:
        self.fire = fire
        self.lanes = config.lanes
        at = offsets(config.kept_row)
        names = ("spiked", "recent", "potential")
        self.shifts = [at[f"plasticity_{name}"] for name in names]
        self.potential_mask = (1 << config.state_bits) - 1
        self.trace = np.zeros(config.neurons, np.int64)

    def _state(self, first: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Spiked, recent and potential of a neuron for each lane; 0 beyond the memory."""
        rows = self.fire.kept[first : first + self.lanes]
        rows += [0] * (self.lanes - len(rows))
        spiked, recent, potential = self.shifts
        unsigned = [row >> potential & self.potential_mask for row in rows]
        half = self.potential_mask + 1 >> 1
        return (
            np.array([row >> spiked & 1 for row in rows]),
            np.array([row >> recent & MAX_AGE for row in rows]),
            np.array([(u ^ half) - half for u in unsigned]),
        )

    def loaded(self, memories: RuleMemories, r: int, group: Group) -> Targets:
        """A group of rule `r`, as the stages of LOAD have it."""
        rule = memories.rules[r]
        first = group.g * self.lanes
        ours = group.c * self.lanes + np.arange(self.lanes) < rule.neurons
        # Stage 1 and 2.
        n = rule.neuron_base + first
        was_spike, recent, potential = self._state(n)
        spiked = was_spike == 1
        b = MAX_AGE - recent
        trace = np.zeros(self.lanes, np.int64)
        rows = self.trace[n : n + self.lanes]
        trace[: len(rows)] = rows
        y = trace * memories.post_decay[r * AGES + b] >> 8
        # Stage 3.
        raised = np.full_like(y, rule.post_amount)
        with_spike = raised if rule.nearest_post else np.minimum(255, y + rule.post_amount)
        present = np.where(spiked, with_spike, y)
        _, _, third = self._state(rule.third_base + first)
        third = np.minimum(np.maximum(third >> rule.third_shift, -MOST - 1), MOST)
        gates, factors = [], []
        for terms, curve in zip(memories.terms, memories.curves, strict=True):
            term = terms[r]
            age = np.where(spiked, 0, b) if term.post_now else b
            level = present if term.post_now else y
            gates.append(
                ours
                & applies(term.post_gate, term.post_first, term.post_last, spiked, age)
                & (term.lower <= potential)
                & (potential <= term.upper)
                & (term.trace_lowest <= level)
                & (level <= term.trace_highest)
            )
            used = {term.left, term.right}
            factor = np.ones_like(y)
            if Factor.POST_TRACE in used:
                factor = level
            elif Factor.POST_CURVE in used:
                factor = curve[r * AGES + age]
            elif Factor.THIRD in used:
                factor = third
            factors.append(factor)
        written = np.flatnonzero(ours & spiked) if rule.traces else ()
        traces = {int(lane): int(present[lane]) for lane in written}
        return Targets(np.array(gates), np.array(factors), traces)
