"""What becomes of kernels, whose synapses are those of the positions at which a rule applies."""

import functools
from collections.abc import Sequence

import numpy as np

from spikeloom.golden.fixed import Integers, Signed
from spikeloom.golden.learning.rule import OF_WEIGHT, Rule, Term
from spikeloom.golden.spec import MAX_AGE, TRACE_BITS, Factor, Gate
from spikeloom.golden.step.ends import ALL, End, Mask, Seen, Which
from spikeloom.golden.step.learn import Applies, Block, Update, any_of

MOST_WEIGHTS = 1 << 10
"""Different weights up to which a table of changes is made."""

TABLED = {Factor.ONE, Factor.CONSTANT, Factor.PRE_CURVE, *OF_WEIGHT} - {Factor.ELIGIBILITY}
"""The factors that such a table holds."""


class KernelUpdate(Update):
    """What a rule does to the weights of a kernel, of all channels at once.

    Parameters
    ----------
    rule, number
        As of `Update`.
    ends
        The spikes of sources and targets.
    matrix
        The weights, (channels, taps), int32; they change.
    axons, inside
        The axon of each tap at each position, if it is inside the source, (positions, taps).
    """

    def __init__(
        self,
        rule: Rule,
        number: int,
        ends: tuple[End, End],
        matrix: Signed,
        axons: Integers,
        inside: Mask,
    ) -> None:
        super().__init__(rule, number, ends, matrix.T)
        self._matrix = matrix
        self._axons, self._inside = axons, inside
        self._some_outside = not inside.all()

    def _learn(
        self, neurons: Integers, targets: Sequence[Mask], third: Signed | None, step: int
    ) -> None:
        """Update at the first position of each channel at which a term applies, then the next."""
        channels, positions = np.divmod(neurons, len(self._axons))
        for now in _turns(channels):
            pre = Seen(self._pre, self._axons.take(positions[now], axis=0).T)
            post = Seen(self._post, neurons[now])
            sources = [self._learning(term, pre, positions[now]) for term in self.rule.terms]
            gates = [
                Applies(number, source, target[now])
                for number, (source, target) in enumerate(zip(sources, targets, strict=True))
            ]
            held = any_of([gate.held for gate in gates])
            each = len(self._sources) if held.ndim == 1 else 1
            self.count += int(np.count_nonzero(held)) * each
            self._change(Block(self._sources, channels[now], pre, post, gates), third, step)

    def _learning(self, term: Term, pre: Seen, positions: Integers) -> Mask | None:
        """Where a term applies by the sources of these positions; None for everywhere."""
        masks = [] if term.pre.gate is Gate.ALWAYS else [pre.applies(term.pre)]
        if self._some_outside:
            masks.append(self._inside.take(positions, axis=0).T)
        if not self._silent:
            masks.append(pre.heard)
        return functools.reduce(np.logical_and, masks) if masks else None


class TabledUpdate(KernelUpdate):
    """The same by a table of what the terms add up to, by the age of the source and the weight.

    It is for rules of which `has_table` holds. A layer that learns by first spikes has few spikes
    and small kernels, so its time is that of the calls, which are a third as many.
    """

    def __init__(
        self,
        rule: Rule,
        number: int,
        ends: tuple[End, End],
        matrix: Signed,
        axons: Integers,
        inside: Mask,
    ) -> None:
        super().__init__(rule, number, ends, matrix, axons, inside)
        low, high = rule.bounds
        weights = np.arange(low, high + 1)
        sums = np.zeros((MAX_AGE + 1, len(weights)), np.int32)
        held = np.zeros(MAX_AGE + 1, np.bool_)
        for term in rule.terms:
            sums += np.outer(_by_age(term), _by_weight(term, weights, rule.bounds)).astype(np.int32)
            held |= _ages(term)
        self._sums = sums.reshape(-1)
        self._rows = np.arange(MAX_AGE + 1, dtype=np.int32) * np.int32(len(weights)) - self._low
        """Where the sums of an age begin, less the lowest weight."""
        self._held = None if held.all() else held
        self._now = rule.terms[0].pre.now

    def __call__(self, _potentials: Signed | None, _third: Signed | None, step: int) -> None:
        """Update after a step."""
        neurons = self._post.spiked().nonzero()[0]
        if not neurons.size:
            return
        channels, positions = np.divmod(neurons, len(self._axons))
        for now in _turns(channels):
            axons = self._axons.take(positions[now], axis=0)
            inside = self._inside.take(positions[now], axis=0) if self._some_outside else None
            self._change_by_table(channels[now], self._pre.since(axons, self._now), inside, step)

    def _change_by_table(
        self, channels: Integers, ages: Signed, inside: Mask | None, step: int
    ) -> None:
        """Change the weights of channels by the ages of what they see, and where that is inside.

        Ages, (channels, taps), have no limit; the last one of the table stands for all after it.
        """
        weights = self._matrix.take(channels, axis=0)
        total = self._sums.take(self._rows.take(ages, mode="clip") + weights)
        held = None if self._held is None else self._held.take(ages, mode="clip")
        if inside is not None:
            total *= inside
            held = inside if held is None else held & inside
        self.count += ages.size if held is None else int(np.count_nonzero(held))
        if self.rule.shift:
            total += np.transpose(self._rounding(self._sources, channels, step))
            total >>= self.rule.shift
        total += weights
        np.maximum(total, self._low, out=total)
        np.minimum(total, self._high, out=total)
        self._matrix[channels] = total


def has_table(rule: Rule) -> bool:
    """Whether every spike of a target counts, and besides it the weight and the source's age alone.

    An axon that has not spiked in the sample has the highest age; there a table does not tell it
    from one that has.
    """
    return (
        all({*term.factors} <= TABLED for term in rule.terms)
        and all(term.pre.gate is not Gate.SPIKED for term in rule.terms)
        and all(term.post.gate is Gate.SPIKED for term in rule.terms)
        and all(term.window is None and term.trace_window is None for term in rule.terms)
        and len({term.pre.now for term in rule.terms}) == 1
        and (rule.silent or not any(_ages(term)[MAX_AGE] for term in rule.terms))
        and rule.bounds[1] - rule.bounds[0] < MOST_WEIGHTS
    )


def _ages(term: Term) -> Mask:
    """At which ages of the source a term applies."""
    ages = np.arange(MAX_AGE + 1)
    if term.pre.gate is Gate.AGE:
        return (ages >= term.pre.first) & (ages <= term.pre.last)
    return np.full(ages.shape, term.pre.gate is Gate.ALWAYS)


def _by_age(term: Term) -> Integers:
    """What the source's part of a term is at each age, with its sign; 0 where it does not apply."""
    values = np.int64(term.constant if Factor.CONSTANT in term.factors else 1) * _ages(term)
    if Factor.PRE_CURVE in term.factors:
        values = values * np.array(term.curve)
    return -values if term.negative else values


def _by_weight(term: Term, weights: Integers, bounds: tuple[int, int]) -> Integers:
    """What the part of the weight is for each of these."""
    above, below = bounds[1] - weights, weights - bounds[0]
    values = {
        Factor.ABOVE: above,
        Factor.BELOW: below,
        Factor.WEIGHT: weights,
        Factor.BETWEEN: (above * below) >> TRACE_BITS,
    }
    (value,) = {*term.factors} & {*values} or (None,)
    return np.ones_like(weights) if value is None else values[value]


def _turns(channels: Integers) -> list[Which]:
    """The first of each channel, the second of each, ..."""
    if not np.count_nonzero(channels[1:] == channels[:-1]):
        return [ALL]
    turns = np.arange(len(channels)) - channels.searchsorted(channels)
    return [(turns == turn).nonzero()[0] for turn in range(turns.max() + 1)]
