"""The system of `examples/snn_rnn`: the update is the paper's, and golden = RTL."""

import numpy as np
import pytest
from example_fabric import TRACED
from locking import one_at_a_time

from examples.snn_rnn import (
    BINS_MS,
    CHANNELS,
    CLASSES,
    WIDTH,
    Layers,
    program,
    rnn_operations,
)
from spikeloom.compare import compare


@pytest.mark.parametrize("bin_ms", BINS_MS)
def test_spikes_are_those_of_the_multiplicative_reset(bin_ms: int) -> None:
    """u = 0.3 u (1 - s) + W x + b in plain integers; on noise as dense as recordings are."""
    layers = Layers.load(bin_ms)
    frames = np.random.default_rng(bin_ms).random((4, 300 // bin_ms, CHANNELS)) < 0.05
    with one_at_a_time("example-traced"):
        result = compare(program(layers, TRACED), frames)
    assert result.mismatches == 0, str(result.first)
    u, s = ([np.zeros((4, size), np.int64) for size in (WIDTH, CLASSES)] for _ in range(2))
    for step, frame in enumerate(frames.transpose(1, 0, 2).astype(np.int64)):
        arriving = frame
        for n in range(2):
            product = u[n] * (1 - s[n])
            kept = np.sign(product) * (np.abs(product) * (4096 - 2867) // 4096)
            u[n] = kept + arriving @ layers.weights[n] + layers.biases[n]
            s[n] = (u[n] > layers.thresholds[n]).astype(np.int64)
            arriving = s[n]
            name = ("hidden", "classes")[n]
            np.testing.assert_array_equal(result.rtl.spikes[name][:, step], s[n])
    hidden = int(result.rtl.spikes["hidden"].sum())
    assert hidden
    assert result.rtl.synops == int(frames.sum()) * WIDTH + hidden * CLASSES


def test_operations_of_a_recurrent_layer() -> None:
    frames = np.zeros((2, 3, CHANNELS), np.bool_)
    frames[0, 1, :8] = True
    every, events = rnn_operations(frames)
    weights = WIDTH * WIDTH + WIDTH * CLASSES
    assert every == 3 * (CHANNELS * WIDTH + weights)
    assert events == 4 * WIDTH + 3 * weights
