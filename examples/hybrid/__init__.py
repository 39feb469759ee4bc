"""Neurons that spike several times a step, with a sign, and keep what is left over.

Spiking ReLUs of NengoDL (Rasmussen, arXiv:1805.11144), and the temporally diffused quantiser of
hybrid-spiking networks (Voelker et al., arXiv:2002.03553): V += w * f(x), n = floor(V), V -= n, and
the output is n / w. With w = 1 that is a quantised activation, with a small w a spike now and then.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from examples.radix import STATE_BITS, Layers
from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import Reset

BITS = 4
"""Bits of a pixel, and of an activation where w is 1."""

MAX_SPIKES = (1 << BITS) - 1

WEIGHTS = (1, 2, 4, 8)
"""1 / w: a spike stands for so many units of a quantised activation."""

SUM_BITS = 20

TOP, SCORE = 22, 6000
"""Above the largest activation, in the units of `examples/radix`, and the largest score of a step
with w = 1, of the training images: so no neuron has to spike more than `MAX_SPIKES` times."""


@dataclass(frozen=True)
class Hybrid:
    """The perceptron of `examples/radix` with activations that are spikes.

    Parameters
    ----------
    layers
        Its weights and biases.
    inverse
        1 / w.
    """

    layers: Layers
    inverse: int = 1

    @property
    def hidden_threshold(self) -> int:
        """What a spike of a hidden neuron stands for, in units of its sum."""
        return self.inverse * -(-(TOP << self.layers.shift) // MAX_SPIKES)

    @property
    def class_threshold(self) -> int:
        """Likewise of the classes."""
        return SCORE // (self.inverse * MAX_SPIKES)

    @property
    def _class_bias(self) -> NDArray[np.float64]:
        """Added to the sums of spikes of a step."""
        layers = self.layers
        unit = (1 << layers.shift) / self.hidden_threshold
        bias: NDArray[np.float64] = layers.units[1] * layers.output_bias * unit
        return bias

    def network(self) -> Network:
        """The spiking network; each image is shown in every step."""
        layers = self.layers
        inputs, hidden = layers.hidden.shape
        spikes = {"inclusive": True, "reset": Reset.SUBTRACT, "max_spikes": MAX_SPIKES}
        class_bias = np.rint(self._class_bias).astype(np.int64)
        return Network(
            (Input("pixels", inputs, MAX_SPIKES),),
            (
                Population(
                    "hidden",
                    hidden,
                    layers.units[0] * layers.hidden_bias,
                    threshold=self.hidden_threshold,
                    v_min=0,
                    **spikes,
                ),
                Population(
                    "classes",
                    layers.output.shape[1],
                    class_bias,
                    1,
                    threshold=self.class_threshold,
                    signed=True,
                    **spikes,
                ),
            ),
            (
                Connection("pixels", "hidden", layers.hidden),
                Connection("hidden", "classes", layers.output),
            ),
            state_bits=STATE_BITS,
            sum_bits=SUM_BITS,
        )

    def rates(self, pixels: Integers) -> NDArray[np.float64]:
        """Spikes a step of each hidden neuron in the rate network: a ReLU of its constant sum."""
        sums = pixels @ self.layers.hidden + self.layers.units[0] * self.layers.hidden_bias
        rates: NDArray[np.float64] = np.maximum(sums, 0) / self.hidden_threshold
        return rates

    def class_rates(self, hidden: NDArray[np.float64]) -> NDArray[np.float64]:
        """Spikes a step of the classes, less than 0 where negative, for these of hidden neurons."""
        bias = np.rint(self._class_bias)
        rates: NDArray[np.float64] = (hidden @ self.layers.output + bias) / self.class_threshold
        return rates


def shown(pixels: Integers, steps: int) -> NDArray[np.uint8]:
    """The events of images, shape (samples, inputs), each shown in so many steps."""
    return np.repeat(pixels[:, np.newaxis].astype(np.uint8), steps, axis=1)
