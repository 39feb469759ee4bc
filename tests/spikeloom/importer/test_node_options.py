"""Options of single neuron nodes, by name; a Threshold behind a neuron that never spikes."""

from typing import Any

import nir
import numpy as np
import pytest
from nir_graphs import chain, graph, make

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import Reset
from spikeloom.importer.dialect import NIR
from spikeloom.importer.float_network import FloatNetwork
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.importer.load import load_nir
from spikeloom.quantise import quantise

EVENTS = (np.random.default_rng(3).random((4, 40, 5)) < 0.4).astype(np.uint8)
WEIGHTS = np.random.default_rng(5).normal(0.3, 1.0, (2, 5, 5))


def two_layers() -> nir.NIRGraph:
    first, second = (nir.Linear(weights) for weights in WEIGHTS)
    return chain(first, make(nir.LIF, 5), second, make(nir.LIF, 5), size=5, out=5)


def alone(weights: Any, inputs: Any, **options: Any) -> Any:
    """Spikes of one layer, imported by itself."""
    source = chain(nir.Linear(weights), make(nir.LIF, 5), size=5, out=5)
    return simulate_float(load_nir(source, "snntorch", dt=1.0, **options), inputs).spikes["n1"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"reset": "zero"}, {"reset": "subtract"}),
        ({"reset": "none"}, {"reset": "zero"}),
        ({"reset_delay": False}, {"reset_delay": True}),
        ({"reset": "subtract", "compare": ">="}, {"reset": "none", "compare": ">"}),
        ({"clamp": -0.25}, {"clamp": False}),
        ({"decay": "exponential"}, {"decay": "euler"}),
    ],
)
def test_each_layer_has_its_own(first: dict[str, Any], second: dict[str, Any]) -> None:
    expected = alone(WEIGHTS[0], EVENTS, **first)
    after = alone(WEIGHTS[1], expected, **second)
    by_name = {option: {"n1": first[option], "*": second[option]} for option in first}
    by_other = {option: {"n3": second[option], "*": first[option]} for option in first}
    for options in (by_name, by_other):
        network = load_nir(two_layers(), "snntorch", dt=1.0, **options)
        run = simulate_float(network, EVENTS)
        assert np.array_equal(run.spikes["n1"], expected)
        assert np.array_equal(run.spikes["n3"], after)
    swapped = {option: {"n1": second[option], "*": first[option]} for option in first}
    other = simulate_float(load_nir(two_layers(), "snntorch", dt=1.0, **swapped), EVENTS)
    assert not np.array_equal(other.spikes["n1"], expected)


def test_a_mapping_leaves_the_dialect_to_all_others_and_says_so() -> None:
    network = load_nir(two_layers(), "snntorch", dt=1.0, reset={"n1": "zero"})
    resets = [network.population(name).reset for name in ("n1", "n3")]
    assert resets == [Reset.VALUE, Reset.SUBTRACT]
    assert network.dialect.nodes == (("n1", (("reset", "zero"),)),)
    assumed = {assumption.choice: str(assumption) for assumption in network.assumptions}
    assert "subtract" in assumed["reset"]
    assert "in nodes for which it is not given" in assumed["reset"]
    every = load_nir(two_layers(), "snntorch", dt=1.0, reset={"n1": "zero", "n3": "none"})
    assert "reset" not in [assumption.choice for assumption in every.assumptions]
    again = load_nir(two_layers(), every.dialect, reset={"n3": "zero"})
    assert again.population("n1").reset is again.population("n3").reset is Reset.VALUE


def test_the_name_of_a_nested_graph_stands_for_the_nodes_in_it() -> None:
    inner = chain(make(nir.LIF, 5), size=5, out=5)
    source = chain(nir.Linear(WEIGHTS[0]), inner, make(nir.LIF, 5), size=5, out=5)
    options = {"reset": {"n1": "zero"}, "reset_delay": {"n1": True, "n1.n0": False}}
    network = load_nir(source, "snntorch", dt=1.0, **options)
    assert network.population("n1.n0").reset is Reset.VALUE
    assert network.population("n2").reset is Reset.SUBTRACT
    assert network.dialect.of("n1.n0").reset_delay is False
    assert network.dialect.of("n10").reset == "subtract"


def test_an_unknown_name_is_refused() -> None:
    message = "reset: the graph has no neuron node 'lif1'; it has 'n1', 'n3'"
    with pytest.raises(SpikeloomError, match=message):
        load_nir(two_layers(), "snntorch", reset={"lif1": "zero"})
    with pytest.raises(SpikeloomError, match="no neuron node 'n0'"):
        load_nir(two_layers(), "snntorch", reset={"n0": "zero"})


@pytest.mark.parametrize("dialect", [["snntorch"], None, 1, {"reset": "zero"}, np.str_("x")])
def test_a_dialect_of_the_wrong_type(dialect: Any) -> None:
    with pytest.raises(SpikeloomError, match="not 'snnTorch', did you mean snntorch[?]$"):
        load_nir(two_layers(), "snnTorch")
    with pytest.raises(SpikeloomError, match="dialect must be 'nir' or"):
        load_nir(two_layers(), dialect)


@pytest.mark.parametrize("nodes", [1, ("a",), (("a", 1),), (("a", (("dt", 1.0),)),), ((1, ()),)])
def test_a_record_with_impossible_nodes(nodes: Any) -> None:
    with pytest.raises(SpikeloomError, match="nodes must be a tuple of pairs"):
        type(NIR)("mine", nodes=nodes)


# A Threshold behind neurons that never spike.


def thresholded(kind: type, **changed: Any) -> FloatNetwork:
    limits = make(nir.Threshold, 5, threshold=np.linspace(0.5, 2.5, 5))
    source = chain(nir.Linear(WEIGHTS[0]), make(kind, 5, **changed), limits, size=5, out=5)
    return load_nir(source, dt=1.0)


@pytest.mark.parametrize("kind", [nir.LI, nir.CubaLI, nir.I])
def test_a_threshold_behind_a_silent_neuron_is_one_population(kind: type) -> None:
    network = thresholded(kind)
    [population] = network.populations
    assert (population.name, population.spiking, population.reset) == ("n1", True, Reset.NONE)
    assert network.outputs == (("output", "n1"),)
    v, i = np.zeros((4, 5)), np.zeros((4, 5))
    spikes = simulate_float(network, EVENTS).spikes["n1"]
    for t in range(EVENTS.shape[1]):
        drive = EVENTS[:, t] @ WEIGHTS[0].T
        i = 0.5 * i + drive
        v = (1.0 if kind is nir.I else 0.75) * v + (i if kind is nir.CubaLI else drive)
        assert np.array_equal(spikes[:, t], v > np.linspace(0.5, 2.5, 5)), t
    assert 20 < spikes.sum() < spikes.size - 20
    assert quantise(network)[0].populations[0].reset is Reset.NONE


def test_a_silent_neuron_with_another_target_keeps_its_threshold_apart() -> None:
    nodes = {
        "in": nir.Input(np.array([5])),
        "li": make(nir.LI, 5),
        "th": make(nir.Threshold, 5),
        "out": nir.Output(np.array([5])),
        "read": nir.Output(np.array([5])),
    }
    edges = [("in", "li"), ("li", "th"), ("th", "out"), ("li", "read")]
    with pytest.raises(SpikeloomError, match="'th' .* driven by the LI node 'li'"):
        load_nir(graph(nodes, edges), dt=1.0)


def test_an_output_of_two_layers_of_different_sizes_is_refused_with_a_remedy() -> None:
    """snnTorch's exporter adds such an edge for a skip connection."""
    source = chain(make(nir.LIF, 5), nir.Linear(np.ones((2, 5))), make(nir.LIF, 2), size=5, out=2)
    source.edges.append(("n0", "output"))
    with pytest.raises(SpikeloomError, match="remove an edge that an exporter added"):
        load_nir(source, dt=1.0)


def test_an_output_may_read_a_flattened_image_of_neurons() -> None:
    flatten = nir.Flatten({"input": np.array([2, 3, 4])}, 0, -1)
    network = load_nir(chain(make(nir.LIF, (2, 3, 4)), flatten, size=(2, 3, 4), out=24), dt=1.0)
    assert network.outputs == (("output", "n0"),)


def test_real_values_that_are_multiples_of_a_unit_are_counts_and_a_scale() -> None:
    counts = np.random.default_rng(8).integers(0, 256, (4, 40, 5))
    plain = simulate_float(load_nir(two_layers(), "snntorch", dt=1.0), counts / 255)
    nodes = [nir.Linear(WEIGHTS[0]), make(nir.LIF, 5), nir.Linear(WEIGHTS[1]), make(nir.LIF, 5)]
    source = chain(nir.Scale(np.full(5, 1 / 255)), *nodes, size=5, out=5)
    scaled = simulate_float(load_nir(source, "snntorch", dt=1.0), counts)
    assert plain.spikes["n1"].sum() > 50
    assert np.array_equal(scaled.spikes["n2"], plain.spikes["n1"])
    assert np.array_equal(scaled.spikes["n4"], plain.spikes["n3"])
