"""Numbers that lie on a common grid, as quantisation-aware training leaves them.

Weights k * g with whole k are integers already: a scale of 1 / g keeps them exact, where a scale
that fills the range of the weights would round them. A file holds them in float32, often multiplied
by a gain, so a number counts as a multiple of g up to a few roundings to float32.
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from spikeloom.importer.linear_maps import Floats, magnitude

TOLERANCE = 2.0**-21
"""Relative distance from a multiple of the grid that rounding to float32 explains."""

SPARE = 8
"""Distinct numbers per grid step that rounding may make, before a grid is ruled out."""


def grid_scale(weights: Sequence[Floats], largest: int) -> Fraction | None:
    """The reciprocal of the coarsest grid on which all `weights` lie, or None without one.

    Parameters
    ----------
    weights
        Arrays of any shape.
    largest
        Largest integer weight: the grid has at most so many steps up to the largest weight.

    Returns
    -------
    scale
        The fraction with the smallest denominator that rounding to float32 cannot tell from the
        exact reciprocal, such as 8 or 10.
    """
    top = max((magnitude(array) for array in weights), default=0.0)
    if top == 0.0:
        return None
    values = _distinct(weights, largest)
    if values is None:
        return None
    steps = np.arange(1, largest + 1, dtype=np.float64)
    for value in values:
        multiples = steps * (value / top)
        steps = steps[np.abs(multiples - np.rint(multiples)) <= TOLERANCE * multiples]
        if not steps.size:
            return None
    exact = int(steps[0]) / Fraction(top)
    margin = Fraction(TOLERANCE) / 2
    return simplest_between(exact * (1 - margin), exact * (1 + margin))


def on_grid(values: Floats, scale: Fraction) -> bool:
    """Whether all `values` are multiples of 1 / `scale`."""
    with np.errstate(over="ignore", invalid="ignore"):  # beyond a float nothing is on a grid
        multiples = np.abs(values) * float(scale)
        return bool((np.abs(multiples - np.rint(multiples)) <= TOLERANCE * multiples).all())


def whole_multiple(value: float, scale: Fraction) -> int | None:
    """`value` * `scale`, where rounding to float32 cannot tell it from an integer."""
    exact = Fraction(value) * scale
    nearest = round(exact)
    return nearest if abs(exact - nearest) <= Fraction(TOLERANCE) * abs(exact) else None


def simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """The fraction in `low`..`high`, both positive, with the smallest denominator."""
    whole = low.__ceil__()
    if whole <= high:
        return Fraction(whole)
    below = whole - 1
    return below + 1 / simplest_between(1 / (high - below), 1 / (low - below))


def _distinct(weights: Sequence[Floats], largest: int) -> Floats | None:
    """Distinct magnitudes but 0; None where they are too many for any grid."""
    limit = SPARE * largest
    values = np.zeros(0)
    for array in weights:
        flat = array.ravel()
        # Trained weights rule a grid out within the first few.
        for part in (flat[: 2 * limit], flat[2 * limit :]):
            values = np.union1d(values, np.abs(part))
            if values.size > limit:
                return None
    return values[values > 0]
