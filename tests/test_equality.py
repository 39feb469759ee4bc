"""RTL, cycle-level and step-level golden model do the same.

The RTL and the cycle-level model must agree in every packet, in the clock in which it comes, and
in every counter; the step-level model in every spike, every final state and the synaptic
operations.
"""

import functools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from golden.cycle import CycleModel
from golden.host import Heard, hear, host_words
from golden.image import Image
from golden.network import Connection, Input, Network, Population
from golden.spec import DECAY_ONE, FabricConfig, Reset
from golden.step import simulate
from locking import one_at_a_time
from random_networks import (
    Counts,
    all_events,
    events,
    programs,
    random_events,
    seeds,
    shuffled,
    sizes,
)
from sim import cache
from sim.runner import Simulation
from spikeloom.devices import VerilatorDevice
from spikeloom.program import Program

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
# The network that fills it is `full_network`.
FULL = FabricConfig(
    lanes=2,
    weight_bits=4,
    state_bits=8,
    sum_bits=10,
    neurons=5,
    weight_words=21,
    slots=3,
    axons=3,
    populations=2,
    connections=4,
    targets=5,
    queue=2,
    counter_bits=16,
)

PROPERTY = settings(
    derandomize=True,
    deadline=None,
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


def run_rtl(image: Image, words: NDArray[np.uint64]) -> tuple[Packets, dict[str, int]]:
    """Packets with their clocks, and what each counter counted."""
    fabric = simulation(image.config)
    fabric.reset()
    fabric.load(image)
    before = fabric.counters()
    clocks, packets = fabric.run(words)
    after = fabric.counters()
    wrap = 1 << image.config.counter_bits
    counted = {name: (after[name] - before[name]) % wrap for name in after}
    return list(zip(clocks.tolist(), packets.tolist(), strict=True)), counted


def run_cycle_level(image: Image, words: NDArray[np.uint64]) -> tuple[Packets, dict[str, int]]:
    """The same of the cycle-level model."""
    model = CycleModel(image.config)
    model.load(image)
    return model.run(words.tolist()), model.counters


def assert_equal(program: Program, counts: Counts, order: int | None = None) -> Heard:
    """Compare all three levels; returns what they did.

    With `order`, the seed of another order, the events of each step are shuffled.
    """
    image = program.image
    words = np.concatenate(host_words(image, counts))
    if order is not None:
        words = shuffled(np.random.default_rng(order), words)
    packets, counted = run_rtl(image, words)
    assert (packets, counted) == run_cycle_level(image, words)

    clocks, payloads = np.array(packets, np.uint64).reshape(-1, 2).T
    heard = hear(image, clocks, payloads, *sizes(counts))
    expected = simulate(program.network, counts)
    assert heard.spikes.keys() == program.record
    assert heard.states.keys() == program.readout
    for name, spikes in heard.spikes.items():
        np.testing.assert_array_equal(spikes, expected.spikes[name], name)
    for name, states in heard.states.items():
        np.testing.assert_array_equal(states, expected.states[name], name)
    wrap = 1 << image.config.counter_bits
    assert counted["synops"] == expected.synops.sum() % wrap
    assert counted["spikes"] == sum(s.sum() for s in expected.spikes.values()) % wrap
    assert counted["errors"] == 0
    assert counted["cycles"] == packets[-1][0] + 1
    return heard


@pytest.mark.parametrize("name", FABRICS)
def test_random_networks(name: str) -> None:
    config = FABRICS[name]
    played = []

    @given(data=st.data(), program=programs(config), order=st.none() | seeds())
    @PROPERTY
    def check(data: st.DataObject, program: Program, order: int | None) -> None:
        counts = data.draw(events(program.network, STEPS))
        heard = assert_equal(program, counts, order)
        played.append(
            any(spikes.any() for spikes in heard.spikes.values())
            and any(array.any() for array in counts.values())
        )

    check()
    assert sum(played) > len(played) / 10, "hardly any of the networks did anything"


@pytest.mark.parametrize("name", FABRICS)
def test_random_words(name: str) -> None:
    """RTL and cycle-level model agree even on words that no host sends.

    Connections and axons that are not there, events for far too late, samples cut off: what
    happens is specified, and errors are counted.
    """
    config = FABRICS[name]
    errors = []

    @given(program=programs(config), seed=seeds())
    @PROPERTY
    def check(program: Program, seed: int) -> None:
        rng = np.random.default_rng(seed)
        limits = [1 << field.width for field in config.host_in.fields]
        words = []
        for _ in range(int(rng.integers(1, 100))):
            step, first, ahead, connection, index = (int(rng.integers(top)) for top in limits)
            if rng.random() < 0.7:
                step, ahead = 0, ahead % config.slots
            fields = {"first": first, "ahead": ahead, "connection": connection, "index": index}
            words.append(config.host_in.pack({"step": step, **fields}))
        played = np.array(words, np.uint64)
        rtl = run_rtl(program.image, played)
        assert rtl == run_cycle_level(program.image, played)
        errors.append(rtl[1]["errors"])

    check()
    assert any(errors)


@pytest.mark.parametrize("name", FABRICS)
def test_samples_leave_nothing_behind(name: str) -> None:
    """Two samples after each other are the first alone, then the second alone."""

    @given(data=st.data(), program=programs(FABRICS[name]), seed=seeds())
    @settings(PROPERTY, max_examples=20)
    def check(data: st.DataObject, program: Program, seed: int) -> None:
        rate = data.draw(st.sampled_from((0.2, 1.0)))
        steps = data.draw(st.integers(1, STEPS))
        rng = np.random.default_rng(seed)
        both = random_events(rng, program.network, 2, steps, rate)
        together = assert_equal(program, both)
        for sample in range(2):
            alone = assert_equal(program, {k: v[sample : sample + 1] for k, v in both.items()})
            for name, spikes in alone.spikes.items():
                np.testing.assert_array_equal(spikes[0], together.spikes[name][sample])
            for name, states in alone.states.items():
                np.testing.assert_array_equal(states[0], together.states[name][sample])

    check()


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

    def weights(*shape: int) -> NDArray[np.int64]:
        return rng.integers(-8, 8, shape)

    return program(
        [
            Population("a", 4, np.array([1, 2, 3, 4]), decay=decay, threshold=5, v_reset=-9),
            Population("b", 1, np.array([1]), 1, decay, 3, True, reset=Reset.SUBTRACT, v_init=-128),
        ],
        [
            Connection("in", "a", weights(3, 4)),
            Connection("in", "a", weights(3, 4), delay=2),
            Connection("in", "b", weights(3, 1)),
            Connection("in", "b", weights(3, 1), delay=1),
        ],
    )


def test_full_memories() -> None:
    """Neurons, weight words, axons, populations, connections: no row is free."""
    full = full_network()
    image = full.image
    assert len(image.biases) == FULL.neurons
    assert len(image.weights) == FULL.weight_words - 3
    assert len(image.populations) == FULL.populations
    assert len(image.connections) == FULL.connections
    for rate in (0.3, 1.0):
        assert_equal(full, random_events(np.random.default_rng(2), full.network, 5, STEPS, rate))
