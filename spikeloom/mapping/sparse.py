"""Words of sparse matrices: each lane of a word has the weight of one of its own targets."""

import functools
from typing import NamedTuple

import numpy as np

from spikeloom.golden.fixed import Integers
from spikeloom.golden.sparse import SparseConnection

STARTS = 8
"""Parts of a size that are tried to estimate the words of any of that size."""


class PackedWords(NamedTuple):
    """The words of a sparse matrix into a part of its target.

    Parameters
    ----------
    weights, groups
        For each word and lane the weight, and the group in the part that it leads to.
    counts, synapses
        Words and synapses of each source; its words follow those of the source before.
    """

    weights: Integers
    groups: Integers
    counts: Integers
    synapses: Integers


def pack_words(
    connection: SparseConnection, positions: int, start: int, size: int, lanes: int
) -> PackedWords:
    """The words into channels `start`..`start + size - 1` of a target with so many `positions`.

    The k-th target of a source in a lane is in word k of the source.
    """
    sources = len(connection.starts) - 1
    channel, position = np.divmod(connection.targets, positions)
    inside = (channel >= start) & (channel < start + size)
    source = connection.sources()[inside]
    group, lane = np.divmod(channel[inside] - start, lanes)
    key = source * lanes + lane
    order = np.argsort(key, kind="stable")
    key = key[order]
    each = np.bincount(key, minlength=sources * lanes)
    counts = each.reshape(sources, lanes).max(axis=1, initial=0)
    number = np.arange(len(key)) - (np.cumsum(each) - each)[key]
    word = (np.cumsum(counts) - counts)[source[order]] + number
    shape = int(counts.sum()), lanes
    weights, groups = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    weights[word, lane[order]] = connection.weights[inside][order]
    groups[word, lane[order]] = (group * positions + position[inside])[order]
    return PackedWords(weights, groups, counts, np.bincount(source, minlength=sources))


class SparseSize:
    """How many words a sparse matrix takes.

    Parameters
    ----------
    connection
        The connection.
    channels, positions
        Shape of its target on the fabric.
    lanes
        Lanes of the fabric.
    """

    def __init__(
        self, connection: SparseConnection, channels: int, positions: int, lanes: int
    ) -> None:
        self._connection = connection
        self._channels, self._positions, self._lanes = channels, positions, lanes

    @property
    def sources(self) -> int:
        """Sources: rows of the coordinate table."""
        return len(self._connection.starts) - 1

    def words(self, start: int, size: int) -> int:
        """Words into channels `start`..`start + size - 1`."""
        packed = pack_words(self._connection, self._positions, start, size, self._lanes)
        return len(packed.weights)

    @functools.cached_property
    def counts(self) -> Integers:
        """Words of each source into the whole target: the minimum, however it is cut into parts."""
        whole = 0, self._channels
        return pack_words(self._connection, self._positions, *whole, self._lanes).counts

    @property
    def all_words(self) -> int:
        """Words into the whole target."""
        return int(self.counts.sum())

    @property
    def clocks(self) -> int:
        """Clocks to add its weights if every source sends one event, which takes at least 2."""
        return int(np.maximum(self.counts, 2).sum())

    @functools.cached_property
    def part_words(self) -> list[int]:
        """Words into 0, 1, 2, ... channel groups: exact for all, else the most of a few parts."""
        whole = -(-self._channels // self._lanes)
        sizes = [0, *(1 << n for n in range(whole.bit_length()) if 1 << n < whole), whole]
        words = [0]
        for size in sizes[1:]:
            starts = np.unique(np.linspace(0, whole - size, STARTS).astype(int)) * self._lanes
            words.append(max(self.words(int(start), size * self._lanes) for start in starts))
        between = np.interp(np.arange(whole + 1), sizes, words)
        return [int(count) for count in np.ceil(between)]
