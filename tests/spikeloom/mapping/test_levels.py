"""Both levels of the golden model, joined by the mapping, with every option of the update."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_networks import IMAGES, Counts, events, image_programs, programs

from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.host import decode_packets, host_words
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig, Reset
from spikeloom.golden.step.run import simulate
from spikeloom.mapping.plan import map_network
from spikeloom.program import Program

SMALL = FabricConfig(
    lanes=4,
    state_bits=12,
    sum_bits=20,
    neurons=30,
    weight_words=256,
    slots=3,
    axons=32,
    populations=4,
    connections=8,
    targets=12,
    queue=8,
)
EVERYTHING = {
    "synaptic_current": True,
    "weight_pairs": True,
    "delayed_reset": True,
    "lower_clamp": True,
    "max_spikes": 7,
    "fraction_bits": 12,
    "neuron_parameters": True,
    "initial_potentials": True,
    "traces": True,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "fraction bits": {"fraction_bits": 5},
    "fraction bits, wide sums": {"fraction_bits": 12, "sum_bits": 32, "state_bits": 24},
    "neuron parameters": {"neuron_parameters": True},
    "neuron parameters, currents": {"neuron_parameters": True, "synaptic_current": True},
    "restoring resets": {"delayed_reset": True},
    "traces": {"traces": True},
    "traces, currents": {"traces": True, "synaptic_current": True},
    "everything": EVERYTHING,
    "everything, without multipliers": EVERYTHING | {"multipliers": False},
}


def same_on_both_levels(program: Program, counts: Counts, traces: set[str]) -> None:
    samples, steps = next(iter(counts.values())).shape[:2]
    neurons = {name: np.arange(program.network.size(name)) for name in traces}
    expected = simulate(program.network, counts, traces=neurons)
    image = program.image.with_traces(traces)
    model = CycleModel(program.fabric)
    model.load(image)
    words = np.concatenate(host_words(image, counts)).tolist()
    clocks, out = (np.array(column, np.uint64) for column in zip(*model.run(words), strict=True))
    run = decode_packets(image, clocks, out, samples, steps)
    assert run.states.keys() == program.readout
    assert run.traces.keys() == traces
    synaptic = expected.currents.keys() if program.fabric.traces else set()
    assert run.currents.keys() == program.readout & synaptic
    assert run.current_traces.keys() == traces & synaptic
    for kind in ("spikes", "states", "currents", "traces", "current_traces"):
        for name, values in getattr(run, kind).items():
            np.testing.assert_array_equal(values, getattr(expected, kind)[name], name)
    counters = model.counters
    assert counters["spikes.0"] == sum(int(s.sum()) for s in expected.spikes.values())
    assert counters["synops.0"] == int(expected.synops.sum())
    assert counters["errors.0"] == 0


def traced(program: Program) -> st.SearchStrategy[set[str]]:
    """Populations to trace, if the fabric can."""
    names = [population.name for population in program.network.populations]
    return st.sets(st.sampled_from(names)) if program.fabric.traces else st.just(set())


@pytest.mark.parametrize("name", OPTIONS)
def test_networks_of_matrices(name: str) -> None:
    config = dataclasses.replace(SMALL, **OPTIONS[name])

    @settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
    @given(data=st.data(), program=programs(config))
    def check(data: st.DataObject, program: Program) -> None:
        counts = data.draw(events(program.network, 4))
        same_on_both_levels(program, counts, data.draw(traced(program)))

    check()


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(data=st.data(), everything=st.booleans())
def test_networks_of_images(data: st.DataObject, everything: bool) -> None:
    options = EVERYTHING if everything else {"neuron_parameters": True}
    config = dataclasses.replace(IMAGES, **options)
    program = data.draw(image_programs(config))
    same_on_both_levels(program, data.draw(events(program.network, 2)), data.draw(traced(program)))


@pytest.mark.parametrize(
    "options",
    [
        {"reset": Reset.SUBTRACT, "v_reset": np.array([1, 2])},
        {"reset": Reset.VALUE, "subtrahend": np.array([1, 2])},
        {"spiking": False, "threshold": np.array([1, 2])},
    ],
)
def test_parameters_that_the_update_does_not_read_need_nothing(options: dict[str, Any]) -> None:
    population = Population("a", 2, np.zeros(2, np.int64), **options)
    network = Network(
        (Input("in", 2),), (population,), (Connection("in", "a", np.eye(2, dtype=int)),)
    )
    program = Program(network, FabricConfig(), frozenset(), frozenset({"a"}))
    same_on_both_levels(program, {"in": np.ones((2, 3, 2), np.uint8)}, set())


# What a fabric lacks is named.


@pytest.mark.parametrize(
    ("changed", "message", "remedy"),
    [
        (
            {"fraction_bits": 3},
            "a potential finer than the weights needs fraction_bits=3",
            "fraction_bits=3",
        ),
        (
            {"v_reset": np.array([1, 2])},
            "a different v_reset in each neuron needs neuron_parameters=True",
            "neuron_parameters=True",
        ),
        (
            {"reset": Reset.RESTORE},
            "a reset that is restored needs delayed_reset=True",
            "delayed_reset=True",
        ),
    ],
)
def test_a_fabric_without_an_option_is_refused(
    changed: dict[str, Any], message: str, remedy: str
) -> None:
    population = Population("a", 2, np.zeros(2, np.int64), **changed)
    network = Network((Input("in", 1),), (population,), ())
    with pytest.raises(SpikeloomError) as error:
        map_network(network, FabricConfig(), frozenset(), frozenset())
    assert f"population 'a': {message}; " in str(error.value)
    assert f"use dataclasses.replace(fabric, {remedy})" in str(error.value)
    field = message.partition(" needs ")[2].partition("=")[0]
    config = FabricConfig(**{field: changed.get(field, True)})
    assert map_network(network, config, frozenset(), frozenset()).config == config


def test_equal_parameters_fit_every_fabric() -> None:
    arrays = {"threshold": np.array([5, 5]), "decay": np.array([7, 7])}
    alike, plain = (
        Network((Input("in", 1),), (Population("a", 2, np.zeros(2, np.int64), **values),), ())
        for values in (arrays, {"threshold": 5, "decay": 7})
    )
    images = [
        map_network(network, FabricConfig(), frozenset({"a"}), frozenset())
        for network in (alike, plain)
    ]
    assert images[0] == images[1]
