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
        Biases of 8 bits, in units of `units`.
    units
        Of the hidden bias and of the output bias, in that of a sum of products, 1..255: the number
        of events that bring the bias.
    shift
        Bits that are rounded off from a hidden sum.
    """

    bits: int
    hidden: Integers
    hidden_bias: Integers
    output: Integers
    output_bias: Integers
    units: tuple[int, int]
    shift: int

    @classmethod
    def load(cls, bits: int) -> "Layers":
        """The trained ones for images of so many bits."""
        with np.load(FILE) as file:
            names = ("hidden", "hidden_bias", "output", "output_bias")
            arrays = [file[f"{name}{bits}"].astype(np.int64) for name in names]
            hidden, output = file[f"units{bits}"].tolist()
            return cls(bits, *arrays, (hidden, output), int(file[f"shift{bits}"]))

    def products(self, pixels: Integers) -> Integers:
        """Its outputs by plain integer matrix products, for inputs of `bits` bits."""
        sums = pixels @ self.hidden + self.units[0] * self.hidden_bias
        half = 1 << self.shift >> 1
        activations = (sums + half >> self.shift).clip(0, (1 << self.bits) - 1)
        outputs: Integers = activations @ self.output + self.units[1] * self.output_bias
        return outputs

    def network(self) -> Network:
        """Its spiking network: potentials of `classes` after the last step are `products`."""
        inputs, hidden = self.hidden.shape
        classes = self.output.shape[1]
        top = (1 << self.bits) - 1
        reads = Variant(decay=-4096, spiking=False)
        rounds = Variant(decay=0, spiking=False, switches=(Requantise(self.shift, top),))
        neurons = Population(
            "hidden",
            hidden,
            np.zeros(hidden, np.int64),
            decay=-4096,
            threshold=top + 1,
            inclusive=True,
            reset=Reset.SUBTRACT,
            variants=(reads, rounds),
        )
        zeros = np.zeros(classes, np.int64)
        first, second = np.array([[1], [0]]), np.array([[0], [1]])  # axons of the bias
        return Network(
            (Input("pixels", inputs), Input("bias", 2, max(self.units))),
            (neurons, Population("classes", classes, zeros, 1, decay=-4096, spiking=False)),
            (
                Connection("pixels", "hidden", self.hidden),
                Connection("bias", "hidden", first * self.hidden_bias),
                Connection("hidden", "classes", self.output),
                Connection("bias", "classes", second * self.output_bias),
            ),
            state_bits=STATE_BITS,
            sum_bits=SUM_BITS,
            schedule=(1,) * self.bits + (2,) + (0,) * self.bits,
        )

    def encode(self, pixels: Integers) -> dict[str, NDArray[np.uint8]]:
        """Events of each input: a bit of each pixel in a step, and the biases, each once.

        Parameters
        ----------
        pixels
            Of `bits` bits, shape (samples, inputs).
        """
        steps = 2 * self.bits + 1
        events = np.zeros((len(pixels), steps, pixels.shape[1]), np.uint8)
        for step in range(self.bits):
            events[:, step] = pixels >> (self.bits - 1 - step) & 1
        bias = np.zeros((len(pixels), steps, 2), np.uint8)
        bias[:, self.bits - 1, 0], bias[:, -1, 1] = self.units
        return {"pixels": events, "bias": bias}


def upper_bits(images: NDArray[np.uint8], bits: int) -> Integers:
    """The upper bits of images of 8 bits, shape (images, pixels)."""
    return images.reshape(len(images), -1).astype(np.int64) >> (8 - bits)
