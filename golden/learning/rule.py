"""The records of a learning rule."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spikeloom.golden.checks import check_tau
from spikeloom.golden.fixed import Integers
from spikeloom.golden.plain import PlainIntegers
from spikeloom.golden.spec import MAX_AGE, Factor, Gate, Rounding

Table = tuple[int, ...] | Integers
"""A value for each age, 0..63; an array becomes a tuple."""

OF_SOURCE = (Factor.CONSTANT, Factor.PRE_TRACE, Factor.PRE_CURVE)
OF_TARGET = (Factor.POST_TRACE, Factor.POST_CURVE, Factor.THIRD)
OF_WEIGHT = (Factor.ABOVE, Factor.BELOW, Factor.WEIGHT, Factor.BETWEEN, Factor.ELIGIBILITY)

ROUNDINGS = {rounding.name.lower(): rounding for rounding in Rounding}
"""By the names that a `Rule` has for them."""


@dataclass(frozen=True)
class Tables(PlainIntegers):
    """A record whose integer arrays become tuples, so that it can be compared and saved."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in list(vars(self).items()):
            if isinstance(value, np.ndarray) and value.dtype.kind in "iu":
                object.__setattr__(self, name, tuple(value.tolist()))


@dataclass(frozen=True)
class When(PlainIntegers):
    """When a term applies to a synapse, by the spikes of one of its ends.

    An age is the number of steps since the last spike before the present step: 1, 2, ..., 62, and
    63 for 63 steps or more, or if there was none in the sample.

    Parameters
    ----------
    gate
        NEVER, ALWAYS, SPIKED (in the present step) or AGE, which is `first`..`last`.
    first, last
        The range of ages, 0..63, for `Gate.AGE`.
    now
        Ages, traces and curves of this end of the synapse include the spike of the present step:
        the age of what spikes is 0, and its trace has the spike added.
    """

    gate: Gate = Gate.ALWAYS
    first: int = 0
    last: int = MAX_AGE
    now: bool = False

    def __str__(self) -> str:
        if self.gate is not Gate.AGE:
            return self.gate.name
        return f"AGE {self.first}..{self.last}" + (" now" if self.now else "")

    @property
    def age(self) -> int | None:
        """The only age, with this step's spike, at which it can apply; None if there are more."""
        if self.gate is Gate.SPIKED:
            return 0
        single = self.gate is Gate.AGE and self.now and self.first == self.last
        return self.first if single else None


NEVER, ALWAYS, SPIKED = When(Gate.NEVER), When(Gate.ALWAYS), When(Gate.SPIKED)


@dataclass(frozen=True)
class Trace(Tables):
    """A trace of the spikes of an axon or a neuron, 0..255; 0 when a sample begins.

        before a spike in step t, whose age is a:   x = (X * decay[a]) >> 8
        after it:                                   X = min(255, x + amount), or amount if `nearest`

    Parameters
    ----------
    decay
        What is left after each age, 0..63, in 1/256: 0..256. `decay[0]` is never used, `decay[63]`
        is 0: so long ago counts as never.
    amount
        What a spike adds, 0..255.
    nearest
        A spike sets the trace to `amount`, so only the last one counts.
    """

    decay: Table
    amount: int
    nearest: bool = False

    @classmethod
    def exponential(cls, tau: float, amount: int, nearest: bool = False) -> "Trace":
        """The trace that decays by exp(-1 / `tau`) in each step, and ends 63 steps after a spike.

        `tau` is a time constant in steps, above 0.
        """
        check_tau("Trace.exponential: tau", tau)
        return cls(exponential(256, tau), amount, nearest)


def exponential(height: float, tau: float) -> tuple[int, ...]:
    """A table of round(height * exp(-age / tau)), 0 at the age of 63."""
    return (*(round(height * math.exp(-age / tau)) for age in range(MAX_AGE)), 0)


@dataclass(frozen=True)
class Term(Tables):
    """A term of a learning rule: left * right, or less than that, where all its gates hold.

    Of `left` and `right` at most one belongs to the source (CONSTANT, PRE_TRACE, PRE_CURVE), one to
    the target (POST_TRACE, POST_CURVE, THIRD), and one to the weight w (ABOVE is `bounds[1]` - w,
    BELOW is w - `bounds[0]`, WEIGHT is w, BETWEEN is (ABOVE * BELOW) >> 8) or to the synapse's
    ELIGIBILITY.

    Parameters
    ----------
    left, right
        The factors, as `Factor` has them.
    pre, post
        When it applies, by the spikes of the source and of the target.
    constant
        The value of CONSTANT, -256..255.
    curve
        The values of PRE_CURVE and POST_CURVE at each age, 0..63: -256..255.
    negative
        The product is subtracted.
    window
        The range in which the target's potential must lie, as it is compared with the threshold:
        before a reset, and without noise.
    trace_window
        The range in which the target's trace must lie, within 0..255.
    """

    left: Factor
    right: Factor = Factor.ONE
    pre: When = ALWAYS
    post: When = ALWAYS
    constant: int = 0
    curve: Table | None = None
    negative: bool = False
    window: tuple[int, int] | None = None
    trace_window: tuple[int, int] | None = None

    def __str__(self) -> str:
        values = {Factor.CONSTANT: str(self.constant)}
        named = [values.get(f, f.name) for f in self.factors if f is not Factor.ONE]
        gates = [f"{end} {when}" for end, when in (("pre", self.pre), ("post", self.post))]
        if self.window is not None:
            gates.append("potential {}..{}".format(*self.window))
        if self.trace_window is not None:
            gates.append("post trace {}..{}".format(*self.trace_window))
        return f"{'-' * self.negative}{' * '.join(named)} if {', '.join(gates)}"

    @property
    def factors(self) -> tuple[Factor, Factor]:
        """Both of its factors."""
        return self.left, self.right

    @property
    def silent(self) -> bool:
        """Whether it can change synapses of an axon that has not spiked in the sample."""
        applies = self.pre.gate is Gate.ALWAYS
        applies |= self.pre.gate is Gate.AGE and self.pre.last == MAX_AGE
        zero = Factor.PRE_TRACE in self.factors
        zero |= Factor.CONSTANT in self.factors and not self.constant
        if Factor.PRE_CURVE in self.factors and self.curve is not None:
            zero |= not self.curve[MAX_AGE]
        return applies and not zero


@dataclass(frozen=True)
class Rule(PlainIntegers):
    """How the weights of a connection change after each step.

        w = min(max(w + ((term0 + term1 + r) >> shift), bounds[0]), bounds[1])

    for the synapses of all axons that spiked in the sample, this step included, and of the others
    too if it is `silent`. The sum is exact. Everything but w is as the step left it, so the order
    of synapses does not matter. An axon's spike counts once, whatever its number or sign, in the
    step in which it is emitted, also where the connection has a delay; but a spike that would
    arrive after the last step of the sample is not sent, and does not count.

    Parameters
    ----------
    terms
        One or two.
    bounds
        Lowest and highest weight, within the range of the network's weights.
    shift
        0, 4, 8 or 12.
    rounding
        r: "nearest" 2**(shift - 1), "floor" 0, "stochastic" a random number below 2**shift for each
        synapse and step, which needs a network with a `seed`. With a `shift` of 0 it is 0.
    at_end
        Weights change after the last step of a sample only.
    pre, post
        The traces of sources and targets, where a term uses them.
    third
        The population whose potentials are the factor THIRD, of the target's size: neuron j counts
        for all synapses of target j.
    third_shift
        0..15. THIRD is the potential >> `third_shift`, clipped to -256..255.
    eligibility
        The rule of a plane of eligibilities, one for each synapse, in place of a weight: they are w
        in it, begin with 0 in a run, and go on from sample to sample. It applies first in each
        step; then ELIGIBILITY is what it left. It has no eligibility itself, its `bounds` hold 0
        and it is not `at_end`; of the source the terms of this rule have the CONSTANT alone, and
        `pre` is ALWAYS.
    """

    terms: tuple[Term, ...]
    bounds: tuple[int, int]
    shift: int = 8
    rounding: str = "nearest"
    at_end: bool = False
    pre: Trace | None = None
    post: Trace | None = None
    third: str | None = None
    third_shift: int = 0
    eligibility: "Rule | None" = None

    def __str__(self) -> str:
        parts = [*map(str, self.terms), f"/ {1 << self.shift}, {self.rounding}"]
        parts.append("weights {}..{}".format(*self.bounds))
        if self.third is not None:
            parts.append(f"THIRD of {self.third!r} >> {self.third_shift}")
        if self.eligibility is not None:
            parts.append(f"ELIGIBILITY by ({self.eligibility})")
        return "; ".join((*parts, *(["at the end of a sample"] if self.at_end else [])))

    @property
    def silent(self) -> bool:
        """Whether axons that have not spiked in the sample learn, too."""
        return self.eligibility is not None or any(term.silent for term in self.terms)

    @property
    def in_order(self) -> "tuple[Rule, ...]":
        """The rules that apply in a step: that of the eligibilities, if there is one, and this."""
        return (self,) if self.eligibility is None else (self.eligibility, self)


class Visits(NamedTuple):
    """After which steps hardware looks at the synapses of a neuron.

    Parameters
    ----------
    always
        Each.
    on_spike
        In which it spikes.
    at_age
        If not 0: in which its last spike has this age.
    """

    always: bool
    on_spike: bool
    at_age: int


def visits(rules: Sequence[Rule]) -> Visits:
    """The `Visits` to the neurons of a population with these rules, of all connections into it."""
    every_step = [rule for rule in rules if not rule.at_end]
    gates = [term.post for rule in every_step for term in rule.terms]
    ages = {gate.age for gate in gates if gate.gate is not Gate.NEVER}
    traces = any(rule.post is not None for rule in every_step)
    later = ages - {None, 0}
    if None in ages or len(later) > 1:
        return Visits(True, False, 0)
    return Visits(False, 0 in ages or traces, next((age for age in later if age is not None), 0))
