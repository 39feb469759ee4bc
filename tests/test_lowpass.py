"""The low-pass recurrent network: spikes beside its equations; sigma-delta neurons."""

import numpy as np
from locking import one_at_a_time

import spikeloom
from examples.lowpass import Weights, sigma_delta
from examples.lowpass.evaluate import ENCODERS, FABRIC, decoding_error, signals
from examples.recurrent import TOP, held_out, rows
from spikeloom.compare import compare
from spikeloom.golden.step.run import simulate


def test_scores_are_those_of_the_equations() -> None:
    """Of all digits that are held out, and of values at random; two of them in RTL."""
    weights = Weights.load()
    values, labels = rows()
    tests = held_out(len(labels))
    noise = np.random.default_rng(1).integers(0, TOP + 1, (20, *values.shape[1:]))
    values = np.concatenate([values[tests], noise]).astype(np.uint8)
    scores = weights.scores(values.astype(np.int64))
    assert (scores[:-20].argmax(axis=1) == labels[tests]).mean() >= 0.95
    network = weights.network()
    np.testing.assert_array_equal(simulate(network, values).states["classes"], scores)
    with one_at_a_time("example-lowpass"):
        result = compare(spikeloom.compile(network, FABRIC), values[[0, -1]])
    assert result.mismatches == 0, str(result.first)


def test_what_is_decoded_is_the_low_passed_signal_within_a_spike() -> None:
    values = signals()
    run = simulate(sigma_delta(ENCODERS), values, traces={"decoder": np.arange(ENCODERS)})
    assert run.spikes["encoder"].min() < 0 < run.spikes["encoder"].max()
    assert 0.5 < decoding_error(run.traces["decoder"], values) < 1.01
