"""What the training scripts share: integers in the forward pass, straight gradients behind it."""

import copy
import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

LEAK_ONE = 4096  # leaks are k / 4096 of the potential per step
WEIGHT_MAX = 127  # largest integer weight


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
