"""Integers against floats: all options of the update, pairs, calibration, choice of widths."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_networks import PLAIN_RESETS

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import Reset
from spikeloom.golden.step.run import simulate
from spikeloom.importer.float_network import (
    FloatConnection,
    FloatConvolution,
    FloatInput,
    FloatNetwork,
    FloatPopulation,
)
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.importer.linear_maps import Kernel
from spikeloom.quantise import quantise
from spikeloom.quantise.choice import choose
from spikeloom.quantise.fidelity import compare_float
from spikeloom.quantise.saturation import saturations


@st.composite
def whole_networks(draw: st.DrawFn) -> FloatNetwork:
    """Whole numbers, nothing or everything forgotten, largest weights 127: nothing is rounded."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))

    def population(name: str, size: int, **more: Any) -> FloatPopulation:
        burst = draw(st.sampled_from([1, 1, 3, 7]))
        synaptic = draw(st.booleans())
        delayed = burst == 1 and draw(st.booleans())
        return FloatPopulation(
            name,
            size,
            rng.integers(-9, 9, size).astype(float),
            decay=float(draw(st.sampled_from([0, 1]))),
            threshold=float(rng.integers(20, 90)),
            inclusive=draw(st.booleans()),
            spiking=draw(st.sampled_from([True, True, False])) or bool(more),
            reset=Reset.SUBTRACT if burst > 1 else draw(st.sampled_from(PLAIN_RESETS)),
            v_reset=float(rng.integers(-9, 9)),
            v_init=float(rng.integers(-9, 9)),
            synaptic_decay=float(draw(st.sampled_from([0, 1]))) if synaptic else None,
            leak=rng.integers(-9, 9, size).astype(float) if synaptic else None,
            delayed_reset=delayed,
            v_min=draw(st.sampled_from([None, -40.0])),
            max_spikes=burst,
            **more,
        )

    def weights(*shape: int) -> Any:
        values = rng.integers(-60, 60, shape).astype(float)
        values.flat[0] = 127.0
        return values

    image = (2, 4, 4)
    kernel = Kernel(image, weights(3, 2, 2, 2), groups=1, pool=(2, 2))
    loop = weights(3, 3)
    return FloatNetwork(
        (FloatInput("in", 32, image),),
        (population("a", 3, image=(3, 1, 1)), population("b", 5)),
        (
            FloatConvolution("in", "a", kernel, draw(st.integers(0, 2))),
            FloatConnection("a", "a", loop, draw(st.integers(1, 3))),
            FloatConnection("a", "b", weights(3, 5), draw(st.integers(0, 2))),
        ),
    )


@given(whole_networks(), st.booleans())
@settings(deadline=None, max_examples=60)
def test_whole_networks_run_the_same_with_every_option(net: FloatNetwork, pairs: bool) -> None:
    events = np.random.default_rng(5).random((2, 8, 32)) < 0.2
    if pairs:
        rng = np.random.default_rng(6)

        def wider(weights: Any) -> Any:
            values = weights * 257 - rng.integers(0, 99, weights.shape)
            values.flat[0] = 32639.0
            return values

        scaled = [
            dataclasses.replace(c, kernel=dataclasses.replace(c.kernel, weights=wider(c.weights)))
            if isinstance(c, FloatConvolution)
            else dataclasses.replace(c, weights=wider(c.weights))
            for c in net.connections
        ]
        populations = [
            dataclasses.replace(
                p,
                bias=p.bias * 257,
                leak=None if p.leak is None else p.leak * 257,
                v_min=None if p.v_min is None else p.v_min * 257,
                **{n: getattr(p, n) * 257 for n in ("threshold", "v_reset", "v_init")},
            )
            for p in net.populations
        ]
        net = dataclasses.replace(net, connections=tuple(scaled), populations=tuple(populations))
    network, report = quantise(net, state_bits=24, sum_bits=24, weight_pairs=pairs)
    assert [p.scale for p in report.populations] == [1.0, 1.0]
    assert len(network.connections) == (6 if pairs else 3)
    assume(not any(saturations(network, events).values()))
    for comparison in compare_float(net, network, report, events).populations:
        assert comparison.spikes is None or comparison.spikes.fraction == 1.0
        assert comparison.states.max_error == 0.0


@pytest.mark.parametrize(
    "options",
    [
        {"stride": (2, 1)},
        {"padding": ((1, 0), (0, 2))},
        {"dilation": (2, 1)},
        {"groups": 2},
        {"pool": (2, 3)},
        {"stride": (1, 2), "padding": ((1, 1), (1, 1)), "groups": 2, "pool": (1, 2)},
    ],
)
def test_convolutions_are_the_same_in_float_and_integer(options: Any) -> None:
    rng = np.random.default_rng(9)
    weights = rng.integers(-60, 60, (4, 2 // options.get("groups", 1), 2, 2)).astype(float)
    weights.flat[0] = 127.0
    kernel = Kernel((2, 7, 8), weights, **options)
    size = int(np.prod(kernel.output))
    net = FloatNetwork(
        (FloatInput("in", 112, (2, 7, 8)),),
        (FloatPopulation("a", size, np.zeros(size), threshold=200.0, image=kernel.output),),
        (FloatConvolution("in", "a", kernel),),
    )
    network, report = quantise(net)
    events = rng.random((2, 20, 112)) < 0.3
    [comparison] = compare_float(net, network, report, events).populations
    assert comparison.spikes.fraction == 1.0
    assert comparison.spikes.reference > 100
    assert comparison.states.max_error == 0.0


def one(weights: Any, **changed: Any) -> FloatNetwork:
    matrix = np.atleast_2d(np.asarray(weights, np.float64))
    values = {"bias": np.zeros(matrix.shape[1]), "threshold": 1.0} | changed
    return FloatNetwork(
        (FloatInput("in", len(matrix)),),
        (FloatPopulation("a", matrix.shape[1], **values),),
        (FloatConnection("in", "a", matrix),),
    )


# Pairs.


@pytest.mark.parametrize(("bits", "most"), [(2, 5), (4, 119), (8, 32639)])
def test_pairs_are_the_halves_of_wider_weights(bits: int, most: int) -> None:
    weights = np.sin(np.linspace(-np.pi / 2, np.pi / 2, 41))
    network, report = quantise(
        one(weights[:, None]), weight_bits=bits, weight_pairs=True, state_bits=24, sum_bits=24
    )
    low, high = network.connections
    assert (low.high, high.high) == (False, True)
    whole = low.weights + (high.weights << bits)
    assert np.array_equal(whole[:, 0], np.rint(weights * most))
    assert report.connections[0].synapses == 82
    assert report.weight_pairs


def test_16_bits_are_pairs_of_8() -> None:
    net = one([[1.0], [0.123]])
    wide, report = quantise(net, weight_bits=16, state_bits=24, sum_bits=24)
    assert (wide.weight_bits, report.weight_bits, report.weight_pairs) == (8, 8, True)


# Thresholds.


def test_a_reset_subtracts_the_rounded_threshold() -> None:
    net = one([[1.0], [0.51234]], threshold=1.505, reset=Reset.SUBTRACT)
    [population] = quantise(net)[0].populations
    assert (population.threshold, population.subtrahend) == (191, None)
    net = one([[1.0], [0.51234]], threshold=1.51, reset=Reset.SUBTRACT)
    [population] = quantise(net)[0].populations
    assert (population.threshold, population.subtrahend) == (191, 192)


def test_several_spikes_share_a_whole_threshold() -> None:
    net = one([[1.0], [0.51234]], threshold=0.3, reset=Reset.SUBTRACT, max_spikes=7, inclusive=True)
    network, report = quantise(net)
    [population] = network.populations
    assert population.threshold == 38
    assert population.subtrahend is None
    assert report.populations[0].threshold_error == 0.0
    coarse = one([[100.0], [51.234]], threshold=0.3, reset=Reset.SUBTRACT, max_spikes=7)
    with pytest.raises(SpikeloomError, match="less than one step"):
        quantise(coarse)


# Calibration and saturation.


def test_saturations_are_counted_by_hand() -> None:
    """v = 100, 200 -> 127 (saturates), 227 -> 127 (saturates), then spikes never."""
    network = Network(
        (Input("in", 1),),
        (Population("a", 1, np.zeros(1, np.int64), spiking=False),),
        (Connection("in", "a", np.array([[100]])),),
        state_bits=8,
    )
    assert saturations(network, np.array([[1], [1], [1], [0]])) == {"a": 2}


def test_saturation_of_a_synaptic_state_counts() -> None:
    population = Population(
        "a", 1, np.zeros(1, np.int64), decay=4096, spiking=False, synaptic_decay=0
    )
    network = Network(
        (Input("in", 1),), (population,), (Connection("in", "a", np.array([[100]])),), state_bits=8
    )
    assert saturations(network, np.ones((3, 1))) == {"a": 2}


def test_calibration_lowers_the_scale_until_nothing_saturates() -> None:
    net = one([[1.0], [0.81234]], spiking=False, decay=0.01)
    events = np.ones((1, 400, 2))
    free, _ = quantise(net, state_bits=15)
    assert saturations(free, events)["a"] > 0
    _, report = quantise(net, state_bits=15, calibration=events)
    assert report.populations[0].saturations == 0
    assert 0.5 < report.populations[0].weight_limit < 1
    narrow, report = quantise(net, state_bits=12, calibration=events)
    assert report.populations[0].weight_limit < 0.5
    assert any("leave its weights" in line for line in report.warnings)
    assert saturations(narrow, events)["a"] == 0


def test_calibration_keeps_sums_and_thresholds_in_range() -> None:
    weights = np.ones((300, 1))
    weights[0] = 0.51234
    net = one(weights, threshold=400.0)
    with pytest.raises(SpikeloomError):
        quantise(net)
    network, _ = quantise(net, sum_bits=16, calibration=np.zeros((1, 2, 300)))
    assert network.populations[0].threshold > 10_000
    with pytest.raises(SpikeloomError, match="too many for sums of 8 bits"):
        quantise(net, sum_bits=8, calibration=np.zeros((1, 2, 300)))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("bits", [4, 8])
def test_calibration_leaves_room_for_both_halves_of_pairs(seed: int, bits: int) -> None:
    """Halves of a weight can have opposite signs, and sums bound each half by itself."""
    rng = np.random.default_rng(seed)
    kernel = Kernel((2, 5, 5), rng.normal(size=(3, 2, 3, 3)), pool=(1, 1))
    net = FloatNetwork(
        (FloatInput("in", 50, (2, 5, 5)),),
        (
            FloatPopulation("a", 27, rng.normal(size=27), 0.1, image=(3, 3, 3)),
            FloatPopulation("b", 4, np.zeros(4), 0.1),
        ),
        (
            FloatConvolution("in", "a", kernel),
            FloatConnection("a", "b", rng.choice([-1, -0.5, 0.5, 1], (27, 4))),
        ),
    )
    events = rng.random((2, 20, 50)) < 0.3
    network, report = quantise(
        net, weight_bits=bits, weight_pairs=True, sum_bits=16, max_count=3, calibration=events
    )
    assert [p.saturations for p in report.populations] == [0, 0]
    assert any((c.high and c.weights.any()) for c in network.connections)


def test_calibration_runs_with_the_delays_of_the_schedule() -> None:
    """A bias starts at once, what cancels it comes a step later where layers are pipelined."""
    net = one([[-1.0], [-0.51234]], bias=np.array([1.51234]), threshold=0.5, spiking=False)
    events = np.ones((1, 9, 2))
    _, report = quantise(net, state_bits=8, calibration=events)
    assert (report.populations[0].saturations, report.populations[0].weight_limit) == (0, 1.0)
    network, report = quantise(net, state_bits=8, schedule="pipelined", calibration=events)
    assert report.populations[0].saturations == 0
    assert report.populations[0].weight_limit < 1
    assert simulate(network, events).states["a"].item() > 90


# Accuracy and choice.


@pytest.fixture
def classifier() -> tuple[FloatNetwork, Any, Any]:
    """Five classes of random patterns, matched filters behind a hidden layer."""
    rng = np.random.default_rng(6)
    patterns = rng.random((5, 40))
    labels = rng.integers(0, 5, 60)
    events = rng.random((60, 30, 40)) < 0.5 * patterns[labels][:, None]
    centred = patterns - patterns.mean(axis=0)
    net = FloatNetwork(
        (FloatInput("in", 40),),
        (
            FloatPopulation("hidden", 5, np.zeros(5), 0.05, 0.7, reset=Reset.SUBTRACT),
            FloatPopulation("out", 5, np.zeros(5), 0.05, 0.5),
        ),
        (
            FloatConnection("in", "hidden", centred.T),
            FloatConnection("hidden", "out", np.eye(5) - 0.1),
        ),
        (("output", "out"),),
    )
    return net, events, labels


def test_accuracy_and_worst_population(classifier: Any) -> None:
    net, events, labels = classifier
    fidelity = compare_float(net, *quantise(net), events, labels)
    counts = simulate_float(net, events).spikes["out"].sum(axis=1)
    assert fidelity.accuracy_float == (counts.argmax(axis=1) == labels).mean() > 0.8
    integer = simulate(quantise(net)[0], events).spikes["out"].sum(axis=1)
    assert fidelity.accuracy_integer == (integer.argmax(axis=1) == labels).mean()
    assert fidelity.worst in ("hidden", "out")
    with pytest.raises(SpikeloomError, match="60 integers"):
        compare_float(net, *quantise(net), events, labels[:3])


@pytest.mark.parametrize(
    ("inputs", "options", "part"),
    [
        (np.ones((1, 5, 3)), {}, r"must have shape \(samples, steps, 2\)"),
        (np.full((1, 5, 2), 0.5), {}, "whole counts"),
        (np.ones((1, 5, 2)), {"max_count": "a"}, "max_count"),
        (np.ones((1, 5, 2)), {"max_loss": "a"}, "max_loss must be 0..1, not 'a'"),
        (np.ones((1, 5, 2)), {"max_loss": 1.5}, "max_loss must be 0..1, not 1.5"),
        (np.ones((1, 5, 2)), {"max_loss": float("nan")}, "max_loss must be 0..1, not nan"),
    ],
)
def test_choice_refuses_wrong_arguments_at_once(
    monkeypatch: pytest.MonkeyPatch, inputs: Any, options: Any, part: str
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("spikeloom.quantise.choice.quantise", never)
    with pytest.raises(SpikeloomError, match=part):
        choose(one([[1.0], [0.5]]), inputs, **options)


def test_choice_counts_only_what_was_run() -> None:
    """5000 events are too many for the sums of 12 bits that the first candidate has."""
    found = choose(one(np.ones((5000, 1)), threshold=2.0), np.zeros((1, 3, 5000)), max_loss=1.0)
    assert found.network.state_bits > 8
    assert found.tried == 1


def test_a_float_run_of_no_sample_is_refused() -> None:
    kernel = Kernel((1, 3, 3), np.ones((1, 1, 3, 3)))
    net = FloatNetwork(
        (FloatInput("in", 9, (1, 3, 3)),),
        (FloatPopulation("a", 1, np.zeros(1), image=(1, 1, 1)),),
        (FloatConvolution("in", "a", kernel),),
    )
    with pytest.raises(SpikeloomError, match="hold no sample"):
        simulate_float(net, np.zeros((0, 5, 9)))


def test_choice_meets_the_loss_with_the_least_memory(classifier: Any) -> None:
    net, events, labels = classifier
    loose = choose(net, events, labels, max_loss=0.2)
    tight = choose(net, events, max_loss=0.01)
    assert loose.fidelity.loss <= 0.2
    assert tight.fidelity.loss <= 0.01
    assert loose.memory_bits < tight.memory_bits
    assert tight.report.weight_bits >= 8
    assert all(p.saturations == 0 for p in tight.report.populations)
    with pytest.raises(SpikeloomError, match="no width of weights and states loses less than"):
        # In floats 0.1 + 0.2 is above 0.3, in integers of any width it is not.
        choose(one([[0.1], [0.2]], threshold=0.3), np.ones((1, 3, 2)), max_loss=0.0)
