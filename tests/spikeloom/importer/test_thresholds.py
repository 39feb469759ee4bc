"""Thresholds that are not positive, or infinite, and what the refusal says to do about them."""

import ast
import re
from typing import Any

import nir
import numpy as np
import pytest
from nir_graphs import chain, make

import spikeloom
from spikeloom.golden.errors import SpikeloomError
from spikeloom.importer.float_network import (
    FloatConnection,
    FloatInput,
    FloatNetwork,
    FloatPopulation,
)
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.importer.load import load_nir

EVENTS = (np.random.default_rng(3).random((4, 60, 5)) < 0.3).astype(np.uint8)
WEIGHTS = np.random.default_rng(5).uniform(0.0, 12.0, (3, 5))


def layer(kind: type, **changed: Any) -> nir.NIRGraph:
    return chain(nir.Linear(WEIGHTS), make(kind, 3, **changed), size=5, out=3)


def refusal(source: nir.NIRGraph, **options: Any) -> str:
    with pytest.raises(SpikeloomError) as error:
        load_nir(source, dt=1.0, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def stated(message: str) -> dict[str, Any]:
    """The options that a refusal says to give."""
    return {
        name: ast.literal_eval(value) for name, value in re.findall(r"(\w+)=(\{.*?\})", message)
    }


def spikes(threshold: Any, v_reset: Any, v_leak: Any, v: Any, forgotten: float) -> np.ndarray:
    """Of neurons at the potentials of the file, by the equation of NIR."""
    fired = np.zeros((4, 60, 3), bool)
    v = np.zeros((4, 3)) + v
    for t in range(60):
        v = v + forgotten * (v_leak - v) + EVENTS[:, t] @ WEIGHTS.T
        fired[:, t] = v > threshold
        v = np.where(fired[:, t], v_reset, v)
    return fired


BIOLOGICAL = {"v_threshold": -50.0, "v_reset": -70.0, "v_leak": -65.0}


@pytest.mark.parametrize("start", ["zero", "leak"])
def test_potentials_of_a_biologist_are_stated_relative_to_rest(start: Any) -> None:
    source = layer(nir.LIF, **BIOLOGICAL)
    message = refusal(source, start=start)
    assert "v_threshold must be positive" in message
    options = stated(message)
    assert options["threshold"] == {"n1": 15.0}
    network = load_nir(source, dt=1.0, **options)
    start_at = 0.0 if start == "zero" else -65.0
    expected = spikes(-50.0, -70.0, -65.0, start_at, 0.25)
    assert 20 < expected.sum() < expected.size - 20
    assert np.array_equal(simulate_float(network, EVENTS).spikes["n1"], expected)
    assert spikeloom.compile(network).network.populations[0].v_init is not None


def test_an_integrator_rests_where_it_is_reset() -> None:
    source = layer(nir.IF, v_threshold=-50.0, v_reset=-70.0)
    network = load_nir(source, dt=1.0, **stated(refusal(source)))
    expected = spikes(-50.0, -70.0, 0.0, 0.0, 0.0)
    assert np.array_equal(simulate_float(network, EVENTS).spikes["n1"], expected)


def test_potentials_that_differ_are_stated_relative_to_each_rest() -> None:
    rest = np.array([-65.0, -60.0, -70.0])
    source = layer(nir.LIF, **BIOLOGICAL | {"v_leak": rest})
    message = refusal(source, start="leak")
    assert message.endswith("; state threshold, v_reset, v_init, v_leak relative to the v_leak")
    network = load_nir(
        source, dt=1.0, threshold=-50.0 - rest, v_reset=-70.0 - rest, v_init=0.0, v_leak=0.0
    )
    expected = spikes(-50.0, -70.0, rest, rest, 0.25)
    assert np.array_equal(simulate_float(network, EVENTS).spikes["n1"], expected)


@pytest.mark.parametrize(
    ("changed", "options"),
    [
        ({"v_threshold": 0.0}, {}),
        ({"v_threshold": -1.0}, {"reset": "subtract"}),
        ({"v_threshold": -70.0, "v_leak": -65.0}, {}),
    ],
)
def test_a_threshold_at_or_below_rest_is_replaced(
    changed: dict[str, float], options: dict[str, Any]
) -> None:
    source = layer(nir.LIF, **changed)
    message = refusal(source, **options)
    assert message.endswith("; give it a positive one, such as threshold={'n1': 1.0}")
    network = load_nir(source, dt=1.0, **options, **stated(message))
    assert network.populations[0].threshold == 1.0


def test_a_threshold_that_is_infinite_for_some_neurons() -> None:
    limits = np.array([5.0, np.inf, 8.0])
    source = layer(nir.LIF, v_threshold=limits)
    message = refusal(source)
    assert message.endswith("; give these neurons a threshold= that their potential never reaches")
    highest = simulate_float(load_nir(layer(nir.LI), dt=1.0), EVENTS).peaks["n1"]
    finite = np.where(np.isfinite(limits), limits, 2 * highest)
    network = load_nir(source, dt=1.0, threshold={"n1": finite})
    expected = spikes(limits, 0.0, 0.0, 0.0, 0.25)
    assert expected[:, :, 0].any()
    assert np.array_equal(simulate_float(network, EVENTS).spikes["n1"], expected)
    program = spikeloom.compile(network)
    with spikeloom.open(program, backend="golden") as device:
        assert not device.run(EVENTS).spikes["n1"][:, :, 1].any()


def test_an_infinite_threshold_of_a_float_network() -> None:
    def network(threshold: Any) -> FloatNetwork:
        population = FloatPopulation("a", 2, np.zeros(2), 0.5, threshold=threshold)
        weights = FloatConnection("in", "a", np.ones((1, 2)))
        return FloatNetwork((FloatInput("in", 1),), (population,), (weights,))

    with pytest.raises(SpikeloomError, match="give one that its potential never reaches"):
        network(np.array([1.5, np.inf]))
    run = simulate_float(network(np.array([1.5, 2.0])), np.ones((1, 50, 1)))
    assert run.spikes["a"].any(axis=(0, 1)).tolist() == [True, False]
