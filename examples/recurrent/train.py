"""Train the recurrent network on rows of digits, with 16 levels, and write `recurrent.npz`.

    python -m examples.recurrent.train

The digits are those of scikit-learn. Seeded; a minute on one core.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from examples.recurrent import FILE, HIDDEN, INPUTS, TOP, UNIT, held_out, rows
from examples.training import schedule, straight_through

EPOCHS, FLOAT_EPOCHS, BATCH, RATE, WARM_UP, SEED = 250, 150, 64, 5e-3, 50, 1
LOW, HIGH = -8, 7
SHARPNESS = 0.02
"""Of the scores in the loss."""


def scores(weights: list[Tensor], values: Tensor, discrete: bool) -> Tensor:
    """Scores of sequences, (n, steps, inputs), whose values are 0..TOP."""
    if discrete:
        weights = [straight_through(w, w.round().clamp(LOW, HIGH)) for w in weights]
    inward, recurrent, outward = weights
    h = values.new_zeros(len(values), HIDDEN)
    for step in range(values.shape[1]):
        h = (values[:, step] @ inward + h @ recurrent) / UNIT
        h = h.clamp(0, TOP)
        if discrete:
            h = straight_through(h, (h + 0.5).floor().clamp(0, TOP))
    return h @ outward


def main() -> None:
    """Train in float, then with levels; say the accuracies and write the file."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    values, labels = rows()
    tests = held_out(len(labels))
    x, y = torch.from_numpy(values).float(), torch.from_numpy(labels)
    seen, unseen = torch.from_numpy(~tests), torch.from_numpy(tests)
    weights = [
        0.25 * UNIT * torch.randn(INPUTS, HIDDEN),
        0.12 * UNIT * torch.randn(HIDDEN, HIDDEN),
        0.5 * torch.randn(HIDDEN, 10),
    ]
    for w in weights:
        w.requires_grad_()
    seen_x, seen_y = x[seen], y[seen]
    batches = len(seen_y) // BATCH
    for discrete, epochs, rate in ((False, FLOAT_EPOCHS, RATE), (True, EPOCHS, RATE)):
        optimiser = torch.optim.Adam(
            [{"params": weights[:2], "lr": rate * UNIT}, {"params": weights[2:], "lr": 4 * rate}]
        )
        factor = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule(epochs * batches, WARM_UP))
        for _ in range(epochs):
            for index in torch.randperm(len(seen_y))[: batches * BATCH].view(batches, BATCH):
                out = scores(weights, seen_x[index], discrete)
                loss = F.cross_entropy(SHARPNESS * out, seen_y[index])
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(weights, 1.0)
                optimiser.step()
                factor.step()
                with torch.no_grad():
                    for w in weights:
                        w.clamp_(LOW, HIGH)
        with torch.no_grad():
            right = scores(weights, x, discrete).argmax(1) == y
        kind = "16 levels" if discrete else "float"
        print(
            f"{kind}, seed {SEED}: training {right[seen].float().mean():.2%}, "
            f"held out {right[unseen].float().mean():.2%}",
            flush=True,
        )
        if not discrete:
            float_accuracy = float(right[unseen].float().mean())
    names = ("inward", "recurrent", "outward")
    arrays = {
        name: w.detach().round().clamp(LOW, HIGH).numpy().astype(np.int8)
        for name, w in zip(names, weights, strict=True)
    }
    np.savez_compressed(FILE, **arrays, float_accuracy=np.array(float_accuracy))


if __name__ == "__main__":
    main()
