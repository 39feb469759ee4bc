"""Learning: what becomes of weights after each step, vectorised over synapses.

The rules are those of `golden.learning`. All of a synapse but its weight is as the step left it, so
terms are computed where their gates hold, in blocks of rows (sources) and columns (targets).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from spikeloom.golden.fixed import Integers, Signed
from spikeloom.golden.learning.rule import ROUNDINGS, Rule
from spikeloom.golden.random_numbers import Words, mixed
from spikeloom.golden.spec import FACTOR_BITS, TRACE_BITS, Factor, Gate, Rounding
from spikeloom.golden.step.ends import ALL, End, Mask, Seen, Which
from spikeloom.golden.step.joined_terms import joined

THIRD_RANGE = -(1 << (FACTOR_BITS - 1)), (1 << (FACTOR_BITS - 1)) - 1

MOST = 3
"""From one in so many columns on, a block has all: whole rows are copied faster than parts."""

DRAWN = 1 << 13
"""Up to so many random numbers of a sample are drawn at once, as soon as there is need for one."""

KEY_GROUP = 16
"""Neighbouring targets whose synapses from an axon share a number, and take other parts of it."""


def target_gates(rule: Rule, post: Seen, potentials: Signed | None) -> list[Mask]:
    """For each term, at which of these targets it applies as far as they go."""
    masks = []
    for term in rule.terms:
        mask = post.applies(term.post)
        if term.window is not None:
            assert potentials is not None
            mask = mask & (potentials >= term.window[0]) & (potentials <= term.window[1])
        if term.trace_window is not None and np.count_nonzero(mask):
            traces = post.traces(term.post.now)
            mask = mask & (traces >= term.trace_window[0]) & (traces <= term.trace_window[1])
        masks.append(mask)
    return masks


def any_of(masks: Sequence[Mask]) -> Mask:
    """Where one of them holds; there are one or two."""
    return masks[0] if len(masks) == 1 else masks[0] | masks[1]


class Applies(NamedTuple):
    """Where a term applies in a block.

    Parameters
    ----------
    number
        Of the term.
    source
        By the source: (rows, 1) or (rows, columns), None for everywhere.
    target
        By the target: (columns,).
    """

    number: int
    source: Mask | None
    target: Mask

    @property
    def held(self) -> Mask:
        """Where it applies: (rows, columns), or (columns,) for every row."""
        return self.target if self.source is None else self.source & self.target


class Block(NamedTuple):
    """Synapses that change at once: rows and columns of the weights.

    Parameters
    ----------
    rows, columns
        Their numbers, (rows,) and (columns,).
    pre
        The source of each synapse, (rows, 1) or (rows, columns).
    post
        The target of each column.
    gates
        Of the terms that apply.
    """

    rows: Integers
    columns: Integers
    pre: Seen
    post: Seen
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
        self._silent = rule.silent
        self.rule = rule = joined(rule)
        self.weights = weights
        self.count = 0
        self._pre, self._post = ends
        self._plane = plane
        self._curves = [np.array(term.curve or (), np.int32) for term in rule.terms]
        self._sources, self._targets = (np.arange(size) for size in weights.shape)
        ends_of_terms = {(term.post, term.window, term.trace_window) for term in rule.terms}
        self.on_spikes = all(term.post.gate is Gate.SPIKED for term in rule.terms)
        """Whether nothing changes but by spikes of the target in this step."""
        self._same_targets = len(ends_of_terms) == 1
        self._always = self.on_spikes and all(
            term.window is None and term.trace_window is None for term in rule.terms
        )
        signs = [-1 if term.negative else 1 for term in rule.terms]
        self._signs = [
            np.int32(sign * (term.constant if Factor.CONSTANT in term.factors else 1))
            for sign, term in zip(signs, rule.terms, strict=True)
        ]
        self._low, self._high = map(np.int32, rule.bounds)
        if ROUNDINGS[rule.rounding] is Rounding.STOCHASTIC:
            groups = self._targets[: -(-weights.shape[1] // KEY_GROUP)]
            keys = self._sources[:, np.newaxis] | groups << 16 | number << 26
            self._keys = (keys & 0x7FFFFFFF).astype(np.uint32)
            parts = self._targets % KEY_GROUP << max(rule.shift - 4, 0)
            self._parts_of_groups = parts.astype(np.uint32)
            self._fraction = np.uint32((1 << rule.shift) - 1)

    def begin(self, states: Words) -> None:
        """Begin a sample, in whose steps random numbers are made of these."""
        self._states = states
        self._drawn: Words | None = None

    def __call__(self, potentials: Signed | None, third: Signed | None, step: int) -> None:
        """Update after a step, with the potentials of targets and of the third population."""
        which: Which = ALL
        if self.on_spikes:
            which = self._post.spiked().nonzero()[0]
            if not which.size:
                return
        if third is not None:
            third = np.clip(third >> self.rule.third_shift, *THIRD_RANGE).astype(np.int32)
        if self._always and isinstance(which, np.ndarray):
            self._learn(which, [np.ones(which.shape, np.bool_)] * len(self._signs), third, step)
            return
        seen = None if potentials is None else potentials[which]
        targets = target_gates(self.rule, Seen(self._post, which), seen)
        held = any_of(targets).nonzero()[0]
        if held.size:
            neurons = which[held] if isinstance(which, np.ndarray) else held
            self._learn(neurons, [mask[held] for mask in targets], third, step)

    def _learn(
        self, neurons: Integers, targets: Sequence[Mask], third: Signed | None, step: int
    ) -> None:
        """Update the synapses of these targets, to which each term applies by its gate."""
        for rows, gates in self._parts(targets):
            if rows.size:
                held = any_of([gate.target for gate in gates]).nonzero()[0]
                self.count += rows.size * held.size
                columns, kept = self._columns(neurons, held, gates)
                pre, post = Seen(self._pre, rows[:, np.newaxis]), Seen(self._post, columns)
                self._change(Block(rows, columns, pre, post, kept), third, step)

    def _columns(
        self, neurons: Integers, held: Integers, gates: Sequence[Applies]
    ) -> tuple[Integers, list[Applies]]:
        """The columns of a block, and its gates there: `held` of these targets, or all there are.

        Whole rows are copied faster than parts.
        """
        columns = neurons[held]
        if columns.size * MOST < len(self._targets):
            return columns, [gate._replace(target=gate.target[held]) for gate in gates]
        masks = np.zeros((len(gates), len(self._targets)), np.bool_)
        for mask, gate in zip(masks, gates, strict=True):
            mask[neurons] = gate.target
        spread = zip(gates, masks, strict=True)
        return self._targets, [gate._replace(target=mask) for gate, mask in spread]

    def _parts(self, targets: Sequence[Mask]) -> Iterator[tuple[Integers, list[Applies]]]:
        """Rows, and the terms that apply to them, as a `Block` has them."""
        pre = Seen(self._pre, ALL)
        numbers = [number for number, mask in enumerate(targets) if np.count_nonzero(mask)]
        masks = []
        for number in numbers:
            mask = pre.applies(self.rule.terms[number].pre)
            masks.append(mask if self._silent else mask & pre.heard)
        everywhere = [Applies(number, None, targets[number]) for number in numbers]
        if len(masks) == 1:
            yield masks[0].nonzero()[0], everywhere
        elif self._same_targets:
            rows = any_of(masks).nonzero()[0]
            both = zip(everywhere, masks, strict=True)
            yield rows, [gate._replace(source=mask[rows, np.newaxis]) for gate, mask in both]
        else:
            yield (masks[0] & ~masks[1]).nonzero()[0], everywhere[:1]
            yield (masks[1] & ~masks[0]).nonzero()[0], everywhere[1:]
            yield (masks[0] & masks[1]).nonzero()[0], everywhere

    def _change(self, block: Block, third: Signed | None, step: int) -> None:
        """Change the weights of a block."""
        weights = self._taken(self.weights, block)
        plane = None if self._plane is None else self._taken(self._plane, block)
        of_synapses = self._factors(block, weights, plane)
        terms = [self._product(block, gate, third, of_synapses) for gate in block.gates]
        total = terms[0] if len(terms) == 1 else terms[0] + terms[1]
        if self.rule.shift:
            total = total + self._rounding(block.rows, block.columns, step)
            total >>= self.rule.shift
        total = weights + total
        np.maximum(total, self._low, out=total)
        np.minimum(total, self._high, out=total)
        if block.columns is self._targets:
            self.weights[block.rows] = total
        elif block.rows is self._sources:
            self.weights[:, block.columns] = total
        else:
            self.weights[block.rows[:, np.newaxis], block.columns] = total

    def _taken(self, matrix: Signed, block: Block) -> Signed:
        """Those of a block; whole rows and columns are taken faster than parts."""
        if block.columns is self._targets:
            return matrix.take(block.rows, axis=0)
        if block.rows is self._sources:
            return matrix.take(block.columns, axis=1)
        return matrix[block.rows[:, np.newaxis], block.columns]

    def _factors(self, block: Block, weights: Signed, plane: Signed | None) -> dict[Factor, Signed]:
        """The factors of each synapse that its terms have."""
        low, high = self._low, self._high
        factors: dict[Factor, Signed] = {}
        for factor in {f for gate in block.gates for f in self.rule.terms[gate.number].factors}:
            match factor:
                case Factor.ABOVE:
                    factors[factor] = high - weights
                case Factor.BELOW:
                    factors[factor] = weights - low
                case Factor.WEIGHT:
                    factors[factor] = weights
                case Factor.BETWEEN:
                    factors[factor] = ((high - weights) * (weights - low)) >> TRACE_BITS
                case Factor.ELIGIBILITY:
                    assert plane is not None
                    factors[factor] = plane
        return factors

    def _product(
        self,
        block: Block,
        gate: Applies,
        third: Signed | None,
        of_synapses: Mapping[Factor, Signed],
    ) -> Signed:
        """A term with its sign, of the source a column, of the target a row, and of the synapse.

        It is 0 where the term does not apply.
        """
        term = self.rule.terms[gate.number]
        target = gate.target * self._signs[gate.number]
        others = [] if gate.source is None else [gate.source.astype(np.int32)]
        for factor in term.factors:
            match factor:
                case Factor.PRE_TRACE:
                    others.append(block.pre.traces(term.pre.now))
                case Factor.PRE_CURVE:
                    others.append(self._curves[gate.number].take(block.pre.ages(term.pre.now)))
                case Factor.POST_TRACE:
                    target *= block.post.traces(term.post.now)
                case Factor.POST_CURVE:
                    target *= self._curves[gate.number].take(block.post.ages(term.post.now))
                case Factor.THIRD:
                    assert third is not None
                    target *= third[block.post.which]
                case _:
                    if factor in of_synapses:
                        others.append(of_synapses[factor])
        value: Signed = target[np.newaxis]
        for other in others:
            value = value * other
        return value

    @property
    def _of_sample(self) -> Words:
        """The random numbers of all steps, (steps, sources, groups of targets)."""
        if self._drawn is None:
            self._drawn = mixed(self._keys ^ self._states[:, np.newaxis, np.newaxis])
        return self._drawn

    def _rounding(self, rows: Integers, columns: Integers, step: int) -> Signed | int:
        """What is added to the sums of these synapses before they are shifted."""
        shift = self.rule.shift
        match ROUNDINGS[self.rule.rounding]:
            case Rounding.FLOOR:
                return 0
            case Rounding.NEAREST:
                return 1 << (shift - 1)
        groups = columns // KEY_GROUP
        if self._keys.size * len(self._states) <= DRAWN:
            drawn = self._of_sample[step]
            if rows is not self._sources:
                drawn = drawn.take(rows, axis=0)
            drawn = drawn.take(groups, axis=1)
        elif groups.size > self._keys.shape[1]:  # of all groups, each once
            drawn = mixed(self._keys.take(rows, axis=0) ^ self._states[step])
            drawn = drawn.take(groups, axis=1)
        else:
            drawn = mixed(self._keys[rows[:, np.newaxis], groups] ^ self._states[step])
        drawn += self._parts_of_groups.take(columns)
        drawn &= self._fraction
        numbers: Signed = drawn.view(np.int32)
        return numbers
