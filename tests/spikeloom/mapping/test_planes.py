"""Planes of eligibilities in the memories: their words, and the rows of their rules."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from plastic_network import plastic_network

import spikeloom
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.learning import SPIKED, Rule, Term, Trace, When
from spikeloom.golden.network import Connection, Network
from spikeloom.golden.spec import Factor, Gate

PLANE = Rule(
    (
        Term(Factor.PRE_TRACE, Factor.POST_CURVE, post=SPIKED, curve=(3,) * 64),
        Term(Factor.CONSTANT, Factor.WEIGHT, constant=16, negative=True),
    ),
    (-50, 60),
    rounding="stochastic",
    pre=Trace.exponential(4.0, 120),
)
RULE = Rule(
    (Term(Factor.ELIGIBILITY, Factor.THIRD),),
    (-100, 100),
    shift=4,
    third="error",
    at_end=True,
    eligibility=PLANE,
)


def network() -> Network:
    """The network of `plastic_network`, whose second rule has eligibilities, and so has a third."""
    plain = plastic_network()
    rng = np.random.default_rng(0)
    first, second, third = plain.connections
    assert isinstance(second, Connection)
    weights = second.weights.clip(*RULE.bounds)
    connections = (
        first,
        dataclasses.replace(second, plasticity=RULE, weights=weights),
        dataclasses.replace(third),
        Connection("in", "out", rng.integers(-9, 9, (12, 9)), plasticity=RULE),
    )
    return dataclasses.replace(plain, connections=connections, sum_bits=20)


@pytest.mark.parametrize(
    "fabric", [{}, {"lanes": 4}, {"columns": 2, "rows": 2}, {"columns": 2, "lanes": 2}]
)
def test_a_rule_reads_the_plane_that_the_row_before_it_learns(fabric: dict[str, Any]) -> None:
    program = spikeloom.compile(network(), fabric)
    config, seen = program.fabric, 0
    assert config.eligibility
    for number, tile in enumerate(program.image.tiles):
        rules = [config.rule_row.unpack(row) for row in tile.rules]
        taken = set[int]()
        axons = 0
        for c, numbers in ((0, (0,)), (1, (30, 1)), (3, (29, 2))):
            connection = config.connection_row.unpack(tile.connections[c])
            if not connection["sources"]:
                continue
            rows = rules[connection["rule"] :][: len(numbers)]
            assert tuple(row["number"] for row in rows) == numbers
            size = connection["groups"] * connection["sources"]
            for row in rows:
                assert row["axon_base"] == connection["axon_base"] == axons
                for name in ("groups", "sources"):
                    assert row[name] == connection[name]
                words = set(range(row["weight_base"], row["weight_base"] + size))
                assert not words & taken
                assert max(words) < len(tile.weights)
                taken |= words
            axons += connection["sources"]
            reader = rows[-1]
            assert reader["weight_base"] == connection["weight_base"]
            assert reader["plane"] == len(numbers) - 1
            if len(numbers) > 1:
                plane = rows[0]
                assert reader["plane_base"] == plane["weight_base"]
                first = plane["weight_base"]
                assert not any(tile.weights[first : first + size])
                assert (plane["plane"], plane["at_end"], plane["third"]) == (0, 0, 0)
                assert (reader["silent"], reader["at_end"], reader["third"]) == (1, 1, 1)
                assert (plane["lowest"], plane["highest"]) == PLANE.bounds
                seen += 1
        used = program.plan.report.used[number]
        assert used["rules"] == sum(row["groups"] > 0 for row in rules)
        assert used["plastic_axons"] == axons
    assert seen >= 2


def test_terms_and_curves_of_both_rules_are_there() -> None:
    program = spikeloom.compile(network())
    config, tile = program.fabric, program.image.tiles[0]
    rule = config.connection_row.unpack(tile.connections[1])["rule"]
    terms = [config.term_row.unpack(row) for row in tile.terms[2 * rule :]]
    assert [term["left"] for term in terms[:4]] == [
        Factor.PRE_TRACE,
        Factor.CONSTANT,
        Factor.ELIGIBILITY,
        Factor.ONE,
    ]
    curves = [config.curve_row.unpack(row) for row in tile.curves[64 * rule :]]
    assert curves[1]["pre_decay"] == 199
    assert curves[1]["curve0"] == 3
    assert curves[64 + 1]["pre_decay"] == 0


def test_neurons_are_visited_when_either_rule_asks() -> None:
    """The plane learns in every step, its reader at the end alone."""
    late = dataclasses.replace(PLANE.terms[0], post=When(Gate.AGE, 5, 5, now=True))
    plane = dataclasses.replace(PLANE, terms=(late,))
    for rule, visits in (
        (RULE, (1, 0, 0)),
        (dataclasses.replace(RULE, eligibility=plane), (0, 0, 5)),
    ):
        plain = network()
        connections = tuple(
            dataclasses.replace(c, plasticity=rule)
            if isinstance(c, Connection) and c.target == "out"
            else c
            for c in plain.connections
        )
        program = spikeloom.compile(dataclasses.replace(plain, connections=connections))
        rows = map(program.fabric.population_row.unpack, program.image.tiles[0].populations)
        names = ("plasticity_always", "plasticity_on_spike", "plasticity_at_age")
        assert visits in [tuple(row[name] for name in names) for row in rows]


def test_a_fabric_must_have_room_for_planes() -> None:
    program = spikeloom.compile(network())
    for name, value in (("rules", 4), ("eligibility", False)):
        short = dataclasses.replace(program.fabric, **{name: value})
        with pytest.raises(SpikeloomError, match=name):
            spikeloom.compile(network(), short)
    words = len(program.image.tiles[0].weights)
    exact = dataclasses.replace(program.fabric, weight_words=words)
    assert spikeloom.compile(network(), exact).fabric == exact
    with pytest.raises(SpikeloomError, match=rf"weight_words {words} of {words - 1}"):
        spikeloom.compile(network(), dataclasses.replace(exact, weight_words=words - 1))
