"""Exact sums of weights over events, events @ weights in integers, by the faster of two methods."""

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.fixed import Signed

SPARSE = 1 / 16
"""Fraction of axons with an event below which adding rows beats a matrix product."""

LARGE = 1 << 24
"""Products of a matrix product below which looking for the events takes longer."""

BLOCK = 4000
"""Moments summed together: few enough for their sums to stay in the cache."""


class WeightSums:
    """The exact sums that the events of a dense connection add to its targets.

    Dense events go through a matrix product, in the smallest float type in which every partial sum
    is an exact integer. For sparse events, the rows of weights are added.

    Parameters
    ----------
    weights
        Shape (sources, targets).
    max_count
        Maximum number of events of an axon or neuron in a step.
    """

    def __init__(self, weights: NDArray[np.int64], max_count: int) -> None:
        # Every partial sum lies between the sum of the negative and that of the positive weights.
        lowest = int(np.minimum(weights, 0).sum(axis=0).min()) * max_count
        highest = int(np.maximum(weights, 0).sum(axis=0).max()) * max_count
        bits = max(highest.bit_length(), (-lowest - 1).bit_length()) + 1
        self._matrix = weights.astype(np.float32 if bits <= 25 else np.float64, order="C")
        self._rows = weights.astype(
            np.int16 if bits <= 16 else np.int32 if bits <= 32 else np.int64, order="C"
        )
        self._integer = np.int32 if bits <= 32 else np.int64
        self._single = max_count == 1

    def __call__(self, events: NDArray[np.bool_] | NDArray[np.uint8]) -> Signed:
        """Sums of shape (..., targets) for events (..., sources)."""
        flat = events.reshape(-1, events.shape[-1])
        if self._single and flat.size * self._rows.shape[1] > LARGE:
            present = flat.view(np.bool_)
            if np.count_nonzero(present) < SPARSE * flat.size:
                rows = self._add_rows(np.flatnonzero(present), flat.shape)
                return rows.reshape(*events.shape[:-1], -1)
        # BLAS may raise the flag for memory beside the matrices; integers are never invalid.
        with np.errstate(invalid="ignore"):
            product = flat.astype(self._matrix.dtype) @ self._matrix
        sums: Signed = product.astype(self._integer)
        return sums.reshape(*events.shape[:-1], -1)

    def _add_rows(self, present: NDArray[np.int64], shape: tuple[int, ...]) -> Signed:
        """Sums from the positions of the events in the flattened array of `shape`.

        The n-th events of many moments are added at once. The moments with the most events come
        first, so the moments that have an n-th event are a leading part.
        """
        moments, sources = shape
        starts = np.searchsorted(present, np.arange(0, moments * sources, sources))
        counts = np.diff(starts, append=present.size)
        order = np.argsort(-counts, kind="stable")
        result = np.empty((moments, self._rows.shape[1]), self._rows.dtype)
        for start in range(0, moments, BLOCK):
            block = order[start : start + BLOCK]
            first, base = starts[block], block * sources
            # Moments of the block that have an n-th event, for n = 0, 1, ...
            having = np.searchsorted(-counts[block], -np.arange(counts[block[0]]))
            sums = np.zeros((block.size, self._rows.shape[1]), self._rows.dtype)
            added = np.empty_like(sums)
            for n, leading in enumerate(having):
                source = present[first[:leading] + n] - base[:leading]
                np.take(self._rows, source, axis=0, out=added[:leading], mode="clip")
                sums[:leading] += added[:leading]
            result[block] = sums
        return result
