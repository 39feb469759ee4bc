"""What is refused of a learning rule, in one line with its remedy."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.learning import ALWAYS, NEVER, SPIKED, Rule, Term, Trace, When
from spikeloom.golden.learning.rule import Visits, exponential, visits
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import Factor, Gate

CONSTANT = Term(Factor.CONSTANT, constant=3)
PLAIN = Rule((CONSTANT,), (-100, 100))
TRACE = Trace.exponential(5, 100)
CURVE = tuple(range(64))


def network(rule: Any = PLAIN, **changed: Any) -> Network:
    """Three axons to two neurons, and a third population of two neurons."""
    given = {"weights": np.full((3, 2), 7), "high": False, "seed": None, "more": ()} | changed
    zeros = np.zeros(2, np.int64)
    return Network(
        (Input("in", 3),),
        (
            Population("p", 2, zeros),
            Population("e", 2, zeros),
            Population("x", 3, np.zeros(3, int)),
        ),
        (
            Connection("in", "p", given["weights"], high=given["high"], plasticity=rule),
            *given["more"],
        ),
        weight_bits=given.get("weight_bits", 8),
        sum_bits=32,
        seed=given["seed"],
    )


def changed(**fields: Any) -> Rule:
    return dataclasses.replace(PLAIN, **fields)


def term(*arguments: Any, **fields: Any) -> Rule:
    return changed(terms=(Term(*arguments, **fields),))


def reading(plane: Any, **fields: Any) -> Rule:
    """A rule that reads the eligibilities of the rule `plane`."""
    return changed(terms=(Term(Factor.ELIGIBILITY, **fields),), eligibility=plane)


def test_a_plain_rule_is_accepted() -> None:
    assert network().plastic[0].plasticity == PLAIN


def test_an_eligibility_is_accepted() -> None:
    rule = dataclasses.replace(reading(PLAIN, right=Factor.CONSTANT, constant=2), at_end=True)
    assert network(rule).plastic[0].plasticity == rule
    assert "ELIGIBILITY by (3 if pre ALWAYS, post ALWAYS; / 256" in str(rule)
    assert rule.silent
    assert rule.in_order == (PLAIN, rule)


def test_half_as_many_connections_learn_where_one_has_an_eligibility() -> None:
    def connections(count: int) -> tuple[Connection, ...]:
        plain = Connection("in", "p", np.full((3, 2), 7), plasticity=PLAIN)
        return tuple(dataclasses.replace(plain) for _ in range(count))

    assert len(network(more=connections(31)).plastic) == 32
    assert len(network(reading(PLAIN), more=connections(15)).plastic) == 16
    with pytest.raises(SpikeloomError, match="17 connections have a plasticity, of 16 at most wh"):
        network(reading(PLAIN), more=connections(16))


NO_TRACE_LEFT = (*CURVE[:63], 1)
REFUSED: list[tuple[Rule, str]] = [
    (changed(terms=()), "terms must be one or two, not 0"),
    (changed(terms=(CONSTANT,) * 3), "terms must be one or two, not 3"),
    (changed(terms=[CONSTANT]), "terms must be a tuple of Term"),
    (changed(bounds=(-129, 0)), "bounds must be -128..127, not -129"),
    (changed(bounds=(9, 8)), r"bounds must be \(lowest, highest\), not \(9, 8\)"),
    (changed(bounds=9), "bounds must be a pair"),
    (
        changed(bounds=(-9, 6)),
        r"the weights are 7..7, outside bounds -9..6; clip them, weights.clip",
    ),
    (changed(bounds=(8, 9)), "the weights are 7..7, outside bounds 8..9; clip them"),
    (changed(shift=7), "shift must be 0, 4, 8 or 12, not 7"),
    (changed(shift=True), "shift must be 0, 4, 8 or 12, not True"),
    (changed(rounding="up"), "rounding must be nearest or floor or stochastic, not 'up'"),
    (changed(rounding=["floor"]), "rounding must be nearest or floor or stochastic, not ..floor.."),
    (changed(rounding="stochastic"), "stochastic rounding needs a seed; give the network one"),
    (changed(at_end=1), "at_end must be True or False, not 1"),
    (changed(at_end=True, post=TRACE), "keeps no post trace; use POST_CURVE, or at_end=False"),
    (changed(pre=5), "pre must be a Trace or None, not 5"),
    (changed(pre=Trace((1, 2), 9)), "pre: decay must have 64 integers, one for each age"),
    (changed(pre=Trace((257, *CURVE[1:63], 0), 9)), "pre: decay must be 0..256, not 257"),
    (changed(pre=Trace(NO_TRACE_LEFT, 9)), "decay must be 0 at the age of 63.*; not 1"),
    (changed(post=Trace(exponential(256, 5), 256)), "post: amount must be 0..255, not 256"),
    (changed(post=dataclasses.replace(TRACE, nearest=1)), "nearest must be True or False"),
    (changed(third="e"), "a third, which no term uses; give both third and Factor.THIRD"),
    (changed(third_shift=16), "third_shift must be 0..15, not 16"),
    (term(Factor.THIRD), "no population as third; give both third and Factor.THIRD"),
    (changed(terms=(Term(Factor.THIRD),), third="z"), "no population 'z'; name one as third"),
    (
        changed(terms=(Term(Factor.THIRD),), third="x"),
        "third must have a neuron for each of the 2 targets, but 'x' has 3",
    ),
    (term(Factor.ONE), "a term needs a factor; for a number use CONSTANT"),
    (term(5), "left and right must be a Factor, not 5"),
    (term(Factor.CONSTANT, Factor.PRE_CURVE), "CONSTANT and PRE_CURVE do not combine: .*source"),
    (term(Factor.THIRD, Factor.POST_CURVE), "do not combine: both are of the target"),
    (
        term(Factor.ABOVE, Factor.BELOW),
        "do not combine: both are of the weight; take one of another",
    ),
    (term(Factor.CONSTANT, constant=256), "term 0: constant must be -256..255, not 256"),
    (term(Factor.PRE_CURVE), "PRE_CURVE needs a curve; give both or neither"),
    (term(Factor.CONSTANT, curve=CURVE), "no factor uses its curve; give both or neither"),
    (term(Factor.PRE_CURVE, curve=(300, *CURVE[1:])), "curve must be -256..255, not 300"),
    (term(Factor.PRE_CURVE, curve=CURVE[1:]), "curve must have 64 integers"),
    (term(Factor.PRE_CURVE, curve=np.ones(64)), "curve must have 64 integers"),
    (term(Factor.CONSTANT, negative=1), "negative must be True or False"),
    (term(Factor.CONSTANT, pre=Gate.SPIKED), "pre must be a When, such as SPIKED"),
    (term(Factor.CONSTANT, pre=When(2)), "gate must be a Gate, not 2"),
    (term(Factor.CONSTANT, post=When(Gate.AGE, 5, 64)), "first, last must be 0..63, not 64"),
    (term(Factor.CONSTANT, post=When(Gate.AGE, 5, 4)), r"post: first, last must be \(lowest"),
    (term(Factor.CONSTANT, post=When(now=1)), "now must be True or False, not 1"),
    (term(Factor.CONSTANT, window=(0, 1 << 15)), "window must be -32768..32767, not 32768"),
    (term(Factor.CONSTANT, trace_window=(0, 9)), r"no post trace; give it post=Trace\(...\)"),
    (term(Factor.POST_TRACE), r"the rule has no post trace; give it post=Trace\(...\)"),
    (term(Factor.PRE_TRACE), r"the rule has no pre trace; give it pre=Trace\(...\)"),
    (term(Factor.ELIGIBILITY), "no eligibility; give both eligibility and Factor.ELIGIBILITY"),
    (changed(eligibility=PLAIN), "an eligibility, which no term uses; give both"),
    (reading(5), "eligibility must be a Rule or None, not 5"),
    (reading(reading(PLAIN)), "eligibility has an eligibility of its own; leave that out"),
    (reading(changed(at_end=True)), "eligibility is learned after every step, not at_end; give"),
    (reading(changed(bounds=(1, 9))), r"bounds must include 0, with which .* not \(1, 9\)"),
    (reading(changed(bounds=(-129, 9))), "eligibility: bounds must be -128..127, not -129"),
    (reading(changed(shift=7)), "eligibility: shift must be 0, 4, 8 or 12, not 7"),
    (reading(changed(rounding="stochastic")), "eligibility: stochastic rounding needs a seed"),
    (reading(term(Factor.THIRD)), "eligibility: there is no population as third"),
    (
        reading(PLAIN, pre=SPIKED),
        "term 0: pre must be ALWAYS in a rule with an eligibility, not SPIKED; give that gate to a",
    ),
    (
        reading(PLAIN, pre=When(Gate.AGE, 5, 9, now=True)),
        r"must be ALWAYS in a rule with an eligibility, not AGE 5\.\.9 now; give",
    ),
    (
        dataclasses.replace(reading(PLAIN, right=Factor.PRE_TRACE), pre=TRACE),
        "PRE_TRACE is no factor of a rule with an eligibility; use it in a term of the eligib",
    ),
    (
        reading(PLAIN, right=Factor.PRE_CURVE, curve=CURVE),
        "PRE_CURVE is no factor of a rule with an eligibility",
    ),
    (reading(PLAIN, right=Factor.WEIGHT), "ELIGIBILITY and WEIGHT do not combine: both are of the"),
    (
        dataclasses.replace(reading(changed(post=TRACE)), post=TRACE),
        "'p' keeps the post trace of its connection from 'in' already; use POST_CURVE in one",
    ),
]


@pytest.mark.parametrize(("rule", "message"), REFUSED, ids=range(len(REFUSED)))
def test_a_rule_that_makes_no_sense_is_refused(rule: Rule, message: str) -> None:
    with pytest.raises(SpikeloomError, match=message) as caught:
        network(rule)
    assert str(caught.value).startswith("connection 'in' -> 'p': plasticity")
    assert "\n" not in str(caught.value)


def test_a_trace_window_is_0_to_255() -> None:
    rule = changed(terms=(Term(Factor.CONSTANT, trace_window=(0, 256)),), post=TRACE)
    with pytest.raises(SpikeloomError, match=r"trace_window must be 0..255, not 256"):
        network(rule)


def test_something_else_than_a_rule_is_refused() -> None:
    with pytest.raises(SpikeloomError, match="plasticity must be a Rule or None, not 'stdp'"):
        network("stdp")


def test_high_weights_cannot_learn() -> None:
    with pytest.raises(SpikeloomError, match="weights of a high connection cannot learn"):
        network(high=True)


def test_a_sum_of_more_than_24_bits_is_refused() -> None:
    wide = (-(1 << 15), (1 << 15) - 1)
    rule = changed(terms=(Term(Factor.CONSTANT, Factor.ABOVE, constant=-129),), bounds=wide)
    with pytest.raises(SpikeloomError, match="can be 8454270, more than 24 bits; use smaller"):
        network(rule, weight_bits=16)
    accepted = changed(terms=(Term(Factor.CONSTANT, Factor.ABOVE, constant=-127),), bounds=wide)
    network(accepted, weight_bits=16)


def test_two_rules_with_traces_of_one_population_are_refused() -> None:
    rule = changed(post=TRACE)
    more = (Connection("e", "p", np.full((2, 2), 7), delay=1, plasticity=rule),)
    with pytest.raises(
        SpikeloomError, match="'p' keeps the post trace of its connection from 'in'"
    ):
        network(rule, more=more)
    network(PLAIN, more=more)


def test_33_plastic_connections_are_refused() -> None:
    more = [Connection("in", "p", np.full((3, 2), 1), plasticity=PLAIN) for _ in range(32)]
    with pytest.raises(SpikeloomError, match="33 connections have a plasticity, of 32 at most"):
        network(more=more)
    network(more=more[:31])


def test_one_plastic_connection_cannot_be_there_twice() -> None:
    connection = network().plastic[0]
    with pytest.raises(SpikeloomError, match="is there twice; use dataclasses.replace"):
        network(None, more=(connection, connection))


def test_sums_must_hold_weights_at_their_bounds() -> None:
    """Weights are 7 now, and 100 when they have learned."""
    with pytest.raises(
        SpikeloomError, match="can sum to -300..300, outside -128..127; use sum_bits"
    ):
        dataclasses.replace(network(), sum_bits=8)
    dataclasses.replace(network(None), sum_bits=8)


def test_arrays_become_tuples_so_that_rules_can_be_compared() -> None:
    curve = np.arange(64)
    assert Term(Factor.PRE_CURVE, curve=curve) == Term(Factor.PRE_CURVE, curve=CURVE)
    assert Trace(curve, np.int8(3)) == Trace(CURVE, 3)


TO_63 = When(Gate.AGE, 5, 63)
SILENT: list[tuple[Term, bool]] = [
    (CONSTANT, True),
    (Term(Factor.CONSTANT), False),  # 0
    (Term(Factor.PRE_TRACE), False),
    (Term(Factor.CONSTANT, pre=SPIKED, constant=3), False),
    (Term(Factor.CONSTANT, pre=TO_63, constant=3), True),
    (Term(Factor.CONSTANT, pre=When(Gate.AGE, 5, 62), constant=3), False),
    (Term(Factor.PRE_CURVE, curve=CURVE), True),
    (Term(Factor.PRE_CURVE, curve=(*CURVE[:63], 0)), False),
    (Term(Factor.WEIGHT), True),
]


@pytest.mark.parametrize(("one", "silent"), SILENT, ids=range(len(SILENT)))
def test_silent_axons_learn_where_a_term_can_be_other_than_0(one: Term, silent: bool) -> None:
    assert Rule((one,), (0, 1)).silent == silent
    never = Term(Factor.CONSTANT, pre=NEVER, constant=3)
    assert Rule((never, one), (0, 1)).silent == silent


def at(age: int, now: bool = True) -> When:
    return When(Gate.AGE, age, age, now)


VISITS: list[tuple[list[When], Visits]] = [
    ([ALWAYS], Visits(True, False, 0)),
    ([SPIKED], Visits(False, True, 0)),
    ([NEVER], Visits(False, False, 0)),
    ([at(21)], Visits(False, False, 21)),
    ([at(21), SPIKED], Visits(False, True, 21)),
    ([at(21), at(21)], Visits(False, False, 21)),
    ([at(21), at(22)], Visits(True, False, 0)),
    ([at(21, now=False)], Visits(True, False, 0)),
    ([at(0)], Visits(False, True, 0)),
    ([When(Gate.AGE, 3, 4, now=True)], Visits(True, False, 0)),
    ([NEVER, SPIKED], Visits(False, True, 0)),
]


@pytest.mark.parametrize(("gates", "expected"), VISITS, ids=range(len(VISITS)))
def test_hardware_visits_neurons_whose_gates_can_hold(gates: list[When], expected: Visits) -> None:
    rules = [Rule((Term(Factor.CONSTANT, post=gate),), (0, 1)) for gate in gates]
    assert visits(rules) == expected
    assert visits([dataclasses.replace(rule, at_end=True) for rule in rules]) == (False, False, 0)


def test_neurons_with_a_trace_are_visited_when_they_spike() -> None:
    rule = Rule((Term(Factor.POST_TRACE, post=at(7)),), (0, 1), post=TRACE)
    assert visits([rule]) == (False, True, 7)
    assert visits([]) == (False, False, 0)
