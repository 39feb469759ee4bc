"""The widths with the least memory that lose no more than is allowed."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from spikeloom.evaluation.decoding import Decoding
from spikeloom.evaluation.labels import check_labels
from spikeloom.golden.checks import check_number
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Input, Network, Population
from spikeloom.golden.progress import task
from spikeloom.golden.spec import MAX_FRACTION_BITS
from spikeloom.golden.step.run import check_inputs
from spikeloom.importer.float_network import FloatNetwork
from spikeloom.quantise.fidelity import Fidelity, compare_float
from spikeloom.quantise.integers import SUM_BITS
from spikeloom.quantise.quantise import quantise
from spikeloom.quantise.records import QuantisationReport

WEIGHTS = ((2, False), (4, False), (8, False), (8, True))
"""Candidate widths of weights, and whether they come in pairs."""

Candidate = tuple[int, int, bool, int]
"""Bits of memory, width of weights, whether they come in pairs, width of states."""

STATES = (8, 10, 12, 14, 16, 18, 20, 22, 24)
"""Candidate widths of states."""


@dataclass(frozen=True)
class Choice:
    """The result of `choose`.

    Parameters
    ----------
    network, report
        The result of `quantise` with these widths.
    fidelity
        Its loss.
    memory_bits
        Memory of weights, states and sums.
    tried
        Number of candidates that were run.
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
    decoding: Decoding | None = None,
) -> Choice:
    """Quantise `net` with the least memory that loses at most `max_loss` on `inputs`.

    Parameters
    ----------
    net
        The result of `load_nir`.
    inputs
        Sample events, as for `simulate_float`. Scales are calibrated on them.
    labels
        The correct output of each sample; the loss is then the accuracy lost. Without labels it is
        the fraction of spikes that differ in the worst population.
    max_loss
        Maximum loss, 0..1.
    max_count
        Maximum number of events of an input axon in a step.
    decoding
        How answers are read, as for `compare_float`.

    Raises
    ------
    SpikeloomError
        No candidate meets `max_loss`; the message has the minimum loss.
    """
    candidates = sorted(
        (_memory(net, bits, pairs, state_bits), bits, pairs, state_bits)
        for (bits, pairs), state_bits in itertools.product(WEIGHTS, STATES)
    )
    _check(net, inputs, labels, max_loss, max_count)
    min_loss, tried = 1.0, 0
    refused: SpikeloomError | None = None
    for memory, weight_bits, weight_pairs, state_bits in _reported(candidates):
        try:
            network, report = quantise(
                net,
                weight_bits=weight_bits,
                weight_pairs=weight_pairs,
                state_bits=state_bits,
                sum_bits=_sum_bits(state_bits),
                max_count=max_count,
                max_fraction_bits=MAX_FRACTION_BITS,
                calibration=inputs,
            )
        except SpikeloomError as error:
            refused = error
            continue  # too narrow for this network
        tried += 1
        fidelity = compare_float(net, network, report, inputs, labels, decoding)
        min_loss = min(min_loss, fidelity.loss)
        if fidelity.loss <= max_loss:
            return Choice(network, report, fidelity, memory, tried)
    if refused is not None and not tried:
        raise refused
    raise SpikeloomError(
        f"max_loss: no width of weights and states loses less than {min_loss:g} on this input, and "
        f"{max_loss:g} is allowed; allow more, or retrain"
    )


def _reported(candidates: Sequence[Candidate]) -> Iterator[Candidate]:
    """The candidates, while whoever watches is told which is being tried."""
    with task("choosing widths", len(candidates)) as step:
        for number, candidate in enumerate(candidates):
            _, weight_bits, pairs, state_bits = candidate
            step.say(f"weights of {weight_bits << pairs} bits, states of {state_bits}")
            yield candidate
            step.done(number + 1)


def _check(
    net: FloatNetwork,
    inputs: Mapping[str, ArrayLike] | ArrayLike,
    labels: ArrayLike | None,
    max_loss: float,
    max_count: int,
) -> None:
    """Refuse arguments that are wrong with any width."""
    check_number("max_loss", max_loss, 0, 1)
    # A network with the inputs of every candidate; it must have a population.
    nodes = tuple(Input(node.name, node.size, max_count, node.image) for node in net.inputs)
    idle = Population(net.populations[0].name, 1, np.zeros(1, np.int64))
    counts = check_inputs(Network(nodes, (idle,), ()), inputs)
    if labels is not None:
        samples, steps = next(iter(counts.values())).shape[:2]
        check_labels(labels, samples, steps=steps)


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
