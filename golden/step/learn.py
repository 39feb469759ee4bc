"""Learning: what becomes of weights after each step, vectorised over synapses.

The rules are those of `golden.learning`. All of a synapse but its weight is as the step left it, so
terms are computed where their gates hold, in blocks of rows (sources) and columns (targets).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.event_counts import Events
from spikeloom.golden.fixed import Integers, Signed
from spikeloom.golden.learning.rule import ROUNDINGS, Rule, Trace, When
from spikeloom.golden.random_numbers import mixed
from spikeloom.golden.spec import FACTOR_BITS, MAX_AGE, TRACE_BITS, Factor, Gate, Rounding

Mask = NDArray[np.bool_]

Which = slice | Integers
"""Some axons or neurons."""

ALL = slice(None)

NEVER = -MAX_AGE - 1
"""The step of the last spike of what has not spiked in the sample: its age is `MAX_AGE`."""

MAX_TRACE = (1 << TRACE_BITS) - 1
THIRD_RANGE = -(1 << (FACTOR_BITS - 1)), (1 << (FACTOR_BITS - 1)) - 1

MOST = 3
"""From one in so many columns on, a block has all: whole rows are copied faster than parts."""

KEY_GROUP = 16
"""Neighbouring targets whose synapses from an axon share a number, and take other parts of it."""


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
        self._step = -1
        self._noted = 0

    def step(self) -> None:
        """Go on to the next step."""
        self._step += 1

    @property
    def spiked(self) -> Mask:
        """Which spike in this step."""
        if self._events is None or self._step >= len(self._events):
            return self._silent
        events = self._events[self._step]
        spiked: Mask = events if events.dtype == np.bool_ else events != 0
        return spiked

    def heard(self, which: Which = ALL) -> Mask:
        """Which have spiked in the sample, this step included."""
        self._note()
        heard: Mask = (self._last[which] >= 0) | self.spiked[which]
        return heard

    def ages(self, now: bool, which: Which = ALL) -> Signed:
        """Steps since the last spike before this step; with `now`, 0 for those that spike in it."""
        self._note()
        ages: Signed = np.minimum(self._step - self._last[which], MAX_AGE)
        if now:
            ages *= ~self.spiked[which]
        return ages

    def traces(self, now: bool, which: Which = ALL) -> Signed:
        """The traces before this step's spikes, or with `now` after them."""
        self._note()
        traces = self._before(self._step, which)
        return np.where(self.spiked[which], self._raised(traces), traces) if now else traces

    def applies(self, when: When, which: Which = ALL) -> Mask:
        """Whether a gate holds."""
        match when.gate:
            case Gate.ALWAYS:
                return np.ones(self._last[which].shape, np.bool_)
            case Gate.SPIKED:
                return self.spiked[which]
            case Gate.AGE:
                ages = self.ages(when.now, which)
                held: Mask = (ages >= when.first) & (ages <= when.last)
                return held
        return np.zeros(self._last[which].shape, np.bool_)

    def _note(self) -> None:
        """Note the spikes of steps before this one."""
        first, self._noted = self._noted, self._step
        if self._events is None:
            return
        for step, events in enumerate(self._events[first : self._step], first):
            if (spikes := events.nonzero()[0]).size:
                if self._trace is not None:
                    self._value[spikes] = self._raised(self._before(step, spikes))
                self._last[spikes] = step

    def _before(self, step: int, which: Which) -> Signed:
        ages = np.minimum(step - self._last[which], MAX_AGE)
        left: Signed = (self._value[which] * self._decay[ages]) >> TRACE_BITS
        return left

    def _raised(self, traces: Signed) -> Signed:
        assert self._trace is not None
        if self._trace.nearest:
            return np.full_like(traces, self._trace.amount)
        return np.minimum(traces + self._trace.amount, MAX_TRACE)


def target_gates(rule: Rule, post: End, potentials: Signed | None) -> list[Mask]:
    """For each term, the targets at which it applies as far as they go."""
    masks = []
    for term in rule.terms:
        mask = post.applies(term.post)
        if term.window is not None:
            assert potentials is not None
            mask = mask & (potentials >= term.window[0]) & (potentials <= term.window[1])
        if term.trace_window is not None and mask.any():
            traces = post.traces(term.post.now)
            mask = mask & (traces >= term.trace_window[0]) & (traces <= term.trace_window[1])
        masks.append(mask)
    return masks


Applies = tuple[int, Mask | None, Mask]
"""The number of a term, and where it applies by the source, None for everywhere, and by the target.
"""


class Block(NamedTuple):
    """Synapses that change at once: rows and columns of the weights.

    Parameters
    ----------
    rows, columns
        Their numbers, (rows,) and (columns,).
    axons
        Of each synapse, (rows, 1) or (rows, columns).
    neurons
        Of each column.
    gates
        Of the terms: by the source in the shape of `axons`, by the target (columns,).
    """

    rows: Integers
    columns: Integers
    axons: Integers
    neurons: Integers
    gates: Sequence[Applies]


class Update:
    """What a rule does to the weights of a connection, or to its plane of eligibilities.

    Parameters
    ----------
    rule
        The rule.
    number
        By which its random numbers differ from those of others.
    ends
        The spikes of sources and targets.
    weights
        Shape (sources, targets), int32; they change. Of a kernel its taps are the sources, and the
        channels of the target are the targets.
    plane
        The eligibilities, if the rule reads them.
    """

    def __init__(
        self,
        rule: Rule,
        number: int,
        ends: tuple[End, End],
        weights: Signed,
        plane: Signed | None = None,
    ) -> None:
        self.rule = rule
        self.weights = weights
        self.count = 0
        self._number = number
        self._pre, self._post = ends
        self._plane = plane
        self._silent = rule.silent
        self._curves = [np.array(term.curve or (), np.int32) for term in rule.terms]
        self._targets = np.arange(weights.shape[1])
        ends_of_terms = {(term.post, term.window, term.trace_window) for term in rule.terms}
        self._on_spikes = all(term.post.gate is Gate.SPIKED for term in rule.terms)
        self._same_targets = len(ends_of_terms) == 1

    def __call__(self, potentials: Signed | None, third: Signed | None, state: int) -> None:
        """Update after a step, with the potentials of targets and of the third population."""
        if self._on_spikes and not self._post.spiked.any():
            return
        targets = target_gates(self.rule, self._post, potentials)
        if any(mask.any() for mask in targets):
            if third is not None:
                third = np.clip(third >> self.rule.third_shift, *THIRD_RANGE).astype(np.int32)
            self._learn(targets, third, state)

    def _learn(self, targets: Sequence[Mask], third: Signed | None, state: int) -> None:
        """Update the synapses to which each term applies, by its gate of the target."""
        for rows, gates in self._parts(targets):
            if rows.size:
                columns = np.logical_or.reduce([gate[2] for gate in gates]).nonzero()[0]
                self.count += rows.size * columns.size
                if columns.size * MOST >= len(self._targets):
                    columns = self._targets
                chosen = [(number, by, target[columns]) for number, by, target in gates]
                block = Block(rows, columns, rows[:, np.newaxis], columns, chosen)
                self._change(block, third, state)

    def _parts(self, targets: Sequence[Mask]) -> Iterator[tuple[Integers, list[Applies]]]:
        """Rows, and the terms that apply to them, as a `Block` has them."""
        heard = None if self._silent else self._pre.heard()
        numbers = [number for number, mask in enumerate(targets) if mask.any()]
        masks = []
        for number in numbers:
            mask = self._pre.applies(self.rule.terms[number].pre)
            masks.append(mask if heard is None else mask & heard)
        everywhere: list[Applies] = [(number, None, targets[number]) for number in numbers]
        if len(masks) == 1:
            yield masks[0].nonzero()[0], everywhere
        elif self._same_targets:
            rows = (masks[0] | masks[1]).nonzero()[0]
            both = zip(numbers, masks, strict=True)
            yield rows, [(n, mask[rows, np.newaxis], targets[n]) for n, mask in both]
        else:
            yield (masks[0] & ~masks[1]).nonzero()[0], everywhere[:1]
            yield (masks[1] & ~masks[0]).nonzero()[0], everywhere[1:]
            yield (masks[0] & masks[1]).nonzero()[0], everywhere

    def _change(self, block: Block, third: Signed | None, state: int) -> None:
        """Change the weights of a block."""
        every = block.columns is self._targets
        weights = self._taken(self.weights, block, every)
        plane = None if self._plane is None else self._taken(self._plane, block, every)
        low, high = self.rule.bounds
        total: Signed | int = 0
        for gate in block.gates:
            value = self._product(block, gate, third, weights, plane)
            total = total - value if self.rule.terms[gate[0]].negative else total + value
        if self.rule.shift:
            total = (total + self._rounding(block, state)) >> self.rule.shift
        weights += total
        np.maximum(weights, low, out=weights)
        np.minimum(weights, high, out=weights)
        if every:
            self.weights[block.rows] = weights
        else:
            self.weights[block.rows[:, np.newaxis], block.columns] = weights

    @staticmethod
    def _taken(matrix: Signed, block: Block, every: bool) -> Signed:
        """Rows, and of these `every` column or some."""
        if every:
            return matrix.take(block.rows, axis=0)
        return matrix[block.rows[:, np.newaxis], block.columns]

    def _product(
        self,
        block: Block,
        gate: Applies,
        third: Signed | None,
        weights: Signed,
        plane: Signed | None,
    ) -> Signed:
        """A term, of the source a column, of the target a row, and of the weight.

        It is 0 where the term does not apply.
        """
        number, sources, targets = gate
        term = self.rule.terms[number]
        low, high = self.rule.bounds
        source: Signed | None = None
        target = targets.astype(np.int32)
        weight: Signed | None = None
        for factor in term.factors:
            match factor:
                case Factor.CONSTANT:
                    source = np.array([[term.constant]], np.int32)
                case Factor.PRE_TRACE:
                    source = self._pre.traces(term.pre.now, block.axons)
                case Factor.PRE_CURVE:
                    source = self._curves[number][self._pre.ages(term.pre.now, block.axons)]
                case Factor.POST_TRACE:
                    target *= self._post.traces(term.post.now, block.neurons)
                case Factor.POST_CURVE:
                    target *= self._curves[number][self._post.ages(term.post.now, block.neurons)]
                case Factor.THIRD:
                    assert third is not None
                    target *= third[block.neurons]
                case Factor.ABOVE:
                    weight = high - weights
                case Factor.BELOW:
                    weight = weights - low
                case Factor.WEIGHT:
                    weight = weights
                case Factor.BETWEEN:
                    weight = ((high - weights) * (weights - low)) >> TRACE_BITS
                case Factor.ELIGIBILITY:
                    weight = plane
        value: Signed = target[np.newaxis]
        for other in (sources, source, weight):
            if other is not None:
                value = value * other
        return value

    def _rounding(self, block: Block, state: int) -> Signed | int:
        """What is added to the sums before they are shifted."""
        shift, columns = self.rule.shift, block.columns
        match ROUNDINGS[self.rule.rounding]:
            case Rounding.FLOOR:
                return 0
            case Rounding.NEAREST:
                return 1 << (shift - 1)
        groups = columns // KEY_GROUP
        which: Which = ALL
        if len(groups) > (most := -(-len(self._targets) // KEY_GROUP)):
            groups, which = np.arange(most), groups
        keys = block.rows[:, np.newaxis] | (groups << 16 | self._number << 26)
        drawn = mixed((keys & 0x7FFFFFFF).astype(np.uint32) ^ np.uint32(state)).astype(np.int32)
        parts = (columns % KEY_GROUP << (shift - 4)).astype(np.int32)
        return (drawn[:, which] + parts) & np.int32((1 << shift) - 1)
