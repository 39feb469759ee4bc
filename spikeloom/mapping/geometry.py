"""Which neurons a connection joins: positions, channels and lane groups, without the weights.

On the fabric an input or population is an image: channels at positions. One that no convolution
joins is plain: an image of one position, whose channels are its axons or neurons. Neurons are
stored channel group by channel group (`lanes` channels each), and each group position by position.

A dense matrix is treated as a convolution. Its kernel covers the whole image of its source, and its
target has one position: the positions of the target's population count as further channel groups,
because weights differ from position to position.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np

from spikeloom.golden.convolution import Convolution, ImageShape, Pair
from spikeloom.golden.network import AnyConnection, Input, Network, Population
from spikeloom.golden.switches.selection import Selection


@dataclass(frozen=True)
class Geometry:
    """The shape of a connection.

    Parameters
    ----------
    source, target
        Image shapes; the target of a dense matrix has one position.
    kernel
        Rows and columns.
    stride, padding, dilation, pool, groups
        As in `spikeloom.golden.convolution.Convolution`.
    copies
        Groups of weights for each channel group of the target's population: 1; for a dense matrix,
        the number of positions of the target's population.
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
        """Whether its targets are given by coordinate tables; if not, by the channel alone.

        Padding counts, because between images of one position it may leave no overlap.
        """
        single = positions(self.source) == positions(self.target) == self.taps == 1
        return not single or self.grouped or self.padding != ((0, 0), (0, 0))

    @property
    def grouped(self) -> bool:
        """Whether a channel of the source has synapses with only some channels of the target."""
        return self.groups > 1

    @property
    def sources(self) -> int:
        """Channels of the source in each of its `groups`."""
        return self.source[0] // self.groups

    @property
    def targets(self) -> int:
        """Channels of the target in each of its `groups`."""
        return self.target[0] // self.groups


@dataclass(frozen=True)
class Overlap:
    """The `count` kernel rows that overlap a row of the source.

    These are `tap`, tap + p, tap + 2p, ..., with targets in rows `row`, row - q, row - 2q, ...,
    where (p, q) are the geometry's `steps`. Columns likewise.
    """

    tap: int = 0
    row: int = 0
    count: int = 0


@dataclass(frozen=True)
class Span:
    """The lane groups of a part in which a channel of the source has synapses.

    Parameters
    ----------
    first, count
        The first lane group, and their number, which may be 0.
    channels
        Number of channels of the target in them with synapses.
    """

    first: int = 0
    count: int = 0
    channels: int = 0


def shapes(network: Network) -> dict[str, ImageShape]:
    """The image shape of each input and population on the fabric, by name.

    It is an image where a convolution joins it, or a selection is about its positions.
    """
    joined = {
        name
        for connection in network.connections
        if isinstance(connection, Convolution)
        for name in (connection.source, connection.target)
    }
    joined |= {p.name for p in network.populations if any(s.at_positions for s in selections(p))}
    nodes: list[Input | Population] = [*network.inputs, *network.populations]
    return {
        node.name: node.image if node.name in joined and node.image else (node.size, 1, 1)
        for node in nodes
    }


def selections(population: Population) -> list[Selection]:
    """The selections of a population in any step."""
    return [
        switch
        for version in population.versions
        for switch in version.switches
        if isinstance(switch, Selection)
    ]


def positions(image: ImageShape) -> int:
    """Positions of each channel."""
    return image[1] * image[2]


def geometry(connection: AnyConnection, nodes: dict[str, ImageShape]) -> Geometry:
    """The geometry of a connection between `nodes`, a result of `shapes`."""
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
    """(p, q) of `Overlap`, along rows (`axis` 0) or columns (1)."""
    stride, dilation = joined.stride[axis], joined.dilation[axis]
    common = math.gcd(stride, dilation)
    return stride // common, dilation // common


@functools.lru_cache(maxsize=256)
def overlaps(joined: Geometry, axis: int) -> tuple[Overlap, ...]:
    """The overlap of each row (`axis` 0) or column (1) of the source with the kernel."""
    result = []
    extent, pool = joined.source[1 + axis], joined.pool[axis]
    stride, dilation = joined.stride[axis], joined.dilation[axis]
    for coordinate in range(extent):
        pooled = coordinate // pool
        # For each kernel row, the target row times the stride.
        scaled = [
            pooled + joined.padding[axis][0] - tap * dilation for tap in range(joined.kernel[axis])
        ]
        taps = [
            tap
            for tap, row in enumerate(scaled)
            if row % stride == 0 and 0 <= row // stride < joined.target[1 + axis]
        ]
        # Rows beyond the last whole pool have no targets.
        if taps and pooled < extent // pool:
            result.append(Overlap(taps[0], scaled[taps[0]] // stride, len(taps)))
        else:
            result.append(Overlap())
    return tuple(result)


def spans(joined: Geometry, start: int, size: int, lanes: int) -> list[Span]:
    """For each of its `groups`, the span in channels `start`..`start + size - 1` of the target.

    Lane groups are counted from `start`, which is a multiple of `lanes`.
    """
    result = []
    for group in range(joined.groups):
        first = max(group * joined.targets, start) - start
        end = min((group + 1) * joined.targets, start + size) - start
        if first < end:
            begin = first // lanes
            result.append(Span(begin, -(-end // lanes) - begin, end - first))
        else:
            result.append(Span())
    return result


@functools.lru_cache(maxsize=1 << 16)
def weight_words(joined: Geometry, channel_groups: int, lanes: int) -> int:
    """Maximum weight words for this many channel groups of the target, wherever they start.

    Exact if these are all channel groups of the target.
    """
    if not joined.grouped:
        return joined.taps * joined.source[0] * channel_groups * joined.copies
    whole = -(-joined.target[0] // lanes)
    starts = np.arange(whole - channel_groups + 1) * lanes
    last = np.minimum(starts + channel_groups * lanes, joined.target[0]) - 1
    reached = int((last // joined.targets - starts // joined.targets).max()) + 1
    widest = max(span.count for span in spans(joined, 0, joined.target[0], lanes))
    return joined.taps * reached * joined.sources * min(channel_groups, widest)


def min_words(joined: Geometry, lanes: int) -> int:
    """Minimum weight words in all, however its target is cut into parts."""
    groups = _lane_groups(joined, lanes)
    return joined.taps * joined.sources * groups * joined.copies


def additions(joined: Geometry, lanes: int) -> int:
    """Clocks to add its weights if every axon or neuron of the source sends one event."""
    rows, columns = (sum(overlap.count for overlap in overlaps(joined, axis)) for axis in (0, 1))
    return rows * columns * joined.sources * _lane_groups(joined, lanes) * joined.copies


def coordinate_rows(joined: Geometry) -> int:
    """Rows that it takes in the coordinate table."""
    channels, height, width = joined.source
    return joined.placed * (height + width + joined.grouped * channels)


def _lane_groups(joined: Geometry, lanes: int) -> int:
    """Sum over its `groups` of the lane groups that each spans."""
    return sum(span.count for span in spans(joined, 0, joined.target[0], lanes))
