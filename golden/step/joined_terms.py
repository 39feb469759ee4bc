"""Rules with as few terms as can be, for the step-level model."""

from dataclasses import replace

import numpy as np

from spikeloom.golden.fixed import Integers
from spikeloom.golden.learning.rule import ALWAYS, OF_WEIGHT, Rule, Term, When
from spikeloom.golden.spec import MAX_AGE, Factor, Gate


def joined(rule: Rule) -> Rule:
    """The same rule, with one term where its two differ in the ages of the source alone.

    Then a curve says what each age is worth. Such are the terms that strengthen and weaken by
    whether a source has spiked before its target, which cost half as much at once.
    """
    if len(rule.terms) == 1 or not all(map(_by_age, rule.terms)):
        return rule
    first, second = rule.terms
    low, high = sorted([first.pre, second.pre], key=lambda pre: pre.first)
    if _without_ages(first) != _without_ages(second) or high.first > low.last + 1:
        return rule
    curve = _values(first) + _values(second)
    when = When(Gate.AGE, low.first, max(low.last, high.last), first.pre.now)
    if (when.first, when.last) == (0, MAX_AGE):
        when = replace(ALWAYS, now=when.now)
    alone = _without_ages(first)
    term = replace(alone, left=Factor.PRE_CURVE, pre=when, curve=tuple(curve.tolist()))
    return replace(rule, terms=(term,))


def _by_age(term: Term) -> bool:
    """Whether it is a number for each age of the source, times what the synapse has."""
    factors = {*term.factors} - {Factor.ONE, *OF_WEIGHT}
    return term.pre.gate is Gate.AGE and len(factors) == 1 and factors <= {*BY_AGE}


BY_AGE = Factor.CONSTANT, Factor.PRE_CURVE


def _without_ages(term: Term) -> Term:
    """What is left but for the ages of the source, with the factor of the synapse on the right."""
    (right,) = [factor for factor in term.factors if factor not in BY_AGE]
    when = When(now=term.pre.now)
    return replace(
        term, left=Factor.ONE, right=right, pre=when, constant=0, curve=None, negative=False
    )


def _values(term: Term) -> Integers:
    """What each age is worth."""
    ages = np.arange(MAX_AGE + 1)
    values = np.array(term.curve) if Factor.PRE_CURVE in term.factors else np.int64(term.constant)
    held = (ages >= term.pre.first) & (ages <= term.pre.last)
    signed: Integers = np.where(held, -values if term.negative else values, 0)
    return signed
