"""A recurrent network as spikes (Diehl et al., arXiv:1601.04187), with delays and 16 levels.

    h[k] = min(max((x[k] @ inward + h[k - 1] @ recurrent) / UNIT rounded half up, 0), TOP)

A value is the number of spikes in a window of `TOP` steps. Neurons add what comes in one window,
and send in the next; what they send to each other takes a delay of one more window.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.schedule import Variant
from spikeloom.golden.spec import Reset

FILE = Path(__file__).parent / "recurrent.npz"

TOP = 15
"""Largest value: 16 levels."""
UNIT = 10
"""What a unit of a value is in a sum of products."""
ROWS, INPUTS, HIDDEN = 8, 9, 48
"""Steps of a sequence; pixels of a row and a constant input; neurons. A neuron has 57 inputs."""


@dataclass(frozen=True)
class Weights:
    """Weights of 16 levels, -8..7.

    Parameters
    ----------
    inward, recurrent, outward
        Shape (INPUTS, HIDDEN), (HIDDEN, HIDDEN) and (HIDDEN, classes).
    """

    file: ClassVar[Path] = FILE

    inward: Integers
    recurrent: Integers
    outward: Integers

    @classmethod
    def load(cls) -> Self:
        """The trained ones."""
        with np.load(cls.file) as file:
            names = ("inward", "recurrent", "outward")
            return cls(*(file[name].astype(np.int64) for name in names))

    def scores(self, values: Integers) -> Integers:
        """Scores of the discretised network, (n, classes), for values (n, steps, INPUTS)."""
        h = np.zeros((len(values), HIDDEN), np.int64)
        for step in range(values.shape[1]):
            sums = values[:, step] @ self.inward + h @ self.recurrent
            h = ((sums + UNIT // 2) // UNIT).clip(0, TOP)
        scores: Integers = h @ self.outward
        return scores

    def network(self) -> Network:
        """Its spiking network: potentials of `classes` after the last step are `scores`."""
        hidden = Population(
            "hidden",
            HIDDEN,
            np.zeros(HIDDEN, np.int64),
            threshold=UNIT - UNIT // 2,  # so n spikes are a sum that rounds to n
            inclusive=True,
            reset=Reset.SUBTRACT,
            subtrahend=UNIT,
            variants=(Variant(decay=4096, spiking=False), Variant(spiking=False)),
        )
        count = self.outward.shape[1]
        classes = Population(
            "classes",
            count,
            np.zeros(count, np.int64),
            1,
            decay=4096,
            spiking=False,
            variants=(Variant(), Variant(), Variant(decay=0)),
        )
        # Reads without what was left, reads, and sends; the scores add what is sent last.
        window = (1, *(2,) * (TOP - 1), *(0,) * TOP)
        return Network(
            (Input("rows", INPUTS),),
            (hidden, classes),
            (
                Connection("rows", "hidden", self.inward),
                Connection("hidden", "hidden", self.recurrent, delay=TOP),
                Connection("hidden", "classes", self.outward),
            ),
            weight_bits=4,
            schedule=window * (ROWS - 1) + (*window[:TOP], *(3,) * TOP),
        )


def rows() -> tuple[Integers, Integers]:
    """The digits of scikit-learn, a row of each in a step, (n, ROWS, INPUTS), and their labels."""
    digits = load_digits()
    values = digits.images.astype(np.int64).clip(0, TOP)
    constant = np.full((*values.shape[:2], 1), TOP)
    return np.concatenate([values, constant], axis=2), digits.target.astype(np.int64)


def held_out(count: int) -> NDArray[np.bool_]:
    """Which of so many samples are not trained on: every fifth."""
    return np.arange(count) % 5 == 0


def encode(values: Integers) -> NDArray[np.bool_]:
    """Events, (n, steps, INPUTS): in each window that is read as many spikes as the value."""
    counts = values[:, :, np.newaxis]
    windows = np.arange(2 * TOP)[:, np.newaxis] < counts
    return windows.reshape(len(values), -1, INPUTS)
