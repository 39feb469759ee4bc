"""Interspike explanations (Kim and Panda, arXiv:2103.14441): where a network looks.

A neuron that spiked a short while ago contributes when it spikes again: the sum over its earlier
spikes, each decayed by exp(-GAMMA) a step. A spike activation map is the sum over the channels of a
layer, at each position, of the contributions of those neurons that spike now.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.convolution import Convolution
from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Connection, Input, Network, Population

FILE = Path(__file__).parent / "interspike.npz"

SIDE, MAPS, KERNEL, STRIDE, PADDING, MAPPED, CLASSES = 28, 8, 3, 2, 1, 14, 10
STEPS = 16
LEAK = 1024
"""Of the layer's neurons, in 1/4096."""

GAMMA = 0.5
"""Decay of a contribution, per step."""

UNIT = 127
"""What a spike adds to a trace."""

TRACE_LEAK = round(4096 * (1 - math.exp(-GAMMA)))


@dataclass(frozen=True)
class Layers:
    """A convolution, LIF neurons, and a read-out that integrates.

    Parameters
    ----------
    kernels
        Weights of 8 bits, (MAPS, 1, KERNEL, KERNEL).
    readout
        Weights of 8 bits, (neurons, CLASSES).
    threshold
        Of the neurons, in the unit of `kernels`.
    """

    kernels: Integers
    readout: Integers
    threshold: int

    @classmethod
    def load(cls) -> "Layers":
        """The trained ones."""
        with np.load(FILE) as file:
            kernels, readout = (file[name].astype(np.int64) for name in ("kernels", "readout"))
            return cls(kernels, readout, int(file["threshold"]))

    def network(self) -> Network:
        """The network, and a leaky integrator beside each neuron of its layer: its trace.

        A spike reaches the trace a step later, so in a step a trace is the contribution of earlier
        spikes.
        """
        size, image = MAPS * MAPPED**2, (MAPS, MAPPED, MAPPED)
        zeros = np.zeros(size, np.int64)
        classes = Population("classes", CLASSES, np.zeros(CLASSES, np.int64), 1, spiking=False)
        return Network(
            (Input("pixels", SIDE**2, image=(1, SIDE, SIDE)),),
            (
                Population("maps", size, zeros, decay=LEAK, threshold=self.threshold, image=image),
                Population("traces", size, zeros, decay=TRACE_LEAK, spiking=False, image=image),
                classes,
            ),
            (
                Convolution(
                    "pixels",
                    "maps",
                    self.kernels,
                    stride=(STRIDE, STRIDE),
                    padding=((PADDING, PADDING), (PADDING, PADDING)),
                ),
                # Of one synapse a neuron: its own channel, its own position.
                Convolution("maps", "traces", np.full((MAPS, 1, 1, 1), UNIT), delay=1, groups=MAPS),
                Connection("maps", "classes", self.readout),
            ),
        )


def encode(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Images of 8 bits as evenly spread spikes, (images, STEPS, pixels); white spikes always."""
    ends = np.arange(STEPS + 1)[:, np.newaxis] * images.reshape(len(images), 1, -1).astype(np.int64)
    return np.diff(ends // 255, axis=1).astype(np.bool_)


def activation_maps(spikes: NDArray[np.bool_], traces: Integers) -> Integers:
    """The map of each step, (samples, STEPS, MAPPED, MAPPED), from what a device read out.

    Parameters
    ----------
    spikes, traces
        Of "maps" and "traces", (samples, STEPS, neurons).
    """
    shape = (*spikes.shape[:2], MAPS, MAPPED, MAPPED)
    maps: Integers = (spikes * traces).reshape(shape).sum(axis=2)
    return maps


def on_strokes(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Positions of a map, (images, MAPPED, MAPPED), one of whose pixels is of a stroke."""
    blocks = images.reshape(len(images), MAPPED, STRIDE, MAPPED, STRIDE)
    strokes: NDArray[np.bool_] = blocks.max(axis=(2, 4)) >= 128
    return strokes
