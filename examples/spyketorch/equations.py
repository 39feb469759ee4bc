"""The equations of SpykeTorch, in NumPy: potentials of waves that stay up, and who wins.

A wave is 1 from a neuron's spike to the end, so a convolution of it is the potential, step by step.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from examples.spyketorch import RADIUS, THRESHOLDS, WINNERS, Features, Wave
from spikeloom.golden.fixed import Integers

Winner = tuple[int, int, int, int]
"""Step, feature, row and column."""


def potentials(wave: Wave, kernels: Integers, padding: int) -> Integers:
    """(steps, features, rows, columns)."""
    edges = (padding, padding)
    padded = np.pad(wave.astype(np.float32), ((0, 0), (0, 0), edges, edges))
    windows = sliding_window_view(padded, kernels.shape[2:], axis=(2, 3))
    sums = np.tensordot(windows, kernels.astype(np.float32), axes=((1, 4, 5), (1, 2, 3)))
    return np.moveaxis(sums, -1, 1).astype(kernels.dtype)


def above(potential: Integers, threshold: int) -> Integers:
    """Potentials above the threshold; 0 for others."""
    return np.where(potential > threshold, potential, 0)


def pointwise(thresholded: Integers) -> Integers:
    """At each position only the feature that is first above the threshold is left.

    Of those in the same step it is the one with the highest potential, then the first.
    """
    steps = len(thresholded)
    first = steps - np.count_nonzero(thresholded.any(axis=1), axis=0)  # steps: nobody
    step = np.minimum(first, steps - 1)[np.newaxis, np.newaxis]
    best = np.take_along_axis(thresholded, step, axis=0)[0].argmax(axis=0)
    left = np.arange(thresholded.shape[1])[:, np.newaxis, np.newaxis] == best
    return thresholded * left


def pooled(wave: Wave) -> Wave:
    """The first spike of 2 x 2 positions."""
    steps, channels, rows, columns = wave.shape
    return wave.reshape(steps, channels, rows // 2, 2, columns // 2, 2).any(axis=(3, 5))


def winners(thresholded: Integers, most: int = WINNERS, radius: int = RADIUS) -> list[Winner]:
    """One after the other: the earliest, then the highest potential, then the first in order."""
    steps = len(thresholded)
    times = steps - np.count_nonzero(thresholded, axis=0)
    at = np.minimum(times, steps - 1)[np.newaxis]
    level = np.take_along_axis(thresholded, at, axis=0)[0]
    # An earlier step counts more than any potential.
    total = np.where(times < steps, (steps - times) * (int(level.max()) + 1) + level, 0)
    result: list[Winner] = []
    while len(result) < most and total.any():
        feature, y, x = (int(n) for n in np.unravel_index(total.argmax(), total.shape))
        result.append((int(times[feature, y, x]), feature, y, x))
        total[feature] = 0
        rows, columns = (slice(max(n - radius, 0), n + radius + 1) for n in (y, x))
        total[:, rows, columns] = 0
    return result


def infer(features: Features, spikes: Wave) -> tuple[Wave, list[Winner]]:
    """Waves of the first layer, and the winners of the second one.

    Parameters
    ----------
    spikes
        Of the image: one for each pixel, (steps, channels, rows, columns).
    """
    wave = np.logical_or.accumulate(spikes, axis=0)
    first = pointwise(above(potentials(wave, features.first, 2), THRESHOLDS[0])) > 0
    second = above(potentials(pooled(first), features.second, 1), THRESHOLDS[1])
    return first, winners(second)


def first_spikes(wave: Wave) -> NDArray[np.bool_]:
    """The spikes by which a wave rises."""
    return wave & ~np.concatenate([np.zeros_like(wave[:1]), wave[:-1]])
