"""The Axes to draw into."""

import importlib
from typing import Any

Axes = Any
"""`matplotlib.axes.Axes`, which is not imported for its name."""

COLOURS = ("#2e6fb0", "#c2410c", "#2f8f5b", "#7c2fc4", "#8a6d00", "#55606d")
"""Colours that differ in lightness too."""


def axes_of(ax: Axes | None, width: float = 8.0, height: float = 3.0) -> Axes:
    """`ax`, or those of a new figure of this size in inches."""
    if ax is not None:
        return ax
    pyplot = importlib.import_module("matplotlib.pyplot")
    _, new = pyplot.subplots(figsize=(width, height), layout="constrained")
    new.spines[["top", "right"]].set_visible(False)
    return new
