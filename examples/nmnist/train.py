"""Train the convolutional N-MNIST network and write it as a NIR graph.

The network is trained as it will run: weights, biases, thresholds and potentials are integers in
the forward pass, gradients pass straight through the roundings and through a surrogate for the
spike.  Run from the root of the repository:

    python -m examples.nmnist.train --data nmnist_1000.npz --output nmnist.nir
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nir
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from examples.nmnist import DURATION_US, HELD_OUT, SIZE, STEPS, encode
from examples.simulation import DT
from examples.training import (
    LEAK_ONE,
    Settings,
    Spike,
    command_line,
    fit,
    integrate,
    report,
    scale_of,
    scaled,
    split,
    threshold_of,
)

CLASSES = 10
MAPS1, KERNEL1, STRIDE1, PADDING1, SIDE1 = 8, 5, 2, 1, 16
MAPS2, KERNEL2, STRIDE2, PADDING2, SIDE2 = 16, 5, 2, 2, 8
POOL = 2
POOLED = MAPS2 * (SIDE2 // POOL) ** 2
LEAK1, LEAK2, LEAK_READOUT = 1024, 512, 64  # multiples of 64: exact in single precision
THRESHOLD = 1.0  # of the spiking populations, before scaling to integers
CLIPS = 1.0, 1.0, 1.0  # weights are kept within, so that no outlier sets the scale

BATCH = 32
SETTINGS = Settings(
    learning_rate=1e-2,
    warm_up=100,
    weight_decay=0.1,
    averaging=0.995,
    smoothing=0.05,
    hidden_spikes=800.0,
    spike_penalty=0.001,
)

ROTATION = math.radians(10)  # the augmentation's largest deformations
SCALING = 0.12
SHEAR = 0.12
SHIFT = 2.0  # pixels
ELASTIC = 1.3  # pixels, standard deviation
ELASTIC_KNOTS = 6  # knots per side of the random displacement field
JITTER_US = 6_000  # shift of all times
DROP = 0.4  # largest fraction of events left out


@dataclass
class Recordings:
    """Events x, y, p, t_us, each (events,), of recordings one after the other; and their classes.

    Recording k has the events offsets[k] to offsets[k + 1].
    """

    events: tuple[np.ndarray, ...]
    offsets: np.ndarray
    labels: np.ndarray

    def __getitem__(self, k: int) -> tuple[np.ndarray, ...]:
        part = slice(self.offsets[k], self.offsets[k + 1])
        return tuple(values[part] for values in self.events)

    def encode(self, index: np.ndarray) -> np.ndarray:
        """Input spikes (n, STEPS, CHANNELS) of some recordings."""
        return np.stack([encode(*self[k]) for k in index])


def load_data(path: Path) -> Recordings:
    """Read nmnist_1000.npz."""
    with np.load(path) as file:
        events = tuple(file[name].astype(np.int64) for name in ("x", "y", "p", "t_us"))
        return Recordings(events, file["offsets"], file["labels"].astype(np.int64))


class Augmentation:
    """Random deformation of a recording: affine and elastic in space, shifted in time."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        knots = ELASTIC_KNOTS**2
        impulses = torch.eye(knots).view(knots, 1, ELASTIC_KNOTS, ELASTIC_KNOTS)
        smooth = F.interpolate(impulses, (SIZE, SIZE), mode="bicubic", align_corners=True)
        self.basis = smooth.view(knots, SIZE * SIZE).numpy()

    def __call__(self, events: tuple[np.ndarray, ...]) -> np.ndarray:
        """Input spikes of the deformed recording.

        An event is put at a random point of its pixel, and counts for the pixel that this point
        is moved into.
        """
        random = self.random
        x, y, p, t_us = events
        kept = random.random(len(x)) >= random.uniform(0, DROP)
        x, y, p, t_us = x[kept], y[kept], p[kept], t_us[kept]
        angle, shear = random.uniform(-ROTATION, ROTATION), random.uniform(-SHEAR, SHEAR)
        turn = np.array([[np.cos(angle), shear - np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turn *= random.uniform(1 - SCALING, 1 + SCALING, 2)
        bend = random.normal(0, ELASTIC, (2, ELASTIC_KNOTS**2)) @ self.basis
        points = np.stack([x, y]) + random.random((2, len(x))) - SIZE / 2
        points = turn @ points + bend[:, y * SIZE + x] + random.uniform(-SHIFT, SHIFT, (2, 1))
        x, y = np.floor(points + SIZE / 2).astype(np.int64)
        t_us = t_us + int(random.uniform(-JITTER_US, JITTER_US))
        seen = (x >= 0) & (x < SIZE) & (y >= 0) & (y < SIZE) & (t_us >= 0) & (t_us < DURATION_US)
        return encode(x[seen], y[seen], p[seen], t_us[seen])


class Network(nn.Module):
    """Conv -> LIF -> Conv -> LIF -> SumPool -> Affine -> LI, unrolled over the steps."""

    def __init__(self) -> None:
        super().__init__()
        self.weight1 = nn.Parameter(0.25 * torch.randn(MAPS1, 2, KERNEL1, KERNEL1))
        self.bias1 = nn.Parameter(torch.zeros(MAPS1))
        self.weight2 = nn.Parameter(0.25 * torch.randn(MAPS2, MAPS1, KERNEL2, KERNEL2))
        self.bias2 = nn.Parameter(torch.zeros(MAPS2))
        self.readout_weight = nn.Parameter(0.05 * torch.randn(CLASSES, POOLED))
        self.readout_bias = nn.Parameter(torch.zeros(CLASSES))

    def forward(self, inputs: Tensor, integer: bool = True) -> tuple[Tensor, Tensor]:
        """Run input spikes (n, STEPS, CHANNELS) through the network.

        Parameters
        ----------
        inputs
            Spikes as 0 and 1.
        integer
            Compute with the quantised parameters, else with the float parameters.

        Returns
        -------
        tuple
            The readout's final potentials (n, 10), in units of the float network, and the number
            of hidden spikes per recording (n,).
        """
        n = len(inputs)
        frames = inputs.transpose(0, 1).reshape(STEPS * n, 2, SIZE, SIZE)
        currents, scale = self._conv(frames, self.weight1, self.bias1, STRIDE1, PADDING1, integer)
        spikes1 = _lif(currents.view(STEPS, n, *currents.shape[1:]), LEAK1, scale, integer)
        currents, scale = self._conv(
            spikes1.flatten(0, 1), self.weight2, self.bias2, STRIDE2, PADDING2, integer
        )
        spikes2 = _lif(currents.view(STEPS, n, *currents.shape[1:]), LEAK2, scale, integer)
        counts = POOL**2 * F.avg_pool2d(spikes2.flatten(0, 1), POOL)
        scale = scale_of([self.readout_weight], integer)
        weight, bias = (scaled(p, scale, integer) for p in (self.readout_weight, self.readout_bias))
        currents = F.linear(counts.flatten(1), weight, bias).view(STEPS, n, CLASSES)
        out = torch.zeros_like(currents[0])
        for current in currents:
            out = integrate(out, LEAK_READOUT, current, integer)
        activity = spikes1.sum((0, 2, 3, 4)) + spikes2.sum((0, 2, 3, 4))
        return out / scale, activity

    @staticmethod
    def _conv(
        x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int, integer: bool
    ) -> tuple[Tensor, Tensor]:
        """The currents of a layer, in its integer units, and its scale."""
        scale = scale_of([weight], integer)
        weight, bias = scaled(weight, scale, integer), scaled(bias, scale, integer)
        return F.conv2d(x, weight, bias, stride, padding), scale

    @torch.no_grad()
    def clip(self) -> None:
        """Keep the weights within their limits."""
        weights = self.weight1, self.weight2, self.readout_weight
        for weight, limit in zip(weights, CLIPS, strict=True):
            weight.clamp_(-limit, limit)


def _lif(currents: Tensor, leak: int, scale: Tensor, integer: bool) -> Tensor:
    """Spikes of a LIF population that sees `currents`, both (steps, ...)."""
    threshold = threshold_of(THRESHOLD, scale, integer)
    v = torch.zeros_like(currents[0])
    spikes = []
    for current in currents:
        u = integrate(v, leak, current, integer)
        spikes.append(Spike.apply((u - threshold) / scale))
        v = u * (1 - spikes[-1])
    return torch.stack(spikes)


def train(data: Recordings, index: np.ndarray, epochs: int, seed: int) -> Network:
    """Train a network on some recordings; returns the running average of its parameters."""
    labels = torch.from_numpy(data.labels)
    augment = Augmentation(seed)
    batches = len(index) // BATCH

    def draw(epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        order = np.random.default_rng((seed, epoch)).permutation(index)[: batches * BATCH]
        for batch in order.reshape(batches, BATCH):
            spikes = np.stack([augment(data[k]) for k in batch])
            yield torch.from_numpy(spikes).float(), labels[batch]

    return fit(Network(), SETTINGS, epochs, batches, draw)


def to_nir(network: Network) -> nir.NIRGraph:
    """The float network as a NIR graph; forward Euler with step DT gives the same dynamics."""

    def membrane(shape: tuple[int, ...], leak: int) -> dict[str, np.ndarray]:
        gain = LEAK_ONE / leak  # tau / DT, so that a current of 1 raises the potential by 1
        values = {"tau": DT * gain, "r": gain, "v_leak": 0.0}
        return {name: np.full(shape, value, np.float32) for name, value in values.items()}

    def lif(shape: tuple[int, ...], leak: int) -> nir.LIF:
        limit, reset = np.full(shape, THRESHOLD, np.float32), np.zeros(shape, np.float32)
        return nir.LIF(**membrane(shape, leak), v_threshold=limit, v_reset=reset)

    def conv(weight: np.ndarray, bias: np.ndarray, side: int, stride: int, pad: int) -> nir.Conv2d:
        return nir.Conv2d((side, side), weight, stride, pad, 1, 1, bias)

    w1, b1, w2, b2, w3, b3 = (parameter.detach().numpy() for parameter in network.parameters())
    window = np.array([POOL, POOL])
    nodes = {
        "input": nir.Input(input_type={"input": np.array([2, SIZE, SIZE])}),
        "conv1": conv(w1, b1, SIZE, STRIDE1, PADDING1),
        "lif1": lif((MAPS1, SIDE1, SIDE1), LEAK1),
        "conv2": conv(w2, b2, SIDE1, STRIDE2, PADDING2),
        "lif2": lif((MAPS2, SIDE2, SIDE2), LEAK2),
        "pool": nir.SumPool2d(kernel_size=window, stride=window, padding=np.array([0, 0])),
        "flatten": nir.Flatten(
            input_type={"input": np.array([MAPS2, SIDE2 // POOL, SIDE2 // POOL])}, start_dim=0
        ),
        "affine": nir.Affine(weight=w3, bias=b3),
        "readout": nir.LI(**membrane((CLASSES,), LEAK_READOUT)),
        "output": nir.Output(output_type={"output": np.array([CLASSES])}),
    }
    return nir.NIRGraph(nodes=nodes, edges=list(itertools.pairwise(nodes)))


def main() -> None:
    """Command line."""
    arguments = command_line("Train the spiking N-MNIST network.", "nmnist_1000.npz", epochs=150)
    data = load_data(arguments.data)
    trained, unseen = split(len(data.labels), HELD_OUT, arguments.validate)
    network = train(data, trained, arguments.epochs, arguments.seed)
    nir.write(arguments.output, to_nir(network))
    report(arguments, network, data.encode(unseen), data.labels[unseen])


if __name__ == "__main__":
    main()
