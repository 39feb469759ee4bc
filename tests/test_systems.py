"""The systems in `examples/`: what each shows, on a few samples, in golden and in RTL."""

import numpy as np
import pytest
from locking import one_at_a_time

import spikeloom
from examples.radix import BITS, Layers, upper_bits
from examples.radix.evaluate import program
from spikeloom.compare import compare


@pytest.mark.parametrize("bits", BITS)
def test_radix_potentials_are_matrix_products(bits: int) -> None:
    """Of images of noise, which use every bit; in the integer model, and a few in the RTL."""
    layers = Layers.load(bits)
    images = np.random.default_rng(bits).integers(0, 256, (40, 28, 28), np.uint8)
    images[:20] //= 5
    pixels = upper_bits(images, bits)
    events = layers.encode(pixels)
    made = program(layers)
    with one_at_a_time("example-radix"):
        result = compare(made, {name: values[[0, 30]] for name, values in events.items()})
    assert result.mismatches == 0, str(result.first)
    products = layers.products(pixels)
    np.testing.assert_array_equal(result.rtl.states["classes"], products[[0, 30]])
    with spikeloom.open(made, backend="golden") as device:
        run = device.run(events)
    np.testing.assert_array_equal(run.states["classes"], products)
    assert run.spikes["hidden"].any()
