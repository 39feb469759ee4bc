"""Training in the loop (BrainScaleS; arXiv:1703.01909, 2006.07239) on scikit-learn's digits.

A network of 6-bit weights is trained as it was designed; an instance of it, whose neurons differ as
those of an analogue chip do, loses accuracy, and gets it back by some more iterations in which it
computes the forward pass itself.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import spikeloom
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig
from spikeloom.program import Program

FILE = Path(__file__).parent / "loop.npz"

PIXELS, HIDDEN, CLASSES = 64, 64, 10
STEPS, BRIGHTEST = 20, 16
"""Steps of a sample; a pixel spikes once, the brighter the earlier, and one of 0 never."""

LIMIT = 31
"""Maximum weight: 6 bits."""

THRESHOLD, MEMBRANE, SYNAPSE = 100, 481, 906
"""Of the hidden neurons; time constants of 8 and 4 steps."""

READOUT = 481
"""Decay of the leaky read-out; a class's answer is its largest potential."""

FABRIC = {"traces": True, "neuron_parameters": True, "sparse_words": 0}
"""What a loop needs of a fabric: potentials of every step, an instance, and dense weights."""

TRAINED = 1200
"""Images to train on, of 1,797; the others are tests."""


@dataclass(frozen=True)
class Digits:
    """Images as events, bool (images, STEPS, PIXELS), and their classes."""

    events: NDArray[np.bool_]
    labels: NDArray[np.int64]

    def __getitem__(self, chosen: slice | Integers) -> "Digits":
        return Digits(self.events[chosen], self.labels[chosen])


def digits() -> tuple[Digits, Digits]:
    """The images to train on, and those to test."""
    try:
        images, labels = importlib.import_module("sklearn.datasets").load_digits(return_X_y=True)
    except ImportError:
        raise SpikeloomError("the digits are missing: pip install scikit-learn") from None
    order = np.random.default_rng(0).permutation(len(labels))  # writers come one after the other
    every = Digits(encode(images[order].astype(np.int64)), labels[order].astype(np.int64))
    return every[:TRAINED], every[TRAINED:]


def encode(pixels: Integers) -> NDArray[np.bool_]:
    """The spike of each pixel of 0..BRIGHTEST, shape (images, PIXELS)."""
    times = np.where(pixels > 0, BRIGHTEST - pixels, STEPS)
    events: NDArray[np.bool_] = np.arange(STEPS)[:, np.newaxis] == times[:, np.newaxis]
    return events


def design(hidden: Integers, classes: Integers) -> Network:
    """The network of weights (PIXELS, HIDDEN) and (HIDDEN, CLASSES)."""
    return Network(
        (Input("pixels", PIXELS),),
        (
            Population(
                "hidden",
                HIDDEN,
                np.zeros(HIDDEN, np.int64),
                decay=MEMBRANE,
                synaptic_decay=SYNAPSE,
                threshold=THRESHOLD,
            ),
            Population(
                "classes", CLASSES, np.zeros(CLASSES, np.int64), 1, decay=READOUT, spiking=False
            ),
        ),
        (
            Connection("pixels", "hidden", hidden),
            Connection("hidden", "classes", classes),
        ),
    )


def trained(number: int = 0) -> Network:
    """A design of the file, 0..4."""
    with np.load(FILE) as file:
        hidden, classes = (file[name][number].astype(np.int64) for name in ("hidden", "classes"))
    return design(hidden, classes)


def program(network: Network, fabric: Mapping[str, Any] | FabricConfig = FABRIC) -> Program:
    """The network on the smallest such fabric, with sums for any weights of 6 bits."""
    return spikeloom.compile(network, fabric, sum_bits=16)
