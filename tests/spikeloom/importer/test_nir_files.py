"""Files as frameworks write them: shapes, types, rounding, loops and what cannot be meant."""

import math
from typing import Any

import nir
import numpy as np
import pytest
from nir_graphs import chain, conv2d, graph, make, pool

from spikeloom.golden.errors import SpikeloomError, SpikeloomWarning
from spikeloom.golden.spec import Reset
from spikeloom.golden.step.run import simulate
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.importer.load import load_nir
from spikeloom.importer.maps import same_padding
from spikeloom.quantise import quantise

EVENTS = np.random.default_rng(5).random((2, 100, 12)) < 0.3
WEIGHT = np.random.default_rng(6).normal(size=(9, 12)) * 0.5
FRAMEWORKS = ("snntorch", "norse", "sinabs", "lava", "rockpool", "spyx")


def spikes(source: Any, dialect: str = "nir", **options: Any) -> Any:
    network = load_nir(source, dialect, **options)
    [(_, name)] = network.outputs
    return simulate_float(network, EVENTS).spikes[name]


@pytest.mark.parametrize("dialect", FRAMEWORKS)
def test_one_element_holds_for_all_neurons_in_frameworks(dialect: str) -> None:
    def network(shape: tuple[int, ...]) -> nir.NIRGraph:
        return chain(nir.Linear(WEIGHT), make(nir.LIF, shape, r=1.0), size=12, out=9)

    whole = load_nir(network((9,)), dialect, dt=1.0)
    one = load_nir(network((1,)), dialect, dt=1.0)
    assert one.populations[0].size == 9
    assert np.array_equal(
        simulate_float(one, EVENTS).spikes["n1"], simulate_float(whole, EVENTS).spikes["n1"]
    )
    with pytest.raises(SpikeloomError, match="pass repeat=True"):
        load_nir(network((1,)), dt=1.0)
    assert load_nir(network((1,)), dt=1.0, repeat=True).populations[0].size == 9


@pytest.mark.parametrize(
    "dt", [np.float32(1e-3), np.array(1e-3), np.float64(1e-3), np.array(1e-3, np.float32)]
)
def test_numbers_of_numpy_are_numbers(dt: Any) -> None:
    source = chain(make(nir.LIF, tau=5e-3, r=5.0))
    assert load_nir(source, dt=dt) == load_nir(source, dt=1e-3)
    assert load_nir(source, dt=np.int64(1) * 0 + np.float16(1e-3)).dt == pytest.approx(
        1e-3, rel=1e-3
    )


@pytest.mark.parametrize(
    ("shape", "out"), [((1, 12), (1, 1, 9)), ((12,), (1, 1, 9)), ((1, 1, 12), (9,))]
)
def test_dimensions_of_the_batch_are_left_out(shape: Any, out: Any) -> None:
    nodes = (nir.Linear(WEIGHT), make(nir.CubaLIF, 9))
    source = chain(*nodes, size=shape, out=out)
    expected = spikes(chain(*nodes, size=12, out=9), dt=1.0)
    assert expected.any()
    assert np.array_equal(spikes(source, dt=1.0), expected)
    notes = [a for a in load_nir(source, dt=1.0).assumptions if "batch" in a.meaning]
    assert len(notes) == (shape != (12,))


def test_a_dimension_of_one_that_is_a_channel_stays() -> None:
    nodes = conv2d(np.ones((2, 1, 3, 3))), make(nir.IF, (2, 2, 2))
    network = load_nir(chain(*nodes, size=(1, 4, 4), out=(2, 2, 2)), dt=1.0)
    assert network.inputs[0].image == (1, 4, 4)
    batch = load_nir(chain(*nodes, size=(1, 1, 4, 4), out=(1, 2, 2, 2)), dt=1.0)
    assert batch.inputs == network.inputs
    [axes] = [a for a in network.assumptions if a.choice.startswith("axes")]
    assert axes.value == (1, 4, 4)


def test_a_layer_that_the_exporter_left_out_is_named() -> None:
    source = chain(make(nir.LIF))
    source.nodes["pool"] = None
    source.edges = [("input", "n0"), ("n0", "pool"), ("pool", "output")]
    with pytest.raises(SpikeloomError, match="'pool': the exporter left this layer out") as caught:
        load_nir(source, dt=1.0)
    for name in ("MaxPool2d", "BatchNorm2d", "Dropout", "SumPool2d"):
        assert name in str(caught.value)


def test_an_infinite_time_constant_forgets_nothing() -> None:
    """As snnTorch exports beta = 1: tau and r are both divided by 0."""
    lif = make(nir.LIF, 9, tau=np.inf, r=np.inf)
    network = load_nir(chain(nir.Linear(WEIGHT), lif, size=12, out=9), "snntorch")
    assert network.populations[0].decay == 0
    assert np.allclose(network.connections[0].weights, WEIGHT.T)
    mixed = make(nir.LIF, 2, tau=[np.inf, 2e-4], r=[np.inf, 2.0])
    [population] = load_nir(chain(mixed, size=2, out=2), "snntorch").populations
    assert population.decay.tolist() == [0.0, 0.5]


def test_an_infinite_threshold_never_spikes() -> None:
    network = load_nir(chain(make(nir.LIF, v_threshold=np.inf)), dt=1.0)
    assert not network.populations[0].spiking


def test_float32_rounding_makes_no_difference_between_neurons() -> None:
    rounded = np.float32(0.9) + np.float32(1e-7) * np.arange(9, dtype=np.float32) / 9
    lif = make(nir.LIF, 9, tau=rounded * 4, v_threshold=rounded, v_leak=0.0, r=rounded)
    [population] = load_nir(chain(nir.Linear(WEIGHT), lif, size=12, out=9), dt=1.0).populations
    assert isinstance(population.decay, float)
    gains = np.full((2, 4, 4), 0.5)
    gains[0, 0, 0] *= 1 + 1e-7
    image = chain(
        conv2d(np.ones((2, 2, 1, 1))), nir.Scale(gains), make(nir.IF, (2, 4, 4)),
        size=(2, 4, 4), out=(2, 4, 4),
    )  # fmt: skip
    assert load_nir(image, dt=1.0).populations[0].image == (2, 4, 4)
    delays = np.array([2.0, 2.0 + 1e-7])
    assert load_nir(chain(nir.Delay(delays), make(nir.IF, 2), size=2, out=2), dt=1.0)


@pytest.mark.parametrize("parameter", ["tau", "v_threshold", "v_reset"])
def test_parameters_of_each_neuron(parameter: str) -> None:
    """Each neuron spikes as it would alone."""
    base = {"tau": 4.0, "v_threshold": 0.6, "v_reset": 0.1}
    values = base[parameter] + np.random.default_rng(7).random(9) * 0.5
    lif = make(nir.LIF, 9, **(base | {parameter: values}))
    found = spikes(chain(nir.Linear(WEIGHT), lif, size=12, out=9), dt=1.0)
    for n in range(9):
        alone = make(nir.LIF, 1, **(base | {parameter: values[n]}))
        source = chain(nir.Linear(WEIGHT[n : n + 1]), alone, size=12, out=1)
        assert np.array_equal(found[..., n], spikes(source, dt=1.0)[..., 0])
    assert found.any(axis=(0, 1)).all()


def test_reset_zero_is_reset_to_zero() -> None:
    source = chain(make(nir.LIF))
    assert load_nir(source, dt=1.0, reset="zero").populations[0].v_reset == 0
    with pytest.raises(SpikeloomError, match="v_reset is not 0, and reset='zero'"):
        load_nir(chain(make(nir.LIF, v_reset=0.5)), dt=1.0, reset="zero")


# Lava.


@pytest.mark.parametrize("du", [1.0, 0.25])
def test_lava_reads_r_as_the_converters_of_lava_dl_write_it(du: float) -> None:
    """r = tau_mem / dt and w_in = tau_syn / dt make both gains 1."""
    dt, dv, threshold = 1e-4, 414 / 4096, 6 / 64
    weight = np.random.default_rng(8).integers(-40, 60, (9, 12)) / 64
    node = make(
        nir.CubaLIF, 9, tau_syn=dt / du, tau_mem=dt / dv, r=1 / dv, w_in=1 / du,
        v_threshold=threshold,
    )  # fmt: skip
    found = spikes(chain(nir.Linear(weight), node, size=12, out=9), "lava")
    u = v = np.zeros((2, 9))
    for t in range(100):
        arriving = EVENTS[:, t - 1] @ weight.T if t else np.zeros((2, 9))
        u = (1 - du) * u + arriving
        v = (1 - dv) * v + u
        z = v > threshold
        v = np.where(z, 0, v)
        assert np.array_equal(found[:, t], z), t
    assert found.any()


# Spyx.


def spyx_loop(repaired: bool) -> nir.NIRGraph:
    ones, weight = np.ones(9), np.random.default_rng(9).normal(size=(9, 9)) * 0.2
    inner = graph(
        {
            "r.input": nir.Input(np.array([9])),
            "r.w_rec": nir.Linear(weight),
            "r.lif": nir.LIF(5 * ones, 0.8 * ones, 0 * ones, ones),
            "r.output": nir.Output(np.array([9])),
        },
        [
            ("r.input", "r.lif" if repaired else "r.w_rec"),
            ("r.w_rec", "r.lif"),
            ("r.lif", "r.w_rec"),
            ("r.lif", "r.output"),
        ],
    )
    return chain(nir.Linear(WEIGHT), inner, size=12, out=9)


def test_the_input_of_a_recurrent_layer_of_spyx_goes_past_its_weight() -> None:
    expected = spikes(spyx_loop(repaired=True), "spyx")
    assert expected.any()
    assert np.array_equal(spikes(spyx_loop(repaired=False), "spyx"), expected)
    with pytest.warns(SpikeloomWarning, match="loop around"):
        network = load_nir(spyx_loop(repaired=False), "nir", dt=1.0, reset="subtract")
    [warning] = network.warnings
    assert "'n1.r.w_rec'" in warning
    assert 'dialect="spyx"' in warning
    assert not load_nir(spyx_loop(repaired=True), "nir", dt=1.0, reset="subtract").warnings


def test_a_flatten_of_spyx_lines_up_channels_last() -> None:
    weight = np.random.default_rng(1).normal(size=(3, 24))
    nodes = nir.Flatten({"input": np.array([2, 3, 4])}, 0, -1), nir.Linear(weight)
    network = load_nir(chain(*nodes, make(nir.IF, 3), size=(2, 3, 4), out=3), "spyx")
    x = np.random.default_rng(2).random((2, 3, 4))
    arriving = x.transpose(1, 2, 0).reshape(-1) @ weight.T
    assert np.allclose(x.reshape(-1) @ network.connections[0].weights, arriving)
    first = load_nir(
        chain(*nodes, make(nir.IF, 3), size=(2, 3, 4), out=3), "spyx", flatten="channels_first"
    )
    assert not np.allclose(x.reshape(-1) @ first.connections[0].weights, arriving)


@pytest.mark.parametrize(
    ("size", "reach", "stride", "padding"),
    [
        ((7, 8), (2, 2), (2, 2), ((0, 1), (0, 0))),
        ((7, 7), (3, 3), (1, 1), ((1, 1), (1, 1))),
        ((7, 7), (4, 4), (1, 1), ((1, 2), (1, 2))),
        ((5, 9), (3, 3), (3, 4), ((0, 1), (1, 1))),
    ],
)
def test_same_padding_is_that_of_jax(size: Any, reach: Any, stride: Any, padding: Any) -> None:
    assert same_padding(size, reach, stride) == padding


def test_a_padded_pool_of_spyx_has_the_odd_zeros_at_the_end() -> None:
    source = chain(
        pool(nir.SumPool2d, (2, 2), padding=(1, 1)), make(nir.IF, (1, 4, 4)),
        size=(1, 7, 7), out=(1, 4, 4),
    )  # fmt: skip
    [connection] = load_nir(source, "spyx").connections
    x = np.random.default_rng(3).random((7, 7))
    padded = np.pad(x, (0, 1)).reshape(4, 2, 4, 2).sum(axis=(1, 3))
    assert np.allclose(connection.arriving(x.reshape(1, -1)).reshape(4, 4), padded)


# Choices and warnings.


def test_assumptions_are_the_options_that_matter_and_were_not_given() -> None:
    source = chain(nir.Linear(WEIGHT), make(nir.LIF, 9), size=12, out=9)

    def choices(dialect: Any, **options: Any) -> list[str]:
        return [a.choice for a in load_nir(source, dialect, dt=1.0, **options).assumptions]

    assert choices("nir") == ["gain", "reset", "reset_delay", "compare", "clamp"]
    assert choices("snntorch") == ["gain", "reset", "reset_delay", "compare", "clamp"]
    given = {"reset": "subtract", "reset_delay": False, "compare": ">", "clamp": False}
    assert choices("snntorch", **given) == ["gain", "restore"]
    assert choices("nir", gain="euler", **given) == []
    by_name = {a.choice: a for a in load_nir(source, "snntorch").assumptions}
    assert by_name["dt"].value == 1e-4
    assert str(by_name["reset"]).endswith("to change it: reset= or --reset")
    assert str(by_name["clamp"]).endswith("clamp= or --option clamp=")


def test_a_cycle_and_several_spikes_are_assumptions_where_they_are() -> None:
    assert "recurrent_delay" in [
        a.choice for a in load_nir(spyx_loop(True), "nir", dt=1.0, reset="subtract").assumptions
    ]
    plain = load_nir(chain(make(nir.LIF, r=1.0)), "sinabs")
    assert "max_spikes" in [a.choice for a in plain.assumptions]
    assert "recurrent_delay" not in [a.choice for a in plain.assumptions]


@pytest.mark.parametrize(
    ("dialect", "node", "part"),
    [
        ("nir", make(nir.LIF, tau=1.0), "tau (1) is no longer than dt"),
        ("sinabs", make(nir.LIF, tau=5e-3), "pass the dt of the training"),
        ("nir", make(nir.CubaLIF, tau_mem=1.0), "tau_mem (1)"),
        ("nir", make(nir.LIF, 2, tau=[2.0, 4e3]), "factor of 2000"),
        ("nir", make(nir.LIF, 2, v_threshold=[1.0, 1e4]), "v_threshold differs"),
    ],
)
def test_values_that_are_hardly_meant_are_warnings(dialect: str, node: Any, part: str) -> None:
    size = np.size(node.v_threshold)
    with pytest.warns(SpikeloomWarning) as issued:
        [warning] = load_nir(chain(node, size=size, out=size), dialect, dt=1.0).warnings
    assert warning.startswith("node 'n0'")
    assert part in warning
    assert [(str(one.message), one.filename) for one in issued] == [(warning, __file__)]


def test_a_file_of_snntorch_under_another_dialect_is_a_warning() -> None:
    """`spikeloom compile model.nir --dt 1e-3` on a network of snnTorch."""
    tau = np.float32(1e-4) / (1 - np.float32([0.95, 0.96]))
    source = chain(make(nir.LIF, 2, tau=tau, r=tau / np.float32(1e-4)), size=2, out=2)
    for dt in (1e-3, 1e-4):  # the gains of the second are right, the reset is not
        with pytest.raises(SpikeloomError, match='writes for this .*, so pass dialect="snntorch"$'):
            load_nir(source)
        with pytest.warns(SpikeloomWarning, match='pass dialect="snntorch"'):
            load_nir(source, dt=dt)
    assert not load_nir(source, "snntorch").warnings
    assert not load_nir(source, dt=1e-4, reset="subtract").warnings
    with pytest.warns(SpikeloomWarning, match=r"leave dt \(--dt\) out"):
        load_nir(source, "snntorch", dt=5e-4)


def test_a_file_of_spyx_or_rockpool_under_nir_is_a_warning() -> None:
    tau = 1 / (1 - np.float32([0.8, 0.5]))
    source = chain(make(nir.LIF, 2, tau=tau, r=1 - 1 / tau), size=2, out=2)
    with pytest.warns(SpikeloomWarning, match='pass dialect="spyx" .* no dt'):
        load_nir(source, dt=1.0)
    assert not load_nir(source, "spyx").warnings
    tau = np.float32([0.02, 0.05])
    gains = {"tau_mem": tau, "tau_syn": tau, "r": tau * np.exp(-1e-3 / tau) / 1e-3}
    source = chain(make(nir.CubaLIF, 2, **gains), size=2, out=2)
    with pytest.raises(SpikeloomError, match='so pass dialect="rockpool" dt=0.001$'):
        load_nir(source)
    with pytest.warns(SpikeloomWarning, match='pass dialect="rockpool" .* dt=0.001'):
        load_nir(source, dt=1e-3)
    assert not load_nir(source, "rockpool", dt=1e-3).warnings
    with pytest.warns(SpikeloomWarning, match=r"a dt of 0\.001, not 0\.002; pass dt=0\.001"):
        load_nir(source, "rockpool", dt=2e-3)


def test_decays_outside_0_to_1_are_clipped_as_snntorch_does() -> None:
    beta = np.array([-0.5, 0.5, 1.0, 1.25])
    with np.errstate(divide="ignore"):
        tau = 1e-4 / (1 - beta)
    source = chain(make(nir.LIF, 4, tau=tau, r=tau / 1e-4), size=4, out=4)
    network = load_nir(source, "snntorch")
    assert np.allclose(network.populations[0].decay, [1.0, 0.5, 0.0, 0.0])
    assert np.allclose(network.connections[0].weights, np.eye(4))
    assert "clip" in [assumption.choice for assumption in network.assumptions]
    assert not network.warnings
    with pytest.raises(SpikeloomError, match="must be positive"):
        load_nir(source, "snntorch", clip=False)
    with pytest.raises(SpikeloomError, match="clipped to 1 under their dialects"):
        load_nir(source, dt=1e-4)


def test_a_time_step_that_is_too_long_is_not_clipped() -> None:
    """A file of Spyx that was written with dt=1e-3, read with the dialect's dt of 1."""
    tau = 1e-3 / (1 - np.array([0.5, 0.9]))
    source = chain(make(nir.LIF, 2, tau=tau, r=1 - 1e-3 / tau), size=2, out=2)
    with pytest.raises(SpikeloomError, match="shorter than dt"):
        load_nir(source, "spyx")
    assert np.allclose(load_nir(source, "spyx", dt=1e-3).populations[0].decay, [0.5, 0.1])


def test_what_is_meant_is_no_warning() -> None:
    # tau_syn = dt is how an exporter writes a neuron without a synaptic current.
    for node in (make(nir.LIF), make(nir.CubaLIF, tau_syn=1.0), make(nir.Threshold)):
        assert not load_nir(chain(node), dt=1.0).warnings


# snnTorch and Norse without the library.


def test_subtraction_without_delay_restores() -> None:
    """What snnTorch 1.0 does: r = v > th before the step."""
    drive = EVENTS[0] @ WEIGHT.T * 2
    v, expected = np.zeros(9), []
    for x in drive:
        r = v > 1
        v = 0.75 * v + x - r
        z = v > 1
        v = v - (z.astype(float) - r)
        expected.append(z)
    source = chain(nir.Linear(2 * WEIGHT), make(nir.LIF, 9), size=12, out=9)
    network = load_nir(source, "snntorch", dt=1.0, reset_delay=False)
    assert np.array_equal(simulate_float(network, EVENTS[0]).spikes["n1"][0], expected)
    plain = load_nir(source, "snntorch", dt=1.0, reset_delay=False, restore=False)
    assert not np.array_equal(simulate_float(plain, EVENTS[0]).spikes["n1"][0], expected)
    resets = [quantise(net)[0].populations[0].reset for net in (network, plain)]
    assert resets == [Reset.RESTORE, Reset.SUBTRACT]
    integer, _ = quantise(network, weight_bits=16, state_bits=24, sum_bits=24)
    raster = simulate(integer, EVENTS[0]).spikes["n1"][0]
    assert np.mean(raster != expected) < 0.01


def test_a_late_recurrent_bias_comes_from_a_neuron_of_its_own() -> None:
    nodes = {
        "in": nir.Input(np.array([12])),
        "w": nir.Linear(WEIGHT),
        "n": make(nir.LIF, 9, r=1.0),
        "w_rec": nir.Affine(0 * np.eye(9), np.full(9, 0.5)),
        "out": nir.Output(np.array([9])),
    }
    edges = [("in", "w"), ("w", "n"), ("n", "w_rec"), ("w_rec", "n"), ("n", "out")]
    network = load_nir(graph(nodes, edges), "norse", dt=1.0)
    run = simulate_float(network, np.zeros((1, 3, 12)))
    v = 0.0
    for t in range(3):
        v = 0.75 * v + 0.25 * 0.5 * (t > 0)
    assert np.allclose(run.states["n"], v)
    assert [p.size for p in network.populations if p.name != "n"] == [1]
    at_once = load_nir(graph(nodes, edges), "norse", dt=1.0, recurrent_bias_from=0)
    assert [p.name for p in at_once.populations] == ["n"]
    assert math.isclose(at_once.populations[0].bias[0], 0.125)
    integer, _ = quantise(network)
    assert len(integer.populations) == 2
