"""The MNIST network of `examples.mnist` with less than a tenth of its weights."""

from pathlib import Path

FILE = Path(__file__).parent / "pruned.nir"
