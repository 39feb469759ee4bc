"""Spikes and potentials over the steps of a sample."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.errors import SpikeloomError
from spikeloom.plots.axes import COLOURS, Axes, axes_of

GAP = 0.04
"""Room between two populations in a raster, as a part of all neurons."""


def raster(spikes: Mapping[str, NDArray[Any]], sample: int = 0, ax: Axes | None = None) -> Axes:
    """A mark for each spike: steps across, neurons up, populations above each other.

    Parameters
    ----------
    spikes
        For each population, (samples, steps, neurons).

    Raises
    ------
    SpikeloomError
        There is no spike train, or no such sample.
    """
    if not spikes:
        raise SpikeloomError(
            "raster: the run has no spikes; compile the program with record=[...] of populations "
            "that spike"
        )
    shown = {name: _sample(array, sample) for name, array in spikes.items()}
    axes = axes_of(ax, height=max(2.0, min(6.0, 1.6 * len(spikes))))
    gap = max(1.0, GAP * sum(array.shape[1] for array in shown.values()))
    base = 0.0
    ticks = []
    for n, (name, array) in enumerate(shown.items()):
        step, neuron = np.nonzero(array)
        steps, size = array.shape
        axes.plot(
            step,
            base + neuron,
            linestyle="none",
            marker="|",
            markersize=max(2.0, min(8.0, 120 / size)),
            color=COLOURS[n % len(COLOURS)],
        )
        ticks.append((base + (size - 1) / 2, f"{name}\n{size} neurons"))
        base += size + gap
    axes.set_yticks([place for place, _ in ticks], [label for _, label in ticks])
    axes.set_ylim(-1, base - gap)
    axes.set_xlim(-0.5, steps - 0.5)
    axes.xaxis.set_major_locator(_integers())
    axes.set_xlabel("step")
    axes.set_title(f"Spikes, sample {sample}", loc="left")
    return axes


def trace(
    name: str,
    potentials: NDArray[np.int64],
    neurons: NDArray[np.int64],
    chosen: Sequence[int] | None = None,
    sample: int = 0,
    spikes: NDArray[Any] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Membrane potentials after each step, a line for each neuron and a dot for each spike.

    Parameters
    ----------
    name
        The population.
    potentials, neurons
        (samples, steps, neurons), and the numbers of these neurons.
    chosen
        Neurons to draw; all if None.
    spikes
        (samples, steps, neurons) of the whole population; None draws none.

    Raises
    ------
    SpikeloomError
        A neuron was not traced, or there is no such sample.
    """
    columns = {int(neuron): n for n, neuron in enumerate(neurons)}
    wanted = list(columns) if chosen is None else chosen
    if missing := [neuron for neuron in wanted if neuron not in columns]:
        raise SpikeloomError(
            f"{name}: neuron {missing[0]} was not traced; run with "
            f"traces={{{name!r}: [{missing[0]}]}}"
        )
    values = _sample(potentials, sample)
    axes = axes_of(ax)
    for n, neuron in enumerate(wanted):
        fired = () if spikes is None else np.flatnonzero(spikes[sample, :, neuron])
        axes.plot(
            values[:, columns[neuron]],
            "-" if n < len(COLOURS) else "--",
            label=f"neuron {neuron}",
            color=COLOURS[n % len(COLOURS)],
            linewidth=1.5,
            marker="o",
            markersize=5,
            markevery=list(fired),
        )
    if len(wanted) <= 2 * len(COLOURS):
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.xaxis.set_major_locator(_integers())
    axes.set_xlabel("step")
    axes.set_ylabel("potential, integer units")
    dots = "" if spikes is None else "; dots are spikes"
    axes.set_title(f"Potentials of {name}, sample {sample}{dots}", loc="left")
    return axes


def _integers() -> Any:
    return importlib.import_module("matplotlib.ticker").MaxNLocator(integer=True)


def _sample(values: NDArray[Any], sample: int) -> NDArray[Any]:
    if not 0 <= sample < len(values):
        raise SpikeloomError(f"sample {sample}: the run has samples 0..{len(values) - 1}")
    chosen: NDArray[Any] = values[sample]
    return chosen
