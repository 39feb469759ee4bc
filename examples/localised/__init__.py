"""A hidden layer of random local weights (Illing et al., arXiv:1905.04101), and its read-out.

A hidden neuron reads a square patch of the image at a random place, with random weights that are
never trained; only the read-out is.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Input, Network, Population
from spikeloom.golden.sparse import SparseConnection

FILE = Path(__file__).parent / "localised.npz"

SIDE, PATCH, HIDDEN = 28, 10, 2000
LARGEST = 7
"""Of a random weight."""
THRESHOLD, MAX_SPIKES, MAX_COUNT = 12, 15, 3
SEED = 1


def patches() -> SparseConnection:
    """The random weights of the hidden layer, the same on every machine."""
    words = np.random.PCG64(SEED).random_raw(HIDDEN * (PATCH * PATCH + 2))
    numbers = (words >> np.uint64(32)).astype(np.int64).reshape(HIDDEN, -1)
    rows, columns = (numbers[:, :2] % (SIDE - PATCH + 1)).T
    window = (SIDE * np.arange(PATCH)[:, np.newaxis] + np.arange(PATCH)).ravel()
    pixels = (SIDE * rows + columns)[:, np.newaxis] + window
    matrix = np.zeros((SIDE * SIDE, HIDDEN), np.int64)
    matrix[pixels, np.arange(HIDDEN)[:, np.newaxis]] = numbers[:, 2:] % (2 * LARGEST + 1) - LARGEST
    return SparseConnection.from_matrix("pixels", "hidden", matrix)


def encode(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Events of a single step, (n, 1, pixels): the upper 2 bits of each pixel, so 0..MAX_COUNT."""
    return images.reshape(len(images), 1, -1) >> 6


@dataclass(frozen=True)
class ReadOut:
    """What was trained.

    Parameters
    ----------
    weights, bias
        Shape (HIDDEN, classes), of 8 bits, and (classes,).
    """

    weights: Integers
    bias: Integers

    @classmethod
    def load(cls) -> "ReadOut":
        """The trained one."""
        with np.load(FILE) as file:
            return cls(file["weights"].astype(np.int64), file["bias"].astype(np.int64))

    def network(self) -> Network:
        """The spiking network: potentials of `classes` after the step are the scores."""
        hidden = Population(
            "hidden",
            HIDDEN,
            np.zeros(HIDDEN, np.int64),
            threshold=THRESHOLD,
            max_spikes=MAX_SPIKES,
        )
        return Network(
            (Input("pixels", SIDE * SIDE, MAX_COUNT),),
            (hidden, Population("classes", len(self.bias), self.bias, 1, spiking=False)),
            (patches(), SparseConnection.from_matrix("hidden", "classes", self.weights)),
            state_bits=24,
            sum_bits=24,
        )

    def scores(self, images: NDArray[np.uint8]) -> Integers:
        """The scores by plain integer matrix products, (n, classes)."""
        scores: Integers = features(images).astype(np.int64) @ self.weights + self.bias
        return scores


def features(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The spikes of each hidden neuron, (n, HIDDEN), by a matrix product; whole numbers."""
    sums = encode(images)[:, 0].astype(np.float32) @ patches().dense(HIDDEN).astype(np.float32)
    return (np.ceil(sums / np.float32(THRESHOLD)) - 1).clip(0, MAX_SPIKES)
