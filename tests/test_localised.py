"""Random local features: spikes beside matrix products, and what the read-out tells."""

import numpy as np
import pytest
from locking import one_at_a_time

from examples.localised import HIDDEN, PATCH, SIDE, ReadOut, encode, patches
from examples.localised.evaluate import program
from spikeloom.compare import compare
from spikeloom.demo import digits
from spikeloom.golden.step.run import simulate


def test_patches_are_local() -> None:
    """Each hidden neuron's weights lie in a square, and squares differ."""
    weights = patches().dense(HIDDEN).reshape(SIDE, SIDE, HIDDEN)
    corners = set()
    for neuron in range(0, HIDDEN, 10):
        rows, columns = weights[:, :, neuron].nonzero()
        assert np.ptp(rows) < PATCH
        assert np.ptp(columns) < PATCH
        corners.add((rows.min(), columns.min()))
    assert len(corners) > 50
    assert 0.9 < len(patches().weights) / (HIDDEN * PATCH * PATCH) < 1


@pytest.mark.soak
def test_scores_are_matrix_products() -> None:
    """Of 300 images; of two in the RTL too."""
    images, labels = digits(300)
    read_out = ReadOut.load()
    scores = read_out.scores(images)
    run = simulate(read_out.network(), encode(images))
    np.testing.assert_array_equal(run.states["classes"], scores)
    assert (scores.argmax(axis=1) == labels).mean() >= 0.93
    with one_at_a_time("example-localised"):
        result = compare(program(read_out), encode(images[:2]))
    assert result.mismatches == 0, str(result.first)
