"""SNN against RNN (He et al., arXiv:2005.02183): the same recordings, in bins of three lengths.

A spiking layer and a recurrent layer of the same width see the same frames of events. A spike
multiplies the potential by 0, which is a reset to the value 0.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import spikeloom
from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig
from spikeloom.program import Program

FILE = Path(__file__).parent / "snn_rnn.npz"

BINS_MS = (20, 50, 100)
"""Lengths of a bin, which is a step."""

DURATION_MS = 300
SIDE, CHANNELS = 17, 2 * 17 * 17
"""Pixels of a side after pooling by 2; pixels of both polarities."""

WIDTH, CLASSES = 96, 10
KEPT, LEAK = 0.3, 2867
"""What a step keeps of a potential, and what it loses in 1/4096."""

THRESHOLD = 0.3


@dataclass(frozen=True)
class Recordings:
    """Frames, bool (recordings, steps, CHANNELS), and the digits that were shown."""

    frames: NDArray[np.bool_]
    labels: NDArray[np.int64]


def recordings(path: Path, bin_ms: int, count: int | None = None) -> tuple[Recordings, Recordings]:
    """Those of `nmnist_1000.npz` to train on, and every fifth, which is a test.

    A channel of a frame has a spike if at least one event fell into the bin and into one of the
    four pixels.
    """
    steps = DURATION_MS // bin_ms
    with np.load(path) as file:
        x, y, p, t_us = (file[name].astype(np.int64) for name in ("x", "y", "p", "t_us"))
        offsets, labels = file["offsets"], file["labels"].astype(np.int64)
    recording = np.repeat(np.arange(len(labels)), np.diff(offsets))
    step = t_us // (1000 * bin_ms)
    channel = (p * SIDE + y // 2) * SIDE + x // 2
    seen = step < steps
    frames = np.zeros((len(labels), steps, CHANNELS), np.bool_)
    frames[recording[seen], step[seen], channel[seen]] = True
    tests = np.arange(len(labels)) % 5 == 4
    halves = (~tests).nonzero()[0], tests.nonzero()[0]
    first, second = (Recordings(frames[part[:count]], labels[part[:count]]) for part in halves)
    return first, second


@dataclass(frozen=True)
class Layers:
    """Integers of the spiking network, each layer in its own unit.

    Parameters
    ----------
    weights
        Of 8 bits, (CHANNELS, WIDTH) and (WIDTH, CLASSES).
    biases
        (WIDTH,) and (CLASSES,).
    thresholds
        Of both layers.
    """

    weights: tuple[Integers, Integers]
    biases: tuple[Integers, Integers]
    thresholds: tuple[int, int]

    @classmethod
    def load(cls, bin_ms: int) -> "Layers":
        """The trained ones for bins of this length."""
        with np.load(FILE) as file:
            pairs = [
                [file[f"{name}{n}_{bin_ms}"].astype(np.int64) for n in range(2)]
                for name in ("weights", "biases", "thresholds")
            ]
        (w0, w1), (b0, b1), (t0, t1) = pairs
        return cls((w0, w1), (b0, b1), (int(t0), int(t1)))

    def network(self) -> Network:
        """The spiking network; the class is the neuron of the last layer that spikes most."""
        names = "events", "hidden", "classes"
        populations = [
            Population(name, len(bias), bias, n, LEAK, threshold)
            for n, (name, bias, threshold) in enumerate(
                zip(names[1:], self.biases, self.thresholds, strict=True)
            )
        ]
        first, second = (
            Connection(names[n], names[n + 1], weights) for n, weights in enumerate(self.weights)
        )
        return Network((Input("events", CHANNELS),), tuple(populations), (first, second))


def program(layers: Layers, fabric: FabricConfig | None = None) -> Program:
    """The network on the smallest fabric, or on this one."""
    return spikeloom.compile(layers.network(), fabric, sum_bits=16)


def rnn_operations(frames: NDArray[np.bool_]) -> tuple[float, float]:
    """Multiply-accumulates of a recurrent layer of the same width, for a mean recording.

    Of all products, and of those that are left if events that are 0 are skipped.
    """
    steps = frames.shape[1]
    dense = steps * (WIDTH * WIDTH + WIDTH * CLASSES)
    events = frames.sum() / len(frames)
    return steps * CHANNELS * WIDTH + dense, events * WIDTH + dense
