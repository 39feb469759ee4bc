"""Train the ternary network on MNIST, and one of the same connections in float beside it.

    python -m examples.truenorth.train mnist.npz

Writes `truenorth.npz`. Seeded; a few minutes on one core.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from examples.training import schedule, straight_through
from examples.truenorth import CLASSES, DARKEST, FEATURES, FILE, OUTPUTS, cores

EPOCHS, FLOAT_EPOCHS, BATCH, WARM_UP, SEED = 10, 5, 250, 100, 1
RATE, FLOAT_RATE = 1e-2, 2e-3
WIDTH = 6.0
"""Of the surrogate gradient, in units of a weight."""
SHARPNESS = 0.15
"""Of the votes in the loss."""
SHIFT = 1
"""Pixels that training images are shifted by at most."""


class Fires(torch.autograd.Function):
    """1 where r >= 0, with a triangular gradient."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, r: Tensor) -> Tensor:
        """Spike where r is not negative."""
        ctx.save_for_backward(r)
        return (r >= 0).to(r.dtype)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
        """Pass the gradient near 0."""
        (r,) = ctx.saved_tensors
        return grad * (1 - r.abs() / WIDTH).clamp(min=0) / WIDTH


class Cores(nn.Module):
    """The three layers of cores, ternary or in float."""

    def __init__(self, ternary: bool) -> None:
        super().__init__()
        self.ternary = ternary
        self.inputs = [torch.from_numpy(inputs) for inputs in cores()]
        sizes = (FEATURES, FEATURES, OUTPUTS)
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for inputs, size in zip(self.inputs, sizes, strict=True):
            shape = *inputs.shape, size
            spread = 2 * torch.rand(shape) - 1
            if not ternary:
                spread *= (6 / inputs.shape[1]) ** 0.5
            self.weights.append(nn.Parameter(spread))
            self.biases.append(nn.Parameter(torch.zeros(len(inputs), 1, size)))

    def forward(self, values: Tensor) -> Tensor:
        """Votes for each class, (images, classes), of pixels of 0 and 1, (images, pixels)."""
        for layer, inputs in enumerate(self.inputs):
            weights, bias = self.rounded(layer)
            sums = torch.bmm(values[:, inputs].transpose(0, 1), weights) + bias
            if self.ternary:
                sums = Fires.apply(sums)
            elif layer < len(self.inputs) - 1:
                sums = F.relu(sums)
            values = sums.transpose(0, 1).flatten(1)
        return values.view(len(values), -1, CLASSES).sum(1)

    def rounded(self, layer: int) -> tuple[Tensor, Tensor]:
        """Weights and biases as they run."""
        weights, bias = self.weights[layer], self.biases[layer]
        if not self.ternary:
            return weights, bias
        return straight_through(weights, weights.round()), straight_through(bias, bias.round())

    @torch.no_grad()
    def clip(self) -> None:
        """Keep shadow weights between -1 and 1."""
        if self.ternary:
            for weights in self.weights:
                weights.clamp_(-1, 1)


def train(network: Cores, images: Tensor, labels: Tensor) -> None:
    """Train with Adam, on images that are shifted by a pixel at random."""
    rate, epochs = (RATE, EPOCHS) if network.ternary else (FLOAT_RATE, FLOAT_EPOCHS)
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    batches = len(images) // BATCH
    factor = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule(epochs * batches, WARM_UP))
    scale = SHARPNESS if network.ternary else 1.0
    for epoch in range(epochs):
        total = 0.0
        for index in torch.randperm(len(images))[: batches * BATCH].view(batches, BATCH):
            down, right = torch.randint(-SHIFT, SHIFT + 1, (2,)).tolist()
            shifted = images[index].roll((down, right), (1, 2)).flatten(1)
            loss = F.cross_entropy(scale * network(shifted), labels[index])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            factor.step()
            network.clip()
            total += loss.item()
        print(f"epoch {epoch + 1}  loss {total / batches:.4f}", flush=True)


@torch.no_grad()
def accuracy(network: Cores, images: Tensor, labels: Tensor) -> float:
    """Share of the images that it tells."""
    votes = torch.cat([network(part.flatten(1)) for part in images.split(1000)])
    return float((votes.argmax(1) == labels).float().mean())


def main() -> None:
    """Train both, say the accuracies, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    with np.load(parser.parse_args().data) as file:
        images, tests = (
            torch.from_numpy((file[name] >= DARKEST).astype(np.float32))
            for name in ("x_train", "x_test")
        )
        labels, truth = (
            torch.from_numpy(file[name].astype(np.int64)) for name in ("y_train", "y_test")
        )
    arrays = {}
    for ternary in (True, False):
        torch.manual_seed(SEED)
        network = Cores(ternary)
        train(network, images, labels)
        result = accuracy(network, tests, truth)
        print(f"{'ternary' if ternary else 'float'}, seed {SEED}: {result:.2%}", flush=True)
        if ternary:
            for layer in range(len(network.inputs)):
                weights, bias = (values.detach().numpy() for values in network.rounded(layer))
                arrays[f"weights{layer}"] = weights.astype(np.int8)
                arrays[f"bias{layer}"] = bias[:, 0].astype(np.int16)
        else:
            arrays["float_accuracy"] = np.array(result)
        np.savez_compressed(FILE, **arrays)


if __name__ == "__main__":
    main()
