"""Federated learning: two devices that see different digits, and a host that averages weights.

Skatchkovsky, Jang and Simeone (2020), FL-SNN. Each device learns on the chip from its own images,
which never leave it; after each round the host reads the weights of both over the link, and writes
their mean to both.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

import spikeloom
from examples.supervised import CLASSES, Weights, classes, events, first_weights, network
from spikeloom.devices.device import Device
from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Connection
from spikeloom.program import Program

FILE = Path(__file__).with_name("federated.npz")

DEVICES = 2
HIDDEN = 100
IMAGES = 2000
"""Training images of each device."""
ROUND = 100
"""Images that each device learns before weights are averaged."""

Images = tuple[NDArray[np.uint8], Integers]
"""Images and their classes."""


def share(images: NDArray[np.uint8], labels: Integers, number: int, count: int = IMAGES) -> Images:
    """The first `count` images of the classes of a device: 0..4 those of device 0, 5..9 of 1."""
    chosen = np.flatnonzero(labels * DEVICES // CLASSES == number)[:count]
    return images[chosen], labels[chosen]


def program(weights: Weights, number: int) -> Program:
    """The network of `examples/supervised` for a device, whose number seeds its rounding."""
    return spikeloom.compile(network(weights, number), record=["output"], readout=["output"])


def first_program(number: int) -> Program:
    """That of a device before it learns; both begin with the same weights."""
    return program(first_weights(HIDDEN), number)


def mean(weights: Sequence[Integers]) -> Integers:
    """The mean, in integers; halves go to the even one, so that weights do not drift."""
    return np.rint(np.mean(weights, axis=0)).astype(np.int64)


def average(devices: Sequence[Device]) -> int:
    """Read the plastic weights of all devices, and write their mean to each; how many those are."""
    count = 0
    for connection in devices[0].program.network.connections:
        if isinstance(connection, Connection) and connection.plasticity is not None:
            key = f"{connection.source}->{connection.target}"
            weights = mean([device.weights[key] for device in devices])
            for device in devices:
                device.weights[key] = weights
            count += weights.size
    return count


def learn(devices: Sequence[Device], shares: Sequence[Images], size: int) -> None:
    """Let each device learn its share, in rounds of `size` images, with an average after each."""
    for start in range(0, len(shares[0][0]), size):
        for device, (images, labels) in zip(devices, shares, strict=True):
            part = slice(start, start + size)
            device.run(events(images[part], labels[part]), learn=True)
        average(devices)


def held(device: Device) -> Weights:
    """The weights that a device has."""
    return Weights(device.weights["image->hidden"], device.weights["hidden->output"])


def told(weights: Weights, images: NDArray[np.uint8], labels: Integers) -> NDArray[np.bool_]:
    """Which images are told, by all ten classes."""
    with spikeloom.open(program(weights, 0)) as device:
        run = device.run(events(images))
    right: NDArray[np.bool_] = classes(run.spikes["output"], run.states["output"]) == labels
    return right


class Result(NamedTuple):
    """What was learned.

    Parameters
    ----------
    alone
        The weights of each device if nothing is averaged.
    before, after
        Those of both, before the last round and after it.
    """

    alone: list[Weights]
    before: Weights
    after: Weights

    def save(self, path: Path) -> None:
        """Write what each learned: changes of the first weights, which a seed draws."""
        first = first_weights(HIDDEN)
        pairs = {"before": (self.before, first), "last": (self.after, self.before)}
        for number, weights in enumerate(self.alone):
            pairs[f"alone{number}"] = weights, first
        changes = {
            f"{name}_{part}": (new - old).astype(np.int16)
            for name, both in pairs.items()
            for part, new, old in zip(Weights._fields, *both, strict=True)
        }
        np.savez_compressed(path, **changes)

    @classmethod
    def load(cls, path: Path = FILE) -> Self:
        """Read them."""
        first = first_weights(HIDDEN)
        with np.load(path) as file:

            def after(weights: Weights, name: str) -> Weights:
                fields = zip(Weights._fields, weights, strict=True)
                return Weights(*(old + file[f"{name}_{part}"] for part, old in fields))

            before = after(first, "before")
            alone = [after(first, f"alone{number}") for number in range(DEVICES)]
            return cls(alone, before, after(before, "last"))
