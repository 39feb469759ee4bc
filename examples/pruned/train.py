"""Prune the MNIST network while it trains on, and write it as a NIR graph.

    python -m examples.pruned.train mnist.npz

Starts from `examples/mnist/mnist.nir`. The smallest weights of each matrix become 0 for good, more
and more of them until `DENSITIES` are left; the others are trained on.
Seeded; a minute on one core.
"""

import argparse
from pathlib import Path

import nir
import torch
from torch import Tensor
from torch.nn import functional as F

from examples import mnist
from examples.mnist import STEPS
from examples.mnist.train import (
    AVERAGING,
    HIDDEN_SPIKES,
    SPIKE_PENALTY,
    Network,
    Split,
    encode,
    evaluate,
    load_data,
    to_nir,
)
from examples.pruned import FILE
from examples.training import RunningAverage, schedule

DENSITIES = {"hidden_weight": 0.08, "readout_weight": 0.7}
"""Share of the weights that are left."""
EPOCHS, BATCH, RATE, WARM_UP, SEED = 6, 128, 3e-3, 50, 1
PRUNING = 0.5
"""Share of the training in which weights are removed."""
EVERY = 10
"""Steps between two removals."""
SHIFT = 1
"""Pixels that the images of a batch are shifted by at most."""


class Pruned(Network):
    """The network of `examples.mnist`, some of whose weights are 0 and stay so."""

    def __init__(self) -> None:
        super().__init__()
        nodes = nir.read(Path(mnist.__file__).parent / "mnist.nir").nodes
        hidden, readout = nodes["hidden_affine"], nodes["readout_affine"]
        for parameter, value in zip(
            self.parameters(),
            (hidden.weight, hidden.bias, readout.weight, readout.bias),
            strict=True,
        ):
            parameter.data = torch.from_numpy(value).clone()
        self.masks: dict[str, Tensor] = {}

    @torch.no_grad()
    def prune(self, progress: float) -> None:
        """Remove weights as far as `progress`, 0..1, of the way to `DENSITIES`, fast at first."""
        for name, density in DENSITIES.items():
            weights = getattr(self, name).abs()
            left = density + (1 - density) * (1 - min(1.0, progress)) ** 3
            rank = weights.flatten().argsort(descending=True)
            mask = torch.zeros(weights.numel())
            mask[rank[: round(left * weights.numel())]] = 1
            self.masks[name] = mask.view_as(weights)

    @torch.no_grad()
    def clip(self) -> None:
        """Keep the weights within their limits, and those that were removed at 0."""
        super().clip()
        for name, mask in self.masks.items():
            getattr(self, name).mul_(mask)


def train(training: Split) -> Network:
    """Prune and train; returns the running average of the parameters."""
    shape = len(training.images), STEPS, 28, 28
    spikes = torch.from_numpy(encode(training.images)).view(shape)
    labels = torch.from_numpy(training.labels)
    network = Pruned()
    average = RunningAverage(network, AVERAGING)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.0, fused=True)
    batches = len(labels) // BATCH
    total = EPOCHS * batches
    rate = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule(total, WARM_UP))
    step = 0
    for epoch in range(EPOCHS):
        for index in torch.randperm(len(labels))[: batches * BATCH].view(batches, BATCH):
            if step % EVERY == 0 and step <= PRUNING * total + EVERY:
                network.prune(step / (PRUNING * total))
            shift = torch.randint(-SHIFT, SHIFT + 1, (2,)).tolist()
            shifted = spikes[index].roll(shift, (2, 3)).flatten(2)
            out, activity = network(shifted.float())
            excess = F.relu(activity.mean() - HIDDEN_SPIKES)
            loss = F.cross_entropy(out, labels[index]) + SPIKE_PENALTY * excess
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
            network.clip()
            average.update(network)
            average.network.masks = network.masks
            average.network.clip()
            step += 1
        print(f"epoch {epoch + 1}  loss {loss.item():.4f}", flush=True)
    return average.network


def main() -> None:
    """Train, write the file, and say the accuracies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    torch.set_num_threads(1)  # sums are then taken in one order: the run is reproducible
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    data = load_data(parser.parse_args().data)
    network = train(data["train"])
    nir.write(FILE, to_nir(network))
    print(f"seed {SEED}")
    print(f"validation: {evaluate(network, data['validation']).accuracy:.2f} %")


if __name__ == "__main__":
    main()
