"""Networks built in Python: their equations, and what is refused."""

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.linalg import expm

import spikeloom
from spikeloom.golden.errors import SpikeloomError
from spikeloom.importer.builder import DEFAULTS, NetworkBuilder
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.importer.switches.adaptive_threshold import FloatAdaptiveThreshold
from spikeloom.importer.switches.floor_reset import FloatFloorReset
from spikeloom.importer.switches.refractory import FloatRefractory

DT = 0.5
Floats = np.ndarray[Any, np.dtype[np.float64]]


class Volts(np.ndarray[Any, np.dtype[np.float64]]):
    """Numbers with a unit, as those of Brian2."""

    is_dimensionless = False


def step_of(tau_m: float, tau_syn: float, cm: float, v_rest: float, i_offset: float) -> Floats:
    """What a step makes of (v, i, 1), by the exponential of the equations' matrix."""
    matrix = np.zeros((3, 3))
    matrix[0] = -1 / tau_m, 1 / cm, v_rest / tau_m + i_offset / cm
    matrix[1, 1] = -1 / tau_syn
    result: Floats = expm(DT * matrix)
    return result


def test_what_is_not_given_is_as_in_pynn() -> None:
    build = NetworkBuilder(0.1)
    build.population("p", 2)
    [p] = build.network().populations
    # Potentials count from v_rest: v_reset is there, v_thresh 15 mV above. Refractory for 0.1 ms.
    assert (p.v_init, p.v_reset, p.threshold) == (0.0, 0.0, 15.0)
    assert (p.decay, p.synaptic_decay) == pytest.approx((1 - np.exp(-0.1 / 20), 1 - np.exp(-0.02)))
    assert p.switches == (FloatRefractory(1, "clamp"),)


@pytest.mark.parametrize("model", ["IF_curr_exp", "IF_curr_delta"])
def test_a_network_follows_the_equations(model: str) -> None:
    """Neurons of different parameters, a loop, delays, and refractory periods."""
    rng = np.random.default_rng(3)
    size, steps, refractory = 7, 400, 4
    own = {
        "tau_m": rng.uniform(5, 30, size),
        "tau_syn_E": rng.uniform(2, 9, size),
        "cm": rng.uniform(0.5, 2, size),
        "v_rest": rng.uniform(-70, -60, size),
        "i_offset": rng.uniform(0, 0.3, size),
        "v_reset": rng.uniform(-75, -65, size),
        "v_thresh": rng.uniform(-55, -45, size),
        "v_init": rng.uniform(-70, -50, size),
    }
    own["tau_syn_E"][0] = own["tau_m"][0]
    unit = 1.0 if model == "IF_curr_exp" else 4.0
    into, loop = unit * rng.uniform(0, 2, (3, size)), unit * rng.uniform(-1, 1, (size, size))
    build = NetworkBuilder(DT)
    build.source("in", 3)
    values = {k: v for k, v in own.items() if k != "tau_syn_E" or model == "IF_curr_exp"}
    build.population("p", size, model, tau_refrac=refractory * DT, **values)
    build.projection("in", "p", into, delay=DT)
    build.projection("p", "p", loop, delay=3 * DT)
    events = rng.random((1, steps, 3)) < 0.2
    run = simulate_float(build.network(), events, traces=["p"])

    exp = [
        step_of(*(own[name][n] for name in ("tau_m", "tau_syn_E", "cm", "v_rest", "i_offset")))
        for n in range(size)
    ]
    v, i, wait = own["v_init"].copy(), np.zeros(size), np.zeros(size, int)
    spikes = np.zeros((steps, size), bool)
    for t in range(steps):
        arriving = (events[0, t - 1] @ into if t else 0) + (spikes[t - 3] @ loop if t > 2 else 0)
        i += arriving if model == "IF_curr_exp" else 0
        after = np.array([exp[n] @ (v[n], i[n], 1) for n in range(size)])
        v, i = after[:, 0], after[:, 1]
        v += arriving if model == "IF_curr_delta" else 0
        v[wait > 0] = own["v_reset"][wait > 0]
        spikes[t] = (v > own["v_thresh"]) & (wait == 0)
        wait = np.where(spikes[t], refractory, np.maximum(wait - 1, 0))
        v[spikes[t]] = own["v_reset"][spikes[t]]
        np.testing.assert_allclose(run.traces["p"][0, t] + own["v_rest"], v, atol=1e-9)
    np.testing.assert_array_equal(run.spikes["p"][0], spikes)
    assert 20 < spikes.sum() < steps * size / 4


def test_projections_of_every_kind_are_matrices() -> None:
    build = NetworkBuilder(1.0)
    build.source("in", 3)
    build.population("p", 3, "IF_curr_delta")
    matrix = np.array([[0, 2, 0], [1, 0, 0], [0, 0, -4.0]])
    build.projection("in", "p", matrix)
    build.projection("in", "p", sparse.csr_array(matrix))
    build.projection("in", "p", [(0, 1, 2), (1, 0, 1, 0.0), (2, 2, -5), (2, 2, 1)])
    build.projection("in", "p", [1.0, 2.0, 3.0], one_to_one=True)
    build.projection("in", "p", 0.5, delay=2.0)
    build.projection("p", "p", [(0, 1, 1.5, 1), (1, 2, 2.5, 3)])
    weights = [(c.weights.tolist(), c.delay) for c in build.network().connections]
    assert weights[:3] == [(matrix.tolist(), 0)] * 3
    assert weights[3] == (np.diag([1.0, 2.0, 3.0]).tolist(), 0)
    assert weights[4] == (np.full((3, 3), 0.5).tolist(), 2)
    assert [(np.argwhere(np.array(w)).tolist(), late) for w, late in weights[5:]] == [
        ([[0, 1]], 1),
        ([[1, 2]], 3),
    ]


def test_synapses_by_arrays_of_neurons() -> None:
    build = NetworkBuilder(0.5)
    build.source("in", 3)
    build.population("p", 2, "IF_curr_delta")
    i, j = np.array([2, 0, 2, 2]), [1, 0, 0, 1]
    build.projection("in", "p", [1, 2, 3, 4.5], i=i, j=j, delay=[0, 1.5, 0, 0])
    build.projection("in", "p", 0.25, i=i, j=j, delay=0.5)
    build.projection("in", "p", 7, i=[], j=[])
    assert [(c.weights.tolist(), c.delay) for c in build.network().connections] == [
        ([[0, 0], [0, 0], [3, 5.5]], 0),
        ([[2, 0], [0, 0], [0, 0]], 3),
        ([[0.25, 0], [0, 0], [0.25, 0.5]], 1),
    ]


@pytest.mark.parametrize(
    ("weights", "options", "message"),
    [
        ([1, 2], {"i": [0, 1], "j": [0]}, "i, j, weights and delay have a value for each synapse"),
        ([1], {"i": [0, 1], "j": [0, 1]}, "i, j, weights and delay have a value for each synapse"),
        (1, {"i": 0, "j": 0}, "i, j, weights and delay have a value for each synapse, the last"),
        (1, {"i": [0]}, "j must be numbers, not None"),
        (1, {"i": [0], "j": ["a"]}, "j must be numbers, not ['a']"),
        (1, {"i": [3], "j": [0]}, "(3.0, 0.0, 1.0, 0.0) is no synapse (neuron of 3, neuron of 4"),
        (1, {"i": [0], "j": [0.5]}, "(0.0, 0.5, 1.0, 0.0) is no synapse"),
        (1, {"i": [0], "j": [0], "delay": [0.4]}, "delay must be whole steps of dt=1 ms, not 0.4"),
        (1, {"i": [0], "j": [0], "one_to_one": True}, "leave out one_to_one, or i and j"),
        (np.ones((3, 4)).view(Volts), {}, "weights: Volts([[1., 1., 1., 1.], [1., 1., 1., 1.]"),
    ],
)
def test_synapses_without_meaning_are_refused(
    weights: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpikeloomError) as error:
        projected("in", "p", weights, **options)
    assert str(error.value).startswith(f"projection 'in' -> 'p': {message}")
    assert "\n" not in str(error.value)


def test_outputs_switches_and_readout() -> None:
    build = NetworkBuilder(2.0)
    build.source("in", 1)
    build.population("a", 2, tau_refrac=0, adaptive_threshold=(1.5, 40.0))
    build.population("sum", 1, v_thresh=np.inf)
    build.projection("in", "a", 3.0)
    build.projection("a", "sum", 1.0)
    net = build.network()
    assert net.outputs == (("sum", "sum"),)
    assert not net.population("sum").spiking
    assert net.population("a").switches == (FloatAdaptiveThreshold(1.5, -np.expm1(-0.05)),)
    assert net.dt == pytest.approx(2e-3)
    program = spikeloom.compile(net)
    with spikeloom.open(program, backend="golden") as device:
        assert device.run(np.ones((1, 50, 1), bool)).states["sum"].any()


def test_a_floor_is_a_potential_like_the_threshold() -> None:
    """Of mV, not of mV above rest."""
    build = NetworkBuilder(1.0)
    build.source("in", 1)
    build.population("p", 1, "IF_curr_delta", tau_refrac=0, v_reset=-60, floor_reset=-70)
    build.projection("in", "p", -4.0)
    net = build.network()
    assert net.population("p").switches == (FloatFloorReset(-5.0),)
    traces = simulate_float(net, np.ones((1, 2, 1)), ["p"]).traces["p"]
    np.testing.assert_allclose(traces[0, :, 0], [-4, 5], err_msg="-69 and -60, from -65 on")
    with pytest.raises(SpikeloomError, match="'p': floor_reset is one potential for all neurons"):
        built(v_rest=np.array([-65, -64, -65, -65]), floor_reset=-70)


def built(**values: Any) -> None:
    NetworkBuilder(1.0).population("p", 4, **values)


def projected(*arguments: Any, **options: Any) -> None:
    build = NetworkBuilder(1.0)
    build.source("in", 3)
    build.population("p", 4)
    build.projection(*arguments, **options)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tau": 2}, "population 'p': there is no tau; there are v_rest, cm, tau_m, tau_refrac"),
        ({"tau_syn_I": 2}, "population 'p': there is no tau_syn_I; there are"),
        ({"model": "HH"}, "population 'p': model must be IF_curr_exp or IF_curr_delta, not 'HH'"),
        ({"tau_m": 0}, "population 'p': tau_m must be positive, not 0"),
        ({"tau_m": [1, 2]}, "population 'p': tau_m must be a number or have shape (4,), not (2,)"),
        ({"tau_m": "20 ms"}, "population 'p': tau_m must be a number or an array, not '20 ms'"),
        ({"tau_m": np.ones(4).view(Volts)}, "population 'p': tau_m: Volts([1., 1., 1., 1.]) has a"),
        ({"tau_m": "20"}, "population 'p': tau_m must be a number or an array, not '20'"),
        ({"tau_m": np.inf}, "population 'p': tau_m must be finite, not inf"),
        ({"tau_refrac": np.nan}, "population 'p': tau_refrac must be a number or have shape"),
        ({"tau_refrac": 0.5}, "population 'p': tau_refrac must be whole steps of dt=1 ms, not 0.5"),
        (
            {"model": "IF_curr_delta", "tau_syn_E": 2},
            "population 'p': there is no tau_syn_E; there",
        ),
        ({"tau_refrac": 2.5}, "population 'p': tau_refrac must be whole steps of dt=1 ms, not 2.5"),
        ({"refractory": "long"}, "population 'p': refractory must be a time"),
    ],
)
def test_parameters_without_meaning_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SpikeloomError) as error:
        built(**values)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("in", "q", 1.0), "projection 'in' -> 'q': add a population 'q' before"),
        (("p", "in", 1.0), "projection 'p' -> 'in': add a population 'in' before"),
        (("in", "p", np.ones((4, 3))), "projection 'in' -> 'p': weights must have shape (3, 4)"),
        (("in", "in", 1.0), "projection 'in' -> 'in': add a population 'in' before"),
        (([], "p", 1.0), "projection [] -> 'p': add a population [] before"),
        (("in", "p", None), "projection 'in' -> 'p': weights must be numbers, not None"),
        (("in", "p", [(0.5, 0, 1.0)]), "projection 'in' -> 'p': (0.5, 0, 1.0) is no synapse"),
        (("in", "p", [(np.nan, 0, 1.0)]), "projection 'in' -> 'p': (nan, 0, 1.0) is no synapse"),
        (("in", "p", [(0, 0, "x")]), "projection 'in' -> 'p': (0, 0, 'x') is no synapse"),
        (("in", "p", [(0, 0, 1, 1, 1)]), "projection 'in' -> 'p': (0, 0, 1, 1, 1) is no synapse"),
        (("in", "p", [(0, 0, 1.0, 0.4)]), "projection 'in' -> 'p': delay must be whole steps of"),
        (
            ("in", "p", 1.0, 0.4),
            "projection 'in' -> 'p': delay must be whole steps of dt=1 ms, not",
        ),
        (("in", "p", 1.0, np.nan), "projection 'in' -> 'p': delay must be whole steps of dt=1 ms"),
        (
            ("in", "p", 1.0, [1]),
            "projection 'in' -> 'p': delay must be whole steps of dt=1 ms, not",
        ),
        (("in", "p", [(3, 0, 1.0)]), "projection 'in' -> 'p': (3, 0, 1.0) is no synapse (neuron"),
        (
            ("in", "p", 1.0, 0.7),
            "projection 'in' -> 'p': delay must be whole steps of dt=1 ms, not",
        ),
    ],
)
def test_projections_without_meaning_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(SpikeloomError) as error:
        projected(*arguments)
    assert str(error.value).startswith(message)


def test_one_to_one_needs_equal_sizes() -> None:
    with pytest.raises(SpikeloomError, match="one to one needs as many neurons on both sides"):
        projected("in", "p", 1.0, one_to_one=True)


@pytest.mark.parametrize("dt", [0, -1, np.nan, np.inf, "1", None])
def test_a_time_step_is_a_positive_time(dt: Any) -> None:
    with pytest.raises(SpikeloomError, match="dt must be a positive time in ms, not "):
        NetworkBuilder(dt)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("in", 2, "population 'in': another node has this name; rename one"),
        ("p", 2, "population 'p': another node has this name; rename one"),
        (["q"], 2, "population: its name must be a string, not ['q']"),
        ("q", 0, "population 'q': size must be 1..65536, not 0"),
        ("q", 1.5, "population 'q': size must be an integer, not 1.5"),
    ],
)
def test_names_and_sizes_without_meaning_are_refused(name: Any, size: Any, message: str) -> None:
    build = NetworkBuilder()
    build.source("in", 3)
    build.population("p", 4)
    with pytest.raises(SpikeloomError) as error:
        build.population(name, size)
    assert str(error.value) == message
    with pytest.raises(SpikeloomError, match=r"outputs must be a list of names .*, not 'p'"):
        build.network("p")


def test_nested_lists_are_a_matrix() -> None:
    """Synapses are tuples: three rows of three would be either otherwise."""
    build = NetworkBuilder()
    build.source("in", 3)
    build.population("p", 3, "IF_curr_delta")
    matrix = [[0, 1, 2.0], [1, 0, 1.0], [0, 2, 0.5]]
    build.projection("in", "p", matrix)
    build.projection("in", "p", [(0, 1, 2.0), (1, 0, 1.0), (0, 2, 0.5)])
    first, second = build.network().connections
    assert first.weights.tolist() == matrix
    assert second.weights.tolist() == [[0, 2.0, 0.5], [1.0, 0, 0], [0, 0, 0]]


def test_noise_needs_a_seed() -> None:
    for seed in (None, 1):
        build = NetworkBuilder(seed=seed)
        build.source("in", 1)
        build.population("p", 4, noise=["uniform", 5.0])
        build.projection("in", "p", 1.0)
        if seed is None:
            with pytest.raises(
                SpikeloomError, match="noise needs a seed; pass one, such as seed=1"
            ):
                build.network()
        else:
            assert spikeloom.compile(build.network()).network.seed == 1
    with pytest.raises(SpikeloomError, match=r"seed must be 0..4294967295, not -1"):
        NetworkBuilder(seed=-1)


def test_defaults_are_those_of_pynn() -> None:
    cells = pytest.importorskip("pyNN.standardmodels.cells", reason="PyNN is not installed")
    theirs = cells.IF_curr_exp.default_parameters
    assert {name: theirs[name] for name in DEFAULTS} == DEFAULTS
