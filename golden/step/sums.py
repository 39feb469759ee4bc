"""Exact sums of weights over events, events @ weights in integers, by the faster of two methods."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.fixed import Signed

FOUR = 4
"""Axons whose events select one sum from a table of all their sums."""

SPARSE = 1 / 5
"""Fraction of fours of axons with an event below which the table beats a matrix product."""

LARGE = 1 << 24
"""Products of a matrix product below which looking for the events takes longer."""

BLOCK = 1 << 17
"""Sums added to together: few enough to stay in the cache."""


class WeightSums:
    """The exact sums that the events of a dense connection add to its targets.

    Dense events go through a matrix product, in the smallest float type in which every partial sum
    is an exact integer. For sparse events, every four axons have a table of the sums of their
    weights, one for each of the 16 patterns of events, and those of patterns with an event are
    added: neighbours often have an event in the same step.

    Parameters
    ----------
    weights
        Shape (sources, targets).
    max_count
        Maximum number of events of an axon or neuron in a step.
    """

    def __init__(self, weights: NDArray[np.int64], max_count: int) -> None:
        # Every partial sum lies between the sum of the negative and that of the positive weights.
        positive = np.maximum(weights, 0).sum(axis=0)
        lowest = int((weights.sum(axis=0) - positive).min()) * max_count
        highest = int(positive.max()) * max_count
        bits = max(highest.bit_length(), (-lowest - 1).bit_length()) + 1
        self._weights = weights
        self._matrix = weights.astype(np.float32 if bits <= 25 else np.float64, order="C")
        self._narrow = np.int16 if bits <= 16 else np.int32 if bits <= 32 else np.int64
        self._single = max_count == 1

    def __call__(
        self, events: NDArray[np.bool_] | NDArray[np.uint8], dtype: type[Any] = np.int64
    ) -> Signed:
        """Sums of shape (..., targets) for events (..., sources), in a type that holds them."""
        counts = events.view(np.uint8)  # converted to floats faster than bool
        flat = counts.reshape(-1, counts.shape[-1])
        if self._single and flat.size * self._weights.shape[1] > LARGE:
            eights = np.packbits(flat, axis=1, bitorder="little")
            fours = np.stack([eights & 15, eights >> FOUR], axis=2).reshape(len(flat), -1)
            if np.count_nonzero(fours) < SPARSE * fours.size:
                sums: Signed = self._add_fours(fours).astype(dtype)
                return sums.reshape(*events.shape[:-1], -1)
        # BLAS may raise the flag for memory beside the matrices; integers are never invalid.
        with np.errstate(invalid="ignore"):
            product = flat.astype(self._matrix.dtype) @ self._matrix
        sums = product.astype(dtype, copy=False)
        return sums.reshape(*events.shape[:-1], -1)

    @cached_property
    def _table(self) -> Signed:
        """For each four axons and pattern of their events the sums, ((fours, 16), targets)."""
        sources, targets = self._weights.shape
        weights = np.zeros((-(-sources // (2 * FOUR)) * 2, FOUR, targets), self._narrow)
        weights.reshape(-1, targets)[:sources] = self._weights
        table = np.zeros((len(weights), 1 << FOUR, targets), self._narrow)
        for axon in range(FOUR):
            half = 1 << axon
            np.add(table[:, :half], weights[:, [axon]], out=table[:, half : 2 * half])
        return table.reshape(-1, targets)

    def _add_fours(self, fours: NDArray[np.uint8]) -> Signed:
        """Sums from the patterns of every four axons, (moments, fours).

        The n-th patterns of many moments are added at once. The moments with the most patterns
        come first, so the moments that have an n-th pattern are a leading part.
        """
        table = self._table
        row = fours + (np.arange(fours.shape[1]) << FOUR).astype(np.int32)
        present = np.flatnonzero(fours != 0)  # of bool: NumPy has a fast loop for it
        rows = row.reshape(-1)[present]
        starts = np.searchsorted(present, np.arange(0, fours.size, fours.shape[1]))
        counts = np.diff(starts, append=present.size)
        order = np.argsort(-counts, kind="stable")
        result = np.empty((len(fours), table.shape[1]), table.dtype)
        size = max(1, BLOCK // table.shape[1])
        for start in range(0, len(fours), size):
            block = order[start : start + size]
            first = starts[block]
            # Moments of the block that have an n-th pattern, for n = 0, 1, ...
            having = np.searchsorted(-counts[block], -np.arange(counts[block[0]]))
            sums = np.zeros((block.size, table.shape[1]), table.dtype)
            added = np.empty_like(sums)
            for n, leading in enumerate(having):
                np.take(table, rows[first[:leading] + n], axis=0, out=added[:leading], mode="clip")
                sums[:leading] += added[:leading]
            result[block] = sums
        return result
