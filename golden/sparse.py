"""Connections that store only the synapses that exist: sparse matrices, and one to one."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikeloom.golden.checks import check_array
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.event_counts import Events, as_counts
from spikeloom.golden.fixed import Integers, Signed
from spikeloom.golden.plain import PlainIntegers

BLOCK = 1 << 20
"""Products of events and weights at once; it bounds the memory used."""


@dataclass(frozen=True)
class SparseConnection(PlainIntegers):
    """A sparse matrix of synapses, in compressed rows; `from_matrix` makes one.

    Source n has synapses `starts[n]`..`starts[n + 1] - 1`. A stored weight of 0 is a synapse too.

    Parameters
    ----------
    source, target
        Name of an input or population, and name of a population.
    weights
        Shape (synapses,), integers of the network's `weight_bits`.
    targets
        The target of each synapse, shape (synapses,), ascending within a source.
    starts
        Shape (size of source + 1,), from 0 to the number of synapses.
    delay, high
        As in `Connection`.
    """

    source: str
    target: str
    weights: Integers
    targets: Integers
    starts: Integers
    delay: int = 0
    high: bool = False

    @classmethod
    def from_matrix(
        cls, source: str, target: str, matrix: Any, delay: int = 0, high: bool = False
    ) -> "SparseConnection":
        """The connection with the stored entries of a matrix (sources, targets).

        Parameters
        ----------
        matrix
            A sparse matrix or array of SciPy in any format, with integers. Its explicit zeros are
            synapses; `matrix.eliminate_zeros()` drops them. Or a NumPy array, whose zeros are not.

        Raises
        ------
        SpikeloomError
            The matrix has other numbers than integers, or not two dimensions.
        """
        where = f"connection {source!r} -> {target!r}: weights"
        if not hasattr(matrix, "tocsr") and not isinstance(matrix, np.ndarray):
            raise SpikeloomError(
                f"{where} must be a sparse matrix of SciPy or a NumPy array, "
                f"not {type(matrix).__name__}"
            )
        if matrix.ndim != 2 or np.dtype(matrix.dtype).kind not in "iu":
            raise SpikeloomError(
                f"{where} must be a matrix of integers, not {matrix.ndim} dimensions of "
                f"{matrix.dtype}"
            )
        if isinstance(matrix, np.ndarray):
            rows, targets = np.nonzero(matrix)
            weights = matrix[rows, targets]
            counts = np.bincount(rows, minlength=len(matrix))
            starts = np.concatenate([[0], np.cumsum(counts)])
        else:
            rows = matrix.tocsr(copy=True)
            rows.sum_duplicates()  # and sorts the targets of each source
            weights, targets, starts = rows.data, rows.indices, rows.indptr
        weights, targets, starts = (np.asarray(a, np.int64) for a in (weights, targets, starts))
        return cls(source, target, weights, targets, starts, delay, high)

    def check(self, where: str, sizes: tuple[int, int], limits: tuple[int, int]) -> None:
        """Check the arrays for `sizes` axons and neurons, and weights between `limits`."""
        sources, targets = sizes
        synapses = self.weights.shape if isinstance(self.weights, np.ndarray) else (0,)
        if len(synapses) != 1:
            raise SpikeloomError(f"{where}: weights must have one dimension, not {len(synapses)}")
        check_array(f"{where}: weights", self.weights, synapses, limits)
        check_array(f"{where}: targets", self.targets, synapses, (0, targets - 1))
        check_array(f"{where}: starts", self.starts, (sources + 1,), (0, synapses[0]))
        if self.starts[0] != 0 or self.starts[-1] != synapses[0] or (self.fan_out() < 0).any():
            raise SpikeloomError(
                f"{where}: starts must ascend from 0 to the number of synapses; "
                "use SparseConnection.from_matrix"
            )
        if (np.diff(self.sources() * targets + self.targets) <= 0).any():
            raise SpikeloomError(
                f"{where}: the targets of a source must ascend, each once; "
                "use SparseConnection.from_matrix"
            )

    def fan_out(self) -> Integers:
        """Synapses of each axon or neuron of the source."""
        counts: Integers = np.diff(self.starts)
        return counts

    def sources(self) -> Integers:
        """The source of each synapse."""
        return np.repeat(np.arange(len(self.starts) - 1), self.fan_out())

    def totals(self, weights: Integers, size: int) -> Integers:
        """Sum of `weights`, one for each synapse, into each of `size` targets."""
        totals = np.zeros(size, np.int64)
        np.add.at(totals, self.targets, weights)
        return totals

    def dense(self, size: int) -> Integers:
        """The weights as a matrix, (size of source, `size`)."""
        matrix = np.zeros((len(self.starts) - 1, size), np.int64)
        matrix[self.sources(), self.targets] = self.weights
        return matrix


@dataclass(frozen=True)
class OneToOne(PlainIntegers):
    """A synapse from each axon or neuron to the neuron with the same number.

    Parameters
    ----------
    source, target
        Name of an input or population, and name of a population; both of the same size.
    weights
        Shape (size,), integers of the network's `weight_bits`.
    delay, high
        As in `Connection`.
    """

    source: str
    target: str
    weights: Integers
    delay: int = 0
    high: bool = False

    def check(self, where: str, sizes: tuple[int, int], limits: tuple[int, int]) -> None:
        """Check the weights for `sizes` axons and neurons, and between `limits`."""
        sources, targets = sizes
        if sources != targets:
            raise SpikeloomError(
                f"{where}: one to one needs as many neurons as sources, not {targets} for {sources}"
            )
        check_array(f"{where}: weights", self.weights, (sources,), limits)

    def fan_out(self) -> Integers:
        """Synapses of each axon or neuron of the source."""
        return np.ones(len(self.weights), np.int64)

    def totals(self, weights: Integers, size: int) -> Integers:
        """Sum of `weights`, one for each synapse, into each of `size` targets."""
        return weights

    def dense(self, size: int) -> Integers:
        """The weights as a matrix, (size, size)."""
        return np.diag(self.weights)


class SparseSums:
    """The exact sums that the events of a sparse or one-to-one connection add to its targets.

    Synapses are sorted by target, and the products of each target's are added. Memory grows with
    the number of synapses, never with sources times targets.

    Parameters
    ----------
    connection
        `high` is ignored.
    size
        Number of targets.
    scale
        What a weight counts, a power of two.
    """

    def __init__(self, connection: SparseConnection | OneToOne, size: int, scale: int = 1) -> None:
        self._size = size
        self._weights = connection.weights * scale
        self._sources: Integers | None = None  # those of one to one are the targets
        if isinstance(connection, SparseConnection):
            order = np.argsort(connection.targets, kind="stable")
            self._sources = connection.sources()[order]
            self._weights = self._weights[order]
            # Only targets that have a synapse: `reduceat` gives others the product of the next.
            self._targets, self._first = np.unique(connection.targets[order], return_index=True)

    def __call__(self, events: Events, total: Signed | None = None) -> Signed:
        """Add the sums of `events`, (..., sources), to `total`, contiguous, and return it.

        Parameters
        ----------
        total
            Shape (..., targets), of a type that holds the result; int64 zeros if None.
        """
        if total is None:
            total = np.zeros((*events.shape[:-1], self._size), np.int64)
        counts = as_counts(events)
        weights = self._weights.astype(total.dtype)
        if self._sources is None:
            total += counts * weights
        elif weights.size:
            flat = counts.reshape(-1, counts.shape[-1])
            result = total.reshape(len(flat), -1)
            block = max(1, BLOCK // weights.size)
            for start in range(0, len(flat), block):
                part = slice(start, start + block)
                products = flat[part, self._sources] * weights
                result[part, self._targets] += np.add.reduceat(products, self._first, axis=1)
        return total
