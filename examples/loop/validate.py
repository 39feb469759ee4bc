"""Chooses how many images an iteration in the loop has, and its rate, without the test images.

    python -m examples.loop.validate

A design is trained on three quarters of the training images; instances of it, which are none of
those that `evaluate.py` has, go through loops on the same images; accuracies are those of the last
quarter. Seeded; some minutes on one core.
"""

import itertools

import numpy as np

import spikeloom
from examples.loop import LIMIT, TRAINED, digits, program
from examples.loop.evaluate import DEVIATIONS, ITERATIONS, instance
from examples.loop.train import accuracy, trained_on
from spikeloom.mismatch import Mismatch
from spikeloom.training import InTheLoop

BATCHES, RATES = (100, 200, 400), (0.5, 1.0)
SEEDS = range(11, 14)
KEPT = TRAINED * 3 // 4
"""Images to train on; the others of the training images tell how well it went."""


def main() -> None:
    """A line for each batch and rate."""
    images, _ = digits()
    images, others = images[:KEPT], images[KEPT:]
    network = trained_on(images)
    with spikeloom.open(program(network)) as device:
        designed = accuracy(InTheLoop(device, limit=LIMIT), others)
    print(f"design: {designed:.2%} of {len(others.labels)} images", flush=True)
    deviation = DEVIATIONS[-1]
    for batch, rate in itertools.product(BATCHES, RATES):
        rates = [
            instance(
                network,
                Mismatch(deviation, deviation, deviation, seed),
                images,
                others,
                batch=batch,
                rate=rate,
            )[:2]
            for seed in SEEDS
        ]
        before, after = np.mean(rates, axis=0)
        print(
            f"{ITERATIONS} iterations of {batch} images, rate {rate}: {before:.2%}, then "
            f"{after:.2%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
