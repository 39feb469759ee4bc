"""Fabrics that learn: RTL and cycle-level model agree on every clock.

Every read and write of weights, every note and trace, and when the steps end; of matrices and of
convolutions, with random rules, random gaps of the host, and events in random order. What they
learn is what the step-level model learns, which `tests/golden/cycle/test_learned_weights.py`
compares.
"""

import dataclasses

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from learning_runs import random_run
from locking import one_at_a_time
from random_learning import WITH_LEARNING, learning_programs
from random_networks import seeds
from soaked import all_but
from test_equality import FEATURES

from spikeloom.golden.spec import FabricConfig
from spikeloom.golden.step.run import simulate
from spikeloom.program import Program
from spikeloom.sim.cosim import check as cosim
from spikeloom.sim.cosim.check import Scenario

EIGHT_LANES = FabricConfig(
    lanes=8,
    state_bits=12,
    sum_bits=20,
    neurons=40,
    weight_words=400,
    axons=24,
    populations=5,
    connections=10,
    queue=12,
    counter_bits=24,
    readable=True,
    stamp_bits=8,
    **WITH_LEARNING,
)
FABRICS = {
    "eight lanes, eligibilities, two ports": dataclasses.replace(
        EIGHT_LANES,
        fire_lanes=2,
        noise=True,
        noise_tables=8,
        eligibility=True,
        rules=8,
        weight_words=800,
        extent=4,
        plastic_kernels=True,
        two_ports=True,
    ),
    "four tiles, sixteen lanes": dataclasses.replace(
        EIGHT_LANES,
        columns=2,
        rows=2,
        lanes=16,
        fire_lanes=4,
        eligibility=True,
        rules=8,
        neurons=64,
        weight_words=800,
        connections=16,
        queue=16,
        counter_bits=20,
        readable=False,
    ),
    "four lanes, kernels, other options": dataclasses.replace(
        EIGHT_LANES,
        lanes=4,
        eligibility=True,
        rules=8,
        weight_bits=4,
        state_bits=14,
        sum_bits=24,
        neurons=96,
        learn_lanes=2,
        weight_words=800,
        extent=4,
        plastic_kernels=True,
        synaptic_current=True,
        max_spikes=3,
        signed_spikes=True,
        adaptive_threshold=True,
        refractory=True,
        noise=True,
        noise_tables=8,
        spike_once=True,
        selection=True,
        readable=False,
        stamp_bits=9,
    ),
}
FABRICS["four tiles, kernels, one fire lane"] = dataclasses.replace(
    FABRICS["four tiles, sixteen lanes"],
    fire_lanes=1,
    learn_lanes=4,
    extent=4,
    plastic_kernels=True,
)
FABRICS["four tiles, two ports, kernels in two passes"] = dataclasses.replace(
    FABRICS["eight lanes, eligibilities, two ports"],
    columns=2,
    rows=2,
    neurons=96,
    connections=16,
    queue=16,
    learn_lanes=4,
)
FABRICS["sixteen lanes in four passes, all switches"] = dataclasses.replace(
    EIGHT_LANES,
    lanes=16,
    learn_lanes=4,
    eligibility=True,
    rules=8,
    state_bits=16,
    sum_bits=30,
    neurons=96,
    weight_words=800,
    populations=16,
    queue=16,
    max_spikes=31,
    sparse_words=64,
    bias_rows=512,
    extent=4,
    plastic_kernels=True,
    **FEATURES,
)
SOAKED = {
    "four tiles, kernels, one fire lane",
    "four tiles, two ports, kernels in two passes",
    "sixteen lanes in four passes, all switches",
}
PAUSES = ({}, {"gap": 0.3, "backpressure": 0.5}, {"gap": 0.9, "load_gap": 0.1})


@pytest.mark.parametrize("name", all_but(FABRICS.keys() - SOAKED, FABRICS))
def test_every_clock_agrees(name: str) -> None:
    config = FABRICS[name]
    programs = 10 if name in SOAKED else len(PAUSES) if config.tiles == 1 else 2
    played = 0

    @given(program=learning_programs(config), seed=seeds())
    @settings(
        max_examples=programs,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    def check(program: Program, seed: int) -> None:
        nonlocal played
        counts, words = random_run(program, seed)
        assume(simulate(program.network, counts, learn=True).updates)
        pauses = PAUSES[played % len(PAUSES)]
        scenario = Scenario(words.tolist(), seed=seed % 1000, reads=100, **pauses)
        with one_at_a_time(f"cosim-learning-{name}"):
            report = cosim.check(program.image.learning(), scenario)
        assert report.difference is None
        assert report.reads == (100 if config.readable else 0)
        played += 1

    check()
    assert played == programs
