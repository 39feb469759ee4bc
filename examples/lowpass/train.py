"""Train the low-pass network on rows of digits, in float and then in integers: `lowpass.npz`.

    python -m examples.lowpass.train

The digits are those of scikit-learn. Seeded; a minute or two on one core.
"""

from functools import partial

import torch
from torch import Tensor

from examples.lowpass import DECAY, FILE, FRACTION, HIDDEN, STEADY, TOP, UNIT
from examples.recurrent.train import SEED, drawn, fit, write
from examples.training import WEIGHT_MAX, integrate, straight_through

EPOCHS, RATE = 100, 5e-3
LIMITS = -WEIGHT_MAX, WEIGHT_MAX
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
    weights = drawn(HIDDEN, (0.25 * UNIT, 0.1 * UNIT, 10))
    accuracies = {}
    for kind in ("float", "integers"):
        optimiser = torch.optim.Adam(weights, lr=RATE * UNIT)
        forward = partial(scores, weights, integer=kind == "integers")
        seen, accuracies[kind] = fit(weights, forward, optimiser, EPOCHS, LIMITS, SHARPNESS)
        print(
            f"{kind}, seed {SEED}: training {seen:.2%}, held out {accuracies[kind]:.2%}", flush=True
        )
    write(FILE, weights, LIMITS, accuracies["float"])


if __name__ == "__main__":
    main()
