"""Cycle-level golden model of RULE, TERM and CURVE: Learning in `docs/hardware.md`."""

from typing import NamedTuple

import numpy as np

from spikeloom.golden.spec import MAX_AGE, FabricConfig, LoadTarget

AGES = MAX_AGE + 1


class RuleRow(NamedTuple):
    """Row of RULE; fields as in `FabricConfig.rule_row`, 0 if absent."""

    weight_base: int = 0
    sources: int = 0
    axon_base: int = 0
    groups: int = 0
    neurons: int = 0
    neuron_base: int = 0
    index_base: int = 0
    number: int = 0
    at_end: int = 0
    silent: int = 0
    traces: int = 0
    third: int = 0
    third_base: int = 0
    third_shift: int = 0
    nearest_pre: int = 0
    nearest_post: int = 0
    pre_amount: int = 0
    post_amount: int = 0
    shift: int = 0
    rounding: int = 0
    lowest: int = 0
    highest: int = 0
    plane: int = 0
    plane_base: int = 0
    kernel: int = 0
    channels: int = 0
    kernel_columns: int = 0
    row_stride: int = 0
    column_stride: int = 0
    row_padding: int = 0
    column_padding: int = 0
    source_height: int = 0
    source_width: int = 0
    target_height: int = 0
    target_width: int = 0
    axon_row: int = 0
    axon_column: int = 0


class TermRow(NamedTuple):
    """Row of TERM; fields as in `FabricConfig.term_row`."""

    pre_gate: int = 0
    pre_now: int = 0
    pre_first: int = 0
    pre_last: int = 0
    post_gate: int = 0
    post_now: int = 0
    post_first: int = 0
    post_last: int = 0
    lower: int = 0
    upper: int = 0
    trace_lowest: int = 0
    trace_highest: int = 0
    left: int = 0
    right: int = 0
    negative: int = 0
    constant: int = 0


class RuleMemories:
    """RULE, TERM k, DECAY and CURVE k, whose rows are by rule, or by rule and age."""

    __slots__ = ("curves", "post_decay", "pre_decay", "rules", "terms")

    def __init__(self, config: FabricConfig) -> None:
        self.rules = [RuleRow()] * config.rules
        self.terms = [[TermRow()] * config.rules for _ in range(config.rule_terms)]
        self.pre_decay, self.post_decay, *self.curves = np.zeros(
            (2 + config.rule_terms, config.rules * AGES), np.int64
        )

    def write(self, target: LoadTarget, address: int, row: dict[str, int]) -> None:
        """Write a row of RULE, TERM or CURVE."""
        if target == LoadTarget.RULE:
            self.rules[address] = RuleRow(**row)
        elif target == LoadTarget.TERM:
            rule, term = divmod(address, len(self.terms))
            self.terms[term][rule] = TermRow(**row)
        else:
            self.pre_decay[address], self.post_decay[address] = row["pre_decay"], row["post_decay"]
            for term, curve in enumerate(self.curves):
                curve[address] = row[f"curve{term}"]
