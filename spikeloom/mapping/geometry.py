"""Where the synapses of a connection are: places, channels and lane groups, whatever the weights.

On the fabric an input or population is an image of channels at places. One that no convolution
joins is plain: an image of one place, whose channels are its axons or neurons. Neurons lie channel
group by channel group (`lanes` channels each), and in each group place by place.

A dense matrix is a convolution too. Its kernel covers the whole image of its source, and its target
has one place: what are places of the target's population count as further channel groups, as
weights differ from place to place.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np

from spikeloom.golden.convolution import Convolution, ImageShape, Pair
from spikeloom.golden.network import AnyConnection, Input, Network, Population


@dataclass(frozen=True)
class Geometry:
    """What a connection joins with what.

    Parameters
    ----------
    source, target
        Images; the target of a dense matrix is one of one place.
    kernel
        Rows and columns.
    stride, padding, dilation, pool, groups
        As in `spikeloom.golden.convolution.Convolution`.
    copies
        Groups of weights for each channel group of the target's population: 1, or the places of a
        population that a dense matrix leads to.
    """

    source: ImageShape
    target: ImageShape
    kernel: Pair
    stride: Pair = (1, 1)
    padding: tuple[Pair, Pair] = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    pool: Pair = (1, 1)
    groups: int = 1
    copies: int = 1

    @property
    def taps(self) -> int:
        """Rows times columns of the kernel."""
        return self.kernel[0] * self.kernel[1]

    @property
    def placed(self) -> bool:
        """Whether coordinate tables give its targets; else an event has all synapses of a channel.

        Between images of one place padding may leave nothing to meet.
        """
        one = positions(self.source) == positions(self.target) == self.taps == 1
        return not one or self.grouped or self.padding != ((0, 0), (0, 0))

    @property
    def grouped(self) -> bool:
        """Whether a channel of the source is joined with some channels of the target only."""
        return self.groups > 1

    @property
    def sources(self) -> int:
        """Channels of the source in each of the groups that it is cut into."""
        return self.source[0] // self.groups

    @property
    def targets(self) -> int:
        """Channels of the target in each of the groups that it is cut into."""
        return self.target[0] // self.groups


@dataclass(frozen=True)
class Meeting:
    """What a row of the source meets: `count` kernel rows.

    They are `tap`, tap + p, tap + 2p, ..., and lead to rows `place`, place - q, place - 2q, ... of
    the target, where (p, q) are the geometry's `steps`. Columns likewise.
    """

    tap: int = 0
    place: int = 0
    count: int = 0


@dataclass(frozen=True)
class Span:
    """Lane groups of a part that a channel of the source has synapses with.

    Parameters
    ----------
    first, count
        The first of them, and how many; none if 0.
    channels
        Channels of the target in them that it has synapses with.
    """

    first: int = 0
    count: int = 0
    channels: int = 0


def shapes(network: Network) -> dict[str, ImageShape]:
    """What each input and population is on the fabric, by name."""
    joined = {
        name
        for connection in network.connections
        if isinstance(connection, Convolution)
        for name in (connection.source, connection.target)
    }
    nodes: list[Input | Population] = [*network.inputs, *network.populations]
    return {
        node.name: node.image if node.name in joined and node.image else (node.size, 1, 1)
        for node in nodes
    }


def positions(image: ImageShape) -> int:
    """Places of each channel."""
    return image[1] * image[2]


def geometry(connection: AnyConnection, nodes: dict[str, ImageShape]) -> Geometry:
    """The geometry of a connection between `nodes`, which are given as `shapes` gives them."""
    source, target = nodes[connection.source], nodes[connection.target]
    if not isinstance(connection, Convolution):
        return Geometry(source, (target[0], 1, 1), source[1:], copies=positions(target))
    rows, columns = connection.weights.shape[2:]
    return Geometry(
        source,
        target,
        (rows, columns),
        connection.stride,
        connection.padding,
        connection.dilation,
        connection.pool,
        connection.groups,
    )


def steps(joined: Geometry, axis: int) -> Pair:
    """(p, q) of `Meeting`, along rows (`axis` 0) or columns (1)."""
    stride, dilation = joined.stride[axis], joined.dilation[axis]
    common = math.gcd(stride, dilation)
    return stride // common, dilation // common


@functools.lru_cache(maxsize=256)
def meetings(joined: Geometry, axis: int) -> tuple[Meeting, ...]:
    """For each row (`axis` 0) or column (1) of the source what it meets."""
    found = []
    extent, pool = joined.source[1 + axis], joined.pool[axis]
    stride, dilation = joined.stride[axis], joined.dilation[axis]
    for coordinate in range(extent):
        pooled = coordinate // pool
        # Where it is, counted from the first row of the target, for each row of the kernel.
        ahead = [
            pooled + joined.padding[axis][0] - tap * dilation for tap in range(joined.kernel[axis])
        ]
        taps = [
            tap
            for tap, row in enumerate(ahead)
            if row % stride == 0 and 0 <= row // stride < joined.target[1 + axis]
        ]
        # What does not fill a pool is left out.
        if taps and pooled < extent // pool:
            found.append(Meeting(taps[0], ahead[taps[0]] // stride, len(taps)))
        else:
            found.append(Meeting())
    return tuple(found)


def spans(joined: Geometry, start: int, size: int, lanes: int) -> list[Span]:
    """For each of its `groups`: which lane groups of channels `start`..`start + size - 1` it meets.

    Lane groups are counted from `start`, which is a multiple of `lanes`.
    """
    found = []
    for group in range(joined.groups):
        first = max(group * joined.targets, start) - start
        end = min((group + 1) * joined.targets, start + size) - start
        if first < end:
            begin = first // lanes
            found.append(Span(begin, -(-end // lanes) - begin, end - first))
        else:
            found.append(Span())
    return found


@functools.lru_cache(maxsize=1 << 16)
def weight_words(joined: Geometry, channel_groups: int, lanes: int) -> int:
    """Weight words that as many channel groups of the target take at most, wherever they start.

    All channel groups of the target take exactly as many.
    """
    if not joined.grouped:
        return joined.taps * joined.source[0] * channel_groups * joined.copies
    whole = -(-joined.target[0] // lanes)
    starts = np.arange(whole - channel_groups + 1) * lanes
    last = np.minimum(starts + channel_groups * lanes, joined.target[0]) - 1
    met = int((last // joined.targets - starts // joined.targets).max()) + 1
    widest = max(span.count for span in spans(joined, 0, joined.target[0], lanes))
    return joined.taps * met * joined.sources * min(channel_groups, widest)


def least_words(joined: Geometry, lanes: int) -> int:
    """Weight words that it takes at least, however its target is cut into parts."""
    groups = _groups_met(joined, lanes)
    return joined.taps * joined.sources * groups * joined.copies


def additions(joined: Geometry, lanes: int) -> int:
    """Clocks that it takes to add its weights if every axon or neuron of the source sends once."""
    rows, columns = (sum(m.count for m in meetings(joined, axis)) for axis in (0, 1))
    return rows * columns * joined.sources * _groups_met(joined, lanes) * joined.copies


def coordinate_rows(joined: Geometry) -> int:
    """Rows of the coordinate table that it takes."""
    channels, height, width = joined.source
    return joined.placed * (height + width + joined.grouped * channels)


def _groups_met(joined: Geometry, lanes: int) -> int:
    """Lane groups that each group of channels meets, summed up."""
    return sum(span.count for span in spans(joined, 0, joined.target[0], lanes))
