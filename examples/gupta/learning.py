"""Learning from images on a device, and what it made of the neurons."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from examples.gupta import (
    CONNECTION,
    FILE,
    NEURONS,
    Events,
    encode,
    network,
    rule,
    thresholds,
)
from spikeloom.devices.device import Device
from spikeloom.golden.fixed import Integers
from spikeloom.golden.step.run import simulate

BATCH = 1000
"""Images that are classified together, for the sake of memory."""


class Learning(NamedTuple):
    """What some images did, one after the other.

    Parameters
    ----------
    spikes, potentials
        After each step, (images, steps, neurons).
    weights
        After each image, (images, pixels, neurons).
    cycles
        Clocks of each image; empty if the device has none.
    """

    spikes: NDArray[np.bool_]
    potentials: Integers
    weights: Integers
    cycles: Integers


def learn(device: Device, events: Events, watched: bool = True) -> Learning:
    """Show images to a device that learns; the host writes the threshold of each.

    Unless `watched` there are no potentials, and weights after the last image only.
    """
    spikes, potentials, weights = [], [], []
    cycles: list[int] = []
    for sample, threshold in zip(events, thresholds(events), strict=True):
        device.set_threshold("neurons", threshold)
        run = device.run(sample[np.newaxis], learn=True, traces=["neurons"] if watched else None)
        spikes.append(run.spikes["neurons"][0])
        if watched:
            potentials.append(run.traces["neurons"][0])
            weights.append(device.weights[CONNECTION])
        cycles += [] if run.cycles is None else run.cycles.tolist()
    if not watched:
        weights.append(device.weights[CONNECTION])
    return Learning(np.array(spikes), np.array(potentials), np.array(weights), np.array(cycles))


def winners(spikes: NDArray[np.bool_]) -> Integers:
    """The neuron that spiked in each image, of (images, steps, neurons); -1 if none did."""
    counts = spikes.sum(axis=1)
    return np.where(counts.any(axis=1), counts.argmax(axis=1), -1)


def wins(chosen: Integers, labels: Integers, classes: tuple[int, ...]) -> Integers:
    """How many images of each class each neuron won, (classes, neurons)."""
    neurons = np.arange(NEURONS)
    return np.array([(chosen[labels == c][:, np.newaxis] == neurons).sum(axis=0) for c in classes])


@dataclass(frozen=True)
class Learned:
    """What was learned from images of some classes.

    Parameters
    ----------
    weights
        Shape (pixels, neurons).
    wins
        Images of each class that each neuron won in the second half, (classes, neurons).
    classes
        The classes.
    """

    weights: Integers
    wins: Integers
    classes: tuple[int, ...]

    @classmethod
    def load(cls) -> "Learned":
        """What train.py made."""
        with np.load(FILE) as file:
            weights, table, classes = (file[name].astype(int) for name in cls.__annotations__)
        return cls(weights, table, tuple(classes.tolist()))

    @classmethod
    def of(cls, run: Learning, labels: Integers, classes: tuple[int, ...]) -> "Learned":
        """What a run did with images of these labels."""
        half = len(labels) // 2
        return cls(
            run.weights[-1], wins(winners(run.spikes[half:]), labels[half:], classes), classes
        )

    @property
    def neurons(self) -> list[int]:
        """For each class the neuron that won the most of its images."""
        return [int(neuron) for neuron in self.wins.argmax(axis=1)]

    def correlations(self, images: NDArray[np.uint8], labels: Integers) -> list[float]:
        """Of the weights of each of these neurons with the mean image of its class."""
        return [
            float(
                np.corrcoef(self.weights[:, neuron], images[labels == c].mean(axis=0).ravel())[0, 1]
            )
            for neuron, c in zip(self.neurons, self.classes, strict=True)
        ]

    def classify(self, images: NDArray[np.uint8]) -> Integers:
        """The class of which the winner of each image won the most; -1 without a winner."""
        parts = [self._winners(images[n : n + BATCH]) for n in range(0, len(images), BATCH)]
        chosen = np.concatenate(parts)
        of_neuron = np.array(self.classes)[self.wins.argmax(axis=0)]
        return np.where(chosen < 0, -1, of_neuron[chosen])

    def _winners(self, images: NDArray[np.uint8]) -> Integers:
        """The winner of each image; those of one threshold run together."""
        events = encode(images)
        chosen = np.empty(len(events), np.int64)
        levels = np.array(thresholds(events))
        for level in np.unique(levels):
            same = levels == level
            run = simulate(network(self.weights, int(level), rule()), events[same])
            chosen[same] = winners(run.spikes["neurons"].astype(np.bool_))
        return chosen
