"""Radix encoding (Wang et al., arXiv:2105.06943): a spike in step t of T stands for 2**(T - 1 - t).

A number of T bits is sent in T steps, the highest bit first. A neuron that reads one doubles its
potential in every step and adds what comes, so after T steps it holds the exact sum of products.
It rounds that to T bits, and sends it in T steps in turn.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.schedule import Variant
from spikeloom.golden.spec import Reset
from spikeloom.golden.switches.requantise import Requantise

FILE = Path(__file__).parent / "radix.npz"

BITS = (4, 6)
"""Numbers of bits, and so of steps, for which the file has a network."""

STATE_BITS, SUM_BITS = 24, 18


@dataclass(frozen=True)
class Layers:
    """A quantised perceptron with one hidden layer.

    Parameters
    ----------
    bits
        T: bits of an input, and of a hidden activation.
    hidden, output
        Weights, shape (inputs, hidden) and (hidden, classes), of 8 bits.
    hidden_bias, output_bias
        Biases, in the unit of the sum of products.
    shift
        Bits that are rounded off from a hidden sum.
    """

    bits: int
    hidden: Integers
    hidden_bias: Integers
    output: Integers
    output_bias: Integers
    shift: int

    @classmethod
    def load(cls, bits: int) -> "Layers":
        """The trained ones for images of so many bits."""
        with np.load(FILE) as file:
            names = ("hidden", f"hidden_bias{bits}", "output", f"output_bias{bits}")
            arrays = [file[name].astype(np.int64) for name in names]
            return cls(bits, *arrays, int(file[f"shift{bits}"]))

    def products(self, pixels: Integers) -> Integers:
        """Its outputs by plain integer matrix products, for inputs of `bits` bits."""
        sums = pixels @ self.hidden + self.hidden_bias
        half = 1 << self.shift >> 1
        activations = (sums + half >> self.shift).clip(0, (1 << self.bits) - 1)
        outputs: Integers = activations @ self.output + self.output_bias
        return outputs


def pixels(images: NDArray[np.uint8], bits: int) -> Integers:
    """The upper bits of images of 8 bits, shape (images, pixels)."""
    return images.reshape(len(images), -1).astype(np.int64) >> (8 - bits)


def steps(bits: int) -> int:
    """Steps of a sample: a window to read, a step to round, and a window to send."""
    return 2 * bits + 1


def encode(numbers: Integers, bits: int) -> NDArray[np.uint8]:
    """Events: each bit in its step, then an axon for the bias of each layer, once.

    Returns
    -------
    array
        Shape (samples, steps, inputs + digits of both biases).
    """
    samples, size = numbers.shape
    events = np.zeros((samples, steps(bits), size + 2), np.uint8)
    for step in range(bits):
        events[:, step, :size] = numbers >> (bits - 1 - step) & 1
    events[:, bits - 1, size] = 1
    events[:, 2 * bits, size + 1] = 1
    return events
