"""Weights as memristors have them: few levels, and a noise each time that one is read.

A pair of devices holds a weight, one for each sign; the one that is not in use does not conduct.
Noise is in proportion to the conductance.
"""

import numpy as np

from spikeloom.golden.fixed import Integers

LARGEST = 127
"""Of a weight of 8 bits, in whose unit levels and what is read are rounded."""


def quantised(weights: Integers, levels: int) -> Integers:
    """The nearest of so many evenly spaced values, with the spacing of the least squared error.

    They are those of a signed weight of log2(levels) bits, -levels/2..levels/2 - 1 times the
    spacing; with two levels, one of each sign.

    Parameters
    ----------
    weights
        Of 8 bits, any shape.
    levels
        A power of two, >= 2.
    """
    spacings = np.arange(4, LARGEST + 1) * 2 / levels
    rounded = [_nearest(weights, levels, spacing) for spacing in spacings]
    errors = [int(((values - weights) ** 2).sum()) for values in rounded]
    return rounded[int(np.argmin(errors))]


def _nearest(weights: Integers, levels: int, spacing: float) -> Integers:
    numbers = np.rint(weights / spacing).clip(-levels // 2, levels // 2 - 1)
    if levels == 2:
        numbers = np.where(weights < 0, -0.5, 0.5)
    return _whole(numbers * spacing)


def read(weights: Integers, noise: float, rng: np.random.Generator) -> Integers:
    """Weights as they are read: each times 1 + `noise` * n, with n from the normal distribution."""
    return _whole(weights * (1 + noise * rng.standard_normal(weights.shape)))


def _whole(values: np.ndarray) -> Integers:
    return np.rint(values).clip(-LARGEST, LARGEST).astype(np.int64)
