"""The types of events: whether an axon or neuron has one in a step, or how many."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

EventCounts = NDArray[np.uint8] | NDArray[np.int8] | NDArray[np.int16]
"""Number of events of an axon or neuron in a step; of a signed type where they have a sign."""

Events = NDArray[np.bool_] | EventCounts
"""Whether an axon or neuron has an event, or how many."""


def as_counts(events: Events) -> EventCounts:
    """The same memory as numbers."""
    return events.view(np.uint8) if events.dtype == np.bool_ else cast(EventCounts, events)


def magnitudes(events: Events, graded: bool = False) -> EventCounts:
    """How often a hardware adds the weights of each event, whatever its sign.

    That is the number of events, or where one carries it (`graded`), of the bits that are 1 in it.
    """
    counts = as_counts(events)
    if graded:
        return np.bitwise_count(counts)
    return np.abs(counts) if counts.dtype.kind == "i" else counts
