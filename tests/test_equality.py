"""RTL, cycle-level and step-level golden model do the same.

The RTL and the cycle-level model must agree in every packet, in the clock in which it comes, and
in every counter; the step-level model in every spike, every final state and the synaptic
operations.
"""

import dataclasses
import functools
import itertools
from collections.abc import Collection, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from locking import one_at_a_time
from numpy.typing import NDArray
from random_networks import (
    IMAGES,
    Counts,
    all_events,
    competing_image,
    events,
    image_programs,
    noisy_image,
    odd_rows,
    programs,
    random_events,
    seeds,
    shuffled,
    sizes,
)

from spikeloom.devices.simulated import VerilatorDevice
from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.event_counts import magnitudes
from spikeloom.golden.host import DecodedRun, decode_packets, host_words
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import DECAY_ONE, SWITCHES, FabricConfig, Reset
from spikeloom.golden.step.run import simulate
from spikeloom.golden.switches.selection import LOSERS, THENS, Selection
from spikeloom.program import Program
from spikeloom.sim import cache
from spikeloom.sim.runner import Simulation

FABRICS = {
    "least of everything": FabricConfig(
        lanes=1,
        weight_bits=2,
        state_bits=8,
        sum_bits=8,
        neurons=1,
        weight_words=1,
        slots=1,
        axons=1,
        populations=1,
        connections=1,
        targets=1,
        queue=1,
        counter_bits=16,
    ),
    "one lane, no power of two": FabricConfig(
        multipliers=False,
        lanes=1,
        weight_bits=4,
        state_bits=11,
        sum_bits=12,
        neurons=7,
        weight_words=83,
        slots=3,
        axons=7,
        populations=3,
        connections=9,
        targets=11,
        queue=1,
        counter_bits=17,
    ),
    "odd sizes, wide state": FabricConfig(
        readable=True,
        lanes=3,
        weight_bits=8,
        state_bits=24,
        sum_bits=19,
        neurons=13,
        weight_words=150,
        slots=5,
        axons=9,
        populations=5,
        connections=13,
        targets=19,
        queue=5,
        counter_bits=48,
    ),
    "narrow state, one slot": FabricConfig(
        lanes=8,
        weight_bits=8,
        state_bits=8,
        sum_bits=32,
        neurons=30,
        weight_words=120,
        slots=1,
        axons=20,
        populations=4,
        connections=8,
        targets=12,
        queue=8,
    ),
    "eight lanes": FabricConfig(
        lanes=8,
        weight_bits=4,
        state_bits=16,
        sum_bits=16,
        neurons=64,
        weight_words=512,
        slots=4,
        axons=32,
        populations=8,
        connections=16,
        targets=16,
        queue=16,
    ),
    "sixteen lanes and slots": FabricConfig(
        lanes=16,
        weight_bits=2,
        state_bits=16,
        sum_bits=10,
        neurons=50,
        weight_words=200,
        slots=16,
        axons=50,
        populations=4,
        connections=20,
        targets=24,
        queue=16,
        counter_bits=64,
    ),
}
FEATURES = {
    **dict.fromkeys(SWITCHES, True),
    "noise_tables": 8,
    "doubling": True,
    "schedules": True,
    "synaptic_current": True,
    "weight_pairs": True,
    "delayed_reset": True,
    "lower_clamp": True,
    "signed_spikes": True,
    "fraction_bits": 3,
    "neuron_parameters": True,
    "initial_potentials": True,
    "traces": True,
}
OPTIONS = {
    "synaptic current": dataclasses.replace(
        FABRICS["odd sizes, wide state"], synaptic_current=True
    ),
    "delayed reset, lower clamp, traces": dataclasses.replace(
        FABRICS["one lane, no power of two"], delayed_reset=True, lower_clamp=True, traces=True
    ),
    "several spikes": dataclasses.replace(FABRICS["eight lanes"], max_spikes=7),
    "weight pairs": dataclasses.replace(FABRICS["eight lanes"], weight_pairs=True),
    "restoring reset, fraction bits": dataclasses.replace(
        FABRICS["eight lanes"], delayed_reset=True, fraction_bits=5
    ),
    "parameters of each neuron": dataclasses.replace(
        FABRICS["eight lanes"],
        neuron_parameters=True,
        initial_potentials=True,
        lower_clamp=True,
    ),
    "traces, synaptic current": dataclasses.replace(
        FABRICS["eight lanes"],
        traces=True,
        synaptic_current=True,
        weight_pairs=True,
        max_spikes=3,
        signed_spikes=True,
        graded_bits=3,
        adaptive_threshold=True,
        refractory=True,
        noise=True,
        noise_tables=8,
        fire_lanes=2,
    ),
    "sparse matrices": dataclasses.replace(FABRICS["eight lanes"], sparse_words=300),
    "one to one": dataclasses.replace(FABRICS["eight lanes"], one_to_one=True, weight_pairs=True),
    "one to one, sparse matrices": dataclasses.replace(
        FABRICS["sixteen lanes and slots"],
        one_to_one=True,
        sparse_words=100,
        input_gain=True,
        max_spikes=7,
        signed_spikes=True,
        graded_bits=3,
        fire_lanes=8,
    ),
    "sparse matrices, one lane": dataclasses.replace(
        FABRICS["one lane, no power of two"], sparse_words=83, coordinates=11
    ),
    "schedules": dataclasses.replace(
        FABRICS["eight lanes"],
        schedules=True,
        populations=32,
        refractory=True,
        noise=True,
        noise_tables=8,
        neuron_parameters=True,
        bias_rows=192,
        fire_lanes=8,
    ),
    "switches": dataclasses.replace(
        FABRICS["eight lanes"], noise_tables=8, **dict.fromkeys(SWITCHES, True)
    ),
    "switches that keep something": dataclasses.replace(
        FABRICS["one lane, no power of two"],
        **{name: bool(layout.kept) for name, layout in SWITCHES.items()},
        doubling=True,
    ),
    "all options": dataclasses.replace(
        FABRICS["odd sizes, wide state"], max_spikes=31, sparse_words=64, bias_rows=39, **FEATURES
    ),
}
"""Fabrics built for more than the plain update."""

FABRICS_OF_IMAGES = {
    "images": dataclasses.replace(
        IMAGES,
        fire_lanes=2,
        neuron_parameters=True,
        synaptic_current=True,
        noise=True,
        noise_tables=8,
    ),
    "images, one lane": dataclasses.replace(
        IMAGES,
        lanes=1,
        weight_words=16384,
        weight_pairs=True,
        sum_bits=30,
        max_spikes=3,
        graded_bits=4,
    ),
    "images, all options": dataclasses.replace(
        IMAGES,
        lanes=8,
        sum_bits=30,
        max_spikes=3,
        multipliers=False,
        sparse_words=700,
        readable=True,
        **FEATURES,
    ),
}

EVERY = FABRICS | OPTIONS | FABRICS_OF_IMAGES

# The network that fills it is `full_network`.
FULL = FabricConfig(
    lanes=2,
    weight_bits=4,
    state_bits=8,
    sum_bits=10,
    neurons=5,
    weight_words=20,
    slots=3,
    axons=4,
    populations=2,
    connections=4,
    targets=5,
    queue=2,
    counter_bits=16,
)

PROPERTY = settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
STEPS = 10
"""More than the slots of most fabrics, so that slots are used again."""


@functools.cache
def simulation(config: FabricConfig) -> Simulation:
    """The RTL; built once for all tests."""
    with one_at_a_time(cache.digest(config.to_json())):
        return Simulation(config)


Packets = list[tuple[int, int]]


def run_rtl(image: MemoryImage, words: NDArray[np.uint64]) -> tuple[Packets, dict[str, int]]:
    """Packets with their clocks, and what each counter counted."""
    fabric = simulation(image.config).copy()  # some switches go on with what they kept before
    fabric.load(image)
    before = fabric.counters()
    clocks, packets = fabric.run(words)
    after = fabric.counters()
    fabric.close()
    wrap = 1 << image.config.counter_bits
    counted = {name: (after[name] - before[name]) % wrap for name in after}
    return list(zip(clocks.tolist(), packets.tolist(), strict=True)), counted


def run_cycle_level(
    image: MemoryImage, words: NDArray[np.uint64]
) -> tuple[Packets, dict[str, int]]:
    """The same of the cycle-level model."""
    model = CycleModel(image.config)
    model.load(image)
    return model.run(words.tolist()), model.counters


def assert_equal(
    program: Program, counts: Counts, order: int | None = None, traces: Collection[str] = ()
) -> DecodedRun:
    """Compare all three levels; returns what they did.

    With `order`, the seed of another order, the events of each step are shuffled. `traces`: the
    populations whose states are sent in every step.
    """
    image = program.image.with_traces(traces)
    words = np.concatenate(host_words(image, counts))
    if order is not None:
        words = shuffled(np.random.default_rng(order), words)
    packets, counted = run_rtl(image, words)
    assert (packets, counted) == run_cycle_level(image, words)

    clocks, payloads = np.array(packets, np.uint64).reshape(-1, 2).T
    heard = decode_packets(image, clocks, payloads, *sizes(counts))
    neurons = {name: np.arange(program.network.size(name)) for name in traces}
    graded = program.fabric.graded_bits > 0
    expected = simulate(program.network, counts, traces=neurons, graded=graded)
    assert heard.spikes.keys() == program.record
    assert heard.states.keys() == program.readout
    assert heard.traces.keys() == set(traces)
    assert heard.current_traces.keys() == expected.current_traces.keys()
    for kind in ("traces", "current_traces", "currents"):
        for name, values in getattr(heard, kind).items():
            np.testing.assert_array_equal(values, getattr(expected, kind)[name], f"{kind} {name}")
    for name, spikes in heard.spikes.items():
        np.testing.assert_array_equal(spikes, expected.spikes[name], name)
    for name, states in heard.states.items():
        np.testing.assert_array_equal(states, expected.states[name], name)
    wrap = 1 << image.config.counter_bits
    assert counted["synops.0"] == int(expected.synops.sum()) % wrap
    spikes = sum(int(magnitudes(spikes).sum()) for spikes in expected.spikes.values())
    assert counted["spikes.0"] == spikes % wrap
    assert counted["errors.0"] == 0
    assert counted["cycles"] == packets[-1][0] + 1
    return heard


def networks(config: FabricConfig) -> st.SearchStrategy[Program]:
    return image_programs(config) if config.images else programs(config)


@pytest.mark.parametrize("name", EVERY)
def test_random_networks(name: str) -> None:
    config = EVERY[name]
    simulation(config)
    compared: list[int] = []

    @given(data=st.data(), program=networks(config), order=st.none() | seeds())
    @settings(PROPERTY, max_examples=13 if config.images else 25)
    def check(data: st.DataObject, program: Program, order: int | None) -> None:
        counts = data.draw(events(program.network, 2 * config.slots + 2))
        names = st.sampled_from([p.name for p in program.network.populations])
        traces = data.draw(st.sets(names)) if config.traces else set()
        heard = assert_equal(program, counts, order, traces)
        kinds = (heard.spikes, heard.states, heard.traces, heard.current_traces)
        compared.append(sum(array.size for kind in kinds for array in kind.values()))

    check()
    assert np.count_nonzero(compared) > len(compared) / 2, "hardly anything was compared"


@pytest.mark.parametrize(
    "name",
    [
        *FABRICS,
        "one to one",
        "one to one, sparse matrices",
        "images, one lane",
        "all options",
        "images, all options",
    ],
)
def test_random_words(name: str) -> None:
    """RTL and cycle-level model agree even on words that no host sends.

    Connections and axons that are not there, rows that no mapper writes, events for after the
    sample, samples cut off: what happens is specified, and errors are counted. Only a slot is not
    used twice.
    """
    config = EVERY[name]
    simulation(config)
    errors: list[int] = []

    @given(program=networks(config), seed=seeds())
    @settings(PROPERTY, max_examples=15)
    def check(program: Program, seed: int) -> None:
        rng = np.random.default_rng(seed)
        limits = [1 << field.width for field in config.host_in.fields]
        window = config.control_row.unpack(program.image.control)["window"]
        words = []
        for _ in range(int(rng.integers(1, 100))):
            step, first, ahead, *event = (int(rng.integers(top)) for top in limits)
            if rng.random() < 0.7:
                step = 0
            if not step:
                ahead %= config.slots - window
            names = [field.name for field in config.host_in.fields[3:]]
            fields = dict(zip(names, event, strict=True))
            words.append(
                config.host_in.pack({"step": step, "first": first, "ahead": ahead, **fields})
            )
        played = np.array(words, np.uint64)
        image = odd_rows(rng, program.image)
        rtl = run_rtl(image, played)
        assert rtl == run_cycle_level(image, played)
        errors.append(rtl[1]["errors.0"])

    check()
    assert any(errors)


def test_noise_of_an_image() -> None:
    """Each neuron has random numbers of its own, whatever its channel and position."""
    config = EVERY["images, all options"]
    network, counts = noisy_image(config)
    heard = assert_equal(Program(network, config, frozenset("b"), frozenset("b")), counts)
    spikes = heard.spikes["b"][0]
    assert 0.2 < spikes.mean() < 0.8
    assert len(np.unique(spikes, axis=1).T) > 90


def test_winners_of_positions() -> None:
    """Up to as many at each position as a selection lets through; many candidates are equal."""
    config = EVERY["images, all options"]
    for n, (winners, then) in enumerate(itertools.product((1, 2, 3), THENS)):
        losers = LOSERS[(n + winners) % 3]
        selection = Selection(winners, "position", losers=losers, then=then)
        network, counts = competing_image(config, selection)
        heard = assert_equal(Program(network, config, frozenset("b"), frozenset("b")), counts)
        at_positions = heard.spikes["b"].reshape(2, 8, -1, 6).sum(axis=2)
        assert (at_positions == winners).any()
        if then == "again":
            assert at_positions.max() == winners


@pytest.mark.parametrize("name", FABRICS)
def test_samples_leave_nothing_behind(name: str) -> None:
    """Two samples after each other are the first alone, then the second alone."""
    simulation(FABRICS[name])

    @given(data=st.data(), program=programs(FABRICS[name]), seed=seeds())
    @settings(PROPERTY, max_examples=8)
    def check(data: st.DataObject, program: Program, seed: int) -> None:
        rate = data.draw(st.sampled_from((0.2, 1.0)))
        steps = data.draw(st.integers(1, STEPS))
        rng = np.random.default_rng(seed)
        both = random_events(rng, program.network, 2, steps, rate)
        together = assert_equal(program, both)
        for sample in range(2):
            alone = assert_equal(program, {k: v[sample : sample + 1] for k, v in both.items()})
            for population, spikes in alone.spikes.items():
                np.testing.assert_array_equal(spikes[0], together.spikes[population][sample])
            for population, states in alone.states.items():
                np.testing.assert_array_equal(states[0], together.states[population][sample])

    check()


@pytest.mark.parametrize("name", [n for n, config in EVERY.items() if config.readable])
def test_weights_replaced_between_runs(name: str) -> None:
    """They read back as they are, and the RTL does what the golden model does with them."""
    config = EVERY[name]
    simulation(config)
    replaced: list[bool] = []

    @given(program=networks(config), seed=seeds())
    @settings(PROPERTY, max_examples=12)
    def check(program: Program, seed: int) -> None:
        rng = np.random.default_rng(seed)
        counts = random_events(rng, program.network, 2, STEPS, 0.5)
        with VerilatorDevice(program, workers=1) as device:
            device.run(counts)
            for key, weights in device.weights.items():
                # Towards zero, so that no sum overflows; those of halves can.
                less = (weights * rng.random(weights.shape)).astype(np.int64)
                new = np.where(rng.random(weights.shape) < rng.choice((0.1, 1)), less, weights)
                try:
                    device.weights[key] = new
                except SpikeloomError:
                    new = weights
                assert np.array_equal(device.weights[key], new)
                replaced.append(bool((new != weights).any()))
            run = device.run(counts)
            expected = simulate(device.program.network, counts)
        for heard, states in ((run.spikes, expected.spikes), (run.states, expected.states)):
            for population, values in heard.items():
                np.testing.assert_array_equal(values, states[population], population)
        assert (run.synops, run.errors) == (int(expected.synops.sum()), 0)

    check()
    assert np.mean(replaced) > 0.2


# Directed cases, all on one small fabric.


def program(
    populations: Sequence[Population],
    connections: Sequence[Connection] = (),
    inputs: Sequence[Input] = (Input("in", 3),),
) -> Program:
    """A network on `FULL`, all of it recorded and read out."""
    network = Network(
        tuple(inputs), tuple(populations), tuple(connections), 4, FULL.state_bits, FULL.sum_bits
    )
    names = frozenset(p.name for p in populations)
    return Program(network, FULL, frozenset(p.name for p in populations if p.spiking), names)


def zeros(*shape: int) -> NDArray[np.int64]:
    return np.zeros(shape, np.int64)


def nothing(samples: int, steps: int, size: int = 3) -> Counts:
    return {"in": np.zeros((samples, steps, size), np.uint8)}


def full_network(decay: int = 1000) -> Program:
    """Every memory of `FULL` is exactly full, and the longest delay takes all slots."""
    rng = np.random.default_rng(1)

    def weights(*shape: int, lowest: int = -8) -> NDArray[np.int64]:
        return rng.integers(lowest, 8, shape)

    return program(
        [
            Population("a", 4, np.array([1, 2, 3, 4]), decay=decay, threshold=5, v_reset=-9),
            Population("b", 1, np.array([1]), 1, decay, 3, True, reset=Reset.SUBTRACT, v_init=-20),
        ],
        [
            Connection("in", "a", weights(3, 4)),
            Connection("a", "b", weights(4, 1, lowest=-2)),
            Connection("a", "a", weights(4, 4), delay=1),
            Connection("b", "a", weights(1, 4), delay=2),
        ],
    )


def test_exactly_full_memories() -> None:
    full = full_network()
    image = full.image
    (tile,) = image.tiles
    assert len(tile.biases) == FULL.neurons
    assert len(tile.weights) == FULL.weight_words
    assert len(tile.populations) == FULL.populations
    assert len(tile.connections) == FULL.connections
    assert len(tile.targets) == FULL.targets
    assert max(c.weights.shape[0] for c in full.network.connections) == FULL.axons
    assert full.network.max_delay == FULL.slots - 1
    for rate in (0.3, 1.0):
        counts = random_events(np.random.default_rng(2), full.network, 5, STEPS, rate)
        heard = assert_equal(full, counts)
        assert heard.spikes["a"].any()
        assert heard.spikes["b"].any()


@pytest.mark.parametrize("decay", [0, DECAY_ONE])
def test_all_inputs_in_every_step_and_none(decay: int) -> None:
    full = full_network(decay)
    assert_equal(full, all_events(full.network, 2, STEPS))
    assert_equal(full, nothing(2, STEPS))


def test_the_order_of_events_does_not_matter() -> None:
    full = full_network()
    counts = random_events(np.random.default_rng(3), full.network, 3, STEPS, 0.6)
    straight = assert_equal(full, counts)
    words = np.concatenate(host_words(full.image, counts))
    for order in range(20):
        assert not np.array_equal(shuffled(np.random.default_rng(order), words), words)
        other = assert_equal(full, counts, order)
        for name in straight.spikes:
            np.testing.assert_array_equal(other.spikes[name], straight.spikes[name])
            np.testing.assert_array_equal(other.states[name], straight.states[name])


def test_delays_wrap_around_the_slots() -> None:
    """A spike of step t arrives `delay` steps later in every t, so in every slot."""
    weights = np.array([[1], [2], [4]])
    delayed = program(
        [Population("p", 1, zeros(1), decay=DECAY_ONE, threshold=6)],
        [Connection("in", "p", np.roll(weights, d), delay=d) for d in range(FULL.slots)],
    )
    # Axon 0 weighs 1, 4, 2 after 0, 1, 2 steps: 7 is reached two steps after three in a row.
    counts = nothing(2, STEPS)
    counts["in"][0, :, 0] = 1
    counts["in"][1, 4:7, 0] = 1
    spikes = assert_equal(delayed, counts).spikes["p"][:, :, 0]
    assert np.flatnonzero(spikes[0]).tolist() == list(range(2, STEPS))
    assert np.flatnonzero(spikes[1]).tolist() == [6]


def test_events_due_after_the_last_step_are_lost() -> None:
    late = program(
        [
            Population("a", 1, zeros(1), decay=DECAY_ONE, threshold=1),
            Population("b", 1, zeros(1), threshold=100),
        ],
        [
            Connection("in", "a", np.full((3, 1), 2), delay=1),
            Connection("in", "b", np.full((3, 1), 1), delay=2),
            Connection("a", "b", np.full((1, 1), 5), delay=2),
        ],
    )
    heard = assert_equal(late, all_events(late.network, 3, 4))
    # Into b: 3 of the input in steps 2 and 3, and 5 in step 3 for the spike of step 1.
    assert heard.states["b"].tolist() == [[11]] * 3


@pytest.mark.parametrize(("bias", "rail"), [(100, 127), (-100, -128), (511, 127), (-512, -128)])
def test_states_saturate(bias: int, rail: int) -> None:
    silent = program([Population("p", 2, np.array([bias, 0]), threshold=127)])
    for steps in (1, 2, STEPS):
        value = max(min(bias * steps, 127), -128)
        assert assert_equal(silent, nothing(2, steps)).states["p"].tolist() == [[value, 0]] * 2
    assert value == rail


@pytest.mark.parametrize(
    ("threshold", "bias", "state"),
    [(-128, -100, 28), (-100, 127, 127), (-128, 127, 127), (127, -128, -128), (10, 127, 117)],
)
def test_reset_by_subtraction_saturates(threshold: int, bias: int, state: int) -> None:
    population = Population(
        "p", 1, np.array([bias]), threshold=threshold, inclusive=True, reset=Reset.SUBTRACT
    )
    heard = assert_equal(program([population]), nothing(1, 1))
    assert heard.spikes["p"].tolist() == [[[bias >= threshold]]]
    assert heard.states["p"].tolist() == [[state]]


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize("threshold", [-128, -1, 0, 1, 126])
def test_threshold_equality(threshold: int, inclusive: bool) -> None:
    bias = threshold + np.array([-1, 0, 1])
    population = Population("p", 3, bias, threshold=threshold, inclusive=inclusive)
    heard = assert_equal(program([population]), nothing(1, 1))
    # Below -128 it saturates, and is equal to it.
    equal = [inclusive and threshold == -128, inclusive, True]
    assert heard.spikes["p"].tolist() == [[equal]]


@pytest.mark.parametrize(
    ("reset", "state"), [(Reset.VALUE, -7), (Reset.SUBTRACT, 4), (Reset.NONE, 24)]
)
def test_resets(reset: Reset, state: int) -> None:
    population = Population("p", 1, np.array([24]), threshold=20, reset=reset, v_reset=-7)
    heard = assert_equal(program([population]), nothing(1, 1))
    assert heard.states["p"].tolist() == [[state]]


@pytest.mark.parametrize(
    ("decay", "states"),
    [
        (0, [-11, 11, -128, 127]),
        (DECAY_ONE, [0] * 4),
        (2048, [-5, 5, -64, 63]),
        (1, [-10, 10, -127, 126]),
    ],
)
def test_decay(decay: int, states: list[int]) -> None:
    """Toward zero, from both rails too."""
    for v_init, state in zip((-11, 11, -128, 127), states, strict=True):
        population = Population("p", 1, zeros(1), decay=decay, threshold=127, v_init=v_init)
        assert (
            assert_equal(program([population]), nothing(2, 1)).states["p"].tolist() == [[state]] * 2
        )


def test_populations_that_never_spike() -> None:
    readout = program(
        [
            Population("a", 3, np.array([50, 60, 70]), spiking=False, threshold=-128),
            Population("b", 1, np.array([3]), spiking=False, decay=2048, v_init=10),
        ],
        [Connection("in", "b", np.array([[1], [2], [-4]]))],
    )
    heard = assert_equal(readout, nothing(2, 2))
    assert heard.spikes == {}
    assert heard.states["a"].tolist() == [[100, 120, 127]] * 2
    # 10 -> 5 + 3 -> 4 + 3
    assert heard.states["b"].tolist() == [[7]] * 2


def test_several_events_of_an_axon_in_a_step() -> None:
    counted = program(
        [Population("p", 2, zeros(2), threshold=127)],
        [Connection("in", "p", np.array([[1, -1], [0, 0], [2, 3]]))],
        [Input("in", 3, max_count=40)],
    )
    counts = nothing(1, 1)
    counts["in"][0, 0] = [40, 7, 13]
    assert assert_equal(counted, counts).states["p"].tolist() == [[66, -1]]


def test_the_device_says_the_same() -> None:
    """What users call goes over the same fabric, and chunks do not show."""
    full = full_network()
    counts = random_events(np.random.default_rng(4), full.network, 20, 5, 0.4)
    heard = assert_equal(full, counts)
    with simulation_device(full) as device:
        run = device.run(counts)
    for name in full.record:
        np.testing.assert_array_equal(run.spikes[name], heard.spikes[name])
        np.testing.assert_array_equal(run.states[name], heard.states[name])
    assert run.cycles is not None
    np.testing.assert_array_equal(run.cycles.cumsum(), heard.clocks[:, -1] + 1)
    assert run.errors == 0


def simulation_device(program: Program) -> VerilatorDevice:
    simulation(program.fabric)
    return VerilatorDevice(program, workers=1)
