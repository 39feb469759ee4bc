"""Kernels that learn by first spikes: SpykeTorch, arXiv:1903.02440, and what was built like it.

Two convolutional layers learn from images without labels, one after the other. In each image a few
neurons win, the earliest ones; each blocks its own feature and whatever is near, and the kernel of
its feature moves to what it saw: weights whose input has spiked grow, others shrink. A read-out of
the features that come of it, on the host, tells digits.
"""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import spikeloom
from examples.spyketorch import SIZE, STEPS, WEIGHT_MAX, contrasts, latencies
from spikeloom.devices.device import Run
from spikeloom.golden.convolution import Convolution
from spikeloom.golden.fixed import Integers
from spikeloom.golden.learning import Rule, first_spike_stdp
from spikeloom.golden.network import Input, Network, Population
from spikeloom.golden.spec import FabricConfig, Reset
from spikeloom.golden.switches.selection import Selection
from spikeloom.golden.switches.spike_once import SpikeOnce
from spikeloom.program import Program

FILE = Path(__file__).parent / "spyketorch_learning.npz"

LAYERS = "first", "second"
FEATURES = 16, 32
KERNELS = 5, 3
PADDING = 2, 1
"""Rows and columns around the source of a kernel.

They are axons that never spike: so the weights that lead to them shrink, as in the library.
"""
THRESHOLDS = 8 * WEIGHT_MAX, 10 * WEIGHT_MAX
WINNERS, RADII = 5, (3, 1)
"""In an image that a layer learns from, and what a winner blocks."""

COURSE = 100
"""Images that are learned at one rate."""
RATES = 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.15, 0.15, 0.15
"""Of growing weights; others shrink by three quarters of it."""
SHRINK = 0.75

PART = 250
"""Images that are read at once."""

Floats = NDArray[np.float64]
Spikes = NDArray[np.bool_]


def encode(images: NDArray[np.uint8]) -> Spikes:
    """Spikes of the network's input, (images, STEPS, size): those of first spikes, and a margin."""
    waves = np.stack([latencies(image) for image in contrasts(images)])
    around = (PADDING[0], PADDING[0])
    return np.pad(waves, ((0, 0),) * 3 + (around, around)).reshape(len(images), STEPS, -1)


def rule(rate: float) -> Rule:
    """What becomes of a winner's kernel."""
    return first_spike_stdp((0, WEIGHT_MAX), rate, SHRINK * rate)


@dataclass(frozen=True)
class Kernels:
    """Those of both layers, integers 0..`WEIGHT_MAX`, (features, channels, rows, columns)."""

    first: Integers
    second: Integers

    @classmethod
    def untrained(cls, seed: int) -> "Kernels":
        """Around 0.8, as in the library."""
        rng = np.random.default_rng(seed)
        channels = 2, FEATURES[0]
        drawn = (
            rng.normal(0.8, 0.05, (features, sources, size, size)).clip(0, 1)
            for features, sources, size in zip(FEATURES, channels, KERNELS, strict=True)
        )
        return cls(*(np.rint(weights * WEIGHT_MAX).astype(np.int64) for weights in drawn))

    @classmethod
    def load(cls, name: str) -> "Kernels":
        """Those that the chip learned from "all" classes, "half" way in the second layer, or from 0
        to 4 ("split").
        """
        with np.load(FILE) as file:
            return cls(*(file[f"{name}_{layer}"].astype(np.int64) for layer in (0, 1)))

    def __getitem__(self, layer: int) -> Integers:
        return (self.first, self.second)[layer]

    def having(self, layer: int, weights: Integers) -> "Kernels":
        """With other ones in a layer."""
        return replace(self, **{LAYERS[layer]: weights})

    def network(self) -> Network:
        """The network that shows the features: in both layers every neuron can spike, once.

        A pooling neuron spikes with the first of its neurons.
        """
        count, wide, half = len(self.first), SIZE + 2 * PADDING[0], SIZE // 2
        pooled = half + 2 * PADDING[1]
        images = [(count, SIZE, SIZE), (count, pooled, pooled), (len(self.second), half, half)]
        populations = tuple(
            Population(
                name,
                int(np.prod(image)),
                np.zeros(int(np.prod(image)), np.int64),
                phase,
                threshold=threshold,
                reset=Reset.NONE,
                image=image,
                switches=(SpikeOnce(),),
            )
            for phase, (name, image, threshold) in enumerate(
                zip(
                    (LAYERS[0], "pooled", LAYERS[1]),
                    images,
                    (THRESHOLDS[0], 0, THRESHOLDS[1]),
                    strict=True,
                )
            )
        )
        ones = np.ones((count, 1, 2, 2), np.int64)
        around = (2 * PADDING[1], 2 * PADDING[1])
        return Network(
            (Input("image", 2 * wide * wide, image=(2, wide, wide)),),
            populations,
            (
                Convolution("image", "first", self.first),
                Convolution(
                    "first", "pooled", ones, stride=(2, 2), padding=(around, around), groups=count
                ),
                Convolution("pooled", "second", self.second),
            ),
        )

    def learning(self, layer: int, rate: float, seed: int) -> Network:
        """The network in which a layer learns, and ends; `seed` is that of the rounding."""
        network = self.network()
        selection = Selection(WINNERS, radius=RADII[layer], then="silence")
        *before, last = network.populations[: 2 * layer + 1]
        *unchanged, kernel = network.connections[: 2 * layer + 1]
        return replace(
            network,
            populations=(*before, replace(last, switches=(selection, SpikeOnce()))),
            connections=(*unchanged, replace(kernel, plasticity=rule(rate))),
            seed=seed,
        )


@cache
def fabric() -> FabricConfig:
    """A fabric that learns either layer, and runs both."""
    return spikeloom.compile(Kernels.untrained(0).learning(1, RATES[0], 0)).fabric


def program(network: Network) -> Program:
    """A network on that fabric."""
    return spikeloom.compile(network, fabric())


def learn(
    kernels: Kernels, layer: int, rate: float, seed: int, events: Spikes, backend: str = "golden"
) -> tuple[Kernels, Run]:
    """Learn in a layer: what becomes of the kernels, and the run."""
    with spikeloom.open(program(kernels.learning(layer, rate, seed)), backend=backend) as device:
        run = device.run(events, learn=True)
        source = ("image", "pooled")[layer]
        weights = device.weights[f"{source}->{LAYERS[layer]}"]
    return kernels.having(layer, weights), run


COURSES = tuple((layer, rate) for layer in (0, 1) for rate in RATES)
"""Layers and rates, one after the other; the number of a course is the seed of its rounding."""

IMAGES = COURSE * len(COURSES)
"""Of all courses."""


def float_kernels() -> tuple[Floats, Floats]:
    """Those that SpykeTorch's rule learned in floats, 0..`WEIGHT_MAX`."""
    with np.load(FILE) as file:
        return file["floats_0"] * np.float64(WEIGHT_MAX), file["floats_1"] * np.float64(WEIGHT_MAX)


def order(images: int) -> Integers:
    """The order of the training images; the first `IMAGES` are learned."""
    return np.argsort(np.random.PCG64(1).random_raw(images), kind="stable")


def features(kernels: Kernels, images: NDArray[np.uint8]) -> Floats:
    """What a read-out sees of each image: how early pooled and second neurons spike, 0..1."""
    parts = []
    with spikeloom.open(program(kernels.network()), backend="golden") as device:
        for start in range(0, len(images), PART):
            spikes = device.run(encode(images[start : start + PART])).spikes
            waves = [np.logical_or.accumulate(spikes[name], axis=1) for name in READ]
            parts.append(np.concatenate([wave.mean(axis=1) for wave in waves], axis=1))
    return np.concatenate(parts)


READ = "pooled", "second"
"""The populations whose spikes are features."""


@dataclass(frozen=True)
class Readout:
    """Linear discriminants: classes that are normal distributions of one covariance.

    An output needs the mean of its class alone, once the covariance is there. So classes can be
    added without those that are known already.

    Parameters
    ----------
    precision
        The inverse covariance, (features, features).
    means
        Of each class, (classes, features).
    """

    precision: Floats
    means: Floats

    @classmethod
    def of(cls, seen: Floats, classes: Integers, ridge: float = 0.003) -> "Readout":
        """From features and classes, which are 0 to one less than their number."""
        means = _means(seen, classes)
        inside = seen - means[classes]
        covariance = inside.T @ inside / len(seen) + ridge * np.eye(seen.shape[1])
        return cls(np.linalg.inv(covariance), means)

    def with_more(self, seen: Floats, classes: Integers) -> "Readout":
        """With outputs for further classes; those that are there stay what they are."""
        added = _means(seen, classes - len(self.means))
        return replace(self, means=np.concatenate([self.means, added]))

    def __call__(self, seen: Floats) -> Integers:
        """The class of each sample."""
        weights = self.means @ self.precision
        outputs = seen @ weights.T - (weights * self.means).sum(axis=1) / 2
        return outputs.argmax(axis=1)


def _means(seen: Floats, classes: Integers) -> Floats:
    return np.stack([seen[classes == number].mean(axis=0) for number in range(classes.max() + 1)])
