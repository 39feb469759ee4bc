"""What the spikes of plastic connections add."""

from collections import deque

import numpy as np

from spikeloom.golden.event_counts import Events
from spikeloom.golden.fixed import Integers, Signed


class PlasticSums:
    """The sums that the spikes of a plastic connection add, with its weights as they are now.

    A spike adds the weights of the step in which it is emitted. With a delay they are summed then.

    Parameters
    ----------
    weights
        Shape (sources, targets), int32; they change.
    scale
        What a weight counts.
    delay
        Of the connection.
    """

    def __init__(self, weights: Signed, scale: int, delay: int) -> None:
        self._weights = weights
        self._scale = scale
        self._delay = delay
        self._on_the_way: deque[Signed] = deque()

    def begin(self) -> None:
        """Begin a sample."""
        self._on_the_way.clear()

    def emit(self, events: Events) -> None:
        """Note the events of a step, (sources,), before its weights change."""
        if self._delay:
            self._on_the_way.append(self._sum(events))

    def __call__(self, events: Events, total: Signed) -> Signed:
        """Add to `total`, (1, 1, targets), the sums of `events`, (1, 1, sources), now due."""
        due = self._on_the_way.popleft() if self._delay else self._sum(events[0, 0])
        total += due.astype(total.dtype) * total.dtype.type(self._scale)
        return total

    def _sum(self, events: Events) -> Signed:
        axons = events.nonzero()[0]
        rows = self._weights.take(axons, axis=0)
        if events.dtype != np.bool_ and (counts := events[axons]).size and np.any(counts != 1):
            rows *= counts[:, np.newaxis].astype(rows.dtype)
        total: Signed = np.add.reduce(rows, axis=0, dtype=rows.dtype)
        return total


class KernelSums(PlasticSums):
    """Those of a convolution.

    Parameters
    ----------
    weights
        Shape (taps, channels), int32; they change.
    scale, delay
        As of `PlasticSums`.
    axons
        The axon of each tap at each position, or the number of axons if there is none, (positions,
        taps).
    sum_bits
        Width of an exact sum.
    """

    def __init__(
        self, weights: Signed, scale: int, delay: int, axons: Integers, sum_bits: int
    ) -> None:
        super().__init__(weights, scale, delay)
        self._axons = axons
        self._type = np.float32 if sum_bits <= 25 else np.float64  # in which a sum is exact

    def _sum(self, events: Events) -> Signed:
        if not events.any():
            return np.zeros(len(self._axons) * self._weights.shape[1], np.int32)
        present = np.append(events.astype(self._type), self._type(0))[self._axons]
        total: Signed = (present @ self._weights.astype(self._type)).astype(np.int32)
        return total.T.reshape(-1)
