"""Parameters that differ between neurons, and snnTorch's subtraction, as integers."""

import dataclasses

import numpy as np
import pytest

from spikeloom.golden.spec import Reset
from spikeloom.golden.step.run import simulate
from spikeloom.importer.float_network import (
    FloatConnection,
    FloatInput,
    FloatNetwork,
    FloatPopulation,
)
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.quantise import quantise
from spikeloom.quantise.fidelity import compare_float
from spikeloom.quantise.saturation import saturations

RNG = np.random.default_rng(3)
SIZE = 6


def differing(**changed: object) -> FloatPopulation:
    population = FloatPopulation(
        "a",
        SIZE,
        np.zeros(SIZE),
        decay=np.array([0.0, 0.1, 0.25, 0.5, 1.0, 0.01]),
        threshold=np.array([1.0, 0.5, 2.0, 1.25, 0.75, 1.0]),
        v_reset=np.array([0.0, -0.1, 0.2, 0.0, 0.3, -0.5]),
    )
    return dataclasses.replace(population, **changed)


def network_of(population: FloatPopulation, weights: np.ndarray) -> FloatNetwork:
    return FloatNetwork(
        (FloatInput("in", len(weights)),),
        (population,),
        (FloatConnection("in", "a", weights),),
    )


def test_each_neuron_has_the_integers_of_a_population_of_its_own() -> None:
    weights = RNG.normal(0.1, 0.4, (10, SIZE))
    weights[0] = 1.5  # the same scale for every neuron alone
    population = differing()
    network, report = quantise(network_of(population, weights))
    [integer], [row] = network.populations, report.populations
    assert integer.per_neuron
    for n in range(SIZE):
        alone = FloatPopulation(
            "a",
            1,
            np.zeros(1),
            decay=float(population.decay[n]),  # type: ignore[index]
            threshold=float(population.threshold[n]),  # type: ignore[index]
            v_reset=float(population.v_reset[n]),  # type: ignore[index]
        )
        [single] = quantise(network_of(alone, weights[:, [n]]))[0].populations
        for name in ("decay", "threshold", "v_reset"):
            if name != "decay" or single.decay >= 64:  # slow ones depend on the threshold
                assert getattr(integer, name)[n] == getattr(single, name)
    assert (row.decay, row.threshold) == (0.0, 0.5)


@pytest.mark.parametrize("reset", [Reset.VALUE, Reset.SUBTRACT])
@pytest.mark.parametrize("synaptic", [False, True])
def test_spikes_are_those_of_the_float_network(reset: Reset, synaptic: bool) -> None:
    """Whole numbers and no leak, so nothing is rounded."""
    weights = np.random.default_rng(4).integers(-40, 60, (10, SIZE)).astype(np.float64)
    weights[0, 0] = 127.0
    net = network_of(
        differing(
            decay=np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0]),
            threshold=np.array([100.0, 50, 80, 120, 60, 90]),
            v_reset=np.array([0.0, -10, 5, 0, -3, 1]),
            synaptic_decay=np.array([1.0, 0, 1, 1, 1, 0]) if synaptic else None,
            reset=reset,
        ),
        weights,
    )
    network, report = quantise(net, state_bits=24)
    events = np.random.default_rng(5).random((5, 40, 10)) < 0.2
    assert saturations(network, events) == {"a": 0}
    [comparison] = compare_float(net, network, report, events).populations
    assert comparison.spikes_float > 50
    assert comparison.agreement == 1.0
    assert comparison.state_max_error == 0.0


@pytest.mark.parametrize("per_neuron", [False, True])
def test_subtraction_that_is_restored(per_neuron: bool) -> None:
    weights = np.random.default_rng(4).integers(-40, 60, (10, SIZE)).astype(np.float64)
    weights[0, 0] = 127.0
    threshold = np.array([100.0, 50, 80, 120, 60, 90]) if per_neuron else 60.0
    net = network_of(
        differing(decay=0.0, threshold=threshold, v_reset=0.0, reset=Reset.RESTORE),
        weights,
    )
    network, _ = quantise(net, state_bits=24)
    assert network.populations[0].reset is Reset.RESTORE
    events = np.random.default_rng(5).random((5, 40, 10)) < 0.2
    assert saturations(network, events) == {"a": 0}
    run, expected = simulate(network, events), simulate_float(net, events)
    assert run.spikes["a"].any()
    assert np.array_equal(run.spikes["a"], expected.spikes["a"])
    assert np.array_equal(run.states["a"], expected.states["a"])
