"""Every kind of node means what its equation says, in any graph."""

import itertools
from typing import Any

import nir
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nir_graphs import chain, conv1d, conv2d, graph, make, pool
from nir_interpreter import apply

from spikeloom.golden.checks import MAX_SIZE
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import Reset
from spikeloom.importer.float_network import (
    FloatConnection,
    FloatConvolution,
    FloatNetwork,
    Floats,
)
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.importer.graph import wiring
from spikeloom.importer.load import load_nir
from spikeloom.quantise import quantise


def arriving(network: FloatNetwork, x: Floats) -> Floats:
    """What one step of events brings to the only population, its bias included."""
    [population] = network.populations
    total = population.bias.copy()
    for connection in network.into(population.name):
        total += connection.arriving(x.reshape(1, -1))[0]
    return total


def refusal(source: Any, **options: Any) -> str:
    with pytest.raises(SpikeloomError) as caught:
        load_nir(source, **{"dt": 1.0} | options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def correlate(x: Floats, weight: Floats, pads: Any, stride: Any, dilation: Any) -> Floats:
    """Cross-correlation of one image, without groups."""
    padded = np.pad(x, ((0, 0), *pads))
    taps = [d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True)]
    height, width = (
        (size - tap) // step + 1
        for size, tap, step in zip(padded.shape[1:], taps, stride, strict=True)
    )
    y = np.zeros((len(weight), height, width))
    for i, j in np.ndindex(height, width):
        top, left = i * stride[0], j * stride[1]
        window = padded[:, top : top + taps[0] : dilation[0], left : left + taps[1] : dilation[1]]
        y[:, i, j] = (weight * window).sum(axis=(1, 2, 3))
    return y


# Convolutions and pooling.


@pytest.mark.parametrize(
    ("options", "pads", "stride", "dilation"),
    [
        ({}, ((0, 0), (0, 0)), (1, 1), (1, 1)),
        ({"padding": (1, 2), "stride": (2, 3)}, ((1, 1), (2, 2)), (2, 3), (1, 1)),
        ({"padding": np.array([1, 0]), "dilation": (2, 1)}, ((1, 1), (0, 0)), (1, 1), (2, 1)),
        ({"padding": "valid", "stride": 2}, ((0, 0), (0, 0)), (2, 2), (1, 1)),
        # Of 3 rows of padding (kernel 2, dilation 3) one goes above, of 4 columns 2 to each side.
        ({"padding": "same", "dilation": (3, 2)}, ((1, 2), (2, 2)), (1, 1), (3, 2)),
    ],
)
def test_convolution(options: Any, pads: Any, stride: Any, dilation: Any) -> None:
    rng = np.random.default_rng(1)
    weight, bias = rng.normal(size=(3, 2, 2, 3)), rng.normal(size=3)
    x = rng.normal(size=(2, 7, 9))
    expected = correlate(x, weight, pads, stride, dilation) + bias[:, None, None]
    node = conv2d(weight, bias, **options)
    network = load_nir(
        chain(node, make(nir.IF, expected.shape), size=x.shape, out=expected.shape), dt=1.0
    )
    [connection] = network.connections
    assert isinstance(connection, FloatConvolution)
    assert network.inputs[0].image == (2, 7, 9)
    assert network.populations[0].image == expected.shape
    np.testing.assert_allclose(arriving(network, x), expected.reshape(-1))


def test_groups_cut_the_channels() -> None:
    rng = np.random.default_rng(2)
    weight, x = rng.normal(size=(4, 1, 3, 3)), rng.normal(size=(2, 5, 5))
    one = [((0, 0), (0, 0)), (1, 1), (1, 1)]
    expected = np.concatenate(
        [correlate(x[:1], weight[:2], *one), correlate(x[1:], weight[2:], *one)]
    )
    node = conv2d(weight, groups=2, input_shape=(5, 5))
    network = load_nir(chain(node, make(nir.IF, (4, 3, 3)), size=(2, 5, 5), out=(4, 3, 3)), dt=1.0)
    np.testing.assert_allclose(arriving(network, x), expected.reshape(-1))


@pytest.mark.parametrize("padding", [0, 1, "same", "valid"])
def test_conv1d_is_a_conv2d_of_height_1(padding: Any) -> None:
    rng = np.random.default_rng(3)
    weight, bias, x = rng.normal(size=(3, 2, 4)), rng.normal(size=3), rng.normal(size=(2, 9))
    pads = {0: (0, 0), 1: (1, 1), "same": (1, 2), "valid": (0, 0)}[padding]
    one = (1, 1)
    expected = correlate(x[:, None], weight[:, :, None], ((0, 0), pads), one, one)[:, 0]
    node = conv1d(weight, bias, padding=padding)
    network = load_nir(
        chain(node, make(nir.IF, expected.shape), size=x.shape, out=expected.shape), dt=1.0
    )
    assert network.inputs[0].image == (2, 1, 9)
    np.testing.assert_allclose(arriving(network, x), (expected + bias[:, None]).reshape(-1))


@pytest.mark.parametrize("kind", [nir.SumPool2d, nir.AvgPool2d])
@pytest.mark.parametrize(
    ("size", "stride", "padding"),
    [((2, 2), (2, 2), (0, 0)), ((2, 3), (2, 3), (0, 0)), ((3, 3), (2, 1), (1, 1))],
)
def test_pooling(kind: type, size: Any, stride: Any, padding: Any) -> None:
    x = np.random.default_rng(4).normal(size=(2, 7, 8))
    gain = 1 / np.prod(size) if kind is nir.AvgPool2d else 1.0
    weight = np.full((1, 1, *size), gain)
    pads = tuple((p, p) for p in padding)
    expected = np.concatenate(
        [correlate(x[c : c + 1], weight, pads, stride, (1, 1)) for c in (0, 1)]
    )
    network = load_nir(
        chain(
            pool(kind, size, stride, padding),
            make(nir.IF, expected.shape),
            size=x.shape,
            out=expected.shape,
        ),
        dt=1.0,
    )
    np.testing.assert_allclose(arriving(network, x), expected.reshape(-1))


def test_a_pool_is_as_large_as_the_largest_image_at_most() -> None:
    def pooled(taps: int, columns: int) -> nir.NIRGraph:
        sizes = {"size": (1, 1, columns), "out": (1, 1, 1)}
        return chain(pool(nir.SumPool2d, (1, taps)), make(nir.IF, (1, 1, 1)), **sizes)

    assert load_nir(pooled(MAX_SIZE, MAX_SIZE), dt=1.0).populations[0].size == 1
    assert "beyond any image; make it smaller" in refusal(pooled(MAX_SIZE + 1, 4))


def check_map(node: Any, size: tuple[int, ...]) -> None:
    """A node in front of neurons with parameters of no shape brings what it computes alone."""
    x = np.random.default_rng(11).normal(size=size)
    expected = apply(node, x)
    scalar = nir.IF(r=np.float64(1), v_threshold=np.float64(1), v_reset=np.float64(0))
    network = load_nir(chain(node, scalar, size=size, out=expected.shape), dt=1.0)
    assert network.populations[0].size == expected.size
    np.testing.assert_allclose(arriving(network, x), expected.reshape(-1), atol=1e-12)


@pytest.mark.parametrize("kind", ["conv", nir.SumPool2d, nir.AvgPool2d])
@pytest.mark.parametrize(
    ("extent", "stride", "padding"), [(4, 2, 0), (5, 3, 0), (5, 4, 0), (2, 2, 1), (3, 7, 0)]
)
def test_a_stride_beyond_the_only_place(kind: Any, extent: int, stride: int, padding: int) -> None:
    if kind == "conv":
        weight = np.random.default_rng(12).normal(size=(2, 2, 3, 3))
        node: Any = conv2d(weight, stride=stride, padding=padding)
    else:
        node = pool(kind, (3, 3), (stride, stride), (padding, padding))
    check_map(node, (2, extent, extent))


@st.composite
def geometries(draw: st.DrawFn) -> tuple[Any, tuple[int, ...]]:
    """A convolution or pool of any geometry, and the shape of what it gets."""
    pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
    taps, padding = draw(pairs), draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    kind = draw(st.sampled_from(["conv", "conv1d", nir.SumPool2d, nir.AvgPool2d]))
    dilation = draw(pairs) if kind in ("conv", "conv1d") else (1, 1)
    stride = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    rows, columns = (
        max(1, d * (k - 1) + 1 - 2 * p) + draw(st.integers(0, 5))
        for d, k, p in zip(dilation, taps, padding, strict=True)
    )
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    if kind == "conv1d":
        weight = rng.normal(size=(3, 2, taps[1]))
        one = {"stride": stride[1], "padding": padding[1], "dilation": dilation[1]}
        return conv1d(weight, rng.normal(size=3), **one), (2, columns)
    if kind == "conv":
        groups = draw(st.sampled_from([1, 2]))
        weight = rng.normal(size=(4, 2 // groups, *taps))
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        return conv2d(weight, rng.normal(size=4), **options), (2, rows, columns)
    return pool(kind, taps, stride, padding), (2, rows, columns)


@given(geometries())
@settings(deadline=None, max_examples=150)
def test_any_geometry_computes_what_the_node_does(case: tuple[Any, tuple[int, ...]]) -> None:
    check_map(*case)


def test_linear_after_pooling_stores_each_weight_once() -> None:
    rng = np.random.default_rng(5)
    weight, x = rng.normal(size=(5, 18)), rng.normal(size=(2, 6, 6))
    network = load_nir(
        chain(
            pool(nir.SumPool2d, (2, 2)),
            nir.Flatten(None, 0, -1),
            nir.Linear(weight),
            make(nir.IF, 5),
            size=(2, 6, 6),
            out=5,
        ),
        dt=1.0,
    )
    [connection] = network.connections
    assert connection.weights.size == 90
    assert network.populations[0].image == (5, 1, 1)
    pooled = x.reshape(2, 3, 2, 3, 2).sum(axis=(2, 4)).reshape(-1)
    np.testing.assert_allclose(arriving(network, x), weight @ pooled)


def test_linear_on_an_unpooled_image_is_a_matrix() -> None:
    weight = np.random.default_rng(6).normal(size=(5, 32))
    layers = nir.Flatten(None, 0, -1), nir.Linear(weight), make(nir.IF, 5)
    network = load_nir(chain(*layers, size=(2, 4, 4), out=5), dt=1.0)
    assert isinstance(network.connections[0], FloatConnection)
    assert network.inputs[0].image is None


def residual(recurrent: Any, size: Any) -> nir.NIRGraph:
    """conv -> n, with something from n to itself; then conv -> m."""
    weight = np.random.default_rng(7).normal(size=(2, 2, 3, 3))
    nodes = {
        "in": nir.Input(np.array(size)),
        "c": conv2d(weight, padding=1),
        "n": make(nir.LIF, size),
        "d": conv2d(weight, padding=1),
        "m": make(nir.LIF, size),
        "out": nir.Output(np.array(size)),
        **recurrent,
    }
    loop = ["n", *recurrent, "n"]
    edges = [("in", "c"), ("c", "n"), ("n", "d"), ("d", "m"), ("m", "out")]
    return graph(nodes, [*edges, *itertools.pairwise(loop)])


def test_a_population_that_cannot_be_an_image_has_matrices_only() -> None:
    """Hardware joins nothing but kernels from image to image; gains by element are none."""
    size = (2, 4, 4)
    by_channel = nir.Scale(np.broadcast_to(np.array([[[0.5]], [[2.0]]]), size).copy())
    native = load_nir(residual({"s": by_channel}, size), dt=1.0)
    assert all(isinstance(c, FloatConvolution) for c in native.connections)
    by_element = nir.Scale(np.linspace(0.1, 0.5, 32).reshape(size))
    mixed = load_nir(residual({"s": by_element}, size), dt=1.0)
    kinds = {(c.source, c.target): type(c) for c in mixed.connections}
    assert set(kinds.values()) == {FloatConnection}
    assert mixed.population("n").image is None
    kernels = {(c.source, c.target): c for c in native.connections}
    for connection in mixed.connections:
        if connection.source != connection.target:
            kernel = kernels[connection.source, connection.target].kernel
            np.testing.assert_allclose(connection.weights, kernel.matrix(), atol=1e-12)


# Neurons.


def test_cuba_neurons_follow_forward_euler() -> None:
    dt, rng = 0.5, np.random.default_rng(9)
    weight, bias = rng.normal(size=(3, 4)), rng.normal(size=3)
    values = {"tau_syn": 3.0, "tau_mem": 5.0, "r": 2.5, "v_leak": 0.2, "v_threshold": 0.7}
    values |= {"v_reset": -0.1, "w_in": [3.0, 4.0, 5.0]}
    network = load_nir(
        chain(nir.Affine(weight, bias), make(nir.CubaLIF, 3, **values), size=4, out=3), dt=dt
    )
    events = rng.random((1, 200, 4)) < 0.5
    run = simulate_float(network, events)
    i, v = np.zeros(3), np.zeros(3)
    for t in range(200):
        i = i + dt / 3.0 * (np.array(values["w_in"]) * (weight @ events[0, t] + bias) - i)
        v = v + dt / 5.0 * (0.2 - v + 2.5 * i)
        z = v > 0.7
        v = np.where(z, -0.1, v)
        assert np.array_equal(run.spikes["n1"][0, t], z)
    assert run.spikes["n1"].any()
    np.testing.assert_allclose(run.states["n1"][0], v)


def test_cuba_li_is_read_out() -> None:
    network = load_nir(chain(make(nir.CubaLI)), dt=1.0)
    [population] = network.populations
    assert not population.spiking
    assert population.synaptic_decay == 0.5
    run = simulate_float(network, np.array([[1], [0]]))
    # i = 1, 0.5; v = 1, 0.75 + 0.5
    assert run.states["n0"].item() == pytest.approx(1.25)


def test_a_synapse_that_forgets_all_is_none() -> None:
    [population] = load_nir(chain(make(nir.CubaLIF, tau_syn=1.0, w_in=1.0)), dt=1.0).populations
    assert population.synaptic_decay is None


def test_integrator_adds_up() -> None:
    network = load_nir(chain(make(nir.I, r=3.0)), dt=0.5)
    run = simulate_float(network, np.array([[1], [0], [1]]))
    assert run.states["n0"].item() == 3.0
    assert not network.populations[0].spiking


@pytest.mark.parametrize("compare", [">", ">="])
def test_threshold_has_no_memory(compare: Any) -> None:
    weight = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]])
    network = load_nir(
        chain(
            nir.Linear(weight), make(nir.Threshold, 3, threshold=[1.0, -1.0, 2.5]), size=2, out=3
        ),
        compare=compare,
    )
    events = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [0, 0]])
    sums = events @ weight.T
    limits = np.array([1.0, -1.0, 2.5])
    expected = sums >= limits if compare == ">=" else sums > limits
    assert np.array_equal(simulate_float(network, events).spikes["n1"][0], expected)


@pytest.mark.parametrize("start", ["zero", "leak"])
@pytest.mark.parametrize("clamp", [False, -0.4, True])
def test_each_neuron_has_parameters_of_its_own(clamp: Any, start: Any) -> None:
    rng = np.random.default_rng(10)
    weight, thresholds = 2 * rng.random((3, 4)), np.array([0.5, 1.0, 3.0])
    resets = np.array([0.3, -0.25, -0.75])
    values = {"v_leak": rng.normal(size=3), "v_reset": resets, "tau": [5.0, 3.0, 4.0], "r": 5.0}
    node = make(nir.LIF, 3, v_threshold=thresholds, **values)
    options: dict[str, Any] = {"dt": 1.0, "clamp": clamp, "start": start}
    network = load_nir(chain(nir.Linear(weight), node, size=4, out=3), **options)
    [population] = network.populations
    assert np.allclose(population.decay, [1 / 5, 1 / 3, 1 / 4])
    scale = 3 / thresholds if clamp is True else 1.0
    assert np.allclose(population.v_init, values["v_leak"] * scale if start == "leak" else 0.0)
    if clamp is True:  # one lower bound for all: potentials in units of the threshold
        assert (population.threshold, population.v_min) == (3.0, -3.0)
        assert np.allclose(population.v_reset, resets * 3 / thresholds)
    else:
        assert population.v_min == (clamp or None)
        assert np.array_equal(population.threshold, thresholds)
        assert np.array_equal(population.v_reset, resets)
    events = rng.random((1, 100, 4)) < 0.5
    spikes = simulate_float(network, events).spikes["n1"][0]
    for n in range(3):
        alone = make(nir.LIF, **{k: np.broadcast_to(v, 3)[n] for k, v in vars_of(node).items()})
        source = chain(nir.Linear(weight[n : n + 1]), alone, size=4)
        single = load_nir(source, **options)
        assert np.array_equal(simulate_float(single, events).spikes["n1"][0, :, 0], spikes[:, n])
    assert spikes.any(axis=0).sum() > 1


def vars_of(node: Any) -> dict[str, Any]:
    return {k: getattr(node, k) for k in ("tau", "r", "v_leak", "v_threshold", "v_reset")}


# Delays and recurrence.


def test_delay_nodes_delay() -> None:
    nodes = make(nir.Delay, 2, delay=0.3), nir.Linear(np.eye(2)), make(nir.Delay, 2, delay=0.2)
    network = load_nir(chain(*nodes, make(nir.IF, 2), size=2, out=2), dt=0.1)
    assert network.connections[0].delay == 5


@pytest.mark.parametrize(
    ("delay", "part"),
    [
        (0.25, "not a whole number of steps"),
        (1.6, "16 steps late"),
        (-0.1, "negative"),
        ([0.1, 0.2], "differs between elements"),
        (1e300, "whole number"),
    ],
)
def test_impossible_delays(delay: Any, part: str) -> None:
    message = refusal(
        chain(make(nir.Delay, 2, delay=delay), make(nir.IF, 2), size=2, out=2), dt=0.1
    )
    assert part in message
    assert "'n0'" in message or "'n1'" in message


def test_float32_delays_are_whole() -> None:
    node = nir.Delay(np.full(1, 15e-4, np.float32))
    assert load_nir(chain(node, make(nir.IF)), dt=1e-4).connections[0].delay == 15


def ring(*loop: str, delays: Any = ()) -> nir.NIRGraph:
    """in -> first of the loop -> ... -> out, and back to the first."""
    nodes: dict[str, Any] = {name: make(nir.LIF) for name in loop}
    nodes |= {"in": nir.Input(np.array([1])), "out": nir.Output(np.array([1]))}
    edges = [("in", loop[0]), (loop[-1], "out")]
    for source, target in zip(loop, [*loop[1:], loop[0]], strict=True):
        between = [f"{source}-{target}"] if (source, target) in dict(delays) else []
        for name in between:
            nodes[name] = make(nir.Delay, delay=dict(delays)[source, target])
        edges += zip([source, *between], [*between, target], strict=True)
    return graph(nodes, edges)


def delays_of(network: FloatNetwork) -> dict[tuple[str, str], int]:
    return {(c.source, c.target): c.delay for c in network.connections}


@pytest.mark.parametrize("names", ["abc", "cba", "bca"])
def test_the_connection_back_takes_a_step(names: str) -> None:
    network = load_nir(ring(*names), dt=1.0)
    first, second, third = names
    assert delays_of(network) == {
        ("in", first): 0,
        (first, second): 0,
        (second, third): 0,
        (third, first): 1,
    }
    assert [p.name for p in network.populations] == list(names)


def test_self_loops_take_a_step_or_what_the_dialect_says() -> None:
    assert delays_of(load_nir(ring("n"), dt=1.0))["n", "n"] == 1
    assert delays_of(load_nir(ring("n"), dt=1.0, recurrent_delay=3))["n", "n"] == 3


def test_a_delay_in_the_cycle_is_enough() -> None:
    for delays in ({("a", "b"): 2.0}, {("b", "a"): 2.0}):
        found = delays_of(load_nir(ring("a", "b", delays=delays), dt=1.0))
        assert {pair: steps for pair, steps in found.items() if steps} == delays


def test_skips_take_no_step() -> None:
    nodes = {name: make(nir.LIF) for name in "abc"}
    nodes |= {"in": nir.Input(np.array([1])), "out": nir.Output(np.array([1]))}
    edges = [("in", "a"), ("a", "b"), ("b", "c"), ("in", "c"), ("a", "c"), ("c", "out")]
    assert set(delays_of(load_nir(graph(nodes, edges), dt=1.0)).values()) == {0}


def test_recurrent_bias_acts_in_every_step() -> None:
    nodes = {
        "in": nir.Input(np.array([1])),
        "w": nir.Affine(np.array([[0.0]]), np.array([0.3])),
        "n": make(nir.IF),
        "out": nir.Output(np.array([1])),
    }
    network = load_nir(graph(nodes, [("in", "n"), ("n", "w"), ("w", "n"), ("n", "out")]), dt=1.0)
    assert network.populations[0].bias.tolist() == [0.3]


# Nested graphs.


def nested(inner: nir.NIRGraph) -> nir.NIRGraph:
    return chain(inner, size=2, out=2)


def test_nested_graphs_are_flattened() -> None:
    weight = np.array([[1.0, 2.0], [3.0, 4.0]])
    inner = graph(
        {
            "input": nir.Input(np.array([2])),
            "lif": make(nir.LIF, 2),
            "w_rec": nir.Linear(weight),
            "output": nir.Output(np.array([2])),
        },
        [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
    )
    network = load_nir(nested(nested(inner)), dt=1.0)
    assert [p.name for p in network.populations] == ["n0.n0.lif"]
    loop = next(c for c in network.connections if c.delay)
    assert loop.weights.tolist() == weight.T.tolist()
    assert network.outputs == (("output", "n0.n0.lif"),)


def test_an_output_of_a_nested_graph_is_no_entry_of_a_loop() -> None:
    nodes = {
        "in": nir.Input(np.array([2])),
        "inner": chain(nir.Linear(np.eye(2)), size=2, out=2),
        "w": nir.Linear(np.ones((2, 2))),
        "lif": make(nir.LIF, 2),
        "out": nir.Output(np.array([2])),
    }
    edges = [("in", "inner"), ("inner", "w"), ("lif", "w"), ("w", "lif"), ("lif", "out")]
    assert wiring(graph(nodes, edges)).used == ()


def test_nested_graphs_that_make_no_sense() -> None:
    inner = chain(make(nir.LIF, 2), size=2, out=2)
    inner.nodes["second"] = nir.Input(np.array([2]))
    assert "'n0' (NIRGraph): it has 2 Input nodes" in refusal(nested(inner))
    inner = chain(make(nir.LIF, 2), size=2, out=2)
    inner.nodes["again"] = inner
    assert "'n0.again'" in refusal(nested(inner))
    inner = chain(make(nir.LIF, 2), size=3, out=2)
    assert "'n0.input' (Input): it expects (3,)" in refusal(nested(inner))
    inner = chain(make(nir.LIF, 2), size=2, out=2)
    outer = nested(inner)
    outer.nodes["n0.n0"] = make(nir.LIF, 2)
    assert "'n0.n0': two nodes have this name" in refusal(outer)


# What is refused.


@pytest.mark.parametrize(
    ("layers", "size", "parts"),
    [
        ([conv2d(np.ones((1, 1, 3, 3)))], (1, 2, 5), ["does not fit"]),
        ([conv2d(np.ones((1, 2, 3, 3)))], (1, 5, 5), ["2 channels"]),
        ([conv2d(np.ones((1, 1, 3, 3)))], (5, 5), ["3 dimensions"]),
        ([conv2d(np.ones((3, 1, 1, 1)), groups=2)], (2, 5, 5), ["groups"]),
        ([conv2d(np.ones((1, 1, 3, 3)), groups=0)], (1, 5, 5), ["groups must be at least 1"]),
        ([conv2d(np.ones((1, 1, 3, 3)), stride=(0, 1))], (1, 5, 5), ["stride must be at least"]),
        ([conv2d(np.ones((1, 1, 3, 3)), stride=2, padding="same")], (1, 5, 5), ["stride 1"]),
        ([conv2d(np.ones((1, 1, 3, 3)), padding=(-1, 0))], (1, 5, 5), ["padding must be"]),
        ([conv2d(np.ones((1, 1, 3, 3)), padding=10**6)], (1, 5, 5), ["elements"]),
        ([conv2d(np.ones((1, 1, 3, 3)), input_shape=(4, 5))], (1, 5, 5), ["(4, 5)"]),
        ([conv2d(np.ones((1, 1, 3, 3)), np.ones(2))], (1, 5, 5), ["bias"]),
        ([conv1d(np.ones((1, 1, 3)))], (1, 5, 5), ["2 dimensions"]),
        ([conv1d(np.ones((1, 1, 3)), input_shape=4)], (1, 5), ["(4,)"]),
        ([pool(nir.SumPool2d, (2, 2))], (4, 4), ["(channels, height, width)"]),
        ([pool(nir.SumPool2d, (6, 2))], (1, 4, 4), ["does not fit"]),
        ([pool(nir.AvgPool2d, (0, 2))], (1, 4, 4), ["kernel_size must be at least 1"]),
    ],
)
def test_maps_that_do_not_fit(layers: Any, size: Any, parts: list[str]) -> None:
    message = refusal(chain(*layers, make(nir.IF, size), size=size, out=size))
    assert "'n0'" in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize("kind", [nir.LI, nir.CubaLI, nir.I])
def test_what_never_spikes_drives_nothing(kind: type) -> None:
    message = refusal(chain(make(kind), nir.Linear(np.ones((1, 1))), make(nir.LIF)))
    assert f"driven by the {kind.__name__} node 'n0'" in message


@pytest.mark.parametrize("parameter", ["tau_syn", "tau_mem"])
def test_decays_may_differ_between_neurons(parameter: str) -> None:
    node = make(nir.CubaLIF, 2, **{parameter: [4.0, 5.0]})
    network = load_nir(chain(node, size=2, out=2), dt=1.0)
    [population] = network.populations
    field = {"tau_syn": "synaptic_decay", "tau_mem": "decay"}[parameter]
    assert getattr(population, field).tolist() == [0.25, 0.2]
    events = np.random.default_rng(3).random((1, 200, 2)) < 0.6
    for neuron, tau in enumerate((4.0, 5.0)):
        alone = load_nir(chain(make(nir.CubaLIF, **{parameter: tau})), dt=1.0)
        gain = alone.connections[0].weights.item() / network.connections[0].weights[neuron, neuron]
        assert gain == 1.0
        found = simulate_float(network, events).spikes["n0"][..., neuron]
        assert np.array_equal(
            found, simulate_float(alone, events[..., [neuron]]).spikes["n0"][..., 0]
        )
        assert found.any()
    [integers] = quantise(network)[0].populations
    assert getattr(integers, field).tolist() == [1024, 819]


def test_a_large_image_without_a_kernel_is_one_to_one() -> None:
    size = (4, 100, 100)
    network = load_nir(chain(make(nir.IF, size), size=size, out=size), dt=1.0)
    [connection] = network.connections
    assert connection.weights.shape == (4, 1, 1, 1)
    small = load_nir(chain(make(nir.IF, (1, 2, 2)), size=(1, 2, 2), out=(1, 2, 2)), dt=1.0)
    assert isinstance(small.connections[0], FloatConnection)


def test_delayed_and_other_options_reach_the_population() -> None:
    options = {"reset": "subtract", "reset_delay": True, "clamp": True}
    [population] = load_nir(chain(make(nir.LIF)), dt=1.0, **options).populations
    assert population.delayed_reset
    assert population.v_min == -1.0
    assert population.reset is Reset.SUBTRACT
    only = options | {"reset_delay": ("IF",), "clamp": ("IF",)}
    [population] = load_nir(chain(make(nir.LIF)), dt=1.0, **only).populations
    assert not population.delayed_reset
    assert population.v_min is None
