"""Parameters that differ between neurons, and snnTorch's subtraction, as integers."""

import dataclasses

import numpy as np
import pytest

import spikeloom
from spikeloom.golden.errors import SpikeloomError
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
from spikeloom.importer.switches.adaptive_threshold import FloatAdaptiveThreshold
from spikeloom.importer.switches.refractory import FloatRefractory
from spikeloom.importer.switches.selection import FloatSelection
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
        v_init=np.array([0.3, 0.0, 1.5, -0.2, 0.9, 0.0]),
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
    for n in range(SIZE):
        alone = FloatPopulation(
            "a",
            1,
            np.zeros(1),
            decay=float(population.decay[n]),  # type: ignore[index]
            threshold=float(population.threshold[n]),  # type: ignore[index]
            v_reset=float(population.v_reset[n]),  # type: ignore[index]
            v_init=float(population.v_init[n]),  # type: ignore[index]
        )
        [single] = quantise(network_of(alone, weights[:, [n]]))[0].populations
        for name in ("decay", "threshold", "v_reset", "v_init"):
            assert getattr(integer, name)[n] == getattr(single, name)
    assert row.per_neuron == ("decay", "threshold", "v_reset", "v_init")
    assert row.threshold == 0.5
    # The neuron whose leak is least accurate: that with the slowest.
    assert (row.decay, row.decay_integer) == (0.01, 41)


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
            v_init=np.array([0.0, 99, -40, 70, 1, 100]),
            synaptic_decay=np.array([1.0, 0, 1, 1, 1, 0]) if synaptic else None,
            reset=reset,
        ),
        weights,
    )
    network, report = quantise(net, state_bits=24)
    events = np.random.default_rng(5).random((5, 40, 10)) < 0.2
    assert saturations(network, events) == {"a": 0}
    [comparison] = compare_float(net, network, report, events).populations
    assert comparison.spikes.reference > 50
    assert comparison.spikes.fraction == 1.0
    assert comparison.states.max_error == 0.0


@pytest.mark.parametrize("per_neuron", [False, True])
def test_subtraction_that_is_restored(per_neuron: bool) -> None:
    weights = np.random.default_rng(4).integers(-40, 60, (10, SIZE)).astype(np.float64)
    weights[0, 0] = 127.0
    threshold = np.array([100.0, 50, 80, 120, 60, 90]) if per_neuron else 60.0
    net = network_of(
        differing(decay=0.0, threshold=threshold, v_reset=0.0, v_init=9.0, reset=Reset.RESTORE),
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


def test_integers_that_are_all_the_same_are_shared() -> None:
    population = differing(
        decay=0.1 + 1e-6 * np.arange(SIZE),
        threshold=1.0 + 1e-6 * np.arange(SIZE),
        v_reset=1e-6 * np.arange(SIZE),
        v_init=1e-6 * np.arange(SIZE),
    )
    network, report = quantise(network_of(population, RNG.normal(0.1, 0.4, (10, SIZE))))
    [population] = network.populations
    assert all(
        isinstance(getattr(population, n), int) for n in ("decay", "threshold", "v_reset", "v_init")
    )
    assert report.populations[0].per_neuron == ()


def test_several_spikes_in_a_step_subtract_the_threshold_of_their_neuron() -> None:
    weights = np.random.default_rng(4).integers(0, 60, (10, SIZE)).astype(np.float64)
    weights[0, 0] = 127.0
    thresholds = np.array([30.0, 25, 20, 40, 60, 17])
    population = differing(
        decay=0.0, threshold=thresholds, v_reset=0.0, v_init=9.0, reset=Reset.SUBTRACT, max_spikes=7
    )
    net = network_of(population, weights)
    network, report = quantise(net, state_bits=24)
    events = np.random.default_rng(5).random((5, 40, 10)) < 0.1
    [comparison] = compare_float(net, network, report, events).populations
    assert simulate(network, events).spikes["a"].max() > 3
    assert comparison.spikes.fraction == 1.0
    assert comparison.states.max_error == 0.0
    rounded, _ = quantise(network_of(population, weights * 1.003))
    assert np.array_equal(
        rounded.populations[0].threshold, np.rint(thresholds * 127 / (127 * 1.003))
    )
    with pytest.raises(SpikeloomError, match="less than one step of the weights"):
        quantise(network_of(differing(**vars_of(population, thresholds / 100)), weights))


def vars_of(population: FloatPopulation, threshold: np.ndarray) -> dict[str, object]:
    names = ("decay", "v_reset", "v_init", "reset", "max_spikes")
    return {name: getattr(population, name) for name in names} | {"threshold": threshold}


# Fabrics without parameters of each neuron.


def image_network(thresholds: np.ndarray) -> FloatNetwork:
    """A convolution into two channels of 3 x 3."""
    kernel = Kernel((1, 4, 4), np.random.default_rng(6).normal(0.2, 0.4, (2, 1, 2, 2)))
    population = FloatPopulation(
        "a", 18, np.full(18, 0.01), 0.1, thresholds, image=(2, 3, 3), reset=Reset.SUBTRACT
    )
    return FloatNetwork(
        (FloatInput("in", 16, (1, 4, 4)),), (population,), (FloatConvolution("in", "a", kernel),)
    )


def dense_network(**changed: object) -> FloatNetwork:
    defaults = {"decay": 0.1, "v_reset": 0.0, "v_init": 0.0, "bias": np.full(SIZE, 0.01)}
    population = differing(**(defaults | changed))
    return network_of(population, np.random.default_rng(6).normal(0.1, 0.4, (10, SIZE)))


@pytest.mark.parametrize(
    "net", [dense_network(), image_network(np.repeat([1.0, 0.6], 9))], ids=["dense", "image"]
)
def test_thresholds_are_made_uniform_where_a_fabric_needs_it(net: FloatNetwork) -> None:
    network, report = quantise(net, neuron_parameters=False, state_bits=20, max_fraction_bits=4)
    [population], [row] = network.populations, report.populations
    assert isinstance(population.threshold, int)
    assert row.per_neuron == ()
    threshold = net.populations[0].threshold
    assert np.array_equal(row.gains, threshold.max() / threshold)
    [note] = report.notes
    assert f"scaled by up to {max(row.gains):.3g} to make thresholds uniform" in note
    size = net.inputs[0].size
    events = np.random.default_rng(5).random((10, 50, size)) < 0.3
    [comparison] = compare_float(net, network, report, events).populations
    assert comparison.spikes.reference > 500
    assert comparison.spikes.fraction > 0.98
    assert comparison.states.rms_error < 0.1
    program = spikeloom.compile(net, spikeloom.FabricConfig(extent=4, coordinates=256))
    assert not program.fabric.neuron_parameters


def test_a_switch_that_names_no_potential_leaves_thresholds_uniform() -> None:
    net = dense_network(switches=(FloatRefractory(3),))
    network, report = quantise(net, neuron_parameters=False, state_bits=20, max_fraction_bits=4)
    assert report.populations[0].gains is not None
    events = np.random.default_rng(5).random((10, 50, 10)) < 0.3
    [comparison] = compare_float(net, network, report, events).populations
    assert comparison.spikes.fraction > 0.98


@pytest.mark.parametrize(
    ("net", "names"),
    [
        (dense_network(decay=np.linspace(0, 1, SIZE)), "decay and threshold"),
        (dense_network(synaptic_decay=np.linspace(0, 1, SIZE)), "synaptic_decay and threshold"),
        (dense_network(threshold=1.0, v_reset=np.linspace(0, 0.5, SIZE)), "v_reset"),
        (dense_network(v_reset=0.25), "threshold"),
        (dense_network(v_init=0.25), "threshold"),
        (dense_network(v_min=-0.5), "threshold"),
        (image_network(np.linspace(0.5, 1, 18)), "threshold and subtrahend"),
        (dense_network(switches=(FloatAdaptiveThreshold(0.4, 0.5),)), "threshold"),
        (dense_network(switches=(FloatSelection(),)), "threshold"),
    ],
)
def test_differences_that_no_scaling_removes(net: FloatNetwork, names: str) -> None:
    [row] = quantise(net, neuron_parameters=False)[1].populations
    assert row.per_neuron
    assert row.gains is None
    options = {"synaptic_current": True, "lower_clamp": True, "extent": 4, "coordinates": 256}
    options |= {switch.name: True for switch in net.populations[0].switches}
    fixed = spikeloom.FabricConfig(fraction_bits=12, **options)
    with pytest.raises(SpikeloomError) as error:
        spikeloom.compile(net, fixed)
    assert f"a different {names} in each neuron needs neuron_parameters=True" in str(error.value)
    assert "use dataclasses.replace(fabric, neuron_parameters=True)" in str(error.value)
    for free in (None, dataclasses.replace(fixed, neuron_parameters=True)):
        assert spikeloom.compile(net, free).fabric.neuron_parameters


def test_initial_potentials_that_differ_are_an_option_by_themselves() -> None:
    net = dense_network(threshold=1.0, v_init=np.linspace(0, 0.5, SIZE))
    with pytest.raises(SpikeloomError) as error:
        spikeloom.compile(net, spikeloom.FabricConfig(fraction_bits=12, neuron_parameters=True))
    assert "a different v_init in each neuron needs initial_potentials=True" in str(error.value)
    fabric = spikeloom.compile(net).fabric
    assert (fabric.neuron_parameters, fabric.initial_potentials) == (True, True)


def test_options_of_the_fabric_are_chosen() -> None:
    program = spikeloom.compile(dense_network(reset=Reset.RESTORE))
    assert program.fabric.neuron_parameters
    assert program.fabric.delayed_reset
    assert program.network.populations[0].reset is Reset.RESTORE
    plain = spikeloom.compile(dense_network(reset=Reset.RESTORE, threshold=1.0))
    assert not plain.fabric.neuron_parameters
    assert plain.fabric.delayed_reset
