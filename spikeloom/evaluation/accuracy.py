"""How many answers are right."""

import numpy as np
from numpy.typing import NDArray

from spikeloom.evaluation.decoding import NONE
from spikeloom.evaluation.labels import Labels


def accuracy(answers: Labels, labels: Labels) -> float:
    """The fraction of the samples whose answer is the label; `NONE` is never right."""
    return float((answers == labels).mean())


def confusion(answers: Labels, labels: Labels, classes: int) -> NDArray[np.int64]:
    """How often each label got each answer, (classes, classes + 1); the last column is `NONE`."""
    counts = np.zeros((classes, classes + 1), np.int64)
    np.add.at(counts, (labels, np.where(answers == NONE, classes, answers)), 1)
    return counts
