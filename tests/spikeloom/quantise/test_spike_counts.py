"""Spike counts of random networks: within 3 % of float, or a warning, at 8-bit weights."""

from typing import Any

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

TOLERANCE = 0.03
LEAST = 100
"""Spikes below which chance is more than 3 %."""


def drawn(seed: int) -> tuple[FloatNetwork, Any]:
    """Neurons that inhibition, excitation or neither drives, slow or fast; and events for them."""
    rng = np.random.default_rng(seed)
    fan_in, size = int(rng.integers(4, 60)), int(rng.integers(4, 24))
    population = FloatPopulation(
        "a",
        size,
        rng.normal(0, 0.02, size) * rng.integers(2),
        decay=float(rng.choice([0, 1 / 2, 1 / 5, 1 / 20, 1 / 100, 1 / 500, 1 / 1000])),
        threshold=1.0,
        reset=(Reset.VALUE, Reset.SUBTRACT)[int(rng.integers(2))],
        synaptic_decay=(None, None, 0.5, 0.1)[int(rng.integers(4))],
    )
    size_of_weights = rng.choice([0.05, 0.2, 1.0])
    mean = 0.5 * size_of_weights * rng.choice([-1, -0.3, 0, 0.3, 1])
    weights = FloatConnection("in", "a", rng.normal(mean, size_of_weights, (fan_in, size)))
    events = rng.random((4, 400, fan_in)) < rng.choice([0.01, 0.05, 0.2])
    return FloatNetwork((FloatInput("in", fan_in),), (population,), (weights,)), events


@pytest.mark.parametrize("calibrated", [False, True])
def test_counts_are_close_or_a_warning_says_why(calibrated: bool) -> None:
    errors = []
    for seed in range(60):
        net, events = drawn(seed)
        expected = int(simulate_float(net, events).spikes["a"].sum())
        if expected < LEAST:
            continue
        network, report = quantise(
            net,
            state_bits=None,
            max_fraction_bits=12,
            calibration=events if calibrated else None,
        )
        error = abs(int(simulate(network, events).spikes["a"].sum()) / expected - 1)
        assert error < TOLERANCE or (report.warnings and not calibrated), seed
        errors.append(error)
    assert len(errors) > 25
    assert np.mean(errors) < 0.01
