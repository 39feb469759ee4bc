"""Trains both layers by STDP in NumPy and writes spyketorch.npz.

python -m examples.spyketorch.train mnist.npz

A winner moves its feature: weights whose input spiked before, or with it, grow, and others shrink,
both in proportion to w * (1 - w). The learning rate doubles every 100 images, up to 0.15.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from examples.spyketorch import FILE, THRESHOLDS, WEIGHT_MAX, Features, Wave, encode
from examples.spyketorch.equations import above, pointwise, pooled, potentials, winners

FIRST, SECOND = 8, 16
IMAGES = 900
PADDING = 2, 1

Weights = NDArray[np.float64]


def integers(weights: Weights) -> NDArray[np.int64]:
    """Weights of 0..1 as integers."""
    return np.rint(weights * WEIGHT_MAX).astype(np.int64)


def train(weights: Weights, waves: Iterator[Wave], layer: int) -> Weights:
    """One pass over the waves into a layer."""
    rate, padding = 0.004, PADDING[layer]
    rows, columns = weights.shape[2:]
    for number, wave in enumerate(waves):
        if number % 100 == 99:
            rate = min(2 * rate, 0.15)
        level = pointwise(above(potentials(wave, integers(weights), padding), THRESHOLDS[layer]))
        edges = (padding, padding)
        padded = np.pad(wave, ((0, 0), (0, 0), edges, edges))
        for step, feature, y, x in winners(level):
            early = padded[step, :, y : y + rows, x : x + columns]
            kernel = weights[feature]
            kernel += np.where(early, rate, -0.75 * rate) * kernel * (1 - kernel)
            weights[feature] = kernel.clip(0, 1)
    return weights


def main(data: Path) -> None:
    """Train, and write the file."""
    with np.load(data) as file:
        images = file["x_train"][:IMAGES]
    spikes = encode(images).reshape(len(images), -1, 2, 14, 14)
    waves = [np.logical_or.accumulate(sample, axis=0) for sample in spikes]
    rng = np.random.default_rng(1)
    first = train(rng.normal(0.8, 0.05, (FIRST, 2, 5, 5)).clip(0, 1), iter(waves), 0)
    kernels = integers(first)

    def onward() -> Iterator[Wave]:
        for wave in waves:
            yield pooled(pointwise(above(potentials(wave, kernels, 2), THRESHOLDS[0])) > 0)

    second = train(rng.normal(0.8, 0.05, (SECOND, FIRST, 3, 3)).clip(0, 1), onward(), 1)
    features = Features(kernels, integers(second))
    np.savez_compressed(
        FILE, first=features.first.astype(np.int8), second=features.second.astype(np.int8)
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    main(parser.parse_args().data)
