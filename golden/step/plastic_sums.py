"""What the spikes of plastic connections add."""

from collections import deque
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from spikeloom.golden.convolution import Convolution, ImageShape
from spikeloom.golden.event_counts import Events
from spikeloom.golden.fixed import Signed


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

    def begin(self, events: Events | None) -> None:
        """Begin a sample.

        Parameters
        ----------
        events
            Of each step, (steps, sources), there when the step is; None: there are none.
        """
        self._events = events
        self._on_the_way.clear()

    def emit(self, step: int) -> None:
        """A step is over, and its weights change: note the sums of its events."""
        if self._delay and self._events is not None:
            self._on_the_way.append(self._sum(self._events[step]))

    def __call__(self, arriving: Events, total: Signed) -> Signed:
        """Add to `total`, (1, 1, targets), the sums of the events that arrive, (1, 1, sources)."""
        due = self._on_the_way.popleft() if self._delay else self._sum(arriving[0, 0])
        total += self._scaled(due, total.dtype)
        return total

    def of_steps(self, first: int, last: int, dtype: np.dtype[Any]) -> Signed:
        """The sums, (targets,), of steps `first`..`last` together, without a delay.

        They must be exact in a float32.
        """
        assert self._events is not None
        assert not self._delay
        events = self._events[first]
        if last > first:
            events = self._events[first : last + 1].sum(axis=0, dtype=np.int32)
        return self._scaled(self._sum(events), dtype)

    def _scaled(self, sums: Signed, dtype: np.dtype[Any]) -> Signed:
        if sums.dtype != dtype:
            sums = sums.astype(dtype)
        return sums if self._scale == 1 else sums * dtype.type(self._scale)

    def _sum(self, events: Events) -> Signed:
        axons = events.nonzero()[0]
        rows = self._weights.take(axons, axis=0)
        if events.dtype != np.bool_ and (counts := events[axons]).size and np.any(counts != 1):
            rows *= counts[:, np.newaxis].astype(rows.dtype)
        total: Signed = np.add.reduce(rows, axis=0, dtype=rows.dtype)
        return total


class KernelSums(PlasticSums):
    """Those of a convolution.

    What its taps see in a step is copied to the same memory as in the step before, which is still
    in the cache: fresh memory for many steps takes several times as long.

    Parameters
    ----------
    weights
        Shape (channels, taps), int32; they change. A tap is a row, a column and a channel of the
        source.
    scale
        As of `PlasticSums`.
    connection
        With its delay and geometry.
    image
        Image shape of the source.
    sum_bits
        Width of an exact sum.
    """

    def __init__(
        self,
        weights: Signed,
        scale: int,
        connection: Convolution,
        image: ImageShape,
        sum_bits: int,
    ) -> None:
        super().__init__(weights, scale, connection.delay)
        dtype = np.float32 if sum_bits <= 25 else np.float64  # in which a sum is exact
        (top, bottom), (left, right) = connection.padding
        channels, height, width = image
        padded = np.zeros((channels, top + height + bottom, left + width + right), dtype)
        self._image = padded[:, top : top + height, left : left + width]
        _, *output = connection.output(image)
        spans = [(n - 1) * by + 1 for n, by in zip(output, connection.stride, strict=True)]
        windows = sliding_window_view(padded, spans, axis=(1, 2))  # positions that each tap sees
        _, _, *taps = connection.weights.shape
        rows, columns = connection.stride
        self._windows = windows.transpose(1, 2, 0, 3, 4)[: taps[0], : taps[1], :, ::rows, ::columns]
        self._seen = np.empty(self._windows.shape, dtype)

    def _sum(self, events: Events) -> Signed:
        """Weights times what their taps see."""
        if not np.count_nonzero(events):
            return np.zeros(self._seen[0, 0, 0].size * len(self._weights), self._seen.dtype)
        self._image[:] = events.reshape(self._image.shape)
        np.copyto(self._seen, self._windows)
        seen = self._seen.reshape(self._weights.shape[1], -1)
        total: Signed = self._weights.astype(seen.dtype) @ seen
        return total.reshape(-1)
