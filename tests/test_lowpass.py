"""The low-pass recurrent network: spikes beside its equations; sigma-delta neurons."""

import numpy as np
from locking import one_at_a_time

import spikeloom
from examples.lowpass import DECAY, HIDDEN, UNIT, Weights, sigma_delta
from examples.lowpass.evaluate import ENCODERS, FABRIC, decoding_error, signals
from examples.recurrent import TOP, held_out, rows
from spikeloom.compare import compare
from spikeloom.golden.spec import DECAY_ONE, FabricConfig
from spikeloom.golden.step.run import simulate


def fabric() -> FabricConfig:
    """Of both networks: it is built once."""
    return spikeloom.compile(Weights.load().network_of_changes(), FABRIC).fabric


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
        result = compare(spikeloom.compile(network, fabric()), values[[0, -1]])
    assert result.mismatches == 0, str(result.first)


def test_only_y_is_low_passed_where_it_is_sent_by_sigma_delta() -> None:
    """f's potential is that of x as it is and of y decoded; the class is that of the equations."""
    weights = Weights.load()
    values, labels = rows()
    tests = held_out(len(labels))
    network = weights.network_of_changes()
    kept = np.arange(HIDDEN)
    run = simulate(network, values[tests].astype(np.uint8), traces={"f": kept})
    decoded = np.zeros((tests.sum(), HIDDEN))
    for step in range(values.shape[1]):
        sums = values[tests, step] @ weights.inward + decoded @ weights.recurrent
        assert np.abs(run.traces["f"][:, step] - sums).max() < UNIT
        decoded = decoded * (1 - DECAY / DECAY_ONE) + run.spikes["y"][:, step]
    same = run.states["classes"].argmax(axis=1) == weights.scores(values[tests]).argmax(axis=1)
    assert same.mean() >= 0.98
    with one_at_a_time("example-lowpass"):
        result = compare(spikeloom.compile(network, fabric()), values[[0, -1]].astype(np.uint8))
    assert result.mismatches == 0, str(result.first)


def test_what_is_decoded_is_the_low_passed_signal_within_a_spike() -> None:
    values = signals()
    run = simulate(sigma_delta(ENCODERS), values, traces={"decoder": np.arange(ENCODERS)})
    assert run.spikes["encoder"].min() < 0 < run.spikes["encoder"].max()
    assert 0.5 < decoding_error(run.traces["decoder"], values) < 1.01
