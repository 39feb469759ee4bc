"""Networks that learn on fabrics: rows of their rules, where parts lie, and what is refused."""

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from plastic_network import AXONS, STDP, plastic_network

import spikeloom
from spikeloom import SpikeloomError
from spikeloom.golden.convolution import Convolution
from spikeloom.golden.learning import SPIKED, Rule, Term, When
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import Factor, Gate, Rounding
from spikeloom.mapping.storage import dense

UP = Rule((Term(Factor.CONSTANT, pre=SPIKED, post=SPIKED, constant=1),), (-128, 127), shift=0)


def zeros(size: int) -> Any:
    return np.zeros(size, np.int64)


def layers(count: int, size: int = 8, **changes: Any) -> Network:
    """Plastic layers one after the other."""
    populations = tuple(Population(f"p{n}", size, zeros(size), phase=n) for n in range(count))
    names = ["in", *(p.name for p in populations)]
    weights = np.eye(size, dtype=np.int64)
    connections = tuple(
        Connection(a, b, weights, plasticity=UP) for a, b in itertools.pairwise(names)
    )
    return Network((Input("in", size),), populations, connections, **changes)


def test_rows_of_a_tile() -> None:
    program = spikeloom.compile(plastic_network())
    fabric, (tile,) = program.fabric, program.image.tiles
    rules = [fabric.rule_row.unpack(row) for row in tile.rules]
    assert [rule["sources"] for rule in rules] == [AXONS, 10]
    assert [rule["axon_base"] for rule in rules] == [0, AXONS]
    assert [rule["number"] for rule in rules] == [0, 1]
    assert (rules[0]["lowest"], rules[0]["highest"], rules[0]["shift"]) == (-60, 100, 3)
    assert rules[0]["rounding"] == Rounding.STOCHASTIC
    assert (rules[0]["traces"], rules[1]["traces"]) == (1, 0)
    populations = [fabric.population_row.unpack(row) for row in tile.populations]
    hidden, _, error = populations
    assert (rules[1]["third"], rules[1]["third_base"]) == (1, error["neuron_base"])
    assert [row["plasticity"] for row in populations] == [1, 1, 1]
    assert (hidden["plasticity_always"], error["plasticity_always"]) == (1, 0)
    connections = [fabric.connection_row.unpack(row) for row in tile.connections]
    assert [(row["plastic"], row["rule"]) for row in connections] == [(1, 0), (1, 1), (0, 0)]
    assert [row["weight_base"] for row in connections[:2]] == [r["weight_base"] for r in rules]
    terms = [fabric.term_row.unpack(row) for row in tile.terms]
    assert [(term["left"], term["right"]) for term in terms] == [
        (Factor.PRE_TRACE, Factor.ABOVE),
        (Factor.POST_TRACE, Factor.BELOW),
        (Factor.THIRD, Factor.PRE_TRACE),
        (Factor.ONE, Factor.ONE),
    ]
    assert [term["pre_gate"] for term in terms[2:]] == [Gate.ALWAYS, Gate.NEVER]
    assert (terms[0]["lower"], terms[0]["upper"]) == (-32768, 32767)
    curves = [fabric.curve_row.unpack(row) for row in tile.curves]
    assert len(curves) == 2 * 64
    assert STDP.pre is not None
    assert [row["pre_decay"] for row in curves[:64]] == [*STDP.pre.decay]
    assert curves[63]["post_decay"] == curves[127]["pre_decay"] == 0
    assert (tile.learn, program.image.learning().tiles[0].learn) == ((0,), (1,))


def test_a_run_that_learns_has_no_input_ahead() -> None:
    program = spikeloom.compile(plastic_network())
    layout = program.fabric.control_row
    plain, learning = (
        layout.unpack(image.control) for image in (program.image, program.image.learning())
    )
    assert (plain["window"], learning["window"]) == (3, 0)
    assert plain["last_phase"] == learning["last_phase"] == 1


def test_the_table_of_rules_is_whole() -> None:
    """Hardware walks all of it, whatever it held before."""
    program = spikeloom.compile(layers(3), {"rules": 8})
    rows = [program.fabric.rule_row.unpack(row) for row in program.image.tiles[0].rules]
    assert [row["groups"] for row in rows] == [1, 1, 1, 0, 0, 0, 0, 0]
    plain = spikeloom.compile(
        dataclasses.replace(
            layers(3),
            connections=tuple(
                dataclasses.replace(c, plasticity=None) for c in layers(3).connections
            ),
        ),
        {"plasticity": True, "rules": 4},
    )
    assert plain.image.tiles[0].rules == (0, 0, 0, 0)


def test_what_learns_is_stored_dense() -> None:
    """Though one to one would take fewer bits."""
    network = layers(1, 256)
    program = spikeloom.compile(network, {"one_to_one": True, "sparse_words": 4096})
    assert isinstance(program.network.connections[0], Connection)
    assert dense(network, network.connections[0]) is network.connections[0]


@pytest.mark.parametrize("size", [8, 31, 40])
def test_a_third_factor_lies_beside_its_target(size: int) -> None:
    """In each tile with a part of the target, the same neurons of it."""
    rule = Rule((Term(Factor.THIRD, Factor.CONSTANT, constant=1),), (-128, 127), third="error")
    rng = np.random.default_rng(size)
    network = Network(
        (Input("in", 30),),
        (
            Population("error", size, zeros(size), spiking=False),
            Population("other", 50, zeros(50)),
            Population("out", size, zeros(size), phase=1),
        ),
        (
            Connection("in", "other", rng.integers(-9, 9, (30, 50))),
            Connection("in", "error", rng.integers(-9, 9, (30, size))),
            Connection("other", "out", rng.integers(-9, 9, (50, size)), plasticity=rule),
        ),
    )
    program = spikeloom.compile(network, {"columns": 2, "rows": 2, "lanes": 4})
    parts = {
        name: [(p.tile, p.start, p.size) for p in program.plan.parts if p.population == name]
        for name in ("error", "out")
    }
    assert parts["error"] == parts["out"]
    assert len(parts["out"]) > 1
    for tile, contents in enumerate(program.image.tiles):
        for row in map(program.fabric.rule_row.unpack, contents.rules):
            if row["groups"]:
                bases = [
                    program.fabric.population_row.unpack(packed)["neuron_base"]
                    for packed in contents.populations
                    if program.fabric.population_row.unpack(packed)["number"] == 0
                ]
                assert row["third_base"] in bases, tile


REFUSED: dict[str, tuple[Network, dict[str, Any], str]] = {
    "no plasticity": (
        layers(2),
        {"plasticity": False},
        "connection 'in' -> 'p0': a learning rule needs plasticity=True",
    ),
    "a board without": (layers(2), {"board": "icebreaker"}, "'plasticity': True, 'rules': 2"),
    "rules": (layers(3), {"rules": 2}, "rules 3 of 2 (short by 1); use fabric={'rules': 3}"),
    "axons": (layers(3), {"plastic_axons": 20}, "plastic_axons 24 of 20 (short by 4)"),
    "terms": (
        plastic_network(),
        {"rule_terms": 1},
        "'in' -> 'hidden': a learning rule of 2 terms needs rule_terms=2",
    ),
    "more rules than there are": (
        layers(9),
        {},
        "no hardware has rules above 8: use more tiles (columns, rows) or a smaller network",
    ),
    "lanes": (layers(1), {"lanes": 6}, "FabricConfig.lanes must be 1, 2, 4, 8 or 16"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_fabric_lacks_is_named(case: str) -> None:
    network, fabric, said = REFUSED[case]
    with pytest.raises(SpikeloomError) as error:
        spikeloom.compile(network, fabric)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_rules_are_shared_among_tiles() -> None:
    """Nine of them, of which no tile has more than eight."""
    program = spikeloom.compile(layers(9), {"columns": 3})
    used = [tile["rules"] for tile in program.plan.report.used]
    assert sum(used) == 9
    assert max(used) <= program.fabric.rules == 8


def test_the_factor_between_needs_an_option() -> None:
    rule = Rule((Term(Factor.CONSTANT, Factor.BETWEEN, constant=3),), (0, 127))
    connection = Connection("in", "p0", np.ones((8, 8), np.int64), plasticity=rule)
    network = dataclasses.replace(layers(1), connections=(connection,))
    assert spikeloom.compile(network).fabric.quadratic_bounds
    with pytest.raises(SpikeloomError, match="the factor BETWEEN needs quadratic_bounds=True"):
        spikeloom.compile(network, {"quadratic_bounds": False})
    assert not spikeloom.compile(layers(1)).fabric.quadratic_bounds


@pytest.mark.parametrize(
    ("source", "target", "third"), [("c", "p", None), ("other", "c", None), ("other", "p", "c")]
)
def test_images_do_not_learn(source: str, target: str, third: str | None) -> None:
    """A source, a target or a third factor that a convolution joins."""
    image = (1, 3, 3)
    factors = (Factor.THIRD, Factor.ONE) if third else (Factor.CONSTANT, Factor.ONE)
    rule = Rule((Term(*factors, SPIKED, SPIKED, constant=1),), (-128, 127), third=third)
    network = Network(
        (Input("in", 9, image=image), Input("other", 9)),
        (Population("c", 9, zeros(9), image=image), Population("p", 9, zeros(9), phase=1)),
        (
            Convolution("in", "c", np.ones((1, 1, 1, 1), np.int64)),
            Connection(source, target, np.ones((9, 9), np.int64), plasticity=rule),
        ),
    )
    with pytest.raises(SpikeloomError, match="plasticity: 'c' is an image that a convolution"):
        spikeloom.compile(network)


def test_wide_weights_do_not_learn() -> None:
    """They would be pairs; bounds that fit are taken, whatever the network's width."""
    wide = layers(1, weight_bits=16)
    assert spikeloom.compile(wide).fabric.weight_bits == 8
    rule = dataclasses.replace(UP, bounds=(-300, 300))
    connection = dataclasses.replace(wide.connections[0], plasticity=rule)
    wide = dataclasses.replace(wide, connections=(connection,))
    with pytest.raises(SpikeloomError, match=r"weights in -300\.\.300 take more than 8 bits"):
        spikeloom.compile(wide)


def test_a_gate_of_one_age_is_visited_at_that_age() -> None:
    gate = When(Gate.AGE, 5, 5, now=True)
    rule = dataclasses.replace(UP, terms=(dataclasses.replace(UP.terms[0], post=gate),))
    connection = dataclasses.replace(layers(1).connections[0], plasticity=rule)
    program = spikeloom.compile(dataclasses.replace(layers(1), connections=(connection,)))
    row = program.fabric.population_row.unpack(program.image.tiles[0].populations[0])
    visits = {name: row[f"plasticity_{name}"] for name in ("always", "on_spike", "at_age")}
    assert visits == {"always": 0, "on_spike": 0, "at_age": 5}
