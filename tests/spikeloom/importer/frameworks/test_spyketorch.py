"""Kernels learn as SpykeTorch itself has it; it is on GitHub, miladmozafari/SpykeTorch."""

import numpy as np
import pytest
from nir_frameworks import need

from examples.spyketorch_learning import encode
from examples.spyketorch_learning.equations import exactly, wave_into
from examples.spyketorch_learning.equations import learn as by_equations
from examples.spyketorch_learning.evaluate import before, beside
from examples.spyketorch_learning.original import Library
from spikeloom.demo import digits

need("torch", "PyTorch")
need("SpykeTorch", "SpykeTorch")


@pytest.mark.parametrize(("layer", "count"), [(0, 205), (1, 60)])
def test_winners_and_weights_are_those_of_the_library(layer: int, count: int) -> None:
    result = beside(before(layer), layer, 0.064, 3, encode(digits(count)[0]), Library().learn)
    assert result.updates > 4.9 * count
    assert result.winners == result.weights == 0


@pytest.mark.parametrize("layer", [0, 1])
def test_the_rule_in_floats_is_that_of_the_library(layer: int) -> None:
    weights = before(layer)[layer]
    for sample in encode(digits(10)[0]):
        seen = wave_into(layer, sample, before(layer).first)
        expected = Library().exactly(weights, layer, seen, 0.1)
        ours = weights.astype(np.float64)
        assert by_equations(ours, layer, seen, exactly(0.1))
        np.testing.assert_allclose(ours, expected, atol=1e-5)  # its rates are float32
        weights = np.rint(expected).astype(np.int64)
