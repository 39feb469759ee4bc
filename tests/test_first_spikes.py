"""First spikes and winners of `examples/spyketorch` are those of the paper's equations."""

import numpy as np
from locking import one_at_a_time

from examples.spyketorch import Features, encode
from examples.spyketorch.equations import infer
from examples.spyketorch.evaluate import differences, program
from spikeloom.compare import compare
from spikeloom.golden.step.run import simulate


def images(count: int) -> np.ndarray:
    """Strokes of light on a dark ground."""
    rng = np.random.default_rng(3)
    drawn = np.zeros((count, 28, 28), np.uint8)
    for image in drawn:
        for _ in range(4):
            y, x = rng.integers(3, 23, 2)
            image[y : y + rng.integers(2, 12), x : x + rng.integers(2, 5)] = rng.integers(90, 255)
    return drawn


def test_spike_times_and_winners() -> None:
    """In the integer model, and of one image, cut short, in the RTL."""
    features = Features.load()
    events = encode(images(12))
    spikes = simulate(features.network(), events).spikes
    assert differences(features, events, spikes, infer) == 0
    assert all(array.sum(axis=1).max() == 1 for array in spikes.values())
    assert spikes["first"].sum() > 100
    assert spikes["second"].sum() > 10
    with one_at_a_time("example-spyketorch"):
        result = compare(program(features), events[:1, :6])
    assert result.mismatches == 0, str(result.first)
    assert result.rtl.spikes["first"].any()
