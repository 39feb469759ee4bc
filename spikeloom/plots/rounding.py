"""Integers against the floats that they were made from."""

import numpy as np
from numpy.typing import NDArray

from spikeloom.plots.axes import COLOURS, Axes, axes_of


def rounding(
    name: str, floats: NDArray[np.float64], integers: NDArray[np.float64], ax: Axes | None = None
) -> Axes:
    """A dot for each potential, trained across, integer up, in one unit; the diagonal is equality.

    Parameters
    ----------
    name
        The population.
    floats, integers
        Potentials, of one shape.
    """
    axes = axes_of(ax, 4.5, 4.2)
    every = np.concatenate([floats.ravel(), integers.ravel()])
    low, high = float(every.min()), float(every.max())
    axes.axline((low, low), slope=1, color=COLOURS[-1], linewidth=1, linestyle=":")
    axes.plot(floats.ravel(), integers.ravel(), ".", color=COLOURS[0], markersize=4, alpha=0.6)
    error = float(np.sqrt(np.mean((integers - floats) ** 2)))
    axes.set_xlabel("float")
    axes.set_ylabel("integer, in the unit of the floats")
    axes.set_title(f"{name}: final potentials, rms error {error:.3g}", loc="left")
    axes.set_xlim(low, high if high > low else low + 1)
    axes.set_ylim(low, high if high > low else low + 1)
    return axes
