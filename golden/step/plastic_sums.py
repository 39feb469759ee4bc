"""What the spikes of plastic connections add."""

from collections import deque

import numpy as np

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
