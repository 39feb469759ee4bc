"""The metrics of NeuroBench (arXiv:2304.04640), of the integer network on the hardware's memories.

Names and definitions are those of NeuroBench 2, so that results stand beside those of others.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.convolution import Convolution, ConvolutionSums
from spikeloom.golden.network import AnyConnection, Network
from spikeloom.mapping.storage import dense
from spikeloom.program import Program


def static_metrics(program: Program) -> dict[str, Any]:
    """The metrics that need no run.

    Returns
    -------
    dict
        `footprint`: bytes of all rows that the program uses in the fabric's memories, by memory in
        `footprint_by_memory`; zero weights and the padding of words count. `connection_sparsity`:
        fraction of the weights that are 0, each weight of a kernel counted once.
    """
    bits = _memory_bits(program)
    zeros = weights = 0
    for connection in _whole(program.network):
        zeros += int(np.count_nonzero(connection.weights == 0))
        weights += connection.weights.size
    by_memory = {name: used / 8 for name, used in bits.items()}
    return {
        "footprint": sum(by_memory.values()),
        "footprint_by_memory": by_memory,
        "connection_sparsity": zeros / weights if weights else 0.0,
    }


def workload_metrics(network: Network, events: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """The metrics of a run.

    Parameters
    ----------
    events
        Counts of each input and each spiking population, (samples, steps, size).

    Returns
    -------
    dict
        `activation_sparsity`: fraction of (neuron, step, sample) of all spiking populations
        without a spike. `synaptic_operations`, each per sample: `Dense`, as if every axon were
        active in every step and no weight 0; `Effective_ACs` and `Effective_MACs`, only those with
        an active axon and a weight other than 0: accumulates where every activation is 0 or 1,
        multiply-accumulates where there are counts.
    """
    samples, steps = next(iter(events.values())).shape[:2]
    active = neurons = 0
    for population in network.populations:
        if population.spiking:
            active += int(np.count_nonzero(events[population.name]))
            neurons += events[population.name].size
    operations = {"Effective_MACs": 0.0, "Effective_ACs": 0.0, "Dense": 0.0}
    for connection in _whole(network):
        if connection.source not in events:
            continue
        source = events[connection.source]
        kind = "Effective_MACs" if np.abs(source).max(initial=0) > 1 else "Effective_ACs"
        totals = (source != 0).sum(axis=(0, 1), dtype=np.uint32)
        operations[kind] += _effective_operations(network, connection, totals) / samples
        operations["Dense"] += int(network.fan_out(connection).sum()) * steps
    return {
        "activation_sparsity": (neurons - active) / neurons if neurons else 0.0,
        "synaptic_operations": operations,
    }


def _memory_bits(program: Program) -> dict[str, int]:
    """Bits of the rows that a program uses, by memory, over all tiles."""
    config = program.fabric
    bits: dict[str, int] = {}
    for tile in program.image.tiles:
        for target, memory in config.built_memories.items():
            if rows := tile.tables.get(target):
                name = target.name.lower()
                bits[name] = bits.get(name, 0) + memory.row.width * len(rows)
    neurons = sum(used["neurons"] for used in program.plan.report.used)
    if config.sparse_words:
        # Only sparse words have groups.
        groups = config.weight_row.width - config.lanes * config.weight_bits
        dense = (max(0, len(tile.weights) - config.sparse_words) for tile in program.image.tiles)
        bits["weight"] = bits.get("weight", 0) - groups * sum(dense)
    bits["state"] = neurons * config.state_row.width
    if config.synaptic_current:
        bits["current"] = neurons * config.state_row.width
    groups = sum(-(-used["neurons"] // config.lanes) for used in program.plan.report.used)
    bits["sum"] = groups * config.slots * config.sum_row.width
    return bits


def _whole(network: Network) -> Iterator[AnyConnection]:
    """The connections, sparse ones as matrices, with the parts of wide weights joined."""
    joined: AnyConnection | None = None
    for connection in (dense(network, connection) for connection in network.connections):
        if connection.high and joined is not None:
            weights = joined.weights + (connection.weights << network.weight_bits)
            joined = dataclasses.replace(joined, weights=weights)
            continue
        if joined is not None:
            yield joined
        joined = dataclasses.replace(connection, high=False)
    if joined is not None:
        yield joined


def _effective_operations(
    network: Network, connection: AnyConnection, totals: NDArray[np.unsignedinteger[Any]]
) -> int:
    """Synapses with a weight other than 0, over all activations: `totals` of each axon."""
    present = (connection.weights != 0).astype(np.int64)
    if isinstance(connection, Convolution):
        image = network.image(connection.source)
        assert image is not None
        counting = dataclasses.replace(connection, weights=present)
        sums = ConvolutionSums(counting, image, 255)
        # It takes bytes, so the totals go through it byte by byte.
        places = range(0, int(totals.max()).bit_length(), 8)
        digits = {place: (totals >> place & 255).astype(np.uint8) for place in places}
        return sum(int(sums(digit).sum()) << place for place, digit in digits.items())
    return int(totals @ present.sum(axis=1))
