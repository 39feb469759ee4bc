"""Let two devices learn, alone and together: python -m examples.federated.train mnist.npz.

Writes `federated.npz`. Seeded; two minutes in the golden model.
"""

import argparse
from contextlib import ExitStack
from pathlib import Path

import spikeloom
from examples.evaluation import mnist, samples_come_first
from examples.federated import (
    DEVICES,
    FILE,
    IMAGES,
    ROUND,
    Result,
    first_program,
    held,
    learn,
    share,
    told,
)
from examples.supervised import Weights, events

CHOOSING = slice(50_000, 51_000)
"""Training images by which settings were chosen; nobody learns them."""


def alone(data: Path, number: int) -> Weights:
    """What a device learns from its share alone."""
    with spikeloom.open(first_program(number)) as device:
        device.run(events(*share(*mnist(data, None, "train"), number)), learn=True)
        return held(device)


def together(data: Path, size: int) -> tuple[Weights, Weights]:
    """What devices learn in rounds of `size` images: before the last round, and after it."""
    shares = [share(*mnist(data, None, "train"), number) for number in range(DEVICES)]
    last = IMAGES - size
    with ExitStack() as stack:
        devices = [
            stack.enter_context(spikeloom.open(first_program(number))) for number in range(DEVICES)
        ]
        learn(devices, [(images[:last], labels[:last]) for images, labels in shares], size)
        before = held(devices[0])
        learn(devices, [(images[last:], labels[last:]) for images, labels in shares], size)
        return before, held(devices[0])


def main() -> None:
    """Learn, say how many images are told, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    samples_come_first("image", "label")
    result = Result([alone(data, number) for number in range(DEVICES)], *together(data, ROUND))
    images, labels = mnist(data, None, "train")
    for name, weights in zip(("0..4", "5..9", "mean"), (*result.alone, result.after), strict=True):
        print(f"{name}: {told(weights, images[CHOOSING], labels[CHOOSING]).mean():.1%} told")
    result.save(FILE)


if __name__ == "__main__":
    main()
