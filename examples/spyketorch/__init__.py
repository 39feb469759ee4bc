"""First spikes in a convolutional network (Mozafari et al., arXiv:1903.02440).

An image becomes one spike for each pixel of two filtered channels, early where the contrast is
high. Features of the first layer compete at each position; the first one to spike silences the
others. The second layer reads their pooled spikes, and has a few winners in an image, each of which
blocks its feature and what is near.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from spikeloom.golden.convolution import Convolution
from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Input, Network, Population
from spikeloom.golden.spec import Reset
from spikeloom.golden.switches.selection import Selection
from spikeloom.golden.switches.spike_once import SpikeOnce

FILE = Path(__file__).parent / "spyketorch.npz"

STEPS = 15
"""Bins of intensities, and steps of a sample."""

SIZE = 14
"""Rows and columns of an image."""

WINNERS, RADIUS = 5, 1
"""Of the second layer."""

WEIGHT_MAX = 127
"""The integer that stands for a weight of 1."""

THRESHOLDS = 6 * WEIGHT_MAX, 8 * WEIGHT_MAX
"""Of the features of both layers."""

Wave = NDArray[np.bool_]
"""Spikes, (steps, channels, rows, columns)."""


@dataclass(frozen=True)
class Features:
    """Kernels of both layers, integers 0..`WEIGHT_MAX`, (features, channels, rows, columns)."""

    first: Integers
    second: Integers

    @classmethod
    def load(cls) -> "Features":
        """The trained ones."""
        with np.load(FILE) as file:
            return cls(file["first"].astype(np.int64), file["second"].astype(np.int64))

    def network(self) -> Network:
        """Its spiking network; a pooling neuron spikes with the first of its neurons."""
        count, more = len(self.first), len(self.second)
        half = SIZE // 2
        images = [(2, SIZE, SIZE), (count, SIZE, SIZE), (count, half, half), (more, half, half)]
        selections = (
            (Selection(each="position", then="silence"), SpikeOnce()),
            (SpikeOnce(),),
            (Selection(WINNERS, radius=RADIUS, then="silence"), SpikeOnce()),
        )
        names = ("image", "first", "pooled", "second")
        thresholds = THRESHOLDS[0], 0, THRESHOLDS[1]
        populations = tuple(
            Population(
                name,
                int(np.prod(image)),
                np.zeros(int(np.prod(image)), np.int64),
                phase,
                threshold=threshold,
                reset=Reset.NONE,
                image=image,
                switches=switches,
            )
            for phase, (name, image, threshold, switches) in enumerate(
                zip(names[1:], images[1:], thresholds, selections, strict=True)
            )
        )
        ones = np.ones((count, 1, 2, 2), np.int64)
        return Network(
            (Input(names[0], 2 * SIZE * SIZE, image=images[0]),),
            populations,
            (
                Convolution("image", "first", self.first, padding=((2, 2), (2, 2))),
                Convolution("first", "pooled", ones, stride=(2, 2), groups=count),
                Convolution("pooled", "second", self.second, padding=((1, 1), (1, 1))),
            ),
        )


def contrasts(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Of images of 28 x 28, halved: light spots and dark spots, (images, 2, rows, columns)."""
    halved = images.reshape(len(images), SIZE, 2, SIZE, 2).mean(axis=(2, 4)) / 255
    y, x = np.mgrid[-3:4, -3:4]
    radius = y * y + x * x
    narrow, wide = (np.exp(-radius / (2 * s * s)) / (s * s) for s in (1, 2))
    kernel = narrow - wide
    kernel = (kernel - kernel.mean()) / (kernel - kernel.mean()).max()
    padded = np.pad(halved, ((0, 0), (3, 3), (3, 3)))
    filtered = np.tensordot(sliding_window_view(padded, (7, 7), axis=(1, 2)), kernel, 2)
    both = np.stack([filtered, -filtered], axis=1)
    return np.where(both < 0.05, 0, both)


def latencies(intensities: NDArray[np.float64]) -> Wave:
    """One spike for each pixel, the strongest first, in bins of equal size.

    Pixels without contrast do not spike, nor do the weakest ones that fill no bin. Of equal ones
    the first in the image comes first.

    Parameters
    ----------
    intensities
        (channels, rows, columns).
    """
    flat = intensities.ravel()
    size = np.count_nonzero(flat) // STEPS
    order = np.argsort(-flat, kind="stable")[: size * STEPS]
    wave = np.zeros((STEPS, flat.size), np.bool_)
    wave[np.arange(size * STEPS) // max(size, 1), order] = True
    return wave.reshape(STEPS, *intensities.shape)


def encode(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Spikes of the network's input, (images, steps, size)."""
    return np.stack([latencies(image).reshape(STEPS, -1) for image in contrasts(images)])
