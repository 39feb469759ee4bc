"""Train the recurrent Braille network and write it as a NIR graph.

The network is trained as it will run: weights, biases, thresholds and potentials are integers in
the forward pass, gradients pass straight through the roundings and through a surrogate for the
spike.  Run from the root of the repository:

    python -m examples.braille.train --data braille_1350.npz --output braille.nir
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nir
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from examples.braille import CHANNELS, FRAMES, HELD_OUT, STEPS, encode
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

HIDDEN, CLASSES = 96, 27
LEAK_SYNAPSE, LEAK_HIDDEN = 1024, 256  # leaks are multiples of 64: exact in single precision
LEAK_READOUT = 64
THRESHOLD = 1.0  # of the hidden population, before scaling to integers
CLIP, READOUT_CLIP = 0.8, 1.0  # weights are kept within, so that no outlier sets the scale

BATCH = 64
SETTINGS = Settings(
    learning_rate=5e-3,
    warm_up=50,
    weight_decay=0.02,
    averaging=0.99,
    smoothing=0.05,
    hidden_spikes=200.0,
    spike_penalty=0.005,
)

SPEED = 0.08  # the augmentation's largest deformations: of the speed over the letter,
START = 3.0  # of the moment at which it is reached (frames),
WARP = 1.0  # of the course of time in between (frames, standard deviation)
WARP_KNOTS = 6
AMPLITUDE = 0.12  # of the sensors' amplitudes,
DRIFT = 3.0  # of their values towards the end of the recording,
NOISE = 1.0  # and of every value (standard deviation)


@dataclass
class Recordings:
    """Frames (n, 77, 12) uint8 and classes (n,)."""

    frames: np.ndarray
    labels: np.ndarray

    def __getitem__(self, index: np.ndarray) -> "Recordings":
        return Recordings(self.frames[index], self.labels[index])


def load_data(path: Path) -> Recordings:
    """Read braille_1350.npz."""
    with np.load(path) as file:
        return Recordings(file["frames"], file["labels"].astype(np.int64))


class Augmentation:
    """Random deformation of recordings: warped in time, scaled, drifting and noisy."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Deform frames (n, 77, 12)."""
        random, n = self.random, len(frames)

        def uniform(limit: float, *shape: int) -> np.ndarray:
            return random.uniform(-limit, limit, (n, *shape))

        time = np.arange(FRAMES)
        knots = np.linspace(0, FRAMES - 1, WARP_KNOTS)
        bends = [np.interp(time, knots, bend) for bend in random.normal(0, WARP, (n, WARP_KNOTS))]
        centre = FRAMES / 2
        source = centre + (time - centre) * (1 + uniform(SPEED, 1)) + uniform(START, 1) + bends
        source = source.clip(0, FRAMES - 1)
        before = source.astype(np.int64)
        after, part = np.minimum(before + 1, FRAMES - 1), (source % 1)[..., np.newaxis]
        row = np.arange(n)[:, np.newaxis]
        values = frames[row, before] * (1 - part) + frames[row, after] * part
        rest = values[:, :1]
        sensors = frames.shape[2]
        values = rest + (values - rest) * (1 + uniform(AMPLITUDE, 1, sensors))
        values += uniform(DRIFT, 1, sensors) * (time / FRAMES)[:, np.newaxis]
        values += random.normal(0, NOISE, values.shape)
        return np.rint(values).clip(0, 255).astype(np.uint8)


class Network(nn.Module):
    """Affine -> CubaLIF that hears itself -> Affine -> LI, unrolled over the steps."""

    def __init__(self) -> None:
        super().__init__()
        self.input_weight = nn.Parameter(0.3 * torch.randn(HIDDEN, CHANNELS))
        self.recurrent_weight = nn.Parameter(0.03 * torch.randn(HIDDEN, HIDDEN))
        self.hidden_bias = nn.Parameter(torch.zeros(HIDDEN))
        self.readout_weight = nn.Parameter(0.1 * torch.randn(CLASSES, HIDDEN))
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
            The readout's final potentials (n, 27), in units of the float network, and the number
            of hidden spikes per recording (n,).
        """
        weights = self.input_weight, self.recurrent_weight
        scale = scale_of(weights, integer)
        w_in, w_rec, bias = (scaled(p, scale, integer) for p in (*weights, self.hidden_bias))
        threshold = threshold_of(THRESHOLD, scale, integer)
        out_scale = scale_of([self.readout_weight], integer)
        w_out = scaled(self.readout_weight, out_scale, integer)
        out_bias = scaled(self.readout_bias, out_scale, integer)

        currents = F.linear(inputs, w_in, bias)
        i = v = spikes = torch.zeros_like(currents[:, 0])
        out = i.new_zeros(len(inputs), CLASSES)
        activity = i.new_zeros(len(inputs))
        for step in range(STEPS):
            i = integrate(i, LEAK_SYNAPSE, currents[:, step] + F.linear(spikes, w_rec), integer)
            u = integrate(v, LEAK_HIDDEN, i, integer)
            spikes = Spike.apply((u - threshold) / scale)
            v = u * (1 - spikes)
            activity = activity + spikes.sum(1)
            out = integrate(out, LEAK_READOUT, F.linear(spikes, w_out, out_bias), integer)
        return out / out_scale, activity

    @torch.no_grad()
    def clip(self) -> None:
        """Keep the weights within their limits."""
        self.input_weight.clamp_(-CLIP, CLIP)
        self.recurrent_weight.clamp_(-CLIP, CLIP)
        self.readout_weight.clamp_(-READOUT_CLIP, READOUT_CLIP)


def train(data: Recordings, epochs: int, seed: int) -> Network:
    """Train a network; returns the running average of its parameters."""
    augment = Augmentation(seed)
    batches = len(data.labels) // BATCH

    def draw(epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        order = augment.random.permutation(len(data.labels))[: batches * BATCH]
        for index in order.reshape(batches, BATCH):
            batch = data[index]
            spikes = encode(augment(batch.frames))
            yield torch.from_numpy(spikes).float(), torch.from_numpy(batch.labels)

    return fit(Network(), SETTINGS, epochs, batches, draw)


def to_nir(network: Network) -> nir.NIRGraph:
    """The float network as a NIR graph; forward Euler with step DT gives the same dynamics."""

    def each(size: int, **values: float) -> dict[str, np.ndarray]:
        return {name: np.full(size, value, np.float32) for name, value in values.items()}

    # Gains of tau / DT, so that a current of 1 raises a state by 1.
    synapse, hidden, readout = (LEAK_ONE / k for k in (LEAK_SYNAPSE, LEAK_HIDDEN, LEAK_READOUT))
    w_in, w_rec, bias, w_out, out_bias = (p.detach().numpy() for p in network.parameters())
    nodes = {
        "input": nir.Input(input_type={"input": np.array([CHANNELS])}),
        "hidden_affine": nir.Affine(weight=w_in, bias=bias),
        "hidden": nir.CubaLIF(
            **each(HIDDEN, tau_syn=DT * synapse, tau_mem=DT * hidden, r=hidden, w_in=synapse),
            **each(HIDDEN, v_leak=0, v_threshold=THRESHOLD, v_reset=0),
        ),
        "recurrent": nir.Linear(weight=w_rec),
        "readout_affine": nir.Affine(weight=w_out, bias=out_bias),
        "readout": nir.LI(**each(CLASSES, tau=DT * readout, r=readout, v_leak=0)),
        "output": nir.Output(output_type={"output": np.array([CLASSES])}),
    }
    edges = [
        ("input", "hidden_affine"),
        ("hidden_affine", "hidden"),
        ("hidden", "recurrent"),
        ("recurrent", "hidden"),
        ("hidden", "readout_affine"),
        ("readout_affine", "readout"),
        ("readout", "output"),
    ]
    return nir.NIRGraph(nodes=nodes, edges=edges)


def main() -> None:
    """Command line."""
    arguments = command_line("Train the spiking Braille network.", "braille_1350.npz", epochs=150)
    data = load_data(arguments.data)
    trained, unseen = split(len(data.labels), HELD_OUT, arguments.validate)
    network = train(data[trained], arguments.epochs, arguments.seed)
    nir.write(arguments.output, to_nir(network))
    report(arguments, network, encode(data.frames[unseen]), data.labels[unseen])


if __name__ == "__main__":
    main()
