"""The step-level model learns as plain loops from the text of `docs/hardware.md` do."""

import numpy as np
import pytest
from plain_learning import plainly
from random_rules import learning_network

from spikeloom.golden.step.run import simulate


@pytest.mark.parametrize("seed", range(40))
def test_weights_are_those_of_plain_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = learning_network(rng)
    samples, steps = 2, int(rng.choice([1, 9, 12]))
    events = rng.integers(0, 4, (samples, steps, network.size("in"))) * (
        rng.random((samples, steps, network.size("in"))) < 0.3
    )
    expected = plainly(network, {"in": events}, first=seed)
    run = simulate(network, events, first=seed, learn=True)
    for name, spikes in run.spikes.items():
        assert np.array_equal(spikes, expected.spikes[name])
    assert run.updates == expected.updates
    assert {number: w.tolist() for number, w in run.weights.items()} == expected.weights
