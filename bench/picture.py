"""Draws the picture of the README: `python -m bench.picture`.

Eight digits run through the RTL one after the other, four steps each: their input events, the
spikes of the hidden layer, and the potentials of the ten readout neurons after every step. It is
drawn only if the RTL equals the golden model in all of these.
"""

import importlib.resources
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Plot

from spikeloom.compiler import compile
from spikeloom.demo import DT, EXAMPLE, digits
from spikeloom.devices.backends import open
from spikeloom.examples.mnist import STEPS, encode
from spikeloom.importer.load import load_nir

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "digits.png"
DIGITS = 8
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def run(backend: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Images; input events, hidden spikes and readout potentials, (all steps, neurons) each."""
    images, _ = digits(DIGITS)
    events = encode(images)
    with importlib.resources.as_file(importlib.resources.files(EXAMPLE) / "mnist.nir") as path:
        program = compile(load_nir(path, dt=DT), {"traces": True})
    with open(program, backend) as device:
        result = device.run(events, traces=["readout"])
    rows = events, result.spikes["hidden"], result.traces["readout"]
    events, hidden, potentials = (array.reshape(DIGITS * STEPS, -1) for array in rows)
    return images, events, hidden, potentials


def draw(
    images: np.ndarray, events: np.ndarray, hidden: np.ndarray, potentials: np.ndarray
) -> Plot:
    """The picture."""
    with matplotlib.rc_context(STYLE):
        plot = Plot(figsize=(9, 5.6), dpi=100, layout="constrained")
        axes = plot.subplot_mosaic(
            [[f"digit {n}" for n in range(DIGITS)], *([name] * DIGITS for name in "ihp")],
            height_ratios=(0.8, 1, 1, 1.4),
        )
        for n, image in enumerate(images.reshape(DIGITS, 28, 28)):
            axes[f"digit {n}"].imshow(image, cmap="gray_r")
            axes[f"digit {n}"].set_axis_off()
        for name, spikes, colour in (("i", events, "#666666"), ("h", hidden, "#0072b2")):
            step, neuron = np.nonzero(spikes)
            axes[name].plot(step, neuron, linestyle="none", marker="|", ms=3, color=colour)
            axes[name].set_ylim(-1, spikes.shape[1])
            axes[name].tick_params(labelbottom=False)
        axes["i"].set_ylabel("784 inputs")
        axes["h"].set_ylabel("128 hidden")
        colours = matplotlib.colormaps["tab10"].colors
        for digit in range(potentials.shape[1]):
            for first in range(0, len(potentials), STEPS):  # every digit starts from rest
                part = slice(first, first + STEPS)
                axes["p"].plot(
                    range(first, first + STEPS),
                    potentials[part, digit],
                    ".-",
                    color=colours[digit],
                    label=digit if first == 0 else None,
                )
        axes["p"].set_ylabel("potential of readout")
        axes["p"].set_xlabel("step")
        axes["p"].legend(title="digit", ncols=2, loc="center left", bbox_to_anchor=(1, 0.5))
        for name in "ihp":
            axes[name].set_xlim(-0.5, len(events) - 0.5)
            for boundary in range(STEPS, len(events), STEPS):
                axes[name].axvline(boundary - 0.5, color="#cccccc", linewidth=0.8)
    return plot


def main() -> None:
    """Run both, compare and draw."""
    golden, rtl = run("golden"), run("verilator")
    if any((ours != theirs).any() for ours, theirs in zip(golden, rtl, strict=True)):
        raise SystemExit("the RTL differs from the golden model")
    PICTURE.parent.mkdir(exist_ok=True)
    draw(*rtl).savefig(PICTURE)


if __name__ == "__main__":
    main()
