"""The importer: graphs mean what their equations say, and every bad one is refused in one line."""

import dataclasses
import functools
import os
import pickle
import random
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nir_graphs import chain, graph, make

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import Reset
from spikeloom.golden.step.run import simulate
from spikeloom.importer.dialects import DIALECTS
from spikeloom.importer.float_network import FloatNetwork, FloatPopulation, Floats
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.importer.load import load_nir
from spikeloom.quantise import quantise
from spikeloom.quantise.saturation import saturations

lif, li = (functools.partial(make, kind) for kind in (nir.LIF, nir.LI))
integrate_and_fire = functools.partial(make, nir.IF)


def refusal(source: Any, **options: Any) -> str:
    with pytest.raises(SpikeloomError) as caught:
        load_nir(source, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def only(network: FloatNetwork) -> tuple[FloatPopulation, dict[str, Floats]]:
    [population] = network.populations
    return population, {c.source: c.weights for c in network.connections}


# Meaning.


def test_lif_folds_euler_into_decay_weights_and_bias() -> None:
    weight, bias = np.array([[2.0, 3.0]]), np.array([5.0])
    neuron = lif(tau=8.0, r=0.5, v_leak=-1.0, v_threshold=2.0, v_reset=-0.25)
    network = load_nir(chain(nir.Affine(weight, bias), neuron, size=2), dt=2.0)
    population, weights = only(network)
    assert (population.name, population.size) == ("n1", 1)
    assert population.decay == 0.25
    assert weights["input"].tolist() == [[0.25], [0.375]]
    assert population.bias.tolist() == [5 * 0.125 - 0.25]
    assert (population.threshold, population.v_reset, population.v_init) == (2.0, -0.25, 0.0)
    assert (population.spiking, population.inclusive, population.reset) == (
        True,
        False,
        Reset.VALUE,
    )
    assert network.dt == 2.0
    assert network.outputs == (("output", "n1"),)


def test_if_integrates_over_time_or_per_step_by_dialect() -> None:
    network = chain(integrate_and_fire(r=3.0))
    assert only(load_nir(network, dt=0.5))[1]["input"].tolist() == [[1.5]]
    assert only(load_nir(network, "snntorch"))[1]["input"].tolist() == [[3.0]]
    variant = dataclasses.replace(DIALECTS["nir"], integrator="step")
    assert only(load_nir(network, variant))[1]["input"].tolist() == [[3.0]]
    assert only(load_nir(network, dt=0.5))[0].decay == 0.0


def test_li_never_spikes_and_takes_a_leak_potential() -> None:
    population, _ = only(load_nir(chain(li(v_leak=2.0)), dt=1.0))
    assert not population.spiking
    assert population.bias.tolist() == [0.5]


def test_explicit_arguments_override_the_dialect() -> None:
    network = load_nir(chain(lif()), "snntorch", dt=1.0, reset="subtract", compare=">=")
    population, _ = only(network)
    assert (population.decay, population.reset, population.inclusive) == (
        0.25,
        Reset.SUBTRACT,
        True,
    )
    assert network.dialect == dataclasses.replace(
        DIALECTS["snntorch"], dt=1.0, reset="subtract", compare=">="
    )
    assert only(load_nir(chain(lif()), dt=1.0, reset="none"))[0].reset is Reset.NONE


def test_float32_time_constants_give_the_gain_the_exporter_meant() -> None:
    tau = np.float32(1e-4) / (1 - np.float32(0.9))
    neuron = lif(tau=tau, r=tau / np.float32(1e-4))
    assert only(load_nir(chain(neuron), "snntorch"))[1]["input"].tolist() == [[1.0]]
    forgets_all = lif(tau=np.float32(1e-4), r=1.0)
    assert only(load_nir(chain(forgets_all), "snntorch"))[0].decay == 1.0


def test_norse_starts_at_the_leak_potential() -> None:
    population, _ = only(load_nir(chain(lif(r=1.0, v_leak=0.5)), "norse"))
    assert population.v_init == 0.5
    assert population.decay == 1e-3 / 4


@pytest.mark.parametrize(
    ("dialect", "neuron", "named"),
    [
        ("norse", lif(r=2.0), "r must be 1"),
        ("norse", lif(r=1.0, v_reset=0.5), "v_reset must be 0"),
        ("snntorch", lif(v_leak=0.5), "v_leak must be 0"),
        ("snntorch", lif(v_reset=0.5), "v_reset must be 0"),
        ("snntorch", integrate_and_fire(v_reset=0.5), "v_reset must be 0"),
    ],
)
def test_what_a_framework_would_ignore_is_refused(
    dialect: str, neuron: nir.NIRNode, named: str
) -> None:
    message = refusal(chain(neuron), dialect=dialect)
    assert "'n0'" in message
    assert named in message
    assert "nir" in message


def test_scalar_parameters_are_repeated_and_per_neuron_gains_fold() -> None:
    neuron = lif(2, r=[4.0, 8.0])
    neuron.tau, neuron.v_threshold = np.array(4.0), np.array(1.0)
    network = chain(nir.Scale(np.array(2.0)), neuron, size=2, out=2)
    population, weights = only(load_nir(network, dt=1.0))
    assert population.decay == 0.25
    assert weights["input"].tolist() == [[2.0, 0.0], [0.0, 4.0]]


def test_shapes_flatten_in_c_order() -> None:
    scale = np.arange(6.0).reshape(2, 3)
    weight = np.arange(12.0).reshape(2, 6)
    network = chain(
        nir.Scale(scale),
        nir.Flatten(np.array([2, 3]), start_dim=0),
        nir.Linear(weight),
        lif(2),
        size=(2, 3),
        out=2,
    )
    _, weights = only(load_nir(network, dt=1.0))
    assert np.array_equal(weights["input"], (weight * scale.reshape(-1)).T)


def test_neurons_of_more_dimensions_and_flatten_after_them() -> None:
    neuron = lif((2, 3))
    network = chain(neuron, nir.Flatten(None, 0, -1), lif(6), size=(2, 3), out=6)
    loaded = load_nir(network, dt=1.0)
    assert [p.size for p in loaded.populations] == [6, 6]
    assert np.array_equal(loaded.into("n2")[0].weights, np.eye(6))


def test_flatten_of_some_dimensions() -> None:
    for first, flat in (0, (6, 4)), (1, (2, 12)):
        network = chain(nir.Flatten(None, first, first + 1), lif(flat), size=(2, 3, 4), out=flat)
        assert load_nir(network, dt=1.0).populations[0].size == 24
    assert "dimensions 1..-1 do not exist" in refusal(
        chain(nir.Flatten(None, 1, -1), lif(()), size=(), out=()), dt=1.0
    )
    assert "Flatten" in refusal(chain(nir.Linear(np.ones((1, 6))), lif(), size=(2, 3)), dt=1.0)


def test_branches_skips_and_several_inputs_add_up() -> None:
    one, two, skip = np.array([[1.0, 2.0]]), np.array([[3.0]]), np.array([[5.0, 7.0]])
    network = graph(
        {
            "x.a": nir.Input(np.array([2])),
            "10": nir.Input(np.array([1])),
            "w.1": nir.Linear(one),
            "w.2": nir.Linear(two),
            "skip": nir.Affine(skip, np.array([11.0])),
            "2": lif(),
            "sum": lif(),
            "out": nir.Output(np.array([1])),
            "out2": nir.Output(np.array([1])),
        },
        [
            ("sum", "out"),
            ("2", "sum"),
            ("skip", "sum"),
            ("x.a", "skip"),
            ("w.2", "2"),
            ("x.a", "w.1"),
            ("w.1", "2"),
            ("10", "w.2"),
            ("2", "out2"),
        ],
    )
    loaded = load_nir(network, dt=1.0)
    matrices = {(c.source, c.target): c.weights.tolist() for c in loaded.connections}
    assert matrices == {
        ("x.a", "2"): [[1.0], [2.0]],
        ("10", "2"): [[3.0]],
        ("2", "sum"): [[1.0]],
        ("x.a", "sum"): [[5.0], [7.0]],
    }
    assert {p.name: p.bias.tolist() for p in loaded.populations} == {"2": [0.0], "sum": [11.0]}
    assert sorted(loaded.outputs) == [("out", "sum"), ("out2", "2")]


def test_ways_from_one_source_become_one_connection() -> None:
    network = graph(
        {
            "in": nir.Input(np.array([2])),
            "s": nir.Scale(np.array([10.0, 20.0])),
            "w": nir.Linear(np.array([[1.0, 2.0], [3.0, 4.0]])),
            "w2": nir.Linear(np.array([[0.0, 100.0], [0.0, 0.0]])),
            "n": lif(2),
            "out": nir.Output(np.array([2])),
        },
        [
            *(("in", name) for name in ("s", "w", "w2", "n")),
            *((name, "n") for name in ("s", "w", "w2")),
            ("n", "out"),
        ],
    )
    _, weights = only(load_nir(network, dt=1.0))
    assert weights["in"].tolist() == [[1 + 1 + 10.0, 3.0], [2 + 100.0, 4 + 1 + 20.0]]


@st.composite
def map_chains(draw: st.DrawFn) -> tuple[list[nir.NIRNode], int, int, np.random.Generator]:
    """Random maps, the size they end in, and the direct computation of what they do."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    sizes = [draw(st.integers(1, 5))]
    nodes = []
    for kind in draw(st.lists(st.sampled_from(["affine", "linear", "scale", "flatten"]))):
        size = sizes[-1]
        if kind in ("affine", "linear"):
            sizes.append(draw(st.integers(1, 5)))
            weight = generator.normal(size=(sizes[-1], size))
            bias = generator.normal(size=sizes[-1])
            nodes.append(nir.Affine(weight, bias) if kind == "affine" else nir.Linear(weight))
        elif kind == "scale":
            nodes.append(nir.Scale(generator.normal(size=size)))
        else:
            nodes.append(nir.Flatten(None, 0, -1))
    return nodes, sizes[0], sizes[-1], generator


@given(map_chains())
@settings(deadline=None)
def test_random_chains_of_maps_equal_the_direct_computation(drawn: Any) -> None:
    nodes, size, out, generator = drawn
    r, v_leak = generator.normal(size=(2, out))
    neuron = lif(out, r=r, v_leak=v_leak, tau=2.0)
    population, weights = only(load_nir(chain(*nodes, neuron, size=size, out=out), dt=1.0))
    x = generator.normal(size=size)
    direct = x
    for node in nodes:
        if isinstance(node, nir.Scale):
            direct = direct * node.scale
        elif not isinstance(node, nir.Flatten):
            direct = node.weight @ direct + getattr(node, "bias", 0.0)
    expected = 0.5 * (v_leak + r * direct)
    np.testing.assert_allclose(x @ weights["input"] + population.bias, expected, atol=1e-9)


@given(st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=25)
def test_order_of_nodes_and_edges_does_not_matter(shuffler: random.Random) -> None:
    rng = np.random.default_rng(5)
    nodes = {
        "in": nir.Input(np.array([3])),
        "10": nir.Affine(rng.normal(size=(4, 3)), rng.normal(size=4)),
        "2": lif(4),
        "b": nir.Linear(rng.normal(size=(2, 4))),
        "c": nir.Linear(rng.normal(size=(2, 3))),
        "d": li(2),
        "out": nir.Output(np.array([2])),
    }
    edges = [("in", "10"), ("10", "2"), ("2", "b"), ("b", "d"), ("in", "c"), ("c", "d")]
    edges.append(("d", "out"))
    expected = repr(load_nir(graph(nodes, edges), dt=1.0))
    names = list(nodes)
    shuffler.shuffle(names)
    shuffler.shuffle(edges)
    assert repr(load_nir(graph({name: nodes[name] for name in names}, edges), dt=1.0)) == expected


def test_files_and_graphs_in_memory_are_the_same(tmp_path: Path) -> None:
    network = chain(nir.Affine(np.ones((2, 3)), np.ones(2)), lif(2), size=3, out=2)
    nir.write(tmp_path / "net.nir", network)
    from_memory = load_nir(network, dt=1.0)
    assert repr(load_nir(tmp_path / "net.nir", dt=1.0)) == repr(from_memory)
    assert repr(load_nir(str(tmp_path / "net.nir"), dt=1.0)) == repr(from_memory)


# Real case.


@pytest.fixture
def lif_case(shared_data: Path) -> Path:
    folder = shared_data / "nir"
    if not (folder / "lif_norse.nir").exists():
        pytest.skip("the recorded LIF neuron is not there")
    return folder


@pytest.mark.parametrize("dialect", ["nir", "norse"])
@pytest.mark.parametrize("recorded", ["lif_norse.csv", "lif_snntorch.csv"])
def test_lif_spikes_when_the_frameworks_said(lif_case: Path, dialect: str, recorded: str) -> None:
    events, _, spikes = np.loadtxt(lif_case / recorded, delimiter=",").T
    network = load_nir(lif_case / "lif_norse.nir", dialect, dt=1e-4)
    run = simulate_float(network, events[:, np.newaxis])
    assert run.spikes["1"].sum() == 4
    assert np.array_equal(run.spikes["1"][0, :, 0], spikes == 1)


def test_lif_potential_is_the_one_norse_recorded(lif_case: Path) -> None:
    events, potential, _ = np.loadtxt(lif_case / "lif_norse.csv", delimiter=",").T
    network = load_nir(lif_case / "lif_norse.nir", "norse", dt=1e-4)
    for steps in (1, 100, 461, 700, 1000):
        run = simulate_float(network, events[:steps, np.newaxis])
        assert abs(run.states["1"].item() - potential[steps - 1]) < 1e-6


def test_malformed_file_names_the_missing_node(shared_data: Path) -> None:
    path = shared_data / "nir" / "malformed_missing_node.nir"
    if not path.exists():
        pytest.skip("the malformed graph is not there")
    message = refusal(path, dt=1.0)
    assert "malformed_missing_node.nir" in message
    assert "'lif'" in message


@pytest.fixture
def braille(shared_data: Path) -> tuple[FloatNetwork, Floats, Floats]:
    """A recurrent CubaLIF network, a real input, and the hidden raster that snnTorch made of it."""
    folder = shared_data / "nir"
    if not (folder / "braille_zero.nir").exists():
        pytest.skip("the Braille network is not there")
    network = load_nir(folder / "braille_zero.nir", "snntorch", reset="zero", reset_delay=False)
    recorded = np.load(folder / "braille_zero_hidden_snntorch.npy")
    return network, np.load(folder / "braille_input.npy"), recorded


def test_recurrent_braille_network_spikes_as_snntorch_did(braille: Any) -> None:
    network, events, recorded = braille
    assert [(p.name, p.size) for p in network.populations] == [("lif1.lif", 38), ("lif2", 7)]
    loop = next(c for c in network.connections if c.source == c.target)
    assert loop.delay == 1
    run = simulate_float(network, events)
    assert recorded.shape == (256, 38)
    assert recorded.sum() == 119
    assert np.array_equal(run.spikes["lif1.lif"][0], recorded == 1)
    assert run.spikes["lif2"].sum(axis=1).argmax() == 1


@pytest.mark.parametrize("calibrated", [False, True])
def test_integer_braille_network_spikes_as_snntorch_did(braille: Any, calibrated: bool) -> None:
    network, events, recorded = braille
    integer, report = quantise(
        network,
        weight_bits=16,
        state_bits=20,
        sum_bits=24,
        calibration=events if calibrated else None,
    )
    assert report.weight_pairs
    run = simulate(integer, events)
    assert int((run.spikes["lif1.lif"][0] != (recorded == 1)).sum()) == 0
    assert saturations(integer, events)["lif2"] == 0
    if calibrated:
        assert [p.saturations for p in report.populations] == [0, 0]


# Bad input.


@pytest.mark.parametrize(
    ("network", "parts"),
    [
        (chain(lif(tau=0.0)), ["'n0'", "tau must be positive"]),
        (chain(lif(tau=-1.0)), ["'n0'", "tau must be positive"]),
        (chain(lif(tau=0.5)), ["'n0'", "shorter than dt"]),
        (chain(lif(tau=-np.inf)), ["'n0'", "tau has NaN or infinite"]),
        (chain(lif(r=np.inf)), ["'n0'", "r has infinite elements"]),
        (chain(lif(2, v_threshold=[1, np.inf]), size=2, out=2), ["'n0'", "v_threshold", "1..inf"]),
        (chain(lif(r=np.nan)), ["'n0'", "r has NaN"]),
        (chain(lif(v_threshold=0.0)), ["'n0'", "v_threshold must be positive"]),
        (chain(nir.Linear(np.array([[np.nan]])), lif()), ["'n0'", "weight has NaN"]),
        (chain(nir.Linear(np.ones((1, 1, 1))), lif()), ["'n0'", "(1, 1, 1)"]),
        (chain(nir.Linear(np.array([[1j]])), lif()), ["'n0'", "numbers"]),
        (chain(nir.Linear(np.ones((2, 3))), lif(2), size=2, out=2), ["'n0'", "(2, 3)", "(2,)"]),
        (chain(nir.Affine(np.ones((2, 1)), np.ones(3)), lif(2), out=2), ["'n0'", "bias"]),
        (chain(lif(3), size=2, out=2), ["'n0'", "(3,)", "(2,)"]),
        (chain(lif(), out=2), ["'output'", "(2,)", "(1,)"]),
        (chain(nir.Scale(np.ones(3)), lif(2), size=2, out=2), ["'n0'", "scale"]),
        (chain(nir.Linear(np.ones((1, 1)))), ["'output'", "'n0'", "add an LI or IF"]),
        (chain(lif(), nir.Linear(np.ones((1, 1)))), ["'output'", "add an LI or IF"]),
        (chain(lif(), nir.Scale(np.array([2.0]))), ["'output'", "add an LI or IF"]),
        (chain(), ["'output'", "'input'", "add an LI or IF"]),
        (chain(li(), lif()), ["'n1'", "'n0'", "sends no spikes"]),
        (chain(lif(), size=(0,)), ["'input'", "shape"]),
        (chain(lif(), size=(1 << 17,)), ["'input'", "65536"]),
        (chain(lif(40000), size=40000, out=40000), ["'n0'", "weights, more than"]),
        (chain(nir.Scale(np.array(1e300)), nir.Scale(np.array(1e300)), lif()), ["finite", "'n2'"]),
        (graph({}, []), ["no Input"]),
        (graph({"in": nir.Input(np.array([1]))}, []), ["no Output"]),
        (
            graph(
                {"in": nir.Input(np.array([1])), "n": lif(), "out": nir.Output(np.array([1]))},
                [("in", "n"), ("n", "lost")],
            ),
            ["'n' -> 'lost'", "no node 'lost'"],
        ),
    ],
)
def test_refusals_say_what_and_where(network: nir.NIRGraph, parts: list[str]) -> None:
    message = refusal(network, dt=1.0)
    for part in parts:
        assert part in message


def test_every_neuron_needs_a_time_step() -> None:
    for neuron in (lif(), li(), integrate_and_fire()):
        message = refusal(chain(neuron))
        assert "'n0'" in message
        assert "pass dt=" in message


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"dialect": "nengo"}, "'rockpool' or 'spyx'"),
        ({"dialect": None}, "'nir' or"),
        ({"dt": 0.0}, "dt must be"),
        ({"dt": float("nan")}, "dt must be"),
        ({"dt": "1"}, "dt must be"),
        ({"dt": 1.0, "reset": "soft"}, "reset must be 'value' or"),
        ({"dt": 1.0, "compare": "<"}, "compare must be"),
    ],
)
def test_impossible_options(options: dict[str, Any], part: str) -> None:
    assert part in refusal(chain(lif()), **options)


@pytest.mark.parametrize(
    ("edges", "part"),
    [
        ([("in", "n"), ("n", "out")], "'m' (LIF): it has no source"),
        ([("in", "n"), ("n", "out"), ("n", "m")], "'m' (LIF): it has no target"),
        ([("in", "n"), ("n", "out"), ("in", "n")], "'in' -> 'n' is there twice"),
        (
            [("in", "n"), ("n", "m"), ("m", "out"), ("m", "in")],
            "'in' (Input): 'm' has an edge to it",
        ),
        ([("in", "n"), ("n", "out"), ("out", "m"), ("m", "out")], "it has a target"),
        ([("in", "n"), ("n", "out"), ("in", "m"), ("m", "out")], "not the output of one neuron"),
        ([("in", "n", "out")], "pairs"),
        ([(1, 2)], "pairs"),
        (None, "pairs"),
    ],
)
def test_bad_wiring(edges: Any, part: str) -> None:
    ends = {"in": nir.Input(np.array([1])), "out": nir.Output(np.array([1]))}
    network = graph(ends | {"n": lif(), "m": lif()}, [])
    network.edges = edges
    assert part in refusal(network, dt=1.0)


def test_a_cycle_without_neurons_is_refused() -> None:
    ends = {"in": nir.Input(np.array([1])), "out": nir.Output(np.array([1]))}
    maps = {name: nir.Linear(np.ones((1, 1))) for name in ("v", "w")}
    edges = [("in", "v"), ("v", "w"), ("w", "v"), ("w", "n"), ("n", "out")]
    message = refusal(graph(ends | maps | {"n": lif()}, edges), dt=1.0)
    assert "'w' -> 'v' -> 'w'" in message
    assert "cycle" in message


def test_different_shapes_do_not_add() -> None:
    ends = {"in": nir.Input(np.array([2])), "out": nir.Output(np.array([2]))}
    nodes = ends | {"w": nir.Linear(np.ones((1, 2))), "n": lif(2)}
    edges = [("in", "w"), ("w", "n"), ("in", "n"), ("n", "out")]
    message = refusal(graph(nodes, edges), dt=1.0)
    assert "'n'" in message
    assert "'w': (1,)" in message
    assert "'in': (2,)" in message


def test_bad_files(tmp_path: Path) -> None:
    good = tmp_path / "good.nir"
    nir.write(good, chain(nir.Linear(np.ones((64, 64))), lif(64), size=64, out=64))
    assert load_nir(good, dt=1.0)
    content = good.read_bytes()
    for length in (0, 1, 8, 100, len(content) // 2, len(content) - 1):
        (tmp_path / "short.nir").write_bytes(content[:length])
        assert "short.nir" in refusal(tmp_path / "short.nir", dt=1.0)
    assert "does not exist" in refusal(tmp_path / "none.nir")
    assert "is a directory" in refusal(tmp_path)
    (tmp_path / "text.nir").write_text("not HDF5")
    assert "text.nir" in refusal(tmp_path / "text.nir")
    nir.write(tmp_path / "node.nir", lif())
    assert "node.nir" in refusal(tmp_path / "node.nir")
    with h5py.File(tmp_path / "empty.nir", "w"):
        pass
    assert "empty.nir" in refusal(tmp_path / "empty.nir")
    with h5py.File(good, "a") as file:
        file["node/nodes/again"] = h5py.SoftLink("/node")
    assert "good.nir" in refusal(good)
    assert "takes a path" in refusal(7)


class Trap:
    """Sets a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def test_loading_executes_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    trap = np.void(pickle.dumps(Trap(mark)))
    good = tmp_path / "good.nir"
    nir.write(good, chain(nir.Linear(np.ones((1, 1))), lif()))
    for place in ("node/type", "node/edges", "node/nodes/n0/weight", "node/nodes/n1/tau"):
        bad = tmp_path / "bad.nir"
        bad.write_bytes(good.read_bytes())
        with h5py.File(bad, "a") as file:
            del file[place]
            file[place] = trap
        refusal(bad, dt=1.0)
    assert not mark.exists()


@pytest.mark.parametrize("parameter", ["tau", "r", "v_leak", "v_threshold", "v_reset"])
def test_one_element_is_not_repeated(parameter: str) -> None:
    """NIR repeats nothing; only what has no shape at all is meant for every neuron."""
    node = lif(5)
    setattr(node, parameter, getattr(node, parameter)[:1])
    with pytest.raises(SpikeloomError, match=rf"{parameter} has shape \(1,\).*\(5,\).*scalar"):
        load_nir(chain(node, size=5, out=5), dt=1.0)
    setattr(node, parameter, getattr(node, parameter)[0])
    assert load_nir(chain(node, size=5, out=5), dt=1.0).populations[0].size == 5


def test_neurons_of_one_element_do_not_become_more() -> None:
    with pytest.raises(SpikeloomError, match=r"'n0' \(LIF\).*has shape \(1,\)"):
        load_nir(chain(lif(), size=5, out=5), dt=1.0)


@pytest.mark.parametrize("dialect", ["sinabs", "spyx"])
def test_a_reset_potential_that_the_framework_ignores_is_a_difference(dialect: str) -> None:
    found = load_nir(chain(lif(v_reset=0.5)), dialect).dialect.differences
    assert found[:-1] == DIALECTS[dialect].differences
    assert "v_reset of 'n0' is not 0" in found[-1]
    assert load_nir(chain(lif()), dialect).dialect == DIALECTS[dialect]


@pytest.mark.parametrize("reset", ["subtract", "none"])
@pytest.mark.parametrize("dialect", ["nir", "snntorch", "norse", "lava"])
def test_a_reset_potential_that_an_option_would_drop_is_refused(dialect: str, reset: str) -> None:
    with pytest.raises(SpikeloomError, match=r"'n0' \(LIF\): v_reset"):
        load_nir(chain(lif(r=1.0, v_reset=0.5)), dialect, dt=1.0, reset=reset)
    assert load_nir(chain(lif(r=1.0)), dialect, dt=1.0, reset=reset).populations
