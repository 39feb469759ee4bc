"""The step-level model: runs an integer network on many samples at once.

In step t the phases fire in order. The input of a population is its bias plus, for each connection,
the weights of the spikes that the source emitted `delay` steps earlier; with delay 0, those of an
input or an earlier phase in the same step. The sums are exact, so their order does not matter.
"""

import contextlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikeloom.golden.checks import check_flag, check_integer, check_workers
from spikeloom.golden.convolution import Convolution, ConvolutionSums
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.event_counts import EventCounts, magnitudes
from spikeloom.golden.event_shape import with_samples
from spikeloom.golden.fixed import Integers, Signed
from spikeloom.golden.network import AnyConnection, Connection, Network
from spikeloom.golden.progress import task
from spikeloom.golden.random_numbers import random_states
from spikeloom.golden.sparse import SparseSums
from spikeloom.golden.step.batch import Batch, Sums, Trace, firing_groups, update_types
from spikeloom.golden.step.learner import Learner
from spikeloom.golden.step.neuron import Neurons, Spikes, State, spike_type
from spikeloom.golden.step.sums import WeightSums

NEURONS = 1 << 15, 1 << 17
"""Neurons of a population, times samples, that are updated at once.

With fewer, threads would wait for the interpreter; more would not stay in the cache.
"""

THREADED = 1 << 20
"""Neuron updates in a run below which threads cost more than they save."""

MAX_FIRST = 1 << 62
"""Highest number of the first sample of a run."""

SHARED = 1 << 15, 1 << 23
"""Neuron updates in a step, and in a run, below which threads do not pay that share its steps."""


@dataclass(frozen=True)
class Run:
    """The result of a run.

    Parameters
    ----------
    spikes
        For each spiking population, (samples, steps, size): bool, or uint8 counts where a neuron
        can spike several times in a step, or int8 where spikes have a sign.
    states
        For each population, the membrane potentials after the last step, int64 (samples, size).
    synops
        Synaptic operations of each sample, int64 (samples,): the synapses of every event that
        arrives before the sample ends; of a `graded` one, times the bits that are 1 in its number.
    currents
        For each population with a synaptic current, the currents after the last step, int64
        (samples, size).
    traces
        For each traced population, the membrane potentials after every step, int64
        (samples, steps, neurons).
    current_traces
        For each traced population with a synaptic current, the currents likewise.
    weights
        Of a run that learns: the weights of each plastic connection after the last sample, by its
        number in the network's `connections`.
    updates
        Of a run that learns: how often a term of a rule applied to a synapse after a step.
    planes
        Of a run that learns: the eligibilities of each plastic connection that has them, likewise.
    """

    spikes: dict[str, Spikes]
    states: dict[str, NDArray[np.int64]]
    synops: NDArray[np.int64]
    currents: dict[str, NDArray[np.int64]]
    traces: dict[str, NDArray[np.int64]]
    current_traces: dict[str, NDArray[np.int64]]
    weights: dict[int, Integers] = field(default_factory=dict)
    updates: int = 0
    planes: dict[int, Integers] = field(default_factory=dict)


def check_inputs(
    network: Network, inputs: Mapping[str, ArrayLike] | ArrayLike
) -> dict[str, EventCounts]:
    """Event counts for every input of `network`, as (samples, steps, size).

    Parameters
    ----------
    inputs
        For each input an array of bool or counts, (samples, steps, size) or (steps, size), where
        for an image its three axes may stand for the last; for a network with one input, the array
        itself.

    Raises
    ------
    SpikeloomError
        The network has no input, an input is missing or unknown, an array has the wrong shape or
        no sample, or a count is fractional, above the input's `max_count`, or negative where the
        input is not `signed`.
    """
    if not network.inputs:
        raise SpikeloomError("events: the network has no input, so the number of steps is unknown")
    if not isinstance(inputs, Mapping):
        if len(network.inputs) != 1:
            names = ", ".join(node.name for node in network.inputs)
            raise SpikeloomError(f"events: the network has several inputs; name them: {names}")
        inputs = {network.inputs[0].name: inputs}
    known = {node.name for node in network.inputs}
    if set(inputs) != known:
        raise SpikeloomError(f"events: expected inputs {sorted(known)}, got {sorted(inputs)}")
    counts: dict[str, EventCounts] = {}
    for node in network.inputs:
        try:
            values = np.asarray(inputs[node.name])
        except ValueError:
            raise SpikeloomError(f"events of {node.name!r} are not a rectangular array") from None
        values = with_samples(node.name, values, node.size, node.image)
        if not len(values):
            raise SpikeloomError(f"events of {node.name!r} hold no sample; give at least one")
        if values.dtype != np.bool_:
            if values.dtype.kind not in "iuf":
                raise SpikeloomError(
                    f"events of {node.name!r} must be bool or counts, not {values.dtype}"
                )
            lowest = -node.max_count if node.signed else 0
            if not (
                values.min() >= lowest
                and values.max() <= node.max_count
                and (values % 1 == 0).all()
            ):
                raise SpikeloomError(
                    f"events of {node.name!r} must be whole counts {lowest}..{node.max_count}; "
                    "for more events per axon and step compile with a higher max_count, and for a "
                    "real value per axon put a Scale node behind the Input"
                )
        if node.signed:
            counts[node.name] = values.astype(np.int16)
        elif values.dtype == np.bool_:
            raw = values.view(np.uint8)
            # A file can hold bytes other than 0 and 1, which NumPy takes for True as well.
            counts[node.name] = raw if raw.max(initial=0) <= 1 else (raw != 0).view(np.uint8)
        else:
            counts[node.name] = values.astype(np.uint8)
    shapes = {array.shape[:2] for array in counts.values()}
    if len(shapes) > 1:
        raise SpikeloomError(f"events: inputs differ in samples and steps: {sorted(shapes)}")
    return counts


def simulate(
    network: Network,
    inputs: Mapping[str, ArrayLike] | ArrayLike,
    workers: int | None = None,
    traces: Mapping[str, Integers] | None = None,
    graded: bool = False,
    first: int = 0,
    learn: bool = False,
) -> Run:
    """Run every sample of `inputs` (see `check_inputs`) from the initial state.

    Parameters
    ----------
    workers
        Maximum number of threads, >= 1; one for each core if None. The result is the same.
    traces
        The neurons of each population whose state after every step is kept.
    graded
        Several spikes in a step are one event, as `magnitudes` has it; only `synops` depend on it.
    first
        Number of the first sample in its run, by which its random numbers differ.
    learn
        Weights of plastic connections change: the samples run one after the other, each with the
        weights that the one before left.
    """
    _check_options(workers, traces, graded, first)
    counts = check_inputs(network, inputs)
    samples, steps = next(iter(counts.values())).shape[:2]
    learner = _learner(network, learn)
    in_turn = learner.populations | _carrying(network)
    batches, workers = _batches(network, samples, steps, 1 if in_turn else workers)
    by_batch = len(batches) >= workers
    events = _event_arrays(network, counts)
    kept = _new_traces(network, traces or {}, steps, samples)
    sums: dict[int, Sums] = {id(c): connection_sums(network, c) for c in network.connections}
    sums.update(learner.sums)
    fan_outs = {
        id(c): network.fan_out(c) for c in network.connections if not isinstance(c, Connection)
    }
    numbers = random_states(network.seed or 0, first, samples, steps)
    types, neurons = update_types(network), _neurons(network)
    whole = Batch(network, sums, events, kept, types, neurons, numbers)
    groups = firing_groups(network, in_turn)
    synops, before = np.empty(samples, np.int64), dict[str, State]()

    def run(part: slice, executor: Executor | None) -> list[dict[str, State]]:
        batch = replace(whole.part(part), executor=executor, workers=workers)
        after = list[dict[str, State]]()
        for group in groups:
            if in_turn.isdisjoint(p.name for p in group):
                after.append(batch.run(group))
            else:
                after.extend(batch.run_in_turn(group, learner, before))
        synops[part] = _synaptic_operations(network, batch.events, fan_outs, graded)
        return after

    states: dict[str, list[State]] = {p.name: [] for p in network.populations}
    with task("running the golden model", samples) as step, contextlib.ExitStack() as stack:
        pool = None if workers == 1 else stack.enter_context(ThreadPoolExecutor(workers))
        if pool is not None and by_batch:
            results = pool.map(lambda part: run(part, None), batches)
        else:
            results = (run(part, pool) for part in batches)
        for part, after in zip(batches, results, strict=True):
            for some in after:
                for name, state in some.items():
                    states[name].append(state)
            step.done(part.stop)
    with_currents = [p.name for p in network.populations if p.synaptic_decay is not None]
    return Run(
        {p.name: events[p.name].swapaxes(0, 1) for p in network.populations if p.spiking},
        {name: _joined([state.v for state in parts]) for name, parts in states.items()},
        synops,
        {name: _joined([state.i for state in states[name]]) for name in with_currents},
        {name: trace.v.swapaxes(0, 1) for name, trace in kept.items()},
        {name: trace.i.swapaxes(0, 1) for name, trace in kept.items() if trace.i is not None},
        learner.weights,
        learner.updates,
        learner.planes,
    )


def _check_options(workers: int | None, traces: object, graded: bool, first: int) -> None:
    """Check the options of a run but `learn`."""
    check_integer("simulate: first", first, 0, MAX_FIRST)
    check_flag("simulate: graded", graded)
    check_workers(workers)
    if traces is not None and not isinstance(traces, Mapping):
        raise SpikeloomError(
            f"simulate: traces must be a mapping from populations to their neurons, not {traces!r}"
        )


def _neurons(network: Network) -> dict[str, list[Neurons]]:
    """The versions of each population."""
    bits = network.state_bits
    return {p.name: [Neurons(version, bits) for version in p.versions] for p in network.populations}


def _event_arrays(network: Network, counts: Mapping[str, EventCounts]) -> dict[str, Spikes]:
    """The events of each input, and room for those of each spiking population.

    Steps come first, (steps, samples, size), so that the data of one step are contiguous.
    """
    samples, steps = next(iter(counts.values())).shape[:2]
    events: dict[str, Spikes] = {name: array.swapaxes(0, 1) for name, array in counts.items()}
    for p in network.populations:
        if p.spiking:
            events[p.name] = np.empty((steps, samples, p.size), spike_type(p))
    return events


def _carrying(network: Network) -> set[str]:
    """The populations in which each sample goes on from the one before."""
    return {
        p.name
        for p in network.populations
        if any(switch.carries for version in p.versions for switch in version.switches)
    }


def _learner(network: Network, learn: bool) -> Learner:
    """What learns in a run: the plastic connections, or nothing."""
    check_flag("simulate: learn", learn)
    if learn:
        network.check_learns()
    return Learner(network, network.plastic if learn else ())


def _batches(
    network: Network, samples: int, steps: int, workers: int | None
) -> tuple[list[slice], int]:
    """The samples that run together, and how many threads pay.

    They share the batches or, where there are fewer batches than threads, the sums in one.
    """
    neurons = samples * sum(population.size for population in network.populations)
    if neurons * steps < THREADED:
        workers = 1
    workers = workers or os.cpu_count() or 1
    largest = max(population.size for population in network.populations)
    fewest, most = (max(1, number // largest) for number in NEURONS)
    size = min(max(fewest, samples // workers), most)
    size = -(-samples // -(-samples // size))  # equal ones
    batches = [slice(start, min(start + size, samples)) for start in range(0, samples, size)]
    if len(batches) < workers and (neurons < SHARED[0] or neurons * steps < SHARED[1]):
        workers = 1
    return batches, workers


def _joined(parts: Sequence[Signed]) -> Integers:
    return np.concatenate(parts, dtype=np.int64, casting="unsafe")


def _new_traces(
    network: Network, traces: Mapping[str, Integers], steps: int, samples: int
) -> dict[str, Trace]:
    """Room for the traces of these neurons."""
    kept = {}
    for name, neurons in traces.items():
        shape = steps, samples, len(neurons)
        current = None
        if network.population(name).synaptic_decay is not None:
            current = np.empty(shape, np.int64)
        kept[name] = Trace(neurons, np.empty(shape, np.int64), current)
    return kept


def connection_sums(
    network: Network, connection: AnyConnection
) -> WeightSums | ConvolutionSums | SparseSums:
    """The sums that the events of a connection add to its targets, in units of their potentials."""
    count = network.max_events(connection.source)
    signed = network.has_signs(connection.source)
    fraction_bits = network.population(connection.target).fraction_bits
    scale = 1 << (fraction_bits + network.weight_bits * connection.high)
    image = network.image(connection.source)
    if isinstance(connection, Convolution):
        assert image is not None
        if connection.output(image)[1:] == (1, 1):  # as good as dense, and without any unfolding
            return WeightSums(connection.dense_weights(image), count, scale, signed)
        return ConvolutionSums(connection, image, count, scale, signed)
    if isinstance(connection, Connection):
        return WeightSums(connection.weights, count, scale, signed)
    return SparseSums(connection, network.size(connection.target), scale)


def _synaptic_operations(
    network: Network, events: Mapping[str, Spikes], fan_outs: Mapping[int, Integers], graded: bool
) -> Integers:
    """Synaptic operations of each sample; `events` are (steps, samples, size)."""
    steps, samples = next(iter(events.values())).shape[:2]
    synops = np.zeros(samples, np.int64)
    for connection in network.connections:
        if connection.source in events:
            arriving = events[connection.source][: max(steps - connection.delay, 0)]
            # The smallest types that hold the counts: sums take a fifth of the time.
            most = steps * network.max_events(connection.source)
            added = magnitudes(arriving, graded)
            counts = added.sum(axis=0, dtype=np.min_scalar_type(most))
            if isinstance(connection, Connection):
                total = counts.sum(axis=1, dtype=np.min_scalar_type(most * counts.shape[1]))
                synops += total.astype(np.int64) * network.size(connection.target)
            else:
                # Exact in float64, in which NumPy has a fast product.
                product = counts.astype(np.float64) @ fan_outs[id(connection)]
                synops += product.astype(np.int64)
    return synops
