"""Batch normalisation through time (Kim and Panda, arXiv:2010.01729): gains of each step.

A layer's input is normalised in each step of time by the mean and variance that its channels have
in that step, and scaled by a gain that was trained for that step. After the training this is a
gain and an offset of each step and channel: `InputGain`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.spec import Reset
from spikeloom.importer.float_network import (
    FloatConnection,
    FloatInput,
    FloatNetwork,
    FloatPopulation,
)
from spikeloom.importer.linear_maps import Floats
from spikeloom.importer.switches.input_gain import FloatInputGain

FILE = Path(__file__).parent / "bntt.npz"

STEPS, LEAK, EPSILON = 20, 0.05, 1e-4


@dataclass(frozen=True)
class Layers:
    """A trained perceptron with one hidden layer.

    Parameters
    ----------
    hidden, output
        Weights, shape (inputs, hidden) and (hidden, classes).
    gains, means, variances
        Of the hidden layer's normalisation, shape (`STEPS`, hidden).
    """

    hidden: Floats
    output: Floats
    gains: Floats
    means: Floats
    variances: Floats

    @classmethod
    def load(cls) -> "Layers":
        """The trained ones; their weights have 8 bits."""
        with np.load(FILE) as file:
            values = {name: file[name].astype(np.float64) for name in file.files}
        scales = values.pop("scales")
        for name, scale in zip(("hidden", "output"), scales, strict=True):
            values[name] = values[name] * scale
        return cls(**values)

    def folded(self) -> FloatInputGain:
        """The normalisation as a gain and an offset of each step."""
        gains = self.gains / np.sqrt(self.variances + EPSILON)
        return FloatInputGain.stated((gains, -gains * self.means), None)

    def network(self) -> FloatNetwork:
        """Its spiking network: a hidden layer whose spikes the classes sum up."""
        inputs, hidden = self.hidden.shape
        classes = self.output.shape[1]
        neurons = FloatPopulation(
            "hidden",
            hidden,
            np.zeros(hidden),
            decay=LEAK,
            threshold=1.0,
            reset=Reset.SUBTRACT,
            switches=(self.folded(),),
        )
        return FloatNetwork(
            (FloatInput("pixels", inputs),),
            (neurons, FloatPopulation("classes", classes, np.zeros(classes), spiking=False)),
            (
                FloatConnection("pixels", "hidden", self.hidden),
                FloatConnection("hidden", "classes", self.output),
            ),
        )

    def unfolded(self, events: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Floats]:
        """Hidden spikes and potentials after each step, by the equations of the training.

        Parameters
        ----------
        events
            Shape (samples, steps, inputs).
        """
        samples, steps, _ = events.shape
        potential = np.zeros((samples, self.hidden.shape[1]))
        potentials = np.empty((samples, steps, self.hidden.shape[1]))
        spikes = np.empty(potentials.shape, np.bool_)
        for step in range(steps):
            t = min(step, STEPS - 1)
            x = events[:, step] @ self.hidden
            normalised = (x - self.means[t]) / np.sqrt(self.variances[t] + EPSILON)
            potential = (1 - LEAK) * potential + self.gains[t] * normalised
            spikes[:, step] = potential > 1
            potential = potential - spikes[:, step]
            potentials[:, step] = potential
        return spikes, potentials


def encode(images: NDArray[np.uint8], seed: int = 1) -> NDArray[np.bool_]:
    """Events of `STEPS` steps: in each a pixel spikes with the probability of its brightness."""
    flat = images.reshape(len(images), 1, -1)
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, 255, (len(images), STEPS, flat.shape[2]), np.uint8)
    events: NDArray[np.bool_] = draws < flat
    return events
