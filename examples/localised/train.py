"""Train the read-out by ridge regression on the spikes of the hidden layer, in one go.

    python -m examples.localised.train mnist.npz

Writes `localised.npz`. No random number but those of the hidden weights; a minute on one core.
"""

import argparse
from pathlib import Path

import numpy as np

from examples.localised import FILE, HIDDEN, ReadOut, features

IMAGES = 20000
"""Training images that are used, the first ones."""
RIDGE = 30.0
BATCH = 5000


def main() -> None:
    """Train, round, say the accuracy and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    with np.load(parser.parse_args().data) as file:
        images, labels = file["x_train"][:IMAGES], file["y_train"][:IMAGES]
        tests, truth = file["x_test"], file["y_test"]
    gram = RIDGE * np.eye(HIDDEN + 1)
    goal = np.zeros((HIDDEN + 1, 10))
    for start in range(0, len(images), BATCH):
        part = slice(start, start + BATCH)
        values = np.pad(features(images[part]), ((0, 0), (0, 1)), constant_values=1)
        gram += values.T @ values
        goal += values.T @ np.where(labels[part, np.newaxis] == np.arange(10), 1, -1).astype("f4")
    solution = np.linalg.solve(gram, goal)
    scaled = solution * 127 / np.abs(solution[:-1]).max()
    rounded = np.rint(scaled).astype(np.int64)
    read_out = ReadOut(rounded[:-1], rounded[-1])
    counts = features(tests)
    floating = (counts @ solution[:-1] + solution[-1]).argmax(axis=1)
    print(f"float: {(floating == truth).mean():.2%}")
    print(f"8 bits: {(read_out.scores(tests).argmax(axis=1) == truth).mean():.2%}")
    np.savez_compressed(FILE, weights=rounded[:-1].astype(np.int8), bias=rounded[-1])


if __name__ == "__main__":
    main()
