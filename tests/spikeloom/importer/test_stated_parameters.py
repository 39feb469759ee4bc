"""Parameters of neurons stated by name, in the units of the file."""

from typing import Any

import nir
import numpy as np
import pytest
from nir_graphs import chain, graph, make

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.step.run import simulate
from spikeloom.importer.float_network import FloatNetwork
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.importer.load import load_nir
from spikeloom.quantise import quantise

EVENTS = (np.random.default_rng(3).random((4, 40, 5)) < 0.4).astype(np.uint8)
WEIGHTS = np.random.default_rng(5).normal(0.3, 1.0, (2, 5, 5))


def layers(*neurons: Any) -> nir.NIRGraph:
    """Layers "n1" and "n3" of five neurons."""
    nodes = [node for pair in zip(map(nir.Linear, WEIGHTS), neurons, strict=False) for node in pair]
    return chain(*nodes, size=5, out=5)


def spikes(network: FloatNetwork) -> dict[str, Any]:
    """Of the float network, and of its integers."""
    integers, _ = quantise(network, state_bits=24, max_fraction_bits=8)
    runs = simulate_float(network, EVENTS), simulate(integers, EVENTS)
    return {f"{name} {n}": run.spikes[name] for n, run in enumerate(runs) for name in run.spikes}


def assert_same(network: FloatNetwork, expected: FloatNetwork, unlike: FloatNetwork) -> None:
    """`network` spikes as `expected` does, and not as `unlike` does."""
    got, right, wrong = (spikes(each) for each in (network, expected, unlike))
    assert got.keys() == right.keys()
    for name in got:
        assert np.array_equal(got[name], right[name]), name
    assert any(not np.array_equal(got[name], wrong[name]) for name in got)


EACH = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
STATED: list[tuple[str, str, Any]] = [
    ("threshold", "v_threshold", 0.5),
    ("threshold", "v_threshold", EACH),
    ("threshold", "v_threshold", [*EACH]),
    ("threshold", "v_threshold", np.float32(0.1)),
    ("v_reset", "v_reset", -0.75),
    ("v_reset", "v_reset", -EACH),
    ("v_leak", "v_leak", 0.5),
    ("v_leak", "v_leak", EACH / 4),
]


@pytest.mark.parametrize("kind", [nir.LIF, nir.CubaLIF])
@pytest.mark.parametrize(("option", "parameter", "value"), STATED)
def test_a_potential_is_that_of_a_file_which_has_it(
    kind: type, option: str, parameter: str, value: Any
) -> None:
    plain = layers(make(kind, 5), make(kind, 5))
    written = np.float64(str(value)) if isinstance(value, np.float32) else value
    changed = layers(make(kind, 5), make(kind, 5, **{parameter: written}))
    stated: dict[str, Any] = {option: {"n3": value}}
    network = load_nir(plain, dt=1.0, **stated)
    assert_same(network, load_nir(changed, dt=1.0), load_nir(plain, dt=1.0))
    every: dict[str, Any] = {option: value}
    both = layers(*(make(kind, 5, **{parameter: written}) for _ in range(2)))
    assert_same(load_nir(plain, dt=1.0, **every), load_nir(both, dt=1.0), network)


@pytest.mark.parametrize("clamp", [False, True])
def test_an_initial_potential(clamp: bool) -> None:
    """The rest that a file has, with another bias, starts there."""
    thresholds = np.array([0.5, 1, 2, 3, 4])
    nodes = [make(nir.LIF, 5, v_threshold=thresholds, v_leak=leak) for leak in (EACH, 0.0)]
    resting, plain = (layers(node) for node in nodes)
    options: dict[str, Any] = {"dt": 1.0, "clamp": clamp}
    network = load_nir(plain, v_init={"n1": EACH}, v_leak={"n1": EACH}, **options)
    expected = load_nir(resting, start="leak", **options)
    assert_same(network, expected, load_nir(resting, **options))
    assert "start" not in [assumption.choice for assumption in network.assumptions]
    [population] = load_nir(plain, v_init=0.5, dt=1.0).populations
    assert population.v_init == 0.5


@pytest.mark.parametrize("dialect", ["nir", "sinabs", "norse"])
@pytest.mark.parametrize("kind", [nir.LIF, nir.CubaLIF, nir.LI])
def test_a_time_constant_changes_what_is_forgotten_and_no_gain(dialect: str, kind: type) -> None:
    gain = {"r": 1.0} if dialect == "norse" and kind is not nir.CubaLIF else {}
    plain = layers(make(kind, 5, **gain))
    fixed = load_nir(plain, dialect, dt=1.0)
    network = load_nir(plain, dialect, dt=1.0, tau={"n1": 8.0})
    assert np.array_equal(fixed.connections[0].weights, network.connections[0].weights)
    decay = -np.expm1(-1 / 8) if dialect == "sinabs" else 1 / 8
    assert network.populations[0].decay == pytest.approx(decay)
    assert network.populations[0].decay != fixed.populations[0].decay


def test_a_time_constant_of_a_synapse_for_each_neuron() -> None:
    plain = layers(make(nir.CubaLIF, 5))
    network = load_nir(plain, dt=1.0, tau_syn={"n1": 2 + EACH})
    [population] = network.populations
    assert population.synaptic_decay is not None
    assert np.allclose(population.synaptic_decay, 1 / (2 + EACH))
    assert population.decay == 0.25


def test_values_of_an_image_may_be_flat_and_give_a_scalar_node_its_shape() -> None:
    values = np.arange(1.0, 7.0)
    for shaped in (values, values.reshape(1, 2, 3)):
        source = chain(make(nir.LIF, (1, 2, 3)), size=(1, 2, 3), out=(1, 2, 3))
        [population] = load_nir(source, dt=1.0, threshold={"n0": shaped}).populations
        assert np.array_equal(population.threshold, values)


def test_a_threshold_behind_a_silent_neuron_has_the_name_of_that() -> None:
    def source(threshold: float) -> nir.NIRGraph:
        limits = make(nir.Threshold, 5, threshold=threshold)
        return chain(nir.Linear(WEIGHTS[0]), make(nir.LI, 5), limits, size=5, out=5)

    network = load_nir(source(0.5), dt=1.0, threshold={"n1": 1.5}, compare={"n1": ">="})
    expected = load_nir(source(1.5), dt=1.0, compare=">=")
    assert network.populations[0].inclusive
    assert_same(network, expected, load_nir(source(0.5), dt=1.0))


def test_what_is_stated_is_recorded_and_given_again() -> None:
    plain = layers(make(nir.LIF, 5), make(nir.LIF, 5))
    network = load_nir(plain, dt=1.0, threshold={"n1": 0.5, "*": EACH})
    assert network.dialect.nodes == (("n1", (("threshold", 0.5),)),)
    assert network.dialect.threshold == tuple(EACH)
    assert_same(load_nir(plain, network.dialect), network, load_nir(plain, dt=1.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": {"n1": "high"}}, "node 'n1': threshold must be a number, or one for each"),
        ({"threshold": True}, "threshold must be a number, or one for each neuron, not True"),
        ({"v_init": [[1.0], [1.0, 2.0]]}, "v_init must be a number, or one for each neuron"),
        ({"threshold": [1.0, 2.0]}, r"has shape \(2,\), but its input has shape \(5,\)"),
        ({"threshold": {"n1": 0.0}}, "'n1' .* v_threshold must be positive"),
        ({"v_leak": float("nan")}, "v_leak has NaN or infinite elements"),
        ({"tau_syn": {"n1": 3.0}}, "tau_syn: node 'n1' has no tau_syn; leave it out"),
        ({"tau_syn": 3.0}, "tau_syn: no neuron node of the graph has tau_syn; leave it out"),
        ({"threshold": {"n9": 3.0}}, "threshold: the graph has no neuron node 'n9'"),
        ({"tau": 0.5}, "tau .0.5. is shorter than dt"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpikeloomError, match=message) as error:
        load_nir(layers(make(nir.LIF, 5), make(nir.LIF, 5)), dt=1.0, **options)
    assert "\n" not in str(error.value)


def test_a_reset_potential_that_nothing_reads_is_refused() -> None:
    with pytest.raises(SpikeloomError, match="v_reset is not 0, and reset='subtract' does not"):
        load_nir(layers(make(nir.LIF, 5)), "sinabs", v_reset={"n1": -1.0})


def test_a_threshold_node_has_no_initial_potential() -> None:
    nodes = {"in": nir.Input(np.array([2])), "th": make(nir.Threshold, 2)}
    source = graph(nodes | {"out": nir.Output(np.array([2]))}, [("in", "th"), ("th", "out")])
    with pytest.raises(SpikeloomError, match="v_init: node 'th' has no v_init; leave it out"):
        load_nir(source, v_init={"th": 1.0})
