"""The widths that lose no more than is allowed, with the least memory."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Input, Network, Population
from spikeloom.golden.step.run import check_inputs
from spikeloom.importer.float_network import FloatNetwork
from spikeloom.quantise.fidelity import Fidelity, compare_float
from spikeloom.quantise.integers import SUM_BITS
from spikeloom.quantise.quantise import quantise
from spikeloom.quantise.records import QuantisationReport

WEIGHTS = ((2, False), (4, False), (8, False), (8, True))
"""Widths of weights that are tried, and whether in pairs."""

STATES = (8, 10, 12, 14, 16, 18, 20, 22, 24)
"""Widths of states that are tried."""


@dataclass(frozen=True)
class Choice:
    """What `choose` found.

    Parameters
    ----------
    network, report
        What `quantise` made with these widths.
    fidelity
        What it loses.
    memory_bits
        What weights, states and sums take.
    tried
        Number of combinations that were run.
    """

    network: Network
    report: QuantisationReport
    fidelity: Fidelity
    memory_bits: int
    tried: int


def choose(
    net: FloatNetwork,
    inputs: Mapping[str, ArrayLike] | ArrayLike,
    labels: ArrayLike | None = None,
    max_loss: float = 0.01,
    max_count: int = 1,
) -> Choice:
    """Quantise `net` with the least memory that loses at most `max_loss` on `inputs`.

    Parameters
    ----------
    net
        What `load_nir` gave.
    inputs
        Sample events, as for `simulate_float`. Scales are calibrated on them, too.
    labels
        The right answer for each sample; the loss is then the accuracy lost. Without, it is the
        fraction of spikes that differ in the worst population.
    max_loss
        Greatest loss allowed, 0..1.
    max_count
        Most events an input axon can have in one step.

    Raises
    ------
    SpikeloomError
        No combination of widths meets it; the message has the least loss.
    """
    candidates = sorted(
        (_memory(net, bits, pairs, state_bits), bits, pairs, state_bits)
        for (bits, pairs), state_bits in itertools.product(WEIGHTS, STATES)
    )
    _check(net, inputs, max_loss, max_count)
    least, tried = 1.0, 0
    refused: SpikeloomError | None = None
    for memory, weight_bits, weight_pairs, state_bits in candidates:
        try:
            network, report = quantise(
                net,
                weight_bits=weight_bits,
                weight_pairs=weight_pairs,
                state_bits=state_bits,
                sum_bits=_sum_bits(state_bits),
                max_count=max_count,
                calibration=inputs,
            )
        except SpikeloomError as error:
            refused = error
            continue  # too narrow for this network
        tried += 1
        fidelity = compare_float(net, network, report, inputs, labels)
        least = min(least, fidelity.loss)
        if fidelity.loss <= max_loss:
            return Choice(network, report, fidelity, memory, tried)
    if refused is not None and not tried:
        raise refused
    raise SpikeloomError(
        f"max_loss: no width of weights and states loses less than {least:g} on this input, and "
        f"{max_loss:g} is allowed; allow more, or train again"
    )


def _check(
    net: FloatNetwork,
    inputs: Mapping[str, ArrayLike] | ArrayLike,
    max_loss: float,
    max_count: int,
) -> None:
    """Refuse at once what no width would make right."""
    if isinstance(max_loss, bool) or not isinstance(max_loss, (int, float)):
        raise SpikeloomError(f"max_loss must be a number 0..1, not {max_loss!r}")
    # The inputs of every candidate, with a population because a network has one.
    nodes = tuple(Input(node.name, node.size, max_count) for node in net.inputs)
    idle = Population(net.populations[0].name, 1, np.zeros(1, np.int64))
    check_inputs(Network(nodes, (idle,), ()), inputs)


def _sum_bits(state_bits: int) -> int:
    """Sums get four bits more than states, for inputs that cancel each other."""
    return min(state_bits + 4, SUM_BITS[1])


def _memory(net: FloatNetwork, weight_bits: int, weight_pairs: bool, state_bits: int) -> int:
    """Bits of all weights, and of states, synaptic currents, sums and biases of all neurons."""
    weights = sum(connection.weights.size for connection in net.connections)
    neurons = sum(
        p.size * (state_bits * (1 + (p.synaptic_decay is not None)) + 2 * _sum_bits(state_bits))
        for p in net.populations
    )
    return weights * weight_bits * (1 + weight_pairs) + neurons
