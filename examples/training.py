"""Shared by the training scripts: integers in the forward pass, straight-through gradients."""

import argparse
import copy
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import nir
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from examples.simulation import simulate

LEAK_ONE = 4096  # leaks are k / 4096 of the potential per step
WEIGHT_MAX = 127  # largest integer weight
FOLDS = 5  # of recordings; the last one is held out


class Spike(torch.autograd.Function):
    """Heaviside step whose gradient is that of a scaled arctangent."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        """Spike where x is positive."""
        ctx.save_for_backward(x)
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
        """Pass the gradient as if the step were an arctangent."""
        (x,) = ctx.saved_tensors
        return grad * 0.5 / (1 + (0.5 * math.pi * x) ** 2)


def straight_through(exact: Tensor, rounded: Tensor) -> Tensor:
    """The value of `rounded` with the gradient of `exact`."""
    return exact + (rounded - exact).detach()


def scale_of(weights: Iterable[Tensor], integer: bool) -> Tensor:
    """A population's scale s = 127 / max|W| over all that arrives at it; 1 for floats."""
    largest = torch.stack([weight.detach().abs().max() for weight in weights]).max()
    return WEIGHT_MAX / largest if integer else torch.ones_like(largest)


def scaled(parameter: Tensor, scale: Tensor, integer: bool) -> Tensor:
    """A parameter in the population's integer units, rounded; floats stay as they are."""
    exact = parameter * scale
    return straight_through(exact, exact.round()) if integer else exact


def threshold_of(value: float, scale: Tensor, integer: bool) -> Tensor:
    """The threshold in the population's units, rounded down."""
    return (value * scale).floor() if integer else value * scale


def integrate(v: Tensor, leak: int, x: Tensor, integer: bool) -> Tensor:
    """One step of a leaky integrator; with `integer`, truncated and saturated to 16 bits."""
    decayed = v * ((LEAK_ONE - leak) / LEAK_ONE)
    if not integer:
        return decayed + x
    return (straight_through(decayed, decayed.trunc()) + x).clamp(-(2**15), 2**15 - 1)


def schedule(total: int, warm_up: int) -> Callable[[int], float]:
    """Factor of the learning rate at a step: a linear rise, and a cosine down to 0 at `total`."""

    def factor(step: int) -> float:
        return min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * step / total))

    return factor


class RunningAverage:
    """A running average of a network's parameters, in `network`."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network)
        self.decay = decay
        self.step = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take a step of the training into account; early ones are soon forgotten."""
        self.step += 1
        decay = min(self.decay, (self.step + 1) / (self.step + 10))
        for mine, new in zip(self.network.parameters(), network.parameters(), strict=True):
            mine.lerp_(new, 1 - decay)


@dataclass(frozen=True)
class Settings:
    """How a network of recordings is trained.

    Parameters
    ----------
    learning_rate, warm_up, weight_decay
        Of AdamW; training steps of linearly rising learning rate.
    averaging
        Decay of the running average of the parameters, which is what is kept.
    smoothing
        Of the labels.
    hidden_spikes, spike_penalty
        Hidden spikes per recording, and what each beyond that adds to the loss.
    """

    learning_rate: float
    warm_up: int
    weight_decay: float
    averaging: float
    smoothing: float
    hidden_spikes: float
    spike_penalty: float


def fit(
    network: nn.Module,
    settings: Settings,
    epochs: int,
    batches: int,
    draw: Callable[[int], Iterable[tuple[Tensor, Tensor]]],
) -> nn.Module:
    """Train `network`; returns the running average of its parameters.

    `draw` gives the batches of an epoch, `batches` of them: input spikes and labels.
    """
    average = RunningAverage(network, settings.averaging)
    optimiser = torch.optim.AdamW(
        network.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimiser, schedule(epochs * batches, settings.warm_up)
    )
    started = time.monotonic()
    for epoch in range(epochs):
        losses, hits, seen, active = 0.0, 0, 0, 0.0
        for spikes, labels in draw(epoch):
            out, activity = network(spikes)
            excess = F.relu(activity.mean() - settings.hidden_spikes)
            loss = F.cross_entropy(out, labels, label_smoothing=settings.smoothing)
            loss = loss + settings.spike_penalty * excess
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
            network.clip()
            average.update(network)
            losses += loss.item()
            hits += int((out.argmax(1) == labels).sum())
            seen += len(labels)
            active += activity.mean().item()
        print(
            f"epoch {epoch + 1:3d}  {time.monotonic() - started:5.0f} s  "
            f"loss {losses / batches:.3f}  training {100 * hits / seen:.2f} %  "
            f"H {active / batches:.0f}",
            flush=True,
        )
    return average.network


@torch.no_grad()
def float_accuracy(network: nn.Module, spikes: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy in percent of the network before quantisation."""
    out, _ = network(torch.from_numpy(spikes).float(), integer=False)
    return 100 * float((out.argmax(1).numpy() == labels).mean())


def command_line(description: str, archive: str, epochs: int) -> argparse.Namespace:
    """The arguments of a training script; makes what follows reproducible."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help=archive)
    parser.add_argument("--output", type=Path, required=True, help="NIR file to write")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument(
        "--validate",
        type=int,
        choices=range(FOLDS - 1),
        metavar="FOLD",
        help="leave one of four fifths out of training, and report on it; "
        "default: train on all four and report on the held-out fifth",
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # sums are then taken in one order: the run is reproducible
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(arguments.seed)
    return arguments


def split(count: int, held_out: np.ndarray, validate: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The recordings to train on, and the held-out ones."""
    index = np.arange(count)
    unseen = held_out if validate is None else index[validate::FOLDS]
    return np.setdiff1d(index, np.union1d(held_out, unseen)), unseen


def report(
    arguments: argparse.Namespace, network: nn.Module, spikes: np.ndarray, labels: np.ndarray
) -> None:
    """Print the written file's figures in integers, beside the float network's."""
    run = simulate(nir.read(arguments.output), spikes)
    hits = run.readout.argmax(1) == labels
    hidden = "  ".join(f"{name} {mean:.1f}" for name, mean in run.spikes.items())
    print(
        f"{'held out' if arguments.validate is None else f'fold {arguments.validate}'}  "
        f"{len(labels)} recordings  float {float_accuracy(network, spikes, labels):.2f} %  "
        f"integer {100 * hits.mean():.2f} %  input {spikes.sum() / len(spikes):.1f}  {hidden}"
    )
