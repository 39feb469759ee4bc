"""The connections that learn: matrices, and kernels of convolutions."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spikeloom.golden.convolution import Convolution, ImageShape
from spikeloom.golden.event_counts import Events
from spikeloom.golden.fixed import Integers, Signed
from spikeloom.golden.learning.check import MAX_RULES
from spikeloom.golden.network import Connection, Learnable
from spikeloom.golden.random_numbers import Words
from spikeloom.golden.step.ends import End, Mask
from spikeloom.golden.step.kernel_update import KernelUpdate, TabledUpdate, has_table
from spikeloom.golden.step.learn import Update
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

    Its weights are a matrix for this: of its channels and its taps (row, column, channel of the
    source).
    """
    rule = connection.plasticity
    assert rule is not None
    matrix: Signed = connection.weights.transpose(0, 2, 3, 1).astype(np.int32, order="C")
    weights = matrix.transpose(0, 3, 1, 2)
    matrix = matrix.reshape(len(matrix), -1)
    axons, inside = _taps(connection, image)
    sources, positions = int(np.prod(image)), len(axons)
    ends = End(sources, rule.pre), End(len(connection.weights) * positions, rule.post)
    sums = KernelSums(matrix, scale, connection, image, sum_bits)
    kind = TabledUpdate if has_table(rule) else KernelUpdate
    update = kind(rule, number, ends, matrix, axons, inside)
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
