"""Trains both networks for every length of a bin; writes the spiking ones to `snn_rnn.npz`.

    python -m examples.snn_rnn.train nmnist_1000.npz

Seeded; a few minutes on one core.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from examples.snn_rnn import (
    BINS_MS,
    CHANNELS,
    CLASSES,
    FILE,
    LEAK,
    THRESHOLD,
    WIDTH,
    Recordings,
    recordings,
)
from examples.training import integrate, scale_of, scaled, threshold_of

EPOCHS, BATCH, SEED = 30, 40, 1
RATES = {"snn": 1e-3, "rnn": 1e-3}
DROPPED = 0.3
"""Share of the events that a training frame loses by chance; there are few recordings."""


class Rectangle(torch.autograd.Function):
    """A step whose derivative is that of a ramp of width 0.5."""

    @staticmethod
    def forward(context: Any, distance: Tensor) -> Tensor:
        """1 above 0."""
        context.save_for_backward(distance)
        return (distance > 0).to(distance.dtype)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        """Through where |distance| < 0.25."""
        (distance,) = context.saved_tensors
        return gradient * 2 * (distance.abs() < 0.25)


class Spiking(nn.Module):
    """Two layers u = 0.3 u (1 - s) + W x + b, as the integers that run; gives mean spike rates."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList((nn.Linear(CHANNELS, WIDTH), nn.Linear(WIDTH, CLASSES)))

    def integers(self) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Weights, biases, thresholds and scales of each layer, with gradients."""
        layers = []
        for layer in self.layers:
            scale = scale_of([layer.weight], True)
            weight, bias = (scaled(values, scale, True) for values in (layer.weight, layer.bias))
            layers.append((weight, bias, threshold_of(THRESHOLD, scale, True), scale))
        return layers

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (recordings, steps, CHANNELS)."""
        layers = self.integers()
        potentials = [torch.zeros(len(frames), len(bias)) for _, bias, _, _ in layers]
        counts = torch.zeros(len(frames), CLASSES)
        for frame in frames.unbind(1):
            spikes = frame
            for n, (weight, bias, threshold, scale) in enumerate(layers):
                u = integrate(potentials[n], LEAK, F.linear(spikes, weight, bias), True)
                spikes = Rectangle.apply((u - threshold) / scale)
                potentials[n] = u * (1 - spikes)
            counts = counts + spikes
        return counts / frames.shape[1]


class Recurrent(nn.Module):
    """h = tanh(W x + U h + b), and a linear read-out; gives its mean over the steps."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.RNN(CHANNELS, WIDTH, batch_first=True)
        self.readout = nn.Linear(WIDTH, CLASSES)

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (recordings, steps, CHANNELS)."""
        hidden, _ = self.recurrent(frames)
        return self.readout(hidden).mean(1)


def fit(make: Callable[[], nn.Module], images: Recordings, rate: float) -> nn.Module:
    """Train by Adam on the mean square distance to the class, with a rate that falls to 0."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # sums are then taken in one order: the run is reproducible
    network = make()
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    batches = len(images.labels) // BATCH
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * batches)
    wanted = F.one_hot(torch.from_numpy(images.labels), CLASSES).float()
    frames = torch.from_numpy(images.frames)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(frames))[: batches * BATCH].view(batches, BATCH):
            batch = frames[chosen].float()
            batch = batch * (torch.rand_like(batch) >= DROPPED * torch.rand(len(batch), 1, 1))
            loss = F.mse_loss(network(batch), wanted[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return network


@torch.no_grad()
def accuracy(network: nn.Module, tests: Recordings) -> float:
    """Share of the recordings whose largest answer is their class."""
    answers = network(torch.from_numpy(tests.frames).float()).argmax(1).numpy()
    return float((answers == tests.labels).mean())


def recurrent_accuracy(images: Recordings, tests: Recordings) -> float:
    """Of a recurrent network that is trained here."""
    return accuracy(fit(Recurrent, images, RATES["rnn"]), tests)


def main(path: Path) -> None:
    """Train, say the accuracies, and write the file."""
    arrays = {}
    for bin_ms in BINS_MS:
        images, tests = recordings(path, bin_ms)
        spiking = fit(Spiking, images, RATES["snn"])
        print(f"seed {SEED}, bins of {bin_ms} ms: SNN {accuracy(spiking, tests):.2%}", flush=True)
        assert isinstance(spiking, Spiking)
        with torch.no_grad():
            for n, (weight, bias, threshold, _) in enumerate(spiking.integers()):
                arrays[f"weights{n}_{bin_ms}"] = weight.T.numpy().astype(np.int8)
                arrays[f"biases{n}_{bin_ms}"] = bias.numpy().astype(np.int16)
                arrays[f"thresholds{n}_{bin_ms}"] = threshold.numpy().astype(np.int16)
        print(f"seed {SEED}, bins of {bin_ms} ms: RNN {recurrent_accuracy(images, tests):.2%}")
    np.savez_compressed(FILE, **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
