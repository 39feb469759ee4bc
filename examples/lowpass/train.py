"""Train the low-pass network on rows of digits, in float and then in integers: `lowpass.npz`.

    python -m examples.lowpass.train

The digits are those of scikit-learn. Seeded; a minute or two on one core.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from examples.lowpass import DECAY, FILE, FRACTION, HIDDEN, STEADY, TOP, UNIT
from examples.recurrent import INPUTS, held_out, rows
from examples.training import WEIGHT_MAX, integrate, schedule, straight_through

EPOCHS, BATCH, RATE, WARM_UP, SEED = 100, 64, 5e-3, 50, 1
SHARPNESS = 0.002
"""Of the scores in the loss."""


def scores(weights: list[Tensor], values: Tensor, integer: bool) -> Tensor:
    """Scores of sequences, (n, steps, inputs)."""
    if integer:
        weights = [straight_through(w, w.round()) for w in weights]
    inward, recurrent, outward = weights

    def units(exact: Tensor) -> Tensor:
        exact = exact.clamp(0, TOP)
        return straight_through(exact, exact.floor()) if integer else exact

    potential = sent = values.new_zeros(len(values), HIDDEN)
    for step in range(values.shape[1]):
        f = units((values[:, step] @ inward + sent @ recurrent) / UNIT)
        potential = integrate(potential, DECAY, f * (1 << FRACTION), integer)
        sent = units(potential / STEADY)
    return sent @ outward


def main() -> None:
    """Train in float, then in integers; say the accuracies and write the file."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    values, labels = rows()
    tests = held_out(len(labels))
    x, y = torch.from_numpy(values).float(), torch.from_numpy(labels)
    seen, unseen = torch.from_numpy(~tests), torch.from_numpy(tests)
    weights = [
        0.25 * UNIT * torch.randn(INPUTS, HIDDEN),
        0.1 * UNIT * torch.randn(HIDDEN, HIDDEN),
        10 * torch.randn(HIDDEN, 10),
    ]
    for w in weights:
        w.requires_grad_()
    batches = len(y[seen]) // BATCH
    accuracies = {}
    for kind in ("float", "integers"):
        optimiser = torch.optim.Adam(weights, lr=RATE * UNIT)
        factor = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule(EPOCHS * batches, WARM_UP))
        for _ in range(EPOCHS):
            for index in torch.randperm(len(y[seen]))[: batches * BATCH].view(batches, BATCH):
                out = scores(weights, x[seen][index], kind == "integers")
                loss = F.cross_entropy(SHARPNESS * out, y[seen][index])
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(weights, 1.0)
                optimiser.step()
                factor.step()
                with torch.no_grad():
                    for w in weights:
                        w.clamp_(-WEIGHT_MAX, WEIGHT_MAX)
        with torch.no_grad():
            right = scores(weights, x, kind == "integers").argmax(1) == y
        accuracies[kind] = float(right[unseen].float().mean())
        print(
            f"{kind}, seed {SEED}: training {right[seen].float().mean():.2%}, held out "
            f"{accuracies[kind]:.2%}",
            flush=True,
        )
    names = ("inward", "recurrent", "outward")
    arrays = {
        name: w.detach().round().numpy().astype(np.int8)
        for name, w in zip(names, weights, strict=True)
    }
    np.savez_compressed(FILE, **arrays, float_accuracy=np.array(accuracies["float"]))


if __name__ == "__main__":
    main()
