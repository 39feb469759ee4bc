"""The loop over steps, for samples that run together."""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from spikeloom.golden.convolution import ConvolutionSums
from spikeloom.golden.fixed import Integers, Signed
from spikeloom.golden.network import AnyConnection, Network, Population
from spikeloom.golden.random_numbers import NO_NUMBERS, NeuronNumbers, Words
from spikeloom.golden.sparse import SparseSums
from spikeloom.golden.step.growing import Growing, grows
from spikeloom.golden.step.learner import Learner
from spikeloom.golden.step.neuron import (
    Neurons,
    Spikes,
    State,
    initial_state,
    update_type,
)
from spikeloom.golden.step.plastic_sums import PlasticSums
from spikeloom.golden.step.sums import WeightSums

Sums = WeightSums | ConvolutionSums | SparseSums | PlasticSums
"""What the events of a connection add to its targets."""

ELEMENTS = 1 << 17
"""Axons or neurons, times samples and steps, summed at once; it bounds the memory used."""


def firing_order(network: Network) -> list[Population]:
    """The populations, phase by phase."""
    return sorted(network.populations, key=lambda population: population.phase)


def firing_groups(network: Network, joined: Collection[str] = ()) -> list[list[Population]]:
    """The populations, grouped: those of a loop together, each of the others by itself.

    A group follows all groups that drive it, so it can run through all its steps at once. Within a
    group, populations are in firing order. Those that are `joined`, by name, are in one group.
    """
    populations = firing_order(network)
    number = {population.name: n for n, population in enumerate(populations)}
    drives = np.eye(len(populations), dtype=np.bool_)
    for name in joined:
        drives[number[name], [number[other] for other in joined]] = True
    for connection in network.connections:
        if connection.source in number:
            drives[number[connection.source], number[connection.target]] = True
    for between in range(len(populations)):  # Warshall's transitive closure
        drives |= drives[:, between, np.newaxis] & drives[between]
    groups: dict[bytes, list[Population]] = {}
    # A group is driven by more populations than any group that drives it.
    for n in np.argsort(drives.sum(axis=0), kind="stable"):
        groups.setdefault((drives[n] & drives[:, n]).tobytes(), []).append(populations[n])
    return list(groups.values())


def update_types(network: Network) -> dict[str, type[Any]]:
    """In which type each population is computed."""
    widest = (np.float32, np.int32, np.int64).index
    widths = network.state_bits, network.input_bits
    return {
        p.name: max((update_type(version, *widths) for version in p.versions), key=widest)
        for p in network.populations
    }


@dataclass(frozen=True)
class Trace:
    """Where a population's state after each step is written.

    Parameters
    ----------
    neurons
        The neurons that are traced.
    v, i
        Their membrane potentials and synaptic currents, int64 (steps, samples, neurons); `i` is
        None for a population without a synaptic current.
    """

    neurons: Integers
    v: Integers
    i: Integers | None

    def part(self, samples: slice) -> "Trace":
        """The trace of these samples, a view of the same arrays."""
        i = None if self.i is None else self.i[:, samples]
        return Trace(self.neurons, self.v[:, samples], i)

    def write(self, step: int, state: State) -> None:
        """Write the state after `step`."""
        self.v[step] = state.v[:, self.neurons]
        if self.i is not None:
            self.i[step] = state.i[:, self.neurons]


class _Group(NamedTuple):
    """A firing group, and what drives it.

    Parameters
    ----------
    populations
        In firing order.
    inside
        The connections into each population whose sums are added step by step: those from within
        the group, and those that learn.
    outside
        The others into each.
    learner
        The connections that learn; if there are any, there is one sample.
    """

    populations: Sequence[Population]
    inside: Mapping[str, Sequence[AnyConnection]]
    outside: Mapping[str, Sequence[AnyConnection]]
    learner: Learner | None


@dataclass(frozen=True)
class Batch:
    """Samples that run together.

    Parameters
    ----------
    network
        The network.
    sums
        For each connection, by its `id`, the scaled sums that its events add to its targets.
    events
        Of each input and spiking population, (steps, samples, size). `run` writes those of
        populations.
    traces
        Of populations that are traced; `run` writes them.
    types
        In which type each population is computed.
    neurons
        The versions of each population.
    numbers
        What the random numbers of each step are made of, (steps, samples).
    executor, workers
        Threads that share the sums of a group's input, and their number; None for no threads.
    """

    network: Network
    sums: Mapping[int, Sums]
    events: Mapping[str, Spikes]
    traces: Mapping[str, Trace]
    types: Mapping[str, type[Any]]
    neurons: Mapping[str, Sequence[Neurons]]
    numbers: Words
    executor: Executor | None = None
    workers: int = 1

    def run_in_turn(
        self, group: Sequence[Population], learner: Learner, states: dict[str, State]
    ) -> Iterator[dict[str, State]]:
        """Run a firing group sample by sample, each from what the one before has left.

        Parameters
        ----------
        states
            Of all populations after the sample before; they become those after the last one.

        Yields
        ------
        dict
            As `run` returns it, for each sample.
        """
        prepared = self._prepared(group, learner)
        growing = self._growing(group, learner)
        for n in range(self.numbers.shape[1]):
            if growing is not None:
                after = {group[0].name: growing.run(n)}
            else:
                after = self.part(slice(n, n + 1))._run(prepared, states)
            states.update(after)
            yield after

    def part(self, samples: slice) -> "Batch":
        """Some of its samples."""
        return replace(
            self,
            events={name: array[:, samples] for name, array in self.events.items()},
            traces={name: trace.part(samples) for name, trace in self.traces.items()},
            numbers=self.numbers[:, samples],
        )

    def run(self, group: Sequence[Population]) -> dict[str, State]:
        """Run a firing group from the first step to the last.

        Returns
        -------
        dict
            The state of its populations after the last step, (samples, size).
        """
        return self._run(self._prepared(group), {})

    def _prepared(self, group: Sequence[Population], learner: Learner | None = None) -> _Group:
        """A firing group, of which there is one sample where there is a `learner`."""
        names = {population.name for population in group}
        inside: dict[str, list[AnyConnection]] = {name: [] for name in names}
        outside: dict[str, list[AnyConnection]] = {name: [] for name in names}
        changing = {} if learner is None else learner.sums
        for connection in self.network.connections:
            if connection.target in names and connection.source in self.events:
                now = connection.source in names or id(connection) in changing
                where = inside if now else outside
                where[connection.target].append(connection)
        return _Group(group, inside, outside, learner)

    def _run(self, group: _Group, before: Mapping[str, State]) -> dict[str, State]:
        """Run a group; `before` are states after the sample before, if there is one."""
        steps, samples = next(iter(self.events.values())).shape[:2]
        learner = group.learner
        compared = {} if learner is None else learner.potentials
        if learner is not None:
            learner.begin(self.numbers, self.events)
        schedule = self.network.schedule or (0,)
        states = {
            p.name: initial_state(p, samples, self.types[p.name], schedule[0], before.get(p.name))
            for p in group.populations
        }
        sizes = [array.shape[2] for array in self.events.values()]
        largest = max(*sizes, *(population.size for population in group.populations))
        length = max(1, ELEMENTS // (samples * largest))
        stretches = [range(t, min(t + length, steps)) for t in range(0, steps, length)]
        for stretch, x in self._inputs(group, stretches):
            for t in stretch:
                variant = schedule[min(t, len(schedule) - 1)]
                for population in group.populations:
                    name = population.name
                    now = x[name][t - stretch.start]
                    if not now.flags.writeable and group.inside[name]:
                        now = now.copy()
                    for connection in group.inside[name]:
                        self._add(now[np.newaxis], connection, t)
                    present = self.neurons[name]
                    neurons = present[variant if variant < len(present) else 0]
                    spikes, states[name] = neurons.update(
                        states[name],
                        now,
                        self._numbers(name, t) if neurons.draws else NO_NUMBERS,
                        compared.get(name),
                    )
                    if population.spiking:
                        self.events[name][t] = spikes
                    if name in self.traces:
                        self.traces[name].write(t, states[name])
                if learner is not None:
                    learner.step(t)
        return states

    def _growing(self, group: Sequence[Population], learner: Learner) -> Growing | None:
        """The group's only population as one that grows, if it is one and is not traced."""
        population = group[0]
        name = population.name
        neurons = self.neurons[name][0]
        if (
            len(group) > 1
            or name in self.traces
            or not grows(self.network, population, neurons, learner, self.events)
        ):
            return None
        dtype = np.dtype(self.types[name])
        return Growing(self.network, population, neurons, learner, self.events, self.numbers, dtype)

    @cached_property
    def _firing_order(self) -> dict[str, int]:
        """The number of each population."""
        return {p.name: number for number, p in enumerate(firing_order(self.network))}

    def _numbers(self, name: str, step: int) -> NeuronNumbers:
        """The random numbers of a population in a step."""
        return NeuronNumbers(self.numbers[step], self._firing_order[name])

    def _inputs(
        self, group: _Group, stretches: Sequence[range]
    ) -> Iterator[tuple[range, dict[str, Sequence[Signed]]]]:
        """Each stretch of steps, and the input of the populations in it but for the group's own.

        With threads, the next stretch is summed while the caller works on one.
        """
        ahead = 0 if self.executor is None else 1
        begun: deque[dict[str, tuple[Sequence[Signed], Iterator[None]]]] = deque()
        for number, stretch in enumerate(stretches):
            for following in stretches[number + len(begun) : number + ahead + 1]:
                begun.append(
                    {
                        p.name: self._input(p, group.outside[p.name], following)
                        for p in group.populations
                    }
                )
            inputs = begun.popleft()
            for _, filling in inputs.values():
                tuple(filling)
            yield stretch, {name: x for name, (x, _) in inputs.items()}

    def _input(
        self, population: Population, connections: Sequence[AnyConnection], stretch: range
    ) -> tuple[Sequence[Signed], Iterator[None]]:
        """Bias plus the sums of `connections` in each step, (samples, size).

        The iterator fills them; without any connection they are read-only.
        """
        samples = next(iter(self.events.values())).shape[1]
        dtype = self.types[population.name]
        bias = population.bias.astype(dtype)
        if not connections:
            step = np.tile(bias, (samples, 1))
            step.flags.writeable = False
            return [step] * len(stretch), iter(())
        x = np.empty((len(stretch), samples, population.size), dtype)

        def fill(part: slice) -> None:
            x[part] = bias
            for connection in connections:
                self._add(x[part], connection, stretch.start + part.start)

        if self.executor is None:
            return list(x), map(fill, [slice(0, len(x))])
        size = -(-len(x) // self.workers)
        parts = [slice(first, first + size) for first in range(0, len(x), size)]
        return list(x), self.executor.map(fill, parts)

    def _add(self, x: Signed, connection: AnyConnection, start: int) -> None:
        """Add the sums of a connection to `x`, its target's input of steps start, start + 1, ..."""
        delay = connection.delay
        stop = start + len(x)
        first = max(start, delay)  # before, nothing has arrived
        if first < stop:
            arriving = self.events[connection.source][first - delay : stop - delay]
            self.sums[id(connection)](arriving, x[first - start :])
