"""The equations of the network and of its rule in plain integers, one image after the other.

It shares nothing with the golden model: this is how the published Python reads, in units of
1/80, with the differences that README.md lists.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from examples.gupta import (
    BOUNDS,
    FLOOR,
    LEAK,
    LEARNS,
    NEURONS,
    REFRACTORY,
    WINDOW,
    Events,
)

Integers = NDArray[np.int64]

FORGOTTEN = 63
"""Steps after which a spike is as none."""


class Image(NamedTuple):
    """What an image did.

    Parameters
    ----------
    spikes, potentials
        After each step, (steps, neurons).
    weights
        After the image, (pixels, neurons).
    """

    spikes: NDArray[np.bool_]
    potentials: Integers
    weights: Integers


def learn(weights: Integers, events: Events, threshold: int, tables: bool = False) -> Image:
    """Show one image.

    Parameters
    ----------
    weights
        Before it, (pixels, neurons); they do not change.
    events
        Spikes of its pixels, (steps, pixels).
    threshold
        Of the image.
    tables
        Learn as the published Verilog does, by its tables, with every spike.
    """
    w = [[int(value) for value in row] for row in weights]
    potential, wait, spikes_before = [0] * NEURONS, [0] * NEURONS, [0] * NEURONS
    last_of_pixel: dict[int, int] = {}
    last_of_neuron: dict[int, int] = {}
    winner: int | None = None
    spikes, potentials = [], []
    for t, row in enumerate(events):
        spiking = [int(pixel) for pixel in row.nonzero()[0]]
        for j in range(NEURONS):
            if not wait[j]:
                potential[j] -= min(max(potential[j], 0), LEAK)
                potential[j] += sum(w[i][j] for i in spiking)
                if potential[j] < FLOOR:
                    potential[j] = 0
        able = [j for j in range(NEURONS) if not wait[j] and potential[j] > threshold]
        if winner is None and able:
            winner = max(able, key=lambda j: (potential[j], -j))
            potential = [potential[j] if j == winner else 0 for j in range(NEURONS)]
        fired = [j for j in able if j == winner]
        wait = [max(count - 1, 0) for count in wait]
        for j in fired:
            potential[j], wait[j] = 0, REFRACTORY
            if t - last_of_neuron.get(j, -FORGOTTEN) >= FORGOTTEN:
                spikes_before[j] = 0
            spikes_before[j] += 1
            last_of_neuron[j] = t
            if tables:
                _by_table(w, j, t, last_of_pixel, True)
            elif spikes_before[j] <= LEARNS:
                _at_spike(w, j, t, last_of_pixel)
        last_of_pixel.update(dict.fromkeys(spiking, t))
        for j, of_neuron in last_of_neuron.items():
            if tables and t == of_neuron + WINDOW[1] + 1:
                _by_table(w, j, t, last_of_pixel, False)
            elif not tables and t == of_neuron + WINDOW[1] and spikes_before[j] == LEARNS:
                _after_spike(w, j, t, last_of_pixel)
        spikes.append([j in fired for j in range(NEURONS)])
        potentials.append(list(potential))
    return Image(np.array(spikes), np.array(potentials), np.array(w))


def _at_spike(w: list[list[int]], j: int, t: int, last_of_pixel: dict[int, int]) -> None:
    """Weights of pixels that spiked before neuron j does, in step t."""
    for i, of_pixel in last_of_pixel.items():
        if WINDOW[0] <= t - of_pixel <= WINDOW[1]:
            rate = math.floor(122.88 * math.exp(-(t - of_pixel) / 5))
            _move(w[i], j, rate)


def _after_spike(w: list[list[int]], j: int, t: int, last_of_pixel: dict[int, int]) -> None:
    """Weights of pixels that spiked after neuron j did, and of dark ones, 20 steps later."""
    for i, row in enumerate(w):
        age = t - last_of_pixel.get(i, -FORGOTTEN)
        if age >= FORGOTTEN:
            _move(row, j, -122)
        elif WINDOW[0] <= WINDOW[1] - age:
            _move(row, j, math.floor(327.68 * math.exp(-(WINDOW[1] - age) / 8)))


def _by_table(w: list[list[int]], j: int, t: int, last_of_pixel: dict[int, int], up: bool) -> None:
    """Weights of pixels that spiked before neuron j does, or 21 steps before now it did."""
    for i, of_pixel in last_of_pixel.items():
        age = t - of_pixel
        if WINDOW[0] <= age <= WINDOW[1]:
            value = w[i][j]
            if up:
                rate = min(math.floor(491.52 * math.exp(-age / 5)), 255)
                value += (BOUNDS[1] - value) * rate >> 8
            else:
                rate = 19 if age == 2 else math.ceil(204.8 * math.exp(-(21 - age) / 8))
                value += -(value - BOUNDS[0]) * rate >> 8
            w[i][j] = min(max(value, BOUNDS[0]), BOUNDS[1])


def _move(row: list[int], j: int, rate: int) -> None:
    """A weight toward the upper bound, or away from it, by `rate` / 4096 of the distance."""
    moved = row[j] + ((BOUNDS[1] - row[j]) * rate >> 12)
    row[j] = min(max(moved, BOUNDS[0]), BOUNDS[1])
