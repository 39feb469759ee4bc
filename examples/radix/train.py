"""Trains the perceptron in float, rounds it for each number of bits, and writes `radix.npz`.

    python -m examples.radix.train mnist.npz

`mnist.npz` has x_train, y_train, x_test and y_test of MNIST, images of 8 bits. Seeded; a few
minutes on one core.
"""

import itertools
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from examples.radix import BITS, FILE, Layers, upper_bits

HIDDEN, EPOCHS, BATCH, RATE, DECAY, SEED = 128, 16, 128, 2e-3, 1e-4, 1
CLIPPED = 1e-4
"""Share of the hidden activations that may be above the largest number."""

Floats = NDArray[np.float32]


def train(images: Floats, labels: NDArray[np.int64]) -> list[Floats]:
    """Weights and biases of both layers, by Adam, with a rate that falls to 0."""
    rng = np.random.default_rng(SEED)
    sizes = (images.shape[1], HIDDEN, 10)
    parameters: list[Floats] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        weights = rng.normal(0, np.sqrt(2 / fan_in), (fan_in, fan_out))
        parameters += [weights.astype(np.float32), np.zeros(fan_out, np.float32)]
    means, squares = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    steps = EPOCHS * (len(images) // BATCH)
    for step in range(steps):
        if step % (len(images) // BATCH) == 0:
            order = rng.permutation(len(images))
        batch = order[step % (len(images) // BATCH) * BATCH :][:BATCH]
        x, y = images[batch], labels[batch]
        w1, b1, w2, b2 = parameters
        hidden = np.maximum(x @ w1 + b1, 0)
        scores = hidden @ w2 + b2
        error = np.exp(scores - scores.max(1, keepdims=True))
        error /= error.sum(1, keepdims=True)
        error[np.arange(len(y)), y] -= 1
        error /= len(y)
        back = (error @ w2.T) * (hidden > 0)
        gradients = [x.T @ back, back.sum(0), hidden.T @ error, error.sum(0)]
        rate = RATE * (1 - step / steps)
        scale = np.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.9 ** (step + 1))
        for n, gradient in enumerate(gradients):
            means[n] += 0.1 * (gradient - means[n])
            squares[n] += 0.001 * (gradient * gradient - squares[n])
            change = scale * means[n] / (np.sqrt(squares[n]) + 1e-8) + DECAY * parameters[n]
            parameters[n] -= rate * change
    return parameters


def rounded(parameters: list[Floats], images: NDArray[np.uint8], bits: int) -> Layers:
    """The integer layers: the largest activation but for `CLIPPED` becomes 2**bits - 1."""
    w1, b1, w2, b2 = (p.astype(np.float64) for p in parameters)
    top = (1 << bits) - 1
    pixels = upper_bits(images, bits)
    hidden = np.maximum(pixels / top @ w1 + b1, 0)
    largest = np.quantile(hidden, 1 - CLIPPED)
    # A unit of the activation is 2**shift units of the sum, which has the scale of the weights.
    scale = 127 / np.abs(w1).max()
    shift = int(np.ceil(np.log2(largest * scale)))
    scale1 = 2**shift / largest
    scale2 = 127 / np.abs(w2).max()
    activation = top / largest
    biases = [b1 * scale1 * top, b2 * scale2 * activation]
    units = tuple(max(1, int(np.ceil(np.abs(b).max() / 127))) for b in biases)
    digits = [np.rint(b / unit).astype(np.int64) for b, unit in zip(biases, units, strict=True)]
    return Layers(
        bits,
        np.rint(w1 * scale1).clip(-127, 127).astype(np.int64),
        digits[0],
        np.rint(w2 * scale2).astype(np.int64),
        digits[1],
        (units[0], units[1]),
        shift,
    )


def main(path: Path) -> None:
    """Train, round, say the accuracies, and write the file."""
    with np.load(path) as file:
        images, labels = file["x_train"], file["y_train"].astype(np.int64)
        tests, truth = file["x_test"], file["y_test"]
    flat = (images.reshape(len(images), -1) / 255).astype(np.float32)
    parameters = train(flat, labels)
    w1, b1, w2, b2 = parameters
    scores = np.maximum(tests.reshape(len(tests), -1) / 255 @ w1 + b1, 0) @ w2 + b2
    float_accuracy = (scores.argmax(1) == truth).mean()
    print(f"float: {float_accuracy:.2%}")
    arrays: dict[str, np.ndarray] = {"float_accuracy": np.array(float_accuracy)}
    for bits in BITS:
        layers = rounded(parameters, images[:5000], bits)
        answers = layers.products(upper_bits(tests, bits)).argmax(1)
        print(f"{bits} bits: {(answers == truth).mean():.2%}, shift {layers.shift}")
        arrays |= {
            f"hidden{bits}": layers.hidden.astype(np.int8),
            f"hidden_bias{bits}": layers.hidden_bias.astype(np.int8),
            f"output{bits}": layers.output.astype(np.int8),
            f"output_bias{bits}": layers.output_bias.astype(np.int8),
            f"units{bits}": np.array(layers.units),
            f"shift{bits}": np.array(layers.shift),
        }
    np.savez_compressed(FILE, **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
