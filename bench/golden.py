"""The step-level golden model beside snnTorch, same network, one thread."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.beside import golden_beside
from bench.figure import Figure
from spikeloom.demo import DT, EXAMPLE, mnist_program
from spikeloom.examples.mnist import encode
from spikeloom.importer.load import load_nir

BATCH = 1000
ROUNDS = 3, 12
"""To warm up, and that count."""


def measure(data: Path) -> Iterator[Figure]:
    """Samples per second of both, in alternation; the ratio is the median of the rounds'."""
    torch = importlib.import_module("torch")
    snntorch = importlib.import_module("snntorch")
    torch.set_num_threads(1)
    with np.load(data / "mnist.npz", allow_pickle=False) as archive:
        events = encode(archive["x_test"][:BATCH])
    network = mnist_program().network

    float_network = load_nir(
        Path(importlib.import_module(EXAMPLE).__path__[0]) / "mnist.nir", dt=DT
    )
    hidden, readout = float_network.populations
    layers = []
    for population in (hidden, readout):
        (connection,) = float_network.into(population.name)
        layer = torch.nn.Linear(*connection.weights.shape)
        layer.weight.data = torch.tensor(connection.weights.T, dtype=torch.float32).contiguous()
        layer.bias.data = torch.tensor(population.bias, dtype=torch.float32)
        layers.append(layer)
    spiking = snntorch.Leaky(
        beta=1 - hidden.decay, threshold=hidden.threshold, reset_mechanism="zero", reset_delay=False
    )
    leaky = snntorch.Leaky(beta=1 - readout.decay, reset_mechanism="none")
    # The tensor is made beforehand: snnTorch users keep their data as one.
    inputs = torch.tensor(events.transpose(1, 0, 2).astype(np.float32))

    def run_snntorch() -> None:
        with torch.no_grad():
            hidden_state, readout_state = spiking.init_leaky(), leaky.init_leaky()
            for step in inputs:
                spikes, hidden_state = spiking(layers[0](step), hidden_state)
                _, readout_state = leaky(layers[1](spikes), readout_state)

    yield from golden_beside(
        ("golden.samples_per_second", "golden.speed_over_snntorch"),
        network,
        events,
        run_snntorch,
        "snnTorch, same network and batch",
        ROUNDS,
        1.5,
    )
