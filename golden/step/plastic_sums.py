"""What the spikes of plastic connections add."""

from collections import deque

import numpy as np

from spikeloom.golden.event_counts import Events
from spikeloom.golden.fixed import Integers, Signed

GATHERED = 1 << 18
"""What the taps of a kernel see in so many steps, positions and taps is gathered at once."""


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

    def begin(self, events: Events | None, known: bool) -> None:
        """Begin a sample.

        Parameters
        ----------
        events
            Of each step, (steps, sources), there when the step is; None: there are none.
        known
            Those of all steps are there.
        """
        self._events = events
        self._known = known
        self._step = 0
        self._on_the_way.clear()

    def emit(self) -> None:
        """A step is over, and its weights change: note the sums of its events."""
        if self._delay and self._events is not None:
            self._on_the_way.append(self._sum(self._step))
        self._step += 1

    def __call__(self, _events: Events, total: Signed) -> Signed:
        """Add to `total`, (1, 1, targets), the sums of the events that are due in this step."""
        due = self._on_the_way.popleft() if self._delay else self._sum(self._step)
        total += due.astype(total.dtype) * total.dtype.type(self._scale)
        return total

    def _sum(self, step: int) -> Signed:
        assert self._events is not None
        events = self._events[step]
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

    def begin(self, events: Events | None, known: bool) -> None:
        """Begin a sample."""
        super().begin(events, known)
        self._first = self._stop = 0

    def _sum(self, step: int) -> Signed:
        """Weights times what their taps see, which is gathered for many steps at once."""
        assert self._events is not None
        if not self._events[step].any():
            return np.zeros(len(self._axons) * self._weights.shape[1], np.int32)
        if step >= self._stop:
            count = max(1, GATHERED // self._axons.size) if self._known else 1
            self._first, self._stop = step, step + count
            events = self._events[step : self._stop]
            silent = np.zeros((len(events), 1), events.dtype)
            self._seen = np.append(events, silent, axis=1).take(self._axons.T, axis=1)
        seen = self._seen[step - self._first].astype(self._type)
        total: Signed = (self._weights.T.astype(self._type) @ seen).reshape(-1)
        return total
