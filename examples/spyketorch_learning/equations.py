"""How SpykeTorch learns, in NumPy: with weights of any precision, or in integers as the chip does.

A wave is 1 from a neuron's spike to the end. The kernel of a winner changes by a rate times
(w - lowest) * (highest - w), up where the input's wave is 1 in the step in which it won.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples.spyketorch import SIZE, STEPS, WEIGHT_MAX, Wave
from examples.spyketorch.equations import Winner, above, pooled, potentials, winners
from examples.spyketorch_learning import (
    COURSE,
    COURSES,
    FEATURES,
    PADDING,
    RADII,
    SHRINK,
    THRESHOLDS,
    WINNERS,
    Floats,
    Spikes,
    encode,
    rule,
)
from spikeloom.golden.fixed import Integers
from spikeloom.golden.random_numbers import mixed, random_states

Kernel = NDArray[Any]
"""Of one feature, (channels, rows, columns)."""

Change = Callable[[Kernel, NDArray[np.bool_], int, int], Kernel]
"""What becomes of a kernel: of it, where the wave is 1, the feature and the step."""

Learning = Callable[[Integers, int, Wave, Change], list[Winner]]
"""A way to learn in place: the kernels of a layer, the layer, the wave, and what they become."""


def wave_into(layer: int, sample: Spikes, first: NDArray[Any]) -> Wave:
    """The wave that a layer sees of an image's spikes, (steps, size), with its margin.

    Parameters
    ----------
    first
        The kernels of the first layer.
    """
    wide = SIZE + 2 * PADDING[0]
    wave = np.logical_or.accumulate(sample.reshape(-1, 2, wide, wide), axis=0)
    if layer == 0:
        return wave
    halved = pooled(above(potentials(wave, first, 0), THRESHOLDS[0]) > 0)
    around = (PADDING[1], PADDING[1])
    return np.pad(halved, ((0, 0), (0, 0), around, around))


def learn(kernels: NDArray[Any], layer: int, seen: Wave, change: Change) -> list[Winner]:
    """Learn from a wave: the winners, whose kernels have changed."""
    rows, columns = kernels.shape[2:]
    level = above(potentials(seen, kernels, 0), THRESHOLDS[layer])
    won = winners(level, WINNERS, RADII[layer])
    for step, feature, y, x in won:
        early = seen[step, :, y : y + rows, x : x + columns]
        kernels[feature] = change(kernels[feature], early, feature, step)
    return won


def exactly(rate: float) -> Change:
    """The library's rule, with bounds of 0 and `WEIGHT_MAX`."""

    def change(w: Kernel, early: NDArray[np.bool_], _feature: int, _step: int) -> Kernel:
        rates = np.where(early, rate, -SHRINK * rate)
        return np.clip(w + rates * w * (WEIGHT_MAX - w) / WEIGHT_MAX, 0, WEIGHT_MAX)

    return change


def rounded(rate: float, seed: int, sample: int) -> Change:
    """The same with the chip's rates, product and draws, as docs/hardware.md has them."""
    of_chip = rule(rate)
    up, down = (term.constant for term in of_chip.terms)
    states = random_states(seed, sample, 1, STEPS)[:, 0]

    def change(w: Kernel, early: NDArray[np.bool_], feature: int, step: int) -> Kernel:
        channels, rows, columns = w.shape
        taps = np.arange(rows * columns * channels).reshape(rows, columns, channels)
        keys = taps.transpose(2, 0, 1).astype(np.uint32) | np.uint32(feature // 16 << 16)
        part = feature % 16 << (of_chip.shift - 4)
        draw = (mixed(keys ^ states[step]).astype(np.int64) + part) % (1 << of_chip.shift)
        between = w * (WEIGHT_MAX - w) >> 8
        moved = w + ((np.where(early, up, -down) * between + draw) >> of_chip.shift)
        return np.clip(moved, 0, WEIGHT_MAX)

    return change


def learned(kernels: Sequence[NDArray[Any]], events: Spikes) -> tuple[Floats, Floats]:
    """Both layers after all courses, in floats."""
    layers = [np.array(weights, np.float64) for weights in kernels]
    for number, (layer, rate) in enumerate(COURSES):
        for sample in events[number * COURSE :][:COURSE]:
            learn(layers[layer], layer, wave_into(layer, sample, layers[0]), exactly(rate))
    return layers[0], layers[1]


def features(kernels: Sequence[NDArray[Any]], images: NDArray[np.uint8]) -> Floats:
    """What a read-out sees of each image."""
    seen = []
    for image in images:
        first = wave_into(1, encode(image[np.newaxis])[0], kernels[0])
        second = above(potentials(first, kernels[1], 0), THRESHOLDS[1]) > 0
        seen.append(np.concatenate([wave.mean(axis=0).ravel() for wave in (first, second)]))
    return np.stack(seen)


def spikes_of(won: Sequence[Winner], layer: int) -> NDArray[np.bool_]:
    """Those of winners, (steps, size)."""
    size = SIZE >> layer
    spikes = np.zeros((STEPS, FEATURES[layer], size, size), np.bool_)
    for step, feature, y, x in won:
        spikes[step, feature, y, x] = True
    return spikes.reshape(STEPS, -1)
