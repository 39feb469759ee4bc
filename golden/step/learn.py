"""Learning: what becomes of weights after each step, vectorised over synapses.

The rules are those of `golden.learning`. All of a synapse but its weight is as the step left it, so
terms are computed where their gates hold, in blocks of rows (sources) and columns (targets).
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

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
        self.begin()

    def begin(self) -> None:
        """Begin a sample."""
        self.spiked: Mask = np.zeros(len(self._last), np.bool_)
        self.heard: Mask = np.zeros(len(self._last), np.bool_)
        self._last.fill(NEVER)
        self._step = -1

    def step(self, spiked: Mask | None) -> None:
        """Go on to the next step, in which these spike; None: none do."""
        if self._step >= 0 and (spikes := self.spiked.nonzero()[0]).size:
            if self._trace is not None:
                self._value[spikes] = self._raised(self._before(spikes))
            self._last[spikes] = self._step
        self._step += 1
        self.spiked = np.zeros(len(self._last), np.bool_) if spiked is None else spiked
        self.heard |= self.spiked

    def learning(self, silent: bool) -> Mask | None:
        """Which learn, with those that are `silent` or not; None: all."""
        return None if silent else self.heard

    def ages(self, now: bool, which: Which = ALL) -> Signed:
        """Steps since the last spike before this step; with `now`, 0 for those that spike in it."""
        ages: Signed = np.minimum(self._step - self._last[which], MAX_AGE)
        if now:
            ages *= ~self.spiked[which]
        return ages

    def traces(self, now: bool, which: Which = ALL) -> Signed:
        """The traces before this step's spikes, or with `now` after them."""
        traces = self._before(which)
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

    def _before(self, which: Which) -> Signed:
        ages = np.minimum(self._step - self._last[which], MAX_AGE)
        left: Signed = (self._value[which] * self._decay[ages]) >> TRACE_BITS
        return left

    def _raised(self, traces: Signed) -> Signed:
        assert self._trace is not None
        if self._trace.nearest:
            return np.full_like(traces, self._trace.amount)
        return np.minimum(traces + self._trace.amount, MAX_TRACE)


class Part:
    """Some axons or neurons of an end: those that a kernel joins at one position.

    Parameters
    ----------
    end
        The end.
    """

    def __init__(self, end: End) -> None:
        self._end = end
        self.move(np.zeros(0, np.int64), np.zeros(0, np.bool_))

    def move(self, which: Integers, inside: Mask) -> None:
        """Be these; what is not `inside` is there in name only."""
        self._which = which
        self._inside = inside

    def learning(self, silent: bool) -> Mask:
        """Which learn, with those that are `silent` or not."""
        return self._inside if silent else self._inside & self._end.heard[self._which]

    def ages(self, now: bool) -> Signed:
        """As those of `End`."""
        return self._end.ages(now, self._which)

    def traces(self, now: bool) -> Signed:
        """As those of `End`."""
        return self._end.traces(now, self._which)

    def applies(self, when: When) -> Mask:
        """Whether a gate holds."""
        return self._end.applies(when, self._which)


def target_gates(rule: Rule, post: End | Part, potentials: Signed) -> list[Mask]:
    """For each term, the targets at which it applies as far as they go."""
    masks = []
    for term in rule.terms:
        mask = post.applies(term.post)
        if term.window is not None:
            mask = mask & (potentials >= term.window[0]) & (potentials <= term.window[1])
        if term.trace_window is not None and mask.any():
            traces = post.traces(term.post.now)
            mask = mask & (traces >= term.trace_window[0]) & (traces <= term.trace_window[1])
        masks.append(mask)
    return masks


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
        ends: tuple[End, End] | tuple[Part, Part],
        weights: Signed,
        plane: Signed | None = None,
    ) -> None:
        self.rule = rule
        self.weights = weights
        self.count = 0
        self._number = number
        self._pre: End | Part
        self._post: End | Part
        self._pre, self._post = ends
        self._plane = plane
        self._curves = [np.array(term.curve or (), np.int32) for term in rule.terms]
        self._targets = np.arange(weights.shape[1])

    def __call__(self, potentials: Signed, third: Signed | None, state: int) -> None:
        """Update after a step, with the potentials of targets and of the third population."""
        targets = target_gates(self.rule, self._post, potentials)
        if any(mask.any() for mask in targets):
            if third is not None:
                third = np.clip(third >> self.rule.third_shift, *THIRD_RANGE).astype(np.int32)
            self.learn(targets, third, state)

    def learn(self, targets: Sequence[Mask], third: Signed | None, state: int) -> None:
        """Update the synapses to which each term applies, by its gate of the target."""
        for rows, terms in self._blocks(targets):
            self._learn(rows, terms, targets, third, state)

    def _blocks(self, targets: Sequence[Mask]) -> Iterator[tuple[Integers, list[int]]]:
        """Rows, and the terms that apply to all of them."""
        entries = self._pre.learning(self.rule.silent)
        numbers = [number for number, mask in enumerate(targets) if mask.any()]
        masks = []
        for number in numbers:
            mask = self._pre.applies(self.rule.terms[number].pre)
            masks.append(mask if entries is None else mask & entries)
        if len(masks) == 1:
            yield masks[0].nonzero()[0], numbers
        else:
            yield (masks[0] & ~masks[1]).nonzero()[0], numbers[:1]
            yield (masks[1] & ~masks[0]).nonzero()[0], numbers[1:]
            yield (masks[0] & masks[1]).nonzero()[0], numbers

    def _learn(
        self,
        rows: Integers,
        terms: Sequence[int],
        targets: Sequence[Mask],
        third: Signed | None,
        state: int,
    ) -> None:
        """Change the weights of a block: `rows`, and the columns to which a term applies."""
        if not rows.size:
            return
        columns = np.logical_or.reduce([targets[term] for term in terms]).nonzero()[0]
        self.count += rows.size * columns.size
        every = columns.size * MOST >= len(self._targets)
        if every:
            columns = self._targets
        weights = self._block(self.weights, rows, columns, every)
        plane = None if self._plane is None else self._block(self._plane, rows, columns, every)
        low, high = self.rule.bounds
        total: Signed | int = 0
        for term in terms:
            factors = self._factors(term, rows, columns, targets[term], third, weights, plane)
            value = factors[0]
            for factor in factors[1:]:
                value = value * factor
            total = total - value if self.rule.terms[term].negative else total + value
        if self.rule.shift:
            total = (total + self._rounding(rows, columns, state)) >> self.rule.shift
        weights += total
        np.maximum(weights, low, out=weights)
        np.minimum(weights, high, out=weights)
        if every:
            self.weights[rows] = weights
        else:
            self.weights[rows[:, np.newaxis], columns] = weights

    @staticmethod
    def _block(matrix: Signed, rows: Integers, columns: Integers, every: bool) -> Signed:
        """Rows, and of these `every` column or some."""
        return matrix.take(rows, axis=0) if every else matrix[rows[:, np.newaxis], columns]

    def _factors(
        self,
        number: int,
        rows: Integers,
        columns: Integers,
        applies: Mask,
        third: Signed | None,
        weights: Signed,
        plane: Signed | None,
    ) -> list[Signed]:
        """What a term multiplies: of the source a column, of the target a row, then of the weight.

        That of the target is 0 where the term does not apply.
        """
        term = self.rule.terms[number]
        low, high = self.rule.bounds
        source: Signed | None = None
        target = applies[columns].astype(np.int32)
        weight: Signed | None = None
        for factor in term.factors:
            match factor:
                case Factor.CONSTANT:
                    source = np.array([term.constant], np.int32)
                case Factor.PRE_TRACE:
                    source = self._pre.traces(term.pre.now)[rows]
                case Factor.PRE_CURVE:
                    source = self._curves[number][self._pre.ages(term.pre.now)[rows]]
                case Factor.POST_TRACE:
                    target *= self._post.traces(term.post.now)[columns]
                case Factor.POST_CURVE:
                    target *= self._curves[number][self._post.ages(term.post.now)[columns]]
                case Factor.THIRD:
                    assert third is not None
                    target *= third[columns]
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
        factors = [target[np.newaxis]]
        if source is not None:
            factors.insert(0, source[:, np.newaxis])
        return factors if weight is None else [*factors, weight]

    def _rounding(self, rows: Integers, columns: Integers, state: int) -> Signed | int:
        """What is added to the sums before they are shifted."""
        shift = self.rule.shift
        match ROUNDINGS[self.rule.rounding]:
            case Rounding.FLOOR:
                return 0
            case Rounding.NEAREST:
                return 1 << (shift - 1)
        groups = columns // KEY_GROUP  # ascending
        begins = np.diff(groups, prepend=-1) > 0
        which = begins.cumsum() - 1
        keys = rows[:, np.newaxis] | (groups[begins] << 16 | self._number << 26)
        drawn = mixed((keys & 0x7FFFFFFF).astype(np.uint32) ^ np.uint32(state)).astype(np.int32)
        parts = (columns % KEY_GROUP << (shift - 4)).astype(np.int32)
        return (drawn[:, which] + parts) & np.int32((1 << shift) - 1)
