"""What a page shows of weights that were learned: their histogram, and receptive fields."""

import base64
import importlib
import io
import math
from typing import Any

import numpy as np

from spikeloom.golden.fixed import Integers
from spikeloom.report.records import LearnedWeights

FIELDS = 24
"""Maximum number of targets whose receptive fields are shown: those that changed most."""

BINS = 48
"""Maximum number of bars of a histogram."""

WIDTH, HEIGHT = 560, 140
"""Size of a histogram in pixels."""


def drawn(learned: LearnedWeights) -> dict[str, Any]:
    """The values of the template for a connection."""
    before, after = learned.before, learned.after
    change = np.abs(after - before)
    targets = np.argsort(-change.sum(axis=0), kind="stable")[:FIELDS]
    shape = learned.shape or _square(len(before))
    return {
        "name": learned.name,
        "sentence": (
            f"{int((change > 0).sum()):,} of {change.size:,} weights changed; "
            f"mean {before.mean():.1f} before, {after.mean():.1f} after."
        ),
        "histogram": _histogram(learned),
        "fields": [
            {"target": int(n), **{w: _field(m[:, n], shape, learned.bounds) for w, m in both}}
            for both in [(("before", before), ("after", after))]
            for n in np.sort(targets)
        ],
        "shape": " x ".join(map(str, shape)),
    }


def _square(axons: int) -> tuple[int, int]:
    """A square of the axons, if they are one; else a row."""
    side = math.isqrt(axons)
    return (side, side) if side * side == axons else (1, axons)


def _histogram(learned: LearnedWeights) -> dict[str, Any]:
    """The outlines of both histograms in an SVG, and the range of their axis."""
    low, high = learned.bounds
    count = min(BINS, high - low + 1)
    edges = np.linspace(low, high + 1, count + 1)
    heights = {
        "before": np.histogram(learned.before, edges)[0],
        "after": np.histogram(learned.after, edges)[0],
    }
    most = max(int(values.max()) for values in heights.values())
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "low": low,
        "high": high,
        "most": f"{most:,}",
        **{name: _outline(values, most) for name, values in heights.items()},
    }


def _outline(counts: Integers, most: int) -> str:
    """The path of an SVG around the bars."""
    step = WIDTH / len(counts)
    parts = [f"M0 {HEIGHT}"]
    for n, count in enumerate(counts.tolist()):
        top = HEIGHT - HEIGHT * count / most
        parts.append(f"V{top:.1f}H{(n + 1) * step:.1f}")
    return " ".join((*parts, f"V{HEIGHT}"))


def _field(weights: Integers, shape: tuple[int, int], bounds: tuple[int, int]) -> str:
    """A receptive field as the URI of a picture: red above 0, blue below, white at 0."""
    pyplot = importlib.import_module("matplotlib.image")
    reach = max(abs(bounds[0]), abs(bounds[1]), 1)
    picture = io.BytesIO()
    pyplot.imsave(
        picture, weights.reshape(shape), cmap="RdBu_r", vmin=-reach, vmax=reach, format="png"
    )
    return "data:image/png;base64," + base64.b64encode(picture.getvalue()).decode()
