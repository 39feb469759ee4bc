"""The step-level model: a network over many samples at once, whatever hardware runs it.

In step t the phases fire in order. A population's input is the sum, over its connections, of the
weights of the spikes that their sources emitted `delay` steps before, plus the bias; with delay 0
that is this step's spikes of an earlier phase or of an input. The sums are exact, so their order
does not matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikeloom.golden.convolution import Convolution, ConvolutionSums
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Signed
from spikeloom.golden.network import AnyConnection, Network
from spikeloom.golden.step.neuron import Spikes, update, update_type
from spikeloom.golden.step.sums import WeightSums

BATCH_ELEMENTS = 1 << 23
"""Samples are run in batches of about this many input elements, to bound the memory used."""


@dataclass(frozen=True)
class Run:
    """What a network did.

    Parameters
    ----------
    spikes
        For each spiking population, of shape (samples, steps, size): bool, or, where a neuron can
        spike several times in a step, how often.
    states
        For each population the membrane potentials after the last step, int64 (samples, size).
    synops
        Synaptic operations of each sample, int64 (samples,): for every event that arrives before
        the sample ends, the synapses it goes through.
    """

    spikes: dict[str, Spikes]
    states: dict[str, NDArray[np.int64]]
    synops: NDArray[np.int64]


def check_inputs(
    network: Network, inputs: Mapping[str, ArrayLike] | ArrayLike
) -> dict[str, NDArray[np.uint8]]:
    """Event counts for every input of `network`, as (samples, steps, size).

    Parameters
    ----------
    inputs
        Per input (or, for a network of one input, just) an array of bool or counts, of shape
        (samples, steps, size) or (steps, size).

    Raises
    ------
    SpikeloomError
        The network has no input, an input is missing or unknown, its shape does not fit, it holds
        no sample, or a count is negative, fractional or above the input's `max_count`.
    """
    if not network.inputs:
        raise SpikeloomError("events: the network has no input, so nothing says how long to run")
    if not isinstance(inputs, Mapping):
        if len(network.inputs) != 1:
            names = ", ".join(node.name for node in network.inputs)
            raise SpikeloomError(f"events: the network has several inputs; name them: {names}")
        inputs = {network.inputs[0].name: inputs}
    known = {node.name for node in network.inputs}
    if set(inputs) != known:
        raise SpikeloomError(f"events: expected inputs {sorted(known)}, got {sorted(inputs)}")
    counts: dict[str, NDArray[np.uint8]] = {}
    for node in network.inputs:
        try:
            values = np.asarray(inputs[node.name])
        except ValueError:
            raise SpikeloomError(f"events of {node.name!r} are no rectangular array") from None
        shape = values.shape
        if values.ndim == 2:
            values = values[np.newaxis]
        if values.ndim != 3 or values.shape[2] != node.size or values.shape[1] == 0:
            raise SpikeloomError(
                f"events of {node.name!r} must have shape (samples, steps, {node.size}) "
                f"or (steps, {node.size}), not {shape}"
            )
        if not len(values):
            raise SpikeloomError(
                f"events of {node.name!r} hold no sample: nothing to run, nothing to compare"
            )
        if values.dtype != np.bool_:
            if values.dtype.kind not in "iuf":
                raise SpikeloomError(
                    f"events of {node.name!r} must be bool or counts, not {values.dtype}"
                )
            if not (
                values.min() >= 0 and values.max() <= node.max_count and (values % 1 == 0).all()
            ):
                raise SpikeloomError(
                    f"events of {node.name!r} must be whole counts 0..{node.max_count}; "
                    "for more events an axon and step, compile with a higher max_count"
                )
        counts[node.name] = values.astype(np.uint8)
    shapes = {array.shape[:2] for array in counts.values()}
    if len(shapes) > 1:
        raise SpikeloomError(f"events: inputs differ in samples and steps: {sorted(shapes)}")
    return counts


def simulate(network: Network, inputs: Mapping[str, ArrayLike] | ArrayLike) -> Run:
    """Run every sample of `inputs` (see `check_inputs`) from the initial state."""
    counts = check_inputs(network, inputs)
    samples, steps = next(iter(counts.values())).shape[:2]
    widest = sum(node.size for node in network.inputs)
    widest += sum(population.size for population in network.populations)
    batch = max(1, BATCH_ELEMENTS // (steps * widest))
    runs = [
        _simulate_batch(network, {name: c[start : start + batch] for name, c in counts.items()})
        for start in range(0, samples, batch)
    ]
    if len(runs) == 1:
        return runs[0]
    return Run(
        {name: np.concatenate([run.spikes[name] for run in runs]) for name in runs[0].spikes},
        {name: np.concatenate([run.states[name] for run in runs]) for name in runs[0].states},
        np.concatenate([run.synops for run in runs]),
    )


def _simulate_batch(network: Network, counts: Mapping[str, NDArray[np.uint8]]) -> Run:
    samples, steps = next(iter(counts.values())).shape[:2]
    integer = update_type(network.state_bits, network.sum_bits)
    sums = {id(c): connection_sums(network, c) for c in network.connections}
    # What inputs bring is known beforehand, for all steps.
    driven = {
        id(c): sums[id(c)](counts[c.source]) for c in network.connections if c.source in counts
    }
    emitted: dict[str, Spikes] = {}
    v: dict[str, Signed] = {}
    i: dict[str, Signed] = {}
    for population in network.populations:
        shape = samples, steps, population.size
        emitted[population.name] = np.zeros(
            shape, np.bool_ if population.max_spikes == 1 else np.uint8
        )
        v[population.name] = np.full((samples, population.size), population.v_init, integer)
        i[population.name] = np.zeros((samples, population.size), integer)

    firing_order = sorted(network.populations, key=lambda population: population.phase)
    for t in range(steps):
        for population in firing_order:
            name = population.name
            x: Signed = np.tile(population.bias.astype(integer), (samples, 1))
            for connection in network.into(name):
                then = t - connection.delay
                if then < 0:
                    continue
                if connection.source in counts:
                    arriving = driven[id(connection)][:, then]
                else:
                    arriving = sums[id(connection)](emitted[connection.source][:, then])
                if connection.high:
                    arriving = arriving * integer(1 << network.weight_bits)
                x += arriving
            emitted[name][:, t], v[name], i[name] = update(
                population, v[name], i[name], x, network.state_bits
            )

    return Run(
        {p.name: emitted[p.name] for p in network.populations if p.spiking},
        {p.name: v[p.name].astype(np.int64) for p in network.populations},
        _synaptic_operations(network, counts, emitted),
    )


def connection_sums(network: Network, connection: AnyConnection) -> WeightSums | ConvolutionSums:
    """What makes the sums that the events of a connection bring, without its `high`."""
    count = network.max_events(connection.source)
    image = network.image(connection.source)
    if isinstance(connection, Convolution):
        assert image is not None
        return ConvolutionSums(connection, image, count)
    return WeightSums(connection.weights, count)


def _synaptic_operations(
    network: Network,
    counts: Mapping[str, NDArray[np.uint8]],
    emitted: Mapping[str, Spikes],
) -> NDArray[np.int64]:
    samples, steps = next(iter(counts.values())).shape[:2]
    synops = np.zeros(samples, np.int64)
    for connection in network.connections:
        source = connection.source
        events = counts[source] if source in counts else emitted[source]
        arriving = events[:, : max(steps - connection.delay, 0)]
        if isinstance(connection, Convolution):
            synops += arriving.sum(axis=1, dtype=np.int64) @ network.fan_out(connection)
        else:
            total = arriving.sum(axis=(1, 2), dtype=np.int64)
            synops += total * network.size(connection.target)
    return synops
