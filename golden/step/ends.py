"""The two ends of plastic connections: when their sources and targets have spiked."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.event_counts import Events
from spikeloom.golden.fixed import Integers, Signed
from spikeloom.golden.learning.rule import Trace, When
from spikeloom.golden.spec import MAX_AGE, TRACE_BITS, Gate

Mask = NDArray[np.bool_]

Which = slice | Integers
"""Some axons or neurons."""

ALL = slice(None)

NEVER = -MAX_AGE - 1
"""The step of the last spike of what has not spiked in the sample: its age is `MAX_AGE`."""

MAX_TRACE = (1 << TRACE_BITS) - 1


class End:
    """The spikes of one end of a plastic connection in a sample.

    What becomes of ages and traces is worked out when they are asked for, so steps in which nothing
    learns cost nothing.

    Parameters
    ----------
    size
        Number of axons or neurons.
    trace
        Their trace, if the rule has one.
    """

    def __init__(self, size: int, trace: Trace | None) -> None:
        self._trace = trace
        self._decay = np.array(trace.decay if trace else (0,) * (MAX_AGE + 1), np.int32)
        self._last = np.empty(size, np.int32)
        self._value = np.zeros(size, np.int32)  # what a sample left decays to 0
        self._silent: Mask = np.zeros(size, np.bool_)

    def begin(self, events: Events | None) -> None:
        """Begin a sample.

        Parameters
        ----------
        events
            Those of each step, (steps, size), there when the step is; None, or none for a step:
            there are none.
        """
        self._events = events
        self._last.fill(NEVER)
        self._noted = 0

    def step(self, step: int) -> None:
        """Go on to a later step."""
        self._step = step

    def spiked(self, which: Which = ALL) -> Mask:
        """Which spike in this step."""
        if self._events is None or self._step >= len(self._events):
            return self._silent[which]
        events = _of(self._events[self._step], which)
        spiked: Mask = events if events.dtype == np.bool_ else events != 0
        return spiked

    def since(self, which: Which, now: bool) -> Signed:
        """Steps since the last spike before this step, more than `MAX_AGE` where there was none.

        With `now`, spikes in this step count: then nothing else can be asked of the step.
        """
        self._note(self._step + now)
        since: Signed = self._step - _of(self._last, which)
        return since

    def last(self, which: Which) -> Signed:
        """The step of the last spike before this step."""
        self._note(self._step)
        last: Signed = _of(self._last, which)
        return last

    def age(self, last: Signed) -> Signed:
        """Steps since then, at most `MAX_AGE`."""
        age: Signed = np.minimum(self._step - last, MAX_AGE)
        return age

    def traces(self, which: Which) -> Signed:
        """The traces before this step's spikes."""
        self._note(self._step)
        return self._before(self._step, which)

    def raised(self, traces: Signed) -> Signed:
        """Traces after a spike."""
        assert self._trace is not None
        if self._trace.nearest:
            return np.full_like(traces, self._trace.amount)
        return np.minimum(traces + self._trace.amount, MAX_TRACE)

    def _note(self, stop: int) -> None:
        """Note the spikes of steps before `stop`."""
        first, self._noted = self._noted, stop
        if self._events is None:
            return
        for step, events in enumerate(self._events[first:stop], first):
            if (spikes := events.nonzero()[0]).size:
                if self._trace is not None:
                    self._value[spikes] = self.raised(self._before(step, spikes))
                self._last[spikes] = step

    def _before(self, step: int, which: Which) -> Signed:
        ages = np.minimum(step - _of(self._last, which), MAX_AGE)
        left: Signed = (_of(self._value, which) * self._decay.take(ages)) >> TRACE_BITS
        return left


def _of(values: Any, which: Which) -> Any:
    """Those of some; NumPy takes them in half the time in which it indexes them."""
    return values[which] if isinstance(which, slice) else values.take(which)


class Seen:
    """An end of some synapses in the present step, as far as it is asked for.

    Parameters
    ----------
    end
        The end.
    which
        Which of its axons or neurons.
    """

    def __init__(self, end: End, which: Which) -> None:
        self.which = which
        self._end = end
        self._ages: dict[bool, Signed] = {}

    @cached_property
    def spiked(self) -> Mask:
        """Which spike in this step."""
        return self._end.spiked(self.which)

    @cached_property
    def heard(self) -> Mask:
        """Which have spiked in the sample, this step included."""
        heard: Mask = (self._end.last(self.which) >= 0) | self.spiked
        return heard

    def ages(self, now: bool) -> Signed:
        """Steps since the last spike before this step; with `now`, 0 for those that spike in it."""
        if now not in self._ages:
            ages = self._end.age(self._end.last(self.which))
            self._ages[now] = np.where(self.spiked, 0, ages) if now else ages
        return self._ages[now]

    def traces(self, now: bool) -> Signed:
        """The traces before this step's spikes, or with `now` after them."""
        traces = self._end.traces(self.which)
        return np.where(self.spiked, self._end.raised(traces), traces) if now else traces

    def applies(self, when: When) -> Mask:
        """Whether a gate holds."""
        match when.gate:
            case Gate.SPIKED:
                return self.spiked
            case Gate.AGE:
                ages = self.ages(when.now)
                held: Mask = ages <= when.last
                return held & (ages >= when.first) if when.first else held
        return np.full(self.spiked.shape, when.gate is Gate.ALWAYS)
