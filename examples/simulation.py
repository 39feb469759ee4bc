"""Plain NumPy simulation of a trained network as integers, independent of its training.

It reads the NIR graph, quantises it by the rule of the hardware and steps it:

    x = sum of weights of arriving spikes + bias
    i = sat(decay(i, k_syn) + x)    with a synaptic current; else i = x
    u = sat(decay(v, k_mem) + i)
    s = u > threshold
    v = 0 where s, else u

`decay(x, k)` is x * (4096 - k) / 4096, truncated; `sat` saturates at 16 bits.  A layer sees the
spikes of the layer below in the same step and its own in the next one.
"""

from dataclasses import dataclass
from typing import Any

import nir
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

DT = 1e-3  # seconds per step in the NIR files
DECAY_ONE = 4096
WEIGHT_MAX = 127
LOW, HIGH = -(2**15), 2**15 - 1  # range of potentials and of sums

NEURONS = (nir.LIF, nir.CubaLIF, nir.LI)
WEIGHTED = (nir.Affine, nir.Linear, nir.Conv2d)


@dataclass
class Run:
    """The result of a simulation.

    Parameters
    ----------
    readout
        Potentials (n, classes) of the network's last population after the last step.
    spikes
        Mean number of spikes per recording, over all steps, of every spiking population.
    """

    readout: np.ndarray
    spikes: dict[str, float]


class Population:
    """One neuron node as integers, and the chains of maps that lead to it."""

    def __init__(self, graph: nir.NIRGraph, name: str) -> None:
        self.node = graph.nodes[name]
        self.chains = [_chain(graph, source) for source, target in graph.edges if target == name]
        maps = [node for _, chain in self.chains for node in chain if isinstance(node, WEIGHTED)]
        self.scale = WEIGHT_MAX / max(float(np.abs(node.weight).max()) for node in maps)
        self.syn = self._decay("tau_syn")
        self.mem = self._decay("tau_mem" if self.syn is not None else "tau")
        self.threshold: int | None = None
        if not isinstance(self.node, nir.LI):
            self.threshold = int(np.floor(self.node.v_threshold.flat[0] * self.scale))

    def _decay(self, tau: str) -> int | None:
        value = getattr(self.node, tau, None)
        return None if value is None else round(DECAY_ONE * DT / float(value.flat[0]))

    def current(self, spikes: dict[str, np.ndarray]) -> np.ndarray:
        """The input of this step, as integers."""
        x = 0
        for source, chain in self.chains:
            y = spikes[source]
            for node in chain:
                y = self._map(node, y)
            x = x + y
        assert np.abs(x).max() <= HIGH, "a sum overflows"
        return x

    def _map(self, node: Any, y: np.ndarray) -> np.ndarray:
        if isinstance(node, nir.Flatten):
            return y.reshape(len(y), -1)
        if isinstance(node, nir.SumPool2d):
            size = int(node.kernel_size[0])
            n, c, h, w = y.shape
            return y.reshape(n, c, h // size, size, w // size, size).sum(axis=(3, 5))
        weight = np.rint(node.weight * self.scale).astype(np.int64)
        bias = np.rint(getattr(node, "bias", np.zeros(1)) * self.scale).astype(np.int64)
        if not isinstance(node, nir.Conv2d):
            return y @ weight.T + bias
        (pad_h, pad_w), (down, right) = node.padding, node.stride
        padded = np.pad(y, ((0, 0), (0, 0), (pad_h, pad_h), (pad_w, pad_w)))
        windows = sliding_window_view(padded, weight.shape[2:], axis=(2, 3))[:, :, ::down, ::right]
        sums = np.tensordot(windows, weight, axes=((1, 4, 5), (1, 2, 3)))
        return np.moveaxis(sums + bias, -1, 1)


def _chain(graph: nir.NIRGraph, name: str) -> tuple[str, list[Any]]:
    """The source of spikes that a node's signal comes from, and the maps on the way."""
    chain: list[Any] = []
    while not isinstance(graph.nodes[name], (nir.Input, *NEURONS)):
        chain.insert(0, graph.nodes[name])
        [name] = [source for source, target in graph.edges if target == name]
    return name, chain


def _populations(graph: nir.NIRGraph) -> dict[str, Population]:
    """All populations, each after its sources of the same step."""
    waiting = {k: Population(graph, k) for k, v in graph.nodes.items() if isinstance(v, NEURONS)}
    ready: dict[str, Population] = {}
    known = {name for name, node in graph.nodes.items() if isinstance(node, nir.Input)}
    while waiting:
        name = next(
            name
            for name, population in waiting.items()
            if {source for source, _ in population.chains} <= known | {name}
        )
        ready[name] = waiting.pop(name)
        known.add(name)
    return ready


def _leak(x: np.ndarray, k: int) -> np.ndarray:
    return np.sign(x) * (np.abs(x) * (DECAY_ONE - k) // DECAY_ONE)


def simulate(graph: nir.NIRGraph, events: np.ndarray) -> Run:
    """Run recordings through a network.

    Parameters
    ----------
    graph
        Neurons of one population share their time constants; resets are to 0.
    events
        Events (n, steps, channels), as `encode` gives them.
    """
    [source] = [node for node in graph.nodes.values() if isinstance(node, nir.Input)]
    [source_name] = [name for name, node in graph.nodes.items() if node is source]
    n, steps = events.shape[:2]
    inputs = events.reshape(n, steps, *source.input_type["input"]).astype(np.int64)
    populations = _populations(graph)
    shapes = {name: (n, *p.node.output_type["output"]) for name, p in populations.items()}
    i, v, spikes = ({name: np.zeros(s, np.int64) for name, s in shapes.items()} for _ in range(3))
    totals = dict.fromkeys(populations, 0)
    for step in range(steps):
        spikes[source_name] = inputs[:, step]
        for name, population in populations.items():
            x = population.current(spikes)
            if population.syn is not None:
                x = i[name] = (_leak(i[name], population.syn) + x).clip(LOW, HIGH)
            u = (_leak(v[name], population.mem) + x).clip(LOW, HIGH)
            if population.threshold is not None:
                spikes[name] = (u > population.threshold).astype(np.int64)
                totals[name] += int(spikes[name].sum())
                u = u * (1 - spikes[name])
            v[name] = u
    spiking = {k: totals[k] / n for k, p in populations.items() if p.threshold is not None}
    return Run(v[name], spiking)
