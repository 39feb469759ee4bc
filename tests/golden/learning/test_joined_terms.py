"""Two terms that differ in the ages of the source alone learn as one with a curve."""

import dataclasses

import numpy as np
import pytest
from plain_learning import gate, plainly

from spikeloom.golden.learning import NEVER, SPIKED, Rule, Term, When, first_spike_stdp
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import MAX_AGE, Factor, Gate
from spikeloom.golden.step import joined_terms
from spikeloom.golden.step.joined_terms import joined
from spikeloom.golden.step.run import simulate

SOME = Term(Factor.CONSTANT, Factor.BELOW, When(Gate.AGE, 2, 9), constant=3)


def term(rng: np.random.Generator, now: bool, right: Factor) -> Term:
    first, last = sorted(rng.choice([0, 1, 2, 5, MAX_AGE], 2).tolist())
    left = Factor(int(rng.choice([Factor.CONSTANT, Factor.PRE_CURVE])))
    pair = (left, right) if rng.integers(2) else (right, left)
    curve = rng.integers(-256, 256, MAX_AGE + 1) if left is Factor.PRE_CURVE else None
    constant = 0 if curve is not None else int(rng.integers(-256, 256))
    when = When(Gate.AGE, first, last, now)
    return Term(*pair, when, SPIKED, constant, curve, bool(rng.integers(2)))


def random_rule(rng: np.random.Generator) -> Rule:
    right = Factor(int(rng.choice([Factor.ONE, Factor.WEIGHT, Factor.BETWEEN])))
    terms = term(rng, bool(now := rng.integers(2)), right), term(rng, bool(now), right)
    return Rule(terms, (-90, 100), 8, str(rng.choice(["nearest", "stochastic"])))


def worth(rule: Rule, age: int) -> int:
    """Of an age before the step, without what the synapse has."""
    total = 0
    for t in rule.terms:
        if t.pre.now or age:
            value = int(t.curve[age]) if t.curve is not None else t.constant
            total += gate(t.pre, False, age) * value * (-1 if t.negative else 1)
    return total


def test_one_term_is_worth_what_two_are() -> None:
    rng = np.random.default_rng(1)
    count = 0
    for _ in range(300):
        rule = random_rule(rng)
        one = joined(rule)
        count += len(one.terms) == 1
        for age in range(1, MAX_AGE + 1):
            assert worth(one, age) == worth(rule, age)
            applies = any(gate(t.pre, False, age) for t in rule.terms)
            assert applies == any(gate(t.pre, False, age) for t in one.terms)
    assert 100 < count < 300  # the rest has a gap between its ages


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(SOME, right=Factor.ABOVE),
        dataclasses.replace(SOME, pre=When(Gate.AGE, 2, 9, now=True)),
        dataclasses.replace(SOME, pre=When(Gate.AGE, 11, 12)),
        dataclasses.replace(SOME, pre=SPIKED),
        dataclasses.replace(SOME, post=NEVER),
        dataclasses.replace(SOME, window=(0, 1)),
        dataclasses.replace(SOME, left=Factor.POST_CURVE, curve=(1,) * 64),
        dataclasses.replace(SOME, left=Factor.PRE_TRACE),
    ],
)
def test_terms_that_differ_in_more_stay_two(other: Term) -> None:
    rule = Rule((SOME, other), (0, 9))
    assert joined(rule) is rule
    assert len(joined(Rule((SOME, SOME), (0, 9))).terms) == 1


def learns_plainly(seed: int) -> bool:
    """Whether anything is learned, which is what plain loops learn."""
    rng = np.random.default_rng(seed)
    sizes = int(rng.integers(1, 12)), int(rng.integers(1, 20))
    weights = rng.integers(-60, 90, sizes)
    rule = random_rule(rng)
    population = Population("p", sizes[1], np.zeros(sizes[1], np.int64), threshold=40)
    connection = Connection("in", "p", weights, plasticity=rule)
    network = Network((Input("in", sizes[0]),), (population,), (connection,), seed=seed)
    events = rng.random((3, 12, sizes[0])) < 0.25
    expected = plainly(network, {"in": events.astype(np.int64)})
    run = simulate(network, events, learn=True)
    assert run.updates == expected.updates
    assert run.weights[0].tolist() == expected.weights[0]
    return bool((run.weights[0] != weights).any())


def test_weights_are_those_of_plain_loops() -> None:
    assert sum(map(learns_plainly, range(60))) > 30


def test_a_planted_fault_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(joined(first_spike_stdp((0, 127), 0.1, 0.1)).terms) == 1
    values = joined_terms._values
    monkeypatch.setattr(joined_terms, "_values", lambda term: np.abs(values(term)))
    with pytest.raises(AssertionError):
        test_weights_are_those_of_plain_loops()
    with pytest.raises(AssertionError):
        test_one_term_is_worth_what_two_are()
