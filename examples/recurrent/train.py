"""Train the recurrent network on rows of digits, with 16 levels, and write `recurrent.npz`.

    python -m examples.recurrent.train

The digits are those of scikit-learn. Seeded; a minute on one core.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from examples.recurrent import FILE, HIDDEN, INPUTS, TOP, UNIT, held_out, rows
from examples.training import schedule, straight_through

EPOCHS, FLOAT_EPOCHS, RATE = 250, 150, 5e-3
BATCH, WARM_UP, SEED = 64, 50, 1
LIMITS = -8, 7
SHARPNESS = 0.02
"""Of the scores in the loss."""


def scores(weights: list[Tensor], values: Tensor, discrete: bool) -> Tensor:
    """Scores of sequences, (n, steps, inputs), whose values are 0..TOP."""
    if discrete:
        weights = [straight_through(w, w.round().clamp(*LIMITS)) for w in weights]
    inward, recurrent, outward = weights
    h = values.new_zeros(len(values), HIDDEN)
    for step in range(values.shape[1]):
        h = (values[:, step] @ inward + h @ recurrent) / UNIT
        h = h.clamp(0, TOP)
        if discrete:
            h = straight_through(h, (h + 0.5).floor().clamp(0, TOP))
    return h @ outward


def drawn(hidden: int, spreads: tuple[float, float, float]) -> list[Tensor]:
    """Inward, recurrent and outward weights to begin with; makes what follows reproducible."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    shapes = (INPUTS, hidden), (hidden, hidden), (hidden, 10)
    weights = [spread * torch.randn(shape) for spread, shape in zip(spreads, shapes, strict=True)]
    for w in weights:
        w.requires_grad_()
    return weights


def fit(
    weights: list[Tensor],
    scores: Callable[[Tensor], Tensor],
    optimiser: torch.optim.Optimizer,
    epochs: int,
    limits: tuple[int, int],
    sharpness: float,
) -> tuple[float, float]:
    """Train on the rows of digits: the accuracies in training, and of what is held out.

    Parameters
    ----------
    scores
        Of sequences, (n, steps, inputs), by the weights.
    limits
        Of weights.
    sharpness
        Of the scores in the loss.
    """
    values, labels = rows()
    x, y = torch.from_numpy(values).float(), torch.from_numpy(labels)
    unseen = torch.from_numpy(held_out(len(labels)))
    seen_x, seen_y = x[~unseen], y[~unseen]
    batches = len(seen_y) // BATCH
    factor = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule(epochs * batches, WARM_UP))
    for _ in range(epochs):
        for index in torch.randperm(len(seen_y))[: batches * BATCH].view(batches, BATCH):
            loss = F.cross_entropy(sharpness * scores(seen_x[index]), seen_y[index])
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimiser.step()
            factor.step()
            with torch.no_grad():
                for w in weights:
                    w.clamp_(*limits)
    with torch.no_grad():
        right = scores(x).argmax(1) == y
    return float(right[~unseen].float().mean()), float(right[unseen].float().mean())


def write(
    file: Path, weights: list[Tensor], limits: tuple[int, int], float_accuracy: float
) -> None:
    """Write what `Weights.load` reads."""
    names = ("inward", "recurrent", "outward")
    arrays = {
        name: w.detach().round().clamp(*limits).numpy().astype(np.int8)
        for name, w in zip(names, weights, strict=True)
    }
    np.savez_compressed(file, **arrays, float_accuracy=np.array(float_accuracy))


def main() -> None:
    """Train in float, then with levels; say the accuracies and write the file."""
    weights = drawn(HIDDEN, (0.25 * UNIT, 0.12 * UNIT, 0.5))
    accuracies = {}
    for kind, epochs in (("float", FLOAT_EPOCHS), ("16 levels", EPOCHS)):
        optimiser = torch.optim.Adam(
            [{"params": weights[:2], "lr": RATE * UNIT}, {"params": weights[2:], "lr": 4 * RATE}]
        )
        forward = partial(scores, weights, discrete=kind != "float")
        seen, accuracies[kind] = fit(weights, forward, optimiser, epochs, LIMITS, SHARPNESS)
        print(
            f"{kind}, seed {SEED}: training {seen:.2%}, held out {accuracies[kind]:.2%}", flush=True
        )
    write(FILE, weights, LIMITS, accuracies["float"])


if __name__ == "__main__":
    main()
