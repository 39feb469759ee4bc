"""Cycle-level golden model of what SCAN makes of weights: Learning in `docs/hardware.md`."""

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.cycle.learning_rows import RuleRow, TermRow
from spikeloom.golden.cycle.random_numbers import mixed
from spikeloom.golden.spec import RULE_SHIFTS, Factor, Gate, Rounding

Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]


def applies(gate: int, first: int, last: int, spiked: Flags, age: Numbers) -> Flags:
    """Whether a gate applies to each of some axons or neurons."""
    match gate:
        case Gate.NEVER:
            return np.zeros_like(spiked)
        case Gate.ALWAYS:
            return np.ones_like(spiked)
        case Gate.SPIKED:
            return spiked
    return (first <= age) & (age <= last)


def added(rule: RuleRow, state: int, sources: Numbers, neurons: Numbers) -> Numbers | int:
    """What is added to the sum of each source (row) and neuron (column), r.

    Neurons are given by their indices; `state` is the register of the section Random numbers.
    """
    bits = RULE_SHIFTS[rule.shift]
    if bits == 0 or rule.rounding == Rounding.FLOOR:
        return 0
    if rule.rounding != Rounding.STOCHASTIC:
        return 1 << bits - 1
    key = (sources[:, np.newaxis] | neurons // 16 << 16 | rule.number << 26) & (1 << 31) - 1
    return mixed(state ^ key) + (neurons % 16 << bits - 4) & (1 << bits) - 1


def changed(
    rule: RuleRow,
    terms: list[TermRow],
    weights: Numbers,
    eligibilities: Numbers,
    rounding: Numbers | int,
    applying: Flags,
    of_source: Numbers,
    of_target: Numbers,
) -> Numbers:
    """The weights after LEARN.

    Parameters
    ----------
    weights, eligibilities
        Shape (words, lanes); the latter are 0 without a plane.
    rounding
        r, of each of them or of all.
    applying
        Whether a term (first axis) applies to each of them.
    of_source, of_target
        B and P: shape (terms, words, 1) and (terms, 1, lanes).
    """
    above, below = rule.highest - weights, weights - rule.lowest
    of_synapse = {
        int(Factor.ABOVE): above,
        int(Factor.BELOW): below,
        int(Factor.WEIGHT): weights,
        int(Factor.BETWEEN): above * below >> 8,
        int(Factor.ELIGIBILITY): eligibilities,
    }
    ends = {
        **dict.fromkeys((Factor.CONSTANT, Factor.PRE_TRACE, Factor.PRE_CURVE), of_source),
        **dict.fromkeys((Factor.POST_TRACE, Factor.POST_CURVE, Factor.THIRD), of_target),
    }
    total: Numbers = np.zeros_like(weights) + rounding
    for k, term in enumerate(terms):
        product = np.ones_like(weights)
        for name in (term.left, term.right):
            if name in of_synapse:
                product = product * of_synapse[name]
            elif name in ends:
                product = product * ends[Factor(name)][k]
        total += np.where(applying[k], -product if term.negative else product, 0)
    learned = weights + (total >> RULE_SHIFTS[rule.shift])
    at_most, at_least = np.minimum(learned, rule.highest), np.maximum(learned, rule.lowest)
    return np.where(total < 0, at_least, at_most)
