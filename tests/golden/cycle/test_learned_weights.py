"""Weights that the cycle-level model learns are those of the step-level model.

Whatever the tiles, the lanes of all kinds, and the order in which events arrive.
"""

import dataclasses
import itertools

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from learning_runs import learned, learning_words
from plastic_network import STDP
from random_learning import WITH_LEARNING, learning_programs
from random_networks import Counts, random_events, seeds

import spikeloom
from spikeloom.golden.convolution import Convolution
from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import SWITCHES, FabricConfig
from spikeloom.golden.step.run import simulate
from spikeloom.program import Program

SMALL = FabricConfig(
    lanes=4,
    state_bits=12,
    sum_bits=24,
    neurons=32,
    weight_words=300,
    axons=20,
    populations=5,
    connections=10,
    queue=16,
    **WITH_LEARNING,
)
"""What networks are drawn for."""

SHAPES = {
    (1, 1): ((4, 1, 0), (8, 1, 1), (8, 2, 4), (16, 8, 0)),
    (2, 1): ((8, 1, 2),),
    (2, 2): ((4, 4, 0), (16, 1, 4)),
}
"""The lanes, fire lanes and lanes that learn with which columns and rows are tried."""

FABRICS = [
    dataclasses.replace(
        SMALL,
        columns=columns,
        rows=rows,
        lanes=lanes,
        fire_lanes=fire_lanes,
        learn_lanes=learn_lanes,
        neurons=96,
        weight_words=1024,
        connections=32,
    )
    for (columns, rows), several in SHAPES.items()
    for lanes, fire_lanes, learn_lanes in several
]


def check(program: Program, counts: Counts, order: int | None) -> int:
    """Compare weights and their changes; returns the number of these."""
    expected = simulate(program.network, counts, learn=True)
    model = CycleModel(program.fabric)
    model.load(program.image.learning())
    model.run(learning_words(program, counts, order).tolist())
    for number, weights in learned(program, model).items():
        np.testing.assert_array_equal(weights, expected.weights[number])
    counters = model.counters
    tiles = range(program.fabric.tiles)
    assert sum(counters[f"updates.{tile}"] for tile in tiles) == expected.updates
    assert sum(counters[f"errors.{tile}"] for tile in tiles) == 0
    return expected.updates


ONCE = settings(phases=[Phase.generate], suppress_health_check=[*HealthCheck])


def test_every_fabric_learns_the_same() -> None:
    updates: list[int] = []

    @given(program=learning_programs(SMALL), seed=seeds())
    @settings(ONCE, max_examples=5)
    def compare(program: Program, seed: int) -> None:
        counts = random_events(np.random.default_rng(seed), program.network, 2, 6, 0.4)
        for number, config in enumerate(FABRICS):
            other = dataclasses.replace(program, fabric=config)
            updates.append(check(other, counts, seed + number if number % 3 else None))

    compare()
    assert np.count_nonzero(updates) > len(updates) / 2


def test_planes_of_eligibilities_are_read_everywhere() -> None:
    updates: list[int] = []
    config = dataclasses.replace(SMALL, eligibility=True, rules=8, weight_words=500)

    @given(program=learning_programs(config), seed=seeds())
    @settings(ONCE, max_examples=4)
    def compare(program: Program, seed: int) -> None:
        counts = random_events(np.random.default_rng(seed), program.network, 2, 6, 0.5)
        if not any(c.plasticity and c.plasticity.eligibility for c in program.network.plastic):
            return
        for number, config in enumerate(FABRICS[::2]):
            fabric = dataclasses.replace(config, eligibility=True, rules=8, weight_words=2048)
            updates.append(check(dataclasses.replace(program, fabric=fabric), counts, number))

    compare()
    assert np.count_nonzero(updates) > len(updates) / 2


KERNELS = dataclasses.replace(
    SMALL,
    extent=5,
    neurons=192,
    weight_words=1200,
    axons=32,
    plastic_kernels=True,
    plastic_axons=256,
)


ROOM = {"neurons": 1024, "weight_words": 4096, "connections": 32}


def test_kernels_learn_the_same_everywhere() -> None:
    updates: list[int] = []

    @given(program=learning_programs(KERNELS), seed=seeds())
    @settings(ONCE, max_examples=5)
    def compare(program: Program, seed: int) -> None:
        if not any(isinstance(c, Convolution) for c in program.network.plastic):
            return
        counts = random_events(np.random.default_rng(seed), program.network, 2, 6, 0.4)
        for number, config in enumerate(FABRICS):
            sizes = {name: getattr(config, name) for name in ("columns", "rows", "lanes")}
            sizes["learn_lanes"] = config.learn_lanes
            fabric = dataclasses.replace(KERNELS, **sizes, **ROOM)
            other = dataclasses.replace(program, fabric=fabric)
            updates.append(check(other, counts, seed + number if number % 3 else None))

    compare()
    assert np.count_nonzero(updates) > len(updates) / 2


OPTIONS = FabricConfig(
    sum_bits=24,
    weight_bits=4,
    neurons=64,
    weight_words=1024,
    axons=40,
    synaptic_current=True,
    signed_spikes=True,
    max_spikes=3,
    graded_bits=2,
    lower_clamp=True,
    sparse_words=100,
    noise_tables=4,
    **dict.fromkeys(SWITCHES, True),
    **WITH_LEARNING,
)


def test_what_else_a_fabric_has_changes_nothing() -> None:
    updates: list[int] = []

    @given(program=learning_programs(OPTIONS), seed=seeds())
    @settings(ONCE, max_examples=8)
    def compare(program: Program, seed: int) -> None:
        rng = np.random.default_rng(seed)
        counts = random_events(rng, program.network, 2, 6, 0.5)
        updates.append(check(program, counts, seed))

    compare()
    assert np.count_nonzero(updates) > len(updates) / 3


def test_one_network_on_1_4_and_16_tiles() -> None:
    """Its parts are in all of them; spikes of each come to all others, in any order."""
    rng = np.random.default_rng(7)
    kernel = rng.integers(-9, 30, (64, 1, 2, 2))
    rule = dataclasses.replace(STDP, post=None, terms=STDP.terms[:1])
    network = Network(
        (Input("in", 9, image=(1, 3, 3)), Input("more", 20)),
        (
            Population("map", 256, np.zeros(256, np.int64), threshold=60, image=(64, 2, 2)),
            Population("all", 64, np.zeros(64, np.int64), threshold=90, decay=300),
        ),
        (
            Convolution("in", "map", kernel, plasticity=rule),
            Connection("more", "all", rng.integers(0, 40, (20, 64)), plasticity=STDP),
            Connection("all", "all", rng.integers(-9, 9, (64, 64)), 1, plasticity=rule),
        ),
        seed=3,
    )
    events = random_events(rng, network, 2, 4, 0.4)
    for number, (side, lanes) in enumerate(itertools.product((1, 2, 4), (4, 8, 16))):
        program = spikeloom.compile(network, {"columns": side, "rows": side, "lanes": lanes})
        assert len({part.tile for part in program.plan.parts}) == min(side**2, 128 // lanes)
        assert check(program, events, number) > 1000
