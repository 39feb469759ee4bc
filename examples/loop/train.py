"""Trains designs, without mismatch, with the golden model in the loop; writes `loop.npz`.

    python -m examples.loop.train

Seeded; some minutes on one core.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch.nn import functional as F

import spikeloom
from examples.loop import (
    CLASSES,
    FILE,
    HIDDEN,
    LIMIT,
    PIXELS,
    Digits,
    design,
    digits,
    program,
)
from spikeloom.golden.network import Network
from spikeloom.training import InTheLoop

SEEDS = range(1, 6)
"""Of the designs in the file: first weights, and the images of each iteration."""
ITERATIONS, BATCH, RATE = 400, 128, 0.5
SCALE = 100.0
"""Potentials that are one unit of the loss's argument."""


def fit(
    loop: InTheLoop, images: Digits, iterations: int, batch: int, seed: int, rate: float = RATE
) -> Iterator[float]:
    """Train by Adam, with a rate that falls to 0; the loss of each iteration."""
    torch.set_num_threads(1)  # sums are then taken in one order: a run is reproducible
    optimiser = torch.optim.Adam(loop.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, iterations)
    rng = np.random.default_rng(seed)
    for _ in range(iterations):
        chosen = images[rng.choice(len(images.labels), batch, replace=False)]
        answers = loop(chosen.events).potentials["classes"].amax(1)
        loss = F.cross_entropy(answers / SCALE, torch.from_numpy(chosen.labels))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        yield loss.item()
    loop.load()


def accuracy(loop: InTheLoop, images: Digits) -> float:
    """Share of the images whose largest potential of all steps is that of their class."""
    with torch.no_grad():
        answers = loop(images.events).potentials["classes"].amax(1).argmax(1).numpy()
    return float((answers == images.labels).mean())


def trained_on(images: Digits, seed: int = SEEDS[0]) -> Network:
    """A design, trained on these images."""
    rng = np.random.default_rng(seed)
    first, second = (
        np.rint(rng.normal(0, 8, shape)).clip(-LIMIT, LIMIT).astype(np.int64)
        for shape in ((PIXELS, HIDDEN), (HIDDEN, CLASSES))
    )
    with spikeloom.open(program(design(first, second))) as device:
        loop = InTheLoop(device, limit=LIMIT)
        for iteration, loss in enumerate(fit(loop, images, ITERATIONS, BATCH, seed), 1):
            if iteration % 50 == 0:
                print(f"iteration {iteration}: loss {loss:.3f}", flush=True)
        return device.program.network


def main() -> None:
    """Train, and write the file."""
    images, _ = digits()
    networks = [trained_on(images, seed) for seed in SEEDS]
    weights = {
        first.target: np.stack([network.connections[n].weights for network in networks])
        for n, first in enumerate(networks[0].connections)
    }
    np.savez_compressed(FILE, **{name: array.astype(np.int8) for name, array in weights.items()})


if __name__ == "__main__":
    main()
