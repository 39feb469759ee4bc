"""Trains the network on MNIST, as the integers that it runs with, and writes `interspike.npz`.

    python -m examples.interspike.train mnist.npz

Seeded; a minute or two on one core.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from examples.interspike import (
    CLASSES,
    FILE,
    KERNEL,
    LEAK,
    MAPPED,
    MAPS,
    PADDING,
    SIDE,
    STEPS,
    STRIDE,
    encode,
)
from examples.training import Spike, integrate, scale_of, scaled, threshold_of

IMAGES, EPOCHS, BATCH, RATE, SEED = 6_400, 2, 64, 5e-3, 1


class Classifier(nn.Module):
    """The layers, unrolled over the steps."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels = nn.Parameter(0.3 * torch.randn(MAPS, 1, KERNEL, KERNEL))
        self.readout = nn.Parameter(0.02 * torch.randn(CLASSES, MAPS * MAPPED**2))

    def integers(self) -> tuple[Tensor, Tensor, Tensor]:
        """Kernels, read-out weights and threshold as they are in hardware, with gradients."""
        scale = scale_of([self.kernels], True)
        readout = scaled(self.readout, scale_of([self.readout], True), True)
        return scaled(self.kernels, scale, True), readout, threshold_of(1.0, scale, True)

    def forward(self, events: Tensor) -> Tensor:
        """Mean potentials that the read-out gains in a step, in units of its largest weight."""
        kernels, readout, threshold = self.integers()
        frames = events.reshape(-1, 1, SIDE, SIDE)
        currents = F.conv2d(frames, kernels, None, STRIDE, PADDING)
        currents = currents.view(len(events), STEPS, -1).transpose(0, 1)
        v = torch.zeros_like(currents[0])
        total = torch.zeros(len(events), CLASSES)
        for current in currents:
            u = integrate(v, LEAK, current, True)
            spikes = Spike.apply((u - threshold) / threshold)
            v = u * (1 - spikes)
            total = total + spikes @ readout.T
        return total / 127 / STEPS


def main(path: Path) -> None:
    """Train, say the accuracy, and write the file."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # sums are then taken in one order: the run is reproducible
    with np.load(path) as file:
        images, labels = file["x_train"][:IMAGES], file["y_train"][:IMAGES].astype(np.int64)
        tests, truth = file["x_test"][:1000], file["y_test"][:1000]
    network = Classifier()
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    rng = np.random.default_rng(SEED)
    for epoch in range(EPOCHS):
        for chosen in rng.permutation(IMAGES).reshape(-1, BATCH):
            answers = network(torch.from_numpy(encode(images[chosen])).float())
            loss = F.cross_entropy(answers, torch.from_numpy(labels[chosen]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        with torch.no_grad():
            answers = network(torch.from_numpy(encode(tests)).float()).argmax(1).numpy()
        print(f"epoch {epoch + 1}: {(answers == truth).mean():.2%} of {len(truth)}", flush=True)
    kernels, readout, threshold = (values.detach().numpy() for values in network.integers())
    np.savez_compressed(
        FILE,
        kernels=kernels.astype(np.int8),
        readout=readout.T.astype(np.int8),
        threshold=threshold.astype(np.int64),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
