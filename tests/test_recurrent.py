"""The recurrent network of 16 levels: spikes, beside the discretised network."""

import numpy as np
from locking import one_at_a_time

import spikeloom
from examples.recurrent import TOP, Weights, encode, held_out, rows
from spikeloom.compare import compare
from spikeloom.golden.step.run import simulate


def test_scores_are_those_of_the_discretised_network() -> None:
    """Of all digits that are held out, and of values at random; two of them in RTL."""
    weights = Weights.load()
    values, labels = rows()
    tests = held_out(len(labels))
    noise = np.random.default_rng(1).integers(0, TOP + 1, (20, *values.shape[1:]))
    values = np.concatenate([values[tests], noise])
    scores = weights.scores(values)
    assert (scores[:-20].argmax(axis=1) == labels[tests]).mean() >= 0.95
    network = weights.network()
    run = simulate(network, encode(values))
    np.testing.assert_array_equal(run.states["classes"], scores)
    for connection in network.connections:
        assert -8 <= connection.weights.min() <= connection.weights.max() <= 7
    assert sum(c.weights.shape[0] for c in network.into("hidden")) <= 64
    with one_at_a_time("example-recurrent"):
        result = compare(spikeloom.compile(network), encode(values[[0, -1]]))
    assert result.mismatches == 0, str(result.first)
