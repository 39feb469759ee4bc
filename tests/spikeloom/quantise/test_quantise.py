"""Quantisation: the rule to the letter, what it refuses, and how far integers are from floats."""

import dataclasses
import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Network
from spikeloom.golden.spec import Reset
from spikeloom.golden.step.run import simulate
from spikeloom.importer.float_network import (
    FloatConnection,
    FloatInput,
    FloatNetwork,
    FloatPopulation,
)
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.importer.switches.adaptive_threshold import FloatAdaptiveThreshold
from spikeloom.importer.switches.constant_leak import FloatConstantLeak
from spikeloom.importer.switches.switch import FloatSwitch
from spikeloom.quantise import quantise
from spikeloom.quantise.fidelity import compare_float
from spikeloom.quantise.integers import Schedule


def population(name: str = "a", size: int = 1, **changed: Any) -> FloatPopulation:
    values = {"bias": np.zeros(size), "decay": 0.25, "threshold": 1.0} | changed
    return FloatPopulation(name, size, **values)


def single(weights: Any, **changed: Any) -> FloatNetwork:
    """One input, one population."""
    matrix = np.atleast_2d(np.asarray(weights, np.float64))
    sources, size = matrix.shape
    return FloatNetwork(
        (FloatInput("in", sources),),
        (population("a", size, **changed),),
        (FloatConnection("in", "a", matrix),),
    )


def off_grid(weights: Any, **changed: Any) -> FloatNetwork:
    """Another axon's weight keeps the others from lying on a grid."""
    matrix = np.atleast_2d(np.asarray(weights, np.float64))
    extra = np.full((1, matrix.shape[1]), np.abs(matrix).max() / math.pi)
    return single(np.concatenate([matrix, extra]), **changed)


def skipping(rng: np.random.Generator, bias: float = 0.0) -> FloatNetwork:
    """in -> a -> b -> c, with in -> b, in -> c and a -> c beside it."""
    sizes = {"in": 6, "a": 5, "b": 4, "c": 3}
    pairs = [("in", "a"), ("a", "b"), ("b", "c"), ("in", "b"), ("in", "c"), ("a", "c")]
    return FloatNetwork(
        (FloatInput("in", 6),),
        tuple(
            population(name, sizes[name], bias=bias * rng.normal(size=sizes[name]), threshold=0.8)
            for name in ("c", "a", "b")
        ),
        tuple(
            FloatConnection(source, target, rng.normal(size=(sizes[source], sizes[target])))
            for source, target in pairs
        ),
    )


def refusal(net: FloatNetwork, **options: Any) -> str:
    with pytest.raises(SpikeloomError) as caught:
        quantise(net, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# The rule.


def test_rule_on_numbers_done_by_hand() -> None:
    weights = [[1.0, -0.5], [0.25, 1 / math.pi]]
    net = single(weights, bias=np.array([0.1, -2.0]), v_reset=-0.3, v_init=0.3)
    network, _ = quantise(net, sum_bits=16)
    [integer], [connection] = network.populations, network.connections
    assert connection.weights.tolist() == [[127, -64], [32, 40]]
    assert integer.bias.tolist() == [13, -254]
    assert (integer.threshold, integer.v_reset, integer.v_init) == (127, -38, 38)
    assert (integer.decay, integer.phase, connection.delay) == (1024, 0, 0)
    assert (network.weight_bits, network.state_bits, network.sum_bits) == (8, 16, 16)


numbers = st.floats(-100, 100, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-3)


@given(
    st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5),
    st.tuples(st.floats(0, 1), st.floats(1e-3, 50), numbers),
    st.tuples(numbers, numbers),
    st.tuples(st.booleans(), st.sampled_from([2, 4, 8])),
)
@settings(deadline=None)
def test_rule_on_random_numbers(
    weights: list[tuple[float, float]],
    scalars: tuple[float, float, float],
    bias: tuple[float, float],
    options: tuple[bool, int],
) -> None:
    (decay, theta, v_reset), (inclusive, weight_bits) = scalars, options
    net = single(
        weights,
        decay=decay,
        threshold=theta,
        v_reset=v_reset,
        bias=np.array(bias),
        inclusive=inclusive,
    )
    matrix = net.connections[0].weights
    largest = np.abs(matrix).max()
    steps = 2 ** (weight_bits - 1) - 1
    if largest == 0:
        largest, steps = max(theta, abs(v_reset), *map(abs, bias)), 2**22 - 1
    network, report = quantise(net, weight_bits=weight_bits, state_bits=24, sum_bits=24)
    [integer], [connection], [row] = (network.populations, network.connections, report.populations)
    s = row.scale
    if row.scale_origin == "range":
        assert s == steps / largest
        exact = Fraction(theta) * steps / Fraction(float(largest))
        assert integer.threshold == (math.ceil(exact) if inclusive else math.floor(exact))
    else:
        assert row.grid is not None
        assert row.weight.max_error_lsb < 1e-3
    assert np.array_equal(connection.weights, np.rint(matrix * s))
    assert np.array_equal(integer.bias, np.rint(np.array(bias) * s))
    assert abs(integer.threshold - theta * s) < 1
    assert abs(integer.v_reset - v_reset * s) <= 0.5 * (1 + 1e-9)
    assert integer.decay == np.rint(4096 * decay)


@given(st.integers(-300, 300), st.floats(0.01, 2), st.booleans())
def test_rounded_threshold_separates_integers_as_the_float_one(
    u: int, theta: float, inclusive: bool
) -> None:
    net = off_grid(1.0, threshold=theta, inclusive=inclusive)
    threshold = quantise(net)[0].populations[0].threshold
    exact = Fraction(theta) * 127
    assert (u >= threshold if inclusive else u > threshold) == (
        u >= exact if inclusive else u > exact
    )


@pytest.mark.parametrize("weight", [0.1, 0.3, 1 / 3, 0.7, 1.1, 1e-5, 49.0])
def test_threshold_of_whole_weights_is_exact(weight: float) -> None:
    """In float64 (127 / w) * w is below 127 for some w."""
    network, _ = quantise(single(weight, threshold=weight))
    assert network.populations[0].threshold == 127


def test_one_scale_for_all_connections_of_a_population() -> None:
    net = FloatNetwork(
        (FloatInput("x", 1), FloatInput("y", 1)),
        (population(),),
        (
            FloatConnection("x", "a", np.array([[4.0]])),
            FloatConnection("y", "a", np.array([[1.01]])),
        ),
    )
    network, report = quantise(net, weight_bits=4, max_count=3)
    assert [c.weights.item() for c in network.connections] == [7, 2]
    assert [node.max_count for node in network.inputs] == [3, 3]
    assert report.populations[0].scale == 7 / 4
    assert [c.weight.max_error for c in report.connections] == [0.0, pytest.approx(8 / 7 - 1.01)]


def test_without_weights_the_threshold_sets_the_scale() -> None:
    network, report = quantise(single(0.0, threshold=2.0, bias=np.array([0.5])))
    assert network.populations[0].threshold == 2**14 - 1
    assert network.populations[0].bias.tolist() == [round((2**14 - 1) / 4)]
    assert report.populations[0].weight.relative_error == 0.0
    nothing = single(0.0, threshold=0.0, spiking=False)
    assert quantise(nothing)[1].populations[0].scale == 1.0


# Schedules.


def test_layered_phases_are_the_longest_way_from_the_inputs() -> None:
    network, _ = quantise(skipping(np.random.default_rng(0)), state_bits=24)
    assert {p.name: p.phase for p in network.populations} == {"a": 0, "b": 1, "c": 2}
    assert {c.delay for c in network.connections} == {0}


def test_pipelined_delays_are_the_layers_crossed() -> None:
    net = skipping(np.random.default_rng(0))
    network, _ = quantise(net, schedule="pipelined", state_bits=24)
    assert {p.phase for p in network.populations} == {0}
    assert {(c.source, c.target): c.delay for c in network.connections} == {
        ("in", "a"): 1,
        ("a", "b"): 1,
        ("b", "c"): 1,
        ("in", "b"): 2,
        ("in", "c"): 3,
        ("a", "c"): 2,
    }


@pytest.mark.parametrize("seed", range(10))
def test_pipelined_is_layered_late(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = skipping(rng)
    events = rng.random((4, 12, 6)) < 0.5
    layered = simulate(quantise(net)[0], events)
    pipelined = simulate(quantise(net, schedule="pipelined")[0], events)
    assert layered.spikes["c"].any()
    for name, late in (("a", 1), ("b", 2), ("c", 3)):
        assert np.array_equal(pipelined.spikes[name][:, late:], layered.spikes[name][:, :-late])
        assert not pipelined.spikes[name][:, :late].any()


def test_recurrent_connections_keep_their_delay_or_are_refused() -> None:
    net = skipping(np.random.default_rng(0))
    weights = np.ones((3, 3))
    loop = FloatConnection("c", "c", weights, 1)
    with_loop = dataclasses.replace(net, connections=(*net.connections, loop))
    assert quantise(with_loop)[0].connections[-1].delay == 1
    assert quantise(with_loop, schedule="pipelined")[0].connections[-1].delay == 1
    back = FloatConnection("c", "a", np.ones((3, 5)), 1)
    with_back = dataclasses.replace(net, connections=(*net.connections, back))
    assert quantise(with_back)[0].populations[1].phase == 0
    message = refusal(with_back, schedule="pipelined")
    assert "'c' -> 'a'" in message
    assert "layered" in message


# Refusals.


@pytest.mark.parametrize(
    ("net", "parts"),
    [
        (off_grid(1.0, threshold=300.0), ["'a'", "threshold 300", "use state_bits=17"]),
        (off_grid(1.0, threshold=258.01), ["threshold", "use state_bits=17"]),
        (off_grid(2e-5, threshold=1.0), ["threshold", "use state_bits=24"]),
        (off_grid(1e-6, threshold=1.0), ["threshold", "use state_bits=24 and scales={'a': "]),
        (off_grid(1.0, v_reset=-1000.0), ["'a'", "v_reset -1000", "use state_bits=18"]),
        (off_grid(1.0, v_init=1e300), ["v_init", "use state_bits=24 and scales={'a': "]),
        (off_grid([[1.0, 1]], bias=np.array([0, -1e5])), ["bias -100000", "use sum_bits=25"]),
        (off_grid(np.ones((300, 1))), ["'a'", "sum to", "use sum_bits="]),
        (single(5e-324), ["'a'", "largest weight", "multiply the layer's weights"]),
    ],
)
def test_what_does_not_fit_is_refused(net: FloatNetwork, parts: list[str]) -> None:
    message = refusal(net, sum_bits=16)
    for part in parts:
        assert part in message


def test_the_greatest_threshold_that_can_be_exceeded() -> None:
    """32767 / 127 is 258.007...: an integer potential goes up to 32767."""
    assert quantise(off_grid(1.0, threshold=32766 / 127))[0].populations[0].threshold == 32766
    inclusive = off_grid(1.0, threshold=32767 / 127, inclusive=True)
    assert quantise(inclusive)[0].populations[0].threshold == 32767
    assert "threshold" in refusal(off_grid(1.0, threshold=258.008))


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"weight_bits": 8.0}, "weight_bits must be 2, 4 or 8"),
        ({"weight_bits": "8"}, "weight_bits must be 2, 4 or 8"),
        ({"max_count": "a"}, "max_count must be an integer, not 'a'"),
        ({"max_count": "a", "calibration": np.ones((1, 2, 1))}, "max_count must be an integer"),
        ({"calibration": "events"}, "events of 'in' must be numbers"),
        ({"calibration": [[[1], [1, 1]]]}, "events of 'in' are no rectangular array"),
        ({"calibration": np.zeros((0, 2, 1))}, "events of 'in' hold no sample"),
        ({"weight_bits": 3}, "weight_bits must be 2, 4 or 8"),
        ({"state_bits": 25}, "state_bits must be 8..24, not 25"),
        ({"sum_bits": 7}, "sum_bits must be 8..32, not 7"),
        ({"state_bits": "16"}, "state_bits must be"),
        ({"max_fraction_bits": 13}, "max_fraction_bits must be 0..12, not 13"),
        ({"schedule": "fast"}, "schedule must be"),
        ({"max_count": 0}, "max_count"),
    ],
)
def test_impossible_arguments(options: dict[str, Any], part: str) -> None:
    assert part in refusal(single(1.0), **options)


# Report.


def test_report_has_stable_keys_and_is_json() -> None:
    net = skipping(np.random.default_rng(3), bias=0.1)
    _, report = quantise(net)
    contents = json.loads(report.to_json())
    assert list(contents) == [
        "weight_bits",
        "weight_pairs",
        "state_bits",
        "sum_bits",
        "schedule",
        "populations",
        "connections",
        "notes",
        "warnings",
    ]
    assert contents["populations"] == report.rows()
    assert contents["connections"] == report.connection_rows()
    errors = [
        "weight_max_error",
        "weight_rms_error",
        "weight_max_error_lsb",
        "weight_rms_error_lsb",
        "weight_relative_error",
    ]
    assert list(report.rows()[0]) == [
        "population",
        "size",
        "phase",
        "spiking",
        "scale",
        "scale_origin",
        "grid",
        "exact",
        "fraction_bits",
        "per_neuron",
        "gains",
        *errors,
        "bias_max_error",
        "decay",
        "decay_integer",
        "decay_relative_error",
        "tau",
        "effective_tau",
        "threshold",
        "threshold_integer",
        "threshold_error",
        "sum_headroom_bits",
        "state_headroom_bits",
        "reach_bits",
        "drift_bits",
        "synaptic_decay",
        "synaptic_decay_integer",
        "synaptic_tau",
        "effective_synaptic_tau",
        "weight_limit",
        "saturations",
    ]
    assert list(report.connection_rows()[0]) == ["source", "target", "synapses", "delay", *errors]
    assert [row["population"] for row in report.rows()] == ["c", "a", "b"]
    assert all(0 < row["weight_max_error_lsb"] <= 0.5 for row in report.rows())


def test_report_gives_the_errors() -> None:
    odd = 0.5 + 2.0**-12  # 63.53 steps
    net = single([[1.0], [odd]], threshold=1.005, bias=np.array([0.001]), decay=0.1)
    row = quantise(net)[1].rows()[0]
    error = 64 - 127 * odd
    assert row["weight_max_error_lsb"] == pytest.approx(error)
    assert row["weight_max_error"] == pytest.approx(error / 127)
    assert row["weight_rms_error"] == pytest.approx(error / 127 / math.sqrt(2))
    assert row["weight_relative_error"] == pytest.approx(error / 127 / math.sqrt(1 + odd**2))
    assert row["bias_max_error"] == pytest.approx(0.001)
    assert row["threshold_error"] == pytest.approx(127 / 127 - 1.005)
    assert row["decay_relative_error"] == pytest.approx(410 / 409.6 - 1)


def test_headroom() -> None:
    """Sums go to 192, 9 bits; potentials to 127 + 192, 10 bits."""
    row = quantise(single([[1.0], [0.51234]]), state_bits=12, sum_bits=12)[1].rows()[0]
    assert (row["sum_headroom_bits"], row["state_headroom_bits"]) == (3, 2)
    row = quantise(single([[1.0], [0.51234]]), state_bits=12, sum_bits=12, max_count=4)[1].rows()[0]
    assert (row["sum_headroom_bits"], row["state_headroom_bits"]) == (1, 1)


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"decay": 1e-4}, "decay of 0.0001 became 0/4096"),
        ({"decay": 0.99999}, "became 4096/4096"),
        ({"decay": 3.5 / 4096}, "a time constant of 1170 steps became 80.28, as 3/4096 and"),
        ({"threshold": 1e-3}, "threshold of 0.001 became 0"),
        ({"threshold": 258.0}, "saturates"),
    ],
)
def test_warnings(changed: dict[str, float], part: str) -> None:
    _, report = quantise(off_grid(1.0, **changed))
    [line] = report.warnings
    assert "'a'" in line
    assert part in line


@pytest.mark.parametrize(
    ("switch", "part"),
    [
        (FloatAdaptiveThreshold(0.2, 1e-3), "time constant of 999.5 steps became 1"),
        (FloatAdaptiveThreshold(0.2, 1e-4), "time constant of 9999 steps became none, so it nev"),
        (FloatAdaptiveThreshold(1e-4, 0.25), "increment 0.0001 became 0, which is 0; use weight"),
        (FloatConstantLeak(1e-4), "constant_leak: leak 0.0001 became 0, which is 0; use weight"),
    ],
)
def test_a_switch_that_integers_lose_is_a_warning(switch: FloatSwitch, part: str) -> None:
    _, report = quantise(off_grid(1.0, switches=(switch,)))
    [line] = report.warnings
    assert part in line
    for held in (FloatAdaptiveThreshold(4.0, 0.1), FloatAdaptiveThreshold(0.2, 1e-9)):
        assert quantise(off_grid(1.0, switches=(held,)))[1].warnings == ()


def test_no_warning_without_cause() -> None:
    for decay in (0.0, 1.0, 0.25, 0.1):
        assert quantise(off_grid(1.0, decay=decay))[1].warnings == ()


# Integers against floats.


def exact_network(rng: np.random.Generator, reset: Reset, inclusive: bool) -> FloatNetwork:
    """Whole numbers only, the largest weights 127: quantising changes nothing."""
    weights = rng.integers(-20, 60, (5, 4)).astype(np.float64)
    weights[0, 0] = 127.0
    onward = rng.integers(-20, 60, (4, 3)).astype(np.float64)
    onward[0, 0] = 127.0
    return FloatNetwork(
        (FloatInput("in", 5),),
        (
            population(
                "a",
                4,
                bias=rng.integers(-5, 5, 4).astype(np.float64),
                decay=0.0,
                threshold=100.0,
                reset=reset,
                inclusive=inclusive,
                v_reset=-7.0,
                v_init=3.0,
            ),
            population("b", 3, decay=1.0, spiking=False),
        ),
        (FloatConnection("in", "a", weights), FloatConnection("a", "b", onward)),
    )


@pytest.mark.parametrize("reset", Reset)
@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize("schedule", ["layered", "pipelined"])
def test_whole_networks_run_the_same_in_float_and_integer(
    reset: Reset, inclusive: bool, schedule: Schedule
) -> None:
    rng = np.random.default_rng(7)
    net = exact_network(rng, reset, inclusive)
    network, report = quantise(net, schedule=schedule)
    assert [p.scale for p in report.populations] == [1.0, 1.0]
    events = rng.random((20, 15, 5)) < 0.4
    a, b = compare_float(net, network, report, events).populations
    assert a.population == "a"
    assert a.spikes.fraction == 1.0
    assert a.spikes.reference == a.spikes.other > 0
    assert a.states.max_error == b.states.max_error == b.states.rms_error == 0.0
    assert b.spikes is None


@pytest.mark.parametrize("schedule", ["layered", "pipelined"])
def test_compare_float_sees_rounding_and_little_of_it(schedule: Schedule) -> None:
    rng = np.random.default_rng(2)
    net = skipping(rng, bias=0.05)
    events = rng.random((50, 20, 6)) < 0.3
    fine = compare_float(net, *quantise(net, schedule=schedule), events)
    for comparison in fine.populations:
        assert 0.9 < comparison.spikes.fraction <= 1.0
        assert comparison.states.rms_error > 0.0
    coarse = compare_float(net, *quantise(net, schedule=schedule, weight_bits=2), events)
    assert coarse.loss > 0.1
    assert coarse.worst == min(coarse.populations, key=lambda c: c.spikes.fraction).population


def test_compare_float_finds_a_planted_difference() -> None:
    rng = np.random.default_rng(7)
    net = exact_network(rng, Reset.VALUE, False)
    network, report = quantise(net)
    first, *others = network.populations
    wrong: Network = dataclasses.replace(
        network, populations=(dataclasses.replace(first, threshold=60), *others)
    )
    events = rng.random((20, 15, 5)) < 0.4
    comparison = compare_float(net, wrong, report, events).populations[0]
    assert comparison.spikes.fraction < 1.0
    assert comparison.spikes.other != comparison.spikes.reference


def test_compare_float_needs_something_to_compare() -> None:
    net = single(1.0)
    with pytest.raises(SpikeloomError, match="hold no sample"):
        compare_float(net, *quantise(net), np.zeros((0, 5, 1), bool))


# The float network itself.


def test_float_simulation_by_hand() -> None:
    net = single(1.0, threshold=1.2, decay=0.5, v_init=0.1, v_reset=-0.5)
    run = simulate_float(net, np.array([[1], [1], [0], [1]]))
    # u = 1.05, 1.525 (spike, to -0.5), -0.25, 0.875
    assert run.spikes["a"][0, :, 0].tolist() == [False, True, False, False]
    assert run.states["a"].item() == pytest.approx(0.875)


def test_float_delays_and_named_inputs() -> None:
    net = FloatNetwork(
        (FloatInput("x", 1), FloatInput("y", 1)),
        (population(threshold=0.5, decay=1.0),),
        (
            FloatConnection("x", "a", np.array([[1.0]]), 2),
            FloatConnection("y", "a", np.array([[1.0]])),
        ),
    )
    x, y = np.zeros((2, 5, 1))
    x[0] = y[3] = 1
    run = simulate_float(net, {"x": x, "y": y})
    assert run.spikes["a"][0, :, 0].tolist() == [False, False, True, True, False]
    for bad in (x, {"x": x}, {"x": x, "y": y[:3]}, {"x": x, "y": np.zeros((5, 2))}):
        with pytest.raises(SpikeloomError, match="events"):
            simulate_float(net, bad)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"populations": (population("in"),)}, "two nodes"),
        ({"populations": (population(bias=np.zeros(2)),)}, "bias must have shape"),
        ({"populations": (population(bias=np.array([np.nan])),)}, "bias must be finite"),
        ({"populations": (population(decay=1.5),)}, "decay must be"),
        ({"populations": (population(threshold=np.inf),)}, "threshold must be"),
        ({"connections": (FloatConnection("b", "a", np.ones((1, 1))),)}, "sends no spikes"),
        ({"connections": (FloatConnection("in", "b", np.ones((1, 1))),)}, "no population"),
        ({"connections": (FloatConnection("in", "a", np.ones((2, 1))),)}, "weights must have"),
        ({"connections": (FloatConnection("in", "a", np.array([[np.inf]])),)}, "be finite"),
        ({"connections": (FloatConnection("in", "a", np.array([[1e300]])),)}, "at most 1e"),
        ({"populations": (population(bias=np.array([-1e300])),)}, "neuron 0 is -1e"),
        ({"connections": (FloatConnection("in", "a", np.ones((1, 1)), -1),)}, "delay must"),
        ({"connections": (FloatConnection("a", "a", np.ones((1, 1))),)}, "cycle without delay"),
    ],
)
def test_float_networks_are_checked(change: dict[str, Any], part: str) -> None:
    with pytest.raises(SpikeloomError, match=part):
        dataclasses.replace(single(1.0), **change)
