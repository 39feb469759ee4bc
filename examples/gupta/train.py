"""Learns from images of a few classes in the golden model, and writes gupta.npz.

python -m examples.gupta.train mnist.npz
"""

import argparse
from pathlib import Path

import numpy as np

import spikeloom
from examples.evaluation import mnist
from examples.gupta import CLASSES, FILE, IMAGES, encode, rule
from examples.gupta.evaluate import program
from examples.gupta.learning import Learned, learn


def main(data: Path) -> None:
    """Learn, say what came of it, and write the file."""
    images, labels = mnist(data, None, "train")
    chosen = np.flatnonzero(np.isin(labels, CLASSES))[:IMAGES]
    with spikeloom.open(program(rule())) as device:
        run = learn(device, encode(images[chosen]))
    learned = Learned.of(run, labels[chosen], CLASSES)
    for c, neuron, r in zip(
        CLASSES, learned.neurons, learned.correlations(images, labels), strict=True
    ):
        print(f"class {c}: neuron {neuron}, correlation {r:.2f}")
    np.savez_compressed(
        FILE, weights=learned.weights.astype(np.int8), wins=learned.wins, classes=CLASSES
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    main(parser.parse_args().data)
