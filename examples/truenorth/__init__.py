"""Networks for TrueNorth (Esser et al., arXiv:1603.08270): ternary weights on small cores.

Three layers of cores for MNIST: each core reads at most 128 inputs, of its part of the image or of
some cores of the layer before, and neurons of the last layer vote for a class.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from examples.truenorth.core import Core
from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Input, Network, Population
from spikeloom.golden.sparse import SparseConnection

FILE = Path(__file__).parent / "truenorth.npz"

SIDE, PATCH, STRIDE, PLACES = 28, 10, 6, 4
"""Of the image, of the part of it that a core of the first layer reads, and their grid."""
FEATURES = 64
"""Neurons of a core of the first two layers."""
OUTPUTS, CLASSES = 50, 10
"""Neurons of a core of the last layer; neuron n votes for class n mod 10."""
DARKEST = 128
"""Smallest pixel value that is a spike."""


def cores() -> tuple[Integers, Integers, Integers]:
    """The inputs of each core of the three layers, each of shape (cores, inputs of a core)."""
    offsets = STRIDE * np.arange(PLACES)
    window = (SIDE * np.arange(PATCH)[:, np.newaxis] + np.arange(PATCH)).ravel()
    corners = (SIDE * offsets[:, np.newaxis] + offsets).ravel()
    first = corners[:, np.newaxis] + window
    # Half of the features of 2 x 2 neighbours each.
    places = np.arange(PLACES * PLACES).reshape(PLACES, PLACES)
    half = FEATURES // 2
    second = [
        (places[y : y + 2, x : x + 2].reshape(-1, 1) * FEATURES + part * half + np.arange(half))
        for y in range(PLACES - 1)
        for x in range(PLACES - 1)
        for part in range(2)
    ]
    # Every ninth neuron of the second layer, so some of each of its cores.
    neurons = len(second) * FEATURES
    third = np.arange(neurons).reshape(-1, (PLACES - 1) ** 2).T
    return first, np.array(second).reshape(len(second), -1), third


def spikes(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Events of a single tick, (n, 1, pixels)."""
    return images.reshape(len(images), 1, -1) >= DARKEST


@dataclass(frozen=True)
class Layer:
    """Cores side by side.

    Parameters
    ----------
    inputs
        The inputs that each core reads, (cores, inputs of a core).
    weights, bias
        -1, 0 and 1, (cores, inputs of a core, neurons), and integers, (cores, neurons).
    """

    inputs: Integers
    weights: Integers
    bias: Integers

    def __call__(self, values: Integers) -> Integers:
        """Their outputs, 0 or 1, (n, neurons of all cores), for inputs of 0 and 1, (n, inputs)."""
        read = values[:, self.inputs].swapaxes(0, 1).astype(np.float32)  # exact, and faster
        sums = (read @ self.weights.astype(np.float32)).swapaxes(0, 1) + self.bias
        return (sums >= 0).astype(np.int64).reshape(len(values), -1)

    def cores(self) -> list[Core]:
        """Each as TrueNorth has it."""
        return [Core.ternary(w, b) for w, b in zip(self.weights, self.bias, strict=True)]

    def population(self, name: str, phase: int) -> Population:
        """All neurons of the layer."""
        first, *_ = (core.population(name, phase) for core in self.cores())
        return dataclasses.replace(first, size=self.bias.size, bias=self.bias.ravel() + 1)

    def connection(self, source: str, target: str, size: int) -> SparseConnection:
        """The synapses from `size` inputs, zeros left out."""
        count, _, neurons = self.weights.shape
        matrix = np.zeros((size, count * neurons), np.int64)
        for core, (inputs, weights) in enumerate(zip(self.inputs, self.weights, strict=True)):
            matrix[inputs, core * neurons : (core + 1) * neurons] = weights
        return SparseConnection.from_matrix(source, target, matrix)


def load() -> list[Layer]:
    """The trained layers."""
    with np.load(FILE) as file:
        return [
            Layer(inputs, *(file[f"{name}{n}"].astype(np.int64) for name in ("weights", "bias")))
            for n, inputs in enumerate(cores())
        ]


def network(layers: list[Layer]) -> Network:
    """The spiking network: all layers in the same tick."""
    names = ["pixels", *(f"layer{n}" for n in range(len(layers)))]
    sizes = [SIDE * SIDE, *(layer.bias.size for layer in layers)]
    return Network(
        (Input(names[0], sizes[0]),),
        tuple(layer.population(names[n + 1], n) for n, layer in enumerate(layers)),
        tuple(layer.connection(*names[n : n + 2], sizes[n]) for n, layer in enumerate(layers)),
        weight_bits=2,
        state_bits=10,
        sum_bits=10,
    )


def votes(outputs: NDArray[np.generic]) -> Integers:
    """Votes for each class, (n, CLASSES), of the last layer's spikes, (n, neurons)."""
    count: Integers = outputs.reshape(len(outputs), -1, CLASSES).sum(axis=1, dtype=np.int64)
    return count
