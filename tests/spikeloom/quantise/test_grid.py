"""Networks trained on a grid stay exact, and scales that users give are kept or refused."""

import dataclasses
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import Reset
from spikeloom.golden.step.run import simulate
from spikeloom.importer.float_network import (
    FloatConnection,
    FloatInput,
    FloatNetwork,
    FloatPopulation,
)
from spikeloom.quantise import quantise
from spikeloom.quantise.grid import grid_scale, simplest_between


def trained(k: NDArray[np.int64], weight: Any, threshold: float = 1.0, **more: Any) -> FloatNetwork:
    """IF neurons with weights `weight(k)`."""
    return FloatNetwork(
        (FloatInput("in", len(k)),),
        (FloatPopulation("a", k.shape[1], np.zeros(k.shape[1]), threshold=threshold, **more),),
        (FloatConnection("in", "a", weight(k)),),
    )


def integers(top: int, sources: int = 40, size: int = 20) -> NDArray[np.int64]:
    k = np.random.default_rng(1).integers(-top, top + 1, (sources, size))
    k[0, 0] = top
    return k


def plain_spikes(
    k: NDArray[np.int64], threshold: int, events: NDArray[np.bool_], subtract: bool
) -> NDArray[np.bool_]:
    """IF neurons with weights k in Python's integers."""
    samples, steps, _ = events.shape
    v = np.zeros((samples, k.shape[1]), np.int64)
    spikes = np.zeros((samples, steps, k.shape[1]), np.bool_)
    for t in range(steps):
        v = v + events[:, t].astype(np.int64) @ k
        spikes[:, t] = v > threshold
        v = np.where(spikes[:, t], v - threshold if subtract else 0, v)
    return spikes


EVENTS = np.random.default_rng(2).random((4, 100, 40)) < 0.1


@pytest.mark.parametrize(
    ("top", "grid", "weight_bits"),
    [
        (7, 8, 8),
        (3, 4, 8),
        (100, 128, 8),
        (127, 128, 8),
        (1, 1, 8),
        (7, 8, 16),
        (7, 8, 4),
        (1, 1, 2),
        (500, 512, 16),
        (9, 10, 8),
        (90, 100, 8),
    ],
)
@pytest.mark.parametrize("reset", [Reset.VALUE, Reset.SUBTRACT])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_weights_on_a_grid_are_exact(
    top: int, grid: int, weight_bits: int, reset: Reset, kind: type
) -> None:
    k = integers(top)
    net = trained(k, lambda k: (k / grid).astype(kind).astype(np.float64), reset=reset)
    network, report = quantise(net, weight_bits=weight_bits)
    expected = plain_spikes(k, grid, EVENTS, reset is Reset.SUBTRACT)
    assert expected.any()
    assert np.array_equal(simulate(network, EVENTS).spikes["a"], expected)
    assert network.populations[0].threshold == grid
    [row] = report.populations
    assert (row.exact, row.scale, row.scale_origin) == (True, grid, "grid")
    text = f"1/{grid}" if grid > 1 else "1"
    assert report.notes == (f"population 'a': exact on a grid of {text}",)
    assert report.warnings == ()


def test_a_grid_of_any_spacing_is_exact() -> None:
    """A scale that training learned, in float32, with a threshold that is 20 steps of it."""
    k, step = integers(7), np.float32(0.0371234)
    net = trained(k, lambda k: np.float64(k * step), threshold=float(20 * step))
    network, report = quantise(net)
    expected = plain_spikes(k, 20, EVENTS, subtract=False)
    assert np.array_equal(simulate(network, EVENTS).spikes["a"], expected)
    assert report.populations[0].grid == "0.0371234"


def test_a_gain_of_each_neuron_leaves_the_grid_within_rounding() -> None:
    k = integers(7)
    gain = np.float32(1 / 3) * np.float32(3)
    net = trained(k, lambda k: np.float64(np.float32(k / 8) * gain * (1 + 1e-7)))
    assert quantise(net)[1].populations[0].exact


def test_biases_that_need_a_finer_grid_get_it() -> None:
    net = trained(np.array([[8], [3]]), lambda k: k / 8)
    bias = np.array([1 / 24])
    net = FloatNetwork(net.inputs, (FloatPopulation("a", 1, bias, threshold=1.0),), net.connections)
    network, report = quantise(net)
    assert (network.populations[0].bias.item(), network.populations[0].threshold) == (1, 24)
    assert report.populations[0].exact


def test_a_leak_on_a_grid_is_not_called_exact() -> None:
    net = trained(integers(7), lambda k: k / 8)
    leaky = dataclasses.replace(net.populations[0], decay=0.1)
    report = quantise(dataclasses.replace(net, populations=(leaky,)))[1]
    assert report.notes == ("population 'a': all but its decays exact on a grid of 1/8",)


def test_biases_off_the_grid_are_rounded_and_said_to_be() -> None:
    net = trained(np.array([[8], [3]]), lambda k: k / 8)
    bias = np.array([1 / np.pi])
    net = FloatNetwork(net.inputs, (FloatPopulation("a", 1, bias, threshold=1.0),), net.connections)
    network, report = quantise(net)
    assert network.connections[0].weights.tolist() == [[120], [45]]
    assert not report.populations[0].exact
    assert report.notes == (
        "population 'a': weights exact on a grid of 1/8, biases or potentials rounded",
    )


def test_a_leak_takes_the_finest_multiple_of_the_grid() -> None:
    network, report = quantise(trained(np.array([[7], [3]]), lambda k: k / 8, decay=0.1))
    assert network.connections[0].weights.tolist() == [[126], [54]]
    assert report.populations[0].exact


def test_trained_floats_lie_on_no_grid() -> None:
    rng = np.random.default_rng(0)
    for size in (2, 3, 10, 1000):
        for _ in range(50):
            weights = rng.normal(size=size).astype(np.float32).astype(np.float64)
            scale = grid_scale([weights], 127)
            assert scale is None or np.abs(weights * scale - np.rint(weights * scale)).max() < 1e-4
            assert size == 2 or scale is None


@given(st.integers(1, 1000), st.integers(1, 1000), st.floats(1e-9, 1e-7))
def test_simplest_fraction(numerator: int, denominator: int, margin: float) -> None:
    exact = Fraction(numerator, denominator)
    low, high = exact * (1 - Fraction(margin)), exact * (1 + Fraction(margin))
    assert simplest_between(low, high) == exact


# Given scales.


def test_a_given_scale_is_used() -> None:
    net = trained(np.array([[9], [4]]), lambda k: k / 9.3)
    network, report = quantise(net, scales={"a": 64})
    assert network.connections[0].weights.tolist() == [[62], [28]]
    assert network.populations[0].threshold == 64
    assert (report.populations[0].scale, report.populations[0].scale_origin) == (64.0, "given")


@pytest.mark.parametrize(
    ("scales", "message"),
    [
        ({"b": 1}, "scales: no population is called 'b'; there are a"),
        ({"a": 0}, "scales: that of 'a' must be a number > 0, not 0"),
        ({"a": True}, "must be a number > 0, not True"),
        ({"a": float("nan")}, "must be a number > 0, not nan"),
        ({"a": "8"}, "must be a number > 0, not '8'"),
        (64, "scales must map names to numbers, not 64"),
        (
            {"a": 132},
            "makes 132 of its largest weight 1, and weights reach 127; use scales={'a': 127}",
        ),
    ],
)
def test_bad_scales_are_refused(scales: Any, message: str) -> None:
    with pytest.raises(SpikeloomError) as error:
        quantise(trained(np.array([[8], [3]]), lambda k: k / 8), scales=scales)
    assert message in str(error.value)
