"""Exact sums of weights over events, events @ weights in integers, by the fastest of three ways."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.event_counts import EventCounts, Events, as_counts
from spikeloom.golden.fixed import Signed

LARGE = 1 << 24
"""Products of a matrix product below which looking at the events first takes longer."""

SPARSE = 1 / 64
"""Fraction of axons with an event below which adding rows of weights beats a matrix product."""

SAMPLE = 16
"""Of so many moments, one is looked at for that."""

BLOCK = 1 << 17
"""Sums added to together: few enough to stay in the cache."""

DIGITS = 4
"""Moments whose sums share a float64."""

LONG = 256
"""Axons from which on sharing saves more than it costs."""


class WeightSums:
    """The exact sums that the events of a dense connection add to its targets.

    Dense events go through a matrix product, in the smallest float type in which every partial sum
    is an exact integer. Where sums are narrow, those of `DIGITS` moments are the digits of one
    float64, which is half the work of float32. For sparse events, the rows of weights of the axons
    with an event are added.

    Parameters
    ----------
    weights
        Shape (sources, targets).
    max_count
        Maximum number of events of an axon or neuron in a step.
    scale
        What a weight counts, a power of two.
    signed
        Events can be negative.
    """

    def __init__(
        self,
        weights: NDArray[np.int64],
        max_count: int,
        scale: int = 1,
        signed: bool = False,
    ) -> None:
        # Every partial sum lies between the sum of the negative and that of the positive weights.
        positive = np.maximum(weights, 0).sum(axis=0)
        negative = weights.sum(axis=0) - positive
        if signed:
            positive = positive - negative
            negative = -positive
        lowest = int(negative.min()) * max_count
        highest = int(positive.max()) * max_count
        bits = max(highest.bit_length(), (-lowest - 1).bit_length()) + 1
        self._weights = weights
        self._scale = scale
        dtype = np.dtype(np.float32 if bits <= 25 else np.float64)
        self._matrix = weights.astype(dtype, order="C")
        np.multiply(self._matrix, dtype.type(scale), out=self._matrix)
        self._narrow = np.int16 if bits <= 16 else np.int32 if bits <= 32 else np.int64
        self._single = max_count == 1 and not signed
        largest = max(highest, -lowest)
        # Lower digits stay below half of the next, by more than float64 rounds.
        self._base = 2 * largest + 2 + largest // 16
        digits = sum(self._base**place for place in range(DIGITS))
        self._shares = len(weights) >= LONG and largest * digits < 1 << 53

    def __call__(self, events: Events, total: Signed | None = None) -> Signed:
        """Add the sums of `events`, (..., sources), to `total`, contiguous, and return it.

        Parameters
        ----------
        total
            Shape (..., targets), of a type that holds the result; int64 zeros if None.
        """
        if total is None:
            total = np.zeros((*events.shape[:-1], self._weights.shape[1]), np.int64)
        counts = as_counts(events)  # converted to floats faster than bool
        flat = counts.reshape(-1, counts.shape[-1])
        result = total.reshape(len(flat), -1)
        if self._single and flat.size * self._weights.shape[1] > LARGE:
            sample = flat[::SAMPLE]
            if np.count_nonzero(sample) < SPARSE * sample.size:
                self._add_rows(flat, result)
                return total
            if self._shares:
                whole = len(flat) // DIGITS * DIGITS
                self._add_shared_product(flat[:whole], result[:whole])
                flat, result = flat[whole:], result[whole:]
        # BLAS may raise the flag for memory beside the matrices; integers are never invalid.
        with np.errstate(invalid="ignore"):
            product = flat.astype(self._matrix.dtype) @ self._matrix
        result += product.astype(result.dtype, copy=False)
        return total

    def _add_shared_product(self, flat: EventCounts, result: Signed) -> None:
        """Add the sums of single events, (moments, axons), of a multiple of `DIGITS` moments.

        The first quarter of them are the lowest digits, the next one the next.
        """
        quarters = flat.reshape(DIGITS, -1, flat.shape[1])
        patterns = quarters[-1]  # bit n: an event of digit n
        for quarter in quarters[-2::-1]:
            patterns = patterns + patterns  # a shift, for which NumPy has no fast loop
            patterns |= quarter
        active = np.flatnonzero(np.bitwise_or.reduce(patterns, axis=0))
        packed = self._packed.take(patterns.take(active, axis=1))
        with np.errstate(invalid="ignore"):
            rest = packed @ self._matrix.take(active, axis=0).astype(np.float64)
        sums = result.reshape(DIGITS, *rest.shape)
        digit = np.empty_like(rest)
        for place in range(DIGITS - 1, 0, -1):
            unit = self._scale * self._base**place
            np.rint(np.multiply(rest, 1 / unit, out=digit), out=digit)
            sums[place] += (digit * self._scale).astype(result.dtype)
            digit *= unit
            rest -= digit
        sums[0] += rest.astype(result.dtype)

    @cached_property
    def _packed(self) -> NDArray[np.float64]:
        """For each pattern of events of `DIGITS` moments, the number with these digits."""
        patterns = np.arange(1 << DIGITS)
        numbers = np.zeros(patterns.size)
        for place in range(DIGITS):
            numbers += (patterns >> place & 1) * float(self._base**place)
        return numbers

    @cached_property
    def _rows(self) -> Signed:
        """The weights in the smallest type that holds every sum."""
        return self._weights.astype(self._narrow, order="C")

    def _add_rows(self, flat: EventCounts, result: Signed) -> None:
        """Add the rows of weights of single events, (moments, axons).

        The n-th events of many moments are added at once. The moments with the most events come
        first, so the moments that have an n-th event are a leading part.
        """
        table = self._rows
        moment, axon = np.divmod(np.flatnonzero(flat.view(np.bool_)), flat.shape[1])
        counts = np.bincount(moment, minlength=len(flat))
        starts = np.cumsum(counts) - counts
        order = np.argsort(-counts, kind="stable")
        size = max(1, BLOCK // table.shape[1])
        for start in range(0, len(flat), size):
            block = order[start : start + size]
            first = starts[block]
            # Moments of the block that have an n-th event, for n = 0, 1, ...
            having = np.searchsorted(-counts[block], -np.arange(counts[block[0]]))
            sums = np.zeros((block.size, table.shape[1]), table.dtype)
            added = np.empty_like(sums)
            for n, leading in enumerate(having):
                np.take(table, axon[first[:leading] + n], axis=0, out=added[:leading], mode="clip")
                sums[:leading] += added[:leading]
            result[block] += sums.astype(result.dtype) * result.dtype.type(self._scale)
