"""Weights that the cycle-level model learns are those of the step-level model.

Whatever the tiles, the lanes, and the order in which events arrive.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from learning_runs import learned, learning_program, learning_words
from random_learning import WITH_LEARNING, learning_programs
from random_networks import Counts, random_events, seeds
from random_rules import learning_network

from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.network import Network
from spikeloom.golden.spec import SWITCHES, FabricConfig
from spikeloom.golden.step.run import simulate
from spikeloom.program import Program

SHAPES = {(1, 1): (4, 8, 16), (2, 1): (8,), (2, 2): (4, 16)}
"""The lanes with which columns and rows are tried."""


def fabric(columns: int, rows: int, lanes: int) -> FabricConfig:
    return FabricConfig(
        columns=columns,
        rows=rows,
        lanes=lanes,
        state_bits=12,
        sum_bits=24,
        neurons=64,
        weight_words=512,
        slots=4,
        axons=32,
        populations=8,
        queue=16,
        plasticity=True,
        rules=8,
        plastic_axons=96,
        stamp_bits=8,
        quadratic_bounds=True,
    )


FABRICS = [fabric(*shape, lanes) for shape, several in SHAPES.items() for lanes in several]


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


def plastic_networks(count: int) -> list[tuple[Network, Counts]]:
    """Random networks that learn something, with events."""
    chosen = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        network = learning_network(rng)
        rate = float(rng.choice([0.1, 0.4, 0.8]))
        counts = random_events(rng, network, 2, int(rng.integers(2, 9)), rate)
        if network.plastic and simulate(network, counts, learn=True).updates:
            chosen.append((network, counts))
        if len(chosen) == count:
            break
    assert len(chosen) == count
    return chosen


NETWORKS = plastic_networks(12)


@pytest.mark.parametrize("config", FABRICS, ids=lambda c: f"{c.columns}x{c.rows}, {c.lanes} lanes")
def test_every_fabric_learns_the_same(config: FabricConfig) -> None:
    for order, (network, counts) in enumerate(NETWORKS):
        check(learning_program(network, config), counts, order if order % 4 else None)


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
    @settings(max_examples=20, phases=[Phase.generate], suppress_health_check=[*HealthCheck])
    def compare(program: Program, seed: int) -> None:
        rng = np.random.default_rng(seed)
        counts = random_events(rng, program.network, 2, 6, 0.5)
        updates.append(check(program, counts, seed))

    compare()
    assert np.count_nonzero(updates) > len(updates) / 3
