"""The connections that learn: matrices, and kernels of convolutions."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spikeloom.golden.convolution import Convolution, ImageShape
from spikeloom.golden.event_counts import Events
from spikeloom.golden.fixed import Integers, Signed
from spikeloom.golden.learning.check import MAX_RULES
from spikeloom.golden.learning.rule import Rule, Term
from spikeloom.golden.network import Connection, Learnable
from spikeloom.golden.random_numbers import Words
from spikeloom.golden.spec import Gate
from spikeloom.golden.step.ends import ALL, End, Mask, Seen, Which
from spikeloom.golden.step.learn import Applies, Block, Update, any_of
from spikeloom.golden.step.plastic_sums import KernelSums, PlasticSums


@dataclass(frozen=True)
class PlasticConnection:
    """A connection that learns.

    Parameters
    ----------
    connection
        With a rule.
    weights
        In the shape of its own; they change.
    plane
        Its eligibilities, if it has any.
    sums
        What its events add.
    ends
        The spikes of its source and its target.
    updates
        What its rules do, in their order.
    """

    connection: Learnable
    weights: Signed
    plane: Signed | None
    sums: PlasticSums
    ends: tuple[End, End]
    updates: tuple[Update, ...]

    @property
    def count(self) -> int:
        """Synapses to which a term applied, over all steps."""
        return sum(update.count for update in self.updates)

    def begin(self, events: Events | None, spikes: Events | None, states: Words) -> None:
        """Begin a sample.

        Parameters
        ----------
        events
            Of the source in each step, (steps, sources), there when the step is; None if it never
            spikes.
        spikes
            Of the target, likewise.
        states
            What the random numbers of each step are made of.
        """
        pre, post = self.ends
        self.sums.begin(events)
        pre.begin(None if events is None else events[: max(len(events) - self.connection.delay, 0)])
        post.begin(spikes)
        for update in self.updates:
            update.begin(states)

    def step(self, potentials: Mapping[str, Signed], step: int, last: bool) -> None:
        """Learn from a step, one after the other; steps in which nothing can may be left out.

        Parameters
        ----------
        potentials
            Those that rules read: of the target, as compared with its thresholds, and of third
            populations.
        step
            Its number.
        last
            It is the last one of the sample.
        """
        self.sums.emit(step)
        for end in self.ends:
            end.step(step)
        for update in self.updates:
            rule = update.rule
            if last or not rule.at_end:
                third = None if rule.third is None else potentials[rule.third]
                update(potentials.get(self.connection.target), third, step)


def plastic_matrix(connection: Connection, number: int, scale: int) -> PlasticConnection:
    """A matrix that learns.

    Parameters
    ----------
    connection
        With a rule.
    number
        Its number among the network's plastic ones.
    scale
        What a weight counts in its target.
    """
    assert connection.plasticity is not None
    rules = connection.plasticity.in_order
    weights: Signed = connection.weights.astype(np.int32, order="C")
    plane = np.zeros_like(weights) if len(rules) > 1 else None
    sources, targets = weights.shape
    post = next((rule.post for rule in rules if rule.post is not None), None)
    ends = End(sources, rules[0].pre), End(targets, post)
    updates = [Update(rules[-1], number, ends, weights, plane)]
    if plane is not None:
        updates.insert(0, Update(rules[0], MAX_RULES - 1 - number, ends, plane))
    sums = PlasticSums(weights, scale, connection.delay)
    return PlasticConnection(connection, weights, plane, sums, ends, tuple(updates))


def plastic_kernel(
    connection: Convolution, number: int, scale: int, image: ImageShape, sum_bits: int
) -> PlasticConnection:
    """A convolution that learns; parameters as above, and of the network.

    Its weights are a matrix for this: of its taps (row, column, channel of the source) and its
    channels.
    """
    rule = connection.plasticity
    assert rule is not None
    matrix: Signed = connection.weights.transpose(2, 3, 1, 0).astype(np.int32, order="C")
    weights = matrix.transpose(3, 2, 0, 1)
    matrix = matrix.reshape(-1, len(connection.weights))
    axons, inside = _taps(connection, image)
    sources, positions = int(np.prod(image)), len(axons)
    ends = End(sources, rule.pre), End(len(connection.weights) * positions, rule.post)
    sums = KernelSums(matrix, scale, connection, image, sum_bits)
    update = KernelUpdate(rule, number, ends, matrix, axons, inside)
    return PlasticConnection(connection, weights, None, sums, ends, (update,))


def _taps(connection: Convolution, image: ImageShape) -> tuple[Integers, Mask]:
    """For each position the axon of each tap, and whether it is inside; else the axon is 0."""
    _, *output = connection.output(image)
    coordinates = []
    for axis in (0, 1):
        first = np.arange(output[axis]) * connection.stride[axis] - connection.padding[axis][0]
        coordinates.append(np.add.outer(first, np.arange(connection.weights.shape[2 + axis])))
    # (rows of the target, its columns, rows of the kernel, its columns, channels of the source)
    y = coordinates[0][:, np.newaxis, :, np.newaxis, np.newaxis]
    x = coordinates[1][np.newaxis, :, np.newaxis, :, np.newaxis]
    channels, height, width = image
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    axons = np.where(inside, (np.arange(channels) * height + y) * width + x, 0)
    flat = output[0] * output[1], -1
    return axons.reshape(flat), np.broadcast_to(inside, axons.shape).reshape(flat)


class KernelUpdate(Update):
    """What a rule does to the weights of a kernel, of all channels at once.

    Parameters
    ----------
    rule, number
        As of `Update`.
    ends
        The spikes of sources and targets.
    matrix
        The weights, (taps, channels), int32; they change.
    axons, inside
        The axon of each tap at each position, if it is inside the source, (positions, taps).
    """

    def __init__(
        self,
        rule: Rule,
        number: int,
        ends: tuple[End, End],
        matrix: Signed,
        axons: Integers,
        inside: Mask,
    ) -> None:
        super().__init__(rule, number, ends, matrix)
        self._axons, self._inside = axons, inside
        self._some_outside = not inside.all()

    def _learn(
        self, neurons: Integers, targets: Sequence[Mask], third: Signed | None, step: int
    ) -> None:
        """Update at the first position of each channel at which a term applies, then the next."""
        channels, positions = neurons // len(self._axons), neurons % len(self._axons)
        for now in _turns(channels):
            pre = Seen(self._pre, self._axons.take(positions[now], axis=0).T)
            post = Seen(self._post, neurons[now])
            sources = [self._learning(term, pre, positions[now]) for term in self.rule.terms]
            gates = [
                Applies(number, source, target[now])
                for number, (source, target) in enumerate(zip(sources, targets, strict=True))
            ]
            held = any_of([gate.everywhere(len(self._sources)) for gate in gates])
            self.count += int(np.count_nonzero(held))
            self._change(Block(self._sources, channels[now], pre, post, gates), third, step)

    def _learning(self, term: Term, pre: Seen, positions: Integers) -> Mask | None:
        """Where a term applies by the sources of these positions; None for everywhere."""
        masks = [] if term.pre.gate is Gate.ALWAYS else [pre.applies(term.pre)]
        if self._some_outside:
            masks.append(self._inside.take(positions, axis=0).T)
        if not self._silent:
            masks.append(pre.heard)
        return functools.reduce(np.logical_and, masks) if masks else None


def _turns(channels: Integers) -> list[Which]:
    """The first of each channel, the second of each, ..."""
    turns = np.arange(len(channels)) - channels.searchsorted(channels)
    if not np.count_nonzero(turns):
        return [ALL]
    return [(turns == turn).nonzero()[0] for turn in range(turns.max() + 1)]
