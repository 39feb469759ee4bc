"""The fabric that a board is built with by default takes what users bring."""

import dataclasses
import itertools

import nir
import numpy as np
import pytest

import spikeloom
from spikeloom.boards.registry import board, boards
from spikeloom.golden.errors import SpikeloomError

LAYERS = {"hx8k_evn": (100, 32, 10), "tang_nano_9k": (196, 128, 10)}
"""As large as the weight memory allows; others take 784-128-10."""


def snntorch_network(sizes: tuple[int, ...], betas: float | None = None) -> nir.NIRGraph:
    """What snnTorch exports of Linear and Leaky layers: all at its defaults, or random betas."""
    rng = np.random.default_rng(1)
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input({"input": np.array([sizes[0]])})}
    for number, (before, size) in enumerate(itertools.pairwise(sizes)):
        beta = np.full(size, 0.9) if betas is None else rng.uniform(betas, 0.95, size)
        tau = 1e-4 / (1 - beta)
        weights = rng.uniform(-1, 1, (size, before)) / np.sqrt(before)
        nodes[f"fc{number}"] = nir.Affine(weights, rng.uniform(-1, 1, size) / np.sqrt(before))
        nodes[f"lif{number}"] = nir.LIF(tau, tau / 1e-4, np.zeros(size), np.ones(size))
    nodes["output"] = nir.Output({"output": np.array([sizes[-1]])})
    return nir.NIRGraph(nodes, list(itertools.pairwise(nodes)))


@pytest.mark.parametrize("name", boards())
def test_a_board_takes_a_default_snntorch_network(name: str) -> None:
    """It subtracts, one step late, which needs `delayed_reset`."""
    net = spikeloom.load_nir(
        snntorch_network(LAYERS.get(name, (784, 128, 10))), dialect="snntorch", dt=1e-4
    )
    program = spikeloom.compile(net, name)
    assert program.fabric == board(name).fabric
    assert all(population.delayed_reset for population in program.network.populations)
    # The test can fail: without the option the network is refused, with what to type.
    without = dataclasses.replace(board(name).fabric, delayed_reset=False)
    with pytest.raises(SpikeloomError, match="delayed_reset=True"):
        spikeloom.compile(net, without)


@pytest.mark.parametrize("name", [name for name in boards() if board(name).fabric.traces])
def test_a_board_sends_potentials_of_every_step(name: str) -> None:
    net = spikeloom.load_nir(snntorch_network((20, 16, 10)), dialect="snntorch", dt=1e-4)
    image = spikeloom.compile(net, name).image.with_traces(["lif1"])
    assert [sender.trace for sender in image.senders] == [False, True]


@pytest.mark.parametrize("name", [n for n in boards() if board(n).fabric.neuron_parameters])
def test_a_board_takes_a_beta_for_each_neuron(name: str) -> None:
    net = spikeloom.load_nir(
        snntorch_network(LAYERS.get(name, (784, 128, 10)), betas=0.5), dialect="snntorch", dt=1e-4
    )
    program = spikeloom.compile(net, name)
    assert len(np.unique(program.network.population("lif0").decay)) > 2
