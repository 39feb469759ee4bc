"""Trains the perceptron with batch normalisation through time, and writes `bntt.npz`.

    python -m examples.bntt.train mnist.npz

`mnist.npz` has x_train, y_train, x_test and y_test of MNIST, images of 8 bits. Seeded; some
minutes on one core.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from examples.bntt import EPSILON, FILE, LEAK, STEPS, Layers, encode

HIDDEN, EPOCHS, BATCH, RATE, SEED = 128, 2, 256, 5e-3, 1
MOMENTUM = 0.1
"""Of the running means and variances."""


class Spike(torch.autograd.Function):
    """A step at 0 whose gradient is a triangle, as in the paper."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        """Spike where x is positive."""
        ctx.save_for_backward(x)
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
        """0.3 * max(0, 1 - |x|)."""
        (x,) = ctx.saved_tensors
        return grad * 0.3 * (1 - x.abs()).clamp(min=0)


class Perceptron(nn.Module):
    """784 inputs, hidden neurons with a normalisation of each step, and classes that sum up."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(784, HIDDEN, bias=False)
        self.output = nn.Linear(HIDDEN, 10, bias=False)
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(HIDDEN, eps=EPSILON, momentum=MOMENTUM) for _ in range(STEPS)
        )
        for norm in self.norms:
            norm.bias = None

    def forward(self, events: Tensor) -> Tensor:
        """Sums of the classes after each step, (steps, samples, classes)."""
        potential = torch.zeros(events.shape[1], HIDDEN)
        sums, total = [], torch.zeros(events.shape[1], 10)
        currents = self.hidden(events)
        for step, norm in enumerate(self.norms):
            potential = (1 - LEAK) * potential + norm(currents[step])
            spikes = Spike.apply(potential - 1)
            potential = potential - spikes
            total = total + self.output(spikes)
            sums.append(total)
        return torch.stack(sums)


def layers(network: Perceptron) -> tuple[Layers, dict[str, np.ndarray]]:
    """The trained layers with weights of 8 bits, and the arrays of the file."""
    arrays: dict[str, np.ndarray] = {}
    scales = []
    for name in ("hidden", "output"):
        weights = getattr(network, name).weight.detach().numpy().T
        scales.append(np.abs(weights).max() / 127)
        arrays[name] = np.rint(weights / scales[-1]).astype(np.int8)
    arrays["scales"] = np.array(scales)
    for name, of in (
        ("gains", "weight"),
        ("means", "running_mean"),
        ("variances", "running_var"),
    ):
        rows = [getattr(norm, of).detach().numpy() for norm in network.norms]
        arrays[name] = np.stack(rows).astype(np.float32)
    np.savez_compressed(FILE, **arrays)
    return Layers.load(), arrays


def main(path: Path) -> None:
    """Train, round the weights, say the accuracies, and write the file."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    with np.load(path) as file:
        images, labels = file["x_train"], torch.from_numpy(file["y_train"].astype(np.int64))
        tests, truth = file["x_test"], file["y_test"]
    network = Perceptron()
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    batches = len(images) // BATCH
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * batches)
    started = time.monotonic()
    for epoch in range(EPOCHS):
        order = np.random.default_rng([SEED, epoch]).permutation(len(images))
        losses = hits = 0.0
        for batch in range(batches):
            chosen = order[batch * BATCH :][:BATCH]
            events = encode(images[chosen], SEED + 1 + epoch * batches + batch)
            sums = network(torch.from_numpy(events).float().transpose(0, 1))
            target = labels[chosen]
            loss = F.cross_entropy(sums[-1], target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
            losses += loss.item()
            hits += float((sums[-1].argmax(1) == target).sum())
        print(
            f"epoch {epoch + 1}  {time.monotonic() - started:4.0f} s  loss {losses / batches:.3f}  "
            f"training {hits / batches / BATCH:.2%}",
            flush=True,
        )
    network.eval()
    trained, _ = layers(network)
    spikes, _ = trained.unfolded(encode(tests))
    answers = (spikes.sum(1) @ trained.output).argmax(1)
    print(f"8-bit weights, float: {(answers == truth).mean():.2%}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
