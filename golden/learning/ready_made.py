"""Learning rules of the literature, as terms of a `Rule`."""

import math
from collections.abc import Iterable

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import signed_range
from spikeloom.golden.learning.rule import SPIKED, Rule, Table, Term, Trace, When
from spikeloom.golden.spec import FACTOR_BITS, MAX_AGE, RULE_SHIFTS, TRACE_BITS, Factor, Gate

ONCE = (1 << TRACE_BITS) - 1
"""What a spike adds to a trace of the last spike alone: as much as fits, so it decays finely."""

SUMMED = 1 << (TRACE_BITS - 2)
"""What it adds to a trace of all spikes: four of them at once fit."""

MOST = signed_range(FACTOR_BITS)[1]
"""Greatest constant, and greatest value of a curve."""

HEARD = When(Gate.AGE, 0, MAX_AGE - 1, now=True)
"""It has spiked in the sample, fewer than 63 steps ago."""
UNHEARD = When(Gate.AGE, MAX_AGE, MAX_AGE, now=True)
"""It has not."""


def pair_stdp(
    potentiation: float,
    depression: float,
    tau_pre: float,
    tau_post: float,
    bounds: tuple[int, int],
    nearest: bool = False,
    soft: bool = False,
    rounding: str = "stochastic",
) -> Rule:
    """Spike-timing dependent plasticity by pairs of spikes.

        target spikes:  w += potentiation * sum exp(-age of the source's spike / tau_pre)
        source spikes:  w -= depression * sum exp(-age of the target's spike / tau_post)

    over all earlier spikes, or only the last one if `nearest`. A pair in one step counts as source
    before target. If `soft`, both are times the distance to the bound ahead. Traces hold about four
    spikes at once; more saturate. Sources: Song, Miller and Abbott, Nature Neuroscience 3 (2000);
    Morrison, Diesmann and Gerstner, Biological Cybernetics 98 (2008).

    Parameters
    ----------
    potentiation, depression
        Change of a weight by a pair without a distance: in units of a weight, or if `soft` as a
        share of the distance to the bound; >= 0.
    tau_pre, tau_post
        Time constants in steps.
    bounds
        Lowest and highest weight.
    nearest
        Pair with the last spike only.
    soft
        Bounds slow a weight down, in place of stopping it.
    rounding
        As in `Rule`; small changes are lost without "stochastic", which needs a `seed`.

    Raises
    ------
    SpikeloomError
        A change is too large for the factors of a rule, or so small that it would be 0.
    """
    amount = ONCE if nearest else SUMMED
    changes = {"potentiation": potentiation, "depression": depression}
    most, unit = (amount, 1.0) if soft else (MOST, 1 / amount)
    shift, (up, down) = _scaled("pair_stdp", changes, most, unit)
    pre = Trace.exponential(tau_pre, up if soft else amount, nearest)
    post = Trace.exponential(tau_post, down if soft else amount, nearest)
    before, after = _while_left(pre, now=True), _while_left(post, now=False)
    if soft:
        terms = (
            Term(Factor.PRE_TRACE, Factor.ABOVE, before, SPIKED),
            Term(Factor.POST_TRACE, Factor.BELOW, SPIKED, after, negative=True),
        )
    else:
        terms = (
            Term(Factor.PRE_TRACE, Factor.POST_CURVE, before, SPIKED, curve=_flat(up)),
            Term(Factor.CONSTANT, Factor.POST_TRACE, SPIKED, after, down, negative=True),
        )
    return Rule(terms, bounds, shift, rounding, pre=pre, post=post)


def table_stdp(
    bounds: tuple[int, int],
    potentiation: Table | None = None,
    depression: Table | None = None,
    after: int = 21,
    rounding: str = "floor",
) -> Rule:
    """STDP by two tables of the age of the source's last spike, in 1/256 of the way to a bound.

        target spikes:              w += (bounds[1] - w) * potentiation[age] / 256
        `after` steps after that:   w -= (w - bounds[0]) * depression[age] / 256

    Both are soft. Source: Gupta, Vyas and Trivedi, arXiv:2010.01200, whose tables are the default.
    Its potentiation is above 256 at the ages 2 and 3, which overshoots the bound; here it is 255.

    Parameters
    ----------
    bounds
        Lowest and highest weight.
    potentiation, depression
        A value for each age, 0..63: 0..255, the last one 0. An age is 0 where the source spikes in
        this very step.
    after
        When the second table is looked up, 1..62 steps after the target's spike, if it has not
        spiked since.
    rounding
        As in `Rule`; the paper's hardware rounds down.
    """
    up = gupta_potentiation() if potentiation is None else potentiation
    down = gupta_depression() if depression is None else depression
    late = When(Gate.AGE, after, after, now=True)
    terms = (
        Term(Factor.PRE_CURVE, Factor.ABOVE, _where(up), SPIKED, curve=up),
        Term(Factor.PRE_CURVE, Factor.BELOW, _where(down), late, curve=down, negative=True),
    )
    return Rule(terms, bounds, 8, rounding)


def gupta_potentiation() -> tuple[int, ...]:
    """The first table of arXiv:2010.01200, at most 255."""
    return _gupta(min(math.floor(491.52 * math.exp(-age / 5)), MOST) for age in range(2, 21))


def gupta_depression() -> tuple[int, ...]:
    """The second table of arXiv:2010.01200; its first entry is 19, where the formula gives 20."""
    table = (-math.floor(-204.8 * math.exp((age - 21) / 8)) for age in range(3, 21))
    return _gupta((19, *table))


def sdsp(
    threshold: int,
    up: tuple[int, int],
    down: tuple[int, int],
    calcium: Trace,
    bounds: tuple[int, int],
    change: int = 1,
    state_bits: int = 16,
) -> Rule:
    """Spike-driven synaptic plasticity: the target's potential decides when the source spikes.

        source spikes:  w += change    if potential >= threshold and up[0] <= calcium <= up[1]
                        w -= change    if potential < threshold and down[0] <= calcium <= down[1]

    Sources: Brader, Senn and Fusi, Neural Computation 19 (2007); ODIN, Frenkel et al.,
    arXiv:1804.07858.

    Parameters
    ----------
    threshold
        Of the potential, as it is before a reset.
    up, down
        Ranges of the calcium in which a weight goes up or down, within 0..255.
    calcium
        The trace of the target's spikes, those before this step.
    bounds
        Lowest and highest weight.
    change
        1..255.
    state_bits
        Those of the network.
    """
    lowest, highest = signed_range(state_bits)
    above, below = (threshold, highest), (lowest, threshold - 1)
    terms = (
        Term(Factor.CONSTANT, pre=SPIKED, constant=change, window=above, trace_window=up),
        Term(
            Factor.CONSTANT,
            pre=SPIKED,
            constant=change,
            window=below,
            trace_window=down,
            negative=True,
        ),
    )
    return Rule(terms, bounds, 0, post=calcium)


def first_spike_stdp(
    bounds: tuple[int, int],
    potentiation: float = 0.004,
    depression: float = 0.003,
    rounding: str = "stochastic",
) -> Rule:
    """STDP by first spikes: a neuron that spikes learns what has come before it.

        target spikes:  u += potentiation * u * (1 - u)    if the source has spiked in the sample
                        u -= depression * u * (1 - u)      if not

    where u = 0..1 is the weight between its bounds. It is meant for axons and neurons that spike
    once in a sample, of at most 63 steps, of which a selection picks those that learn. A source
    that spikes after the target counts as one that has not. Sources: Kheradpisheh et al.,
    arXiv:1611.01421; SpykeTorch, Mozafari et al., arXiv:1903.02440.

    Parameters
    ----------
    bounds
        Lowest and highest weight.
    potentiation, depression
        Rates, > 0.
    rounding
        As in `Rule`.

    Raises
    ------
    SpikeloomError
        A rate is too large for the factors of a rule, or so small that it would be 0.
    """
    rates = {"potentiation": potentiation, "depression": depression}
    unit = (1 << TRACE_BITS) / max(bounds[1] - bounds[0], 1)
    shift, (up, down) = _scaled("first_spike_stdp", rates, MOST, unit)
    terms = (
        Term(Factor.CONSTANT, Factor.BETWEEN, HEARD, SPIKED, constant=up),
        Term(Factor.CONSTANT, Factor.BETWEEN, UNHEARD, SPIKED, constant=down, negative=True),
    )
    return Rule(terms, bounds, shift, rounding)


def reward_stdp(
    reward: str,
    bounds: tuple[int, int],
    shift: int = 12,
    reward_shift: int = 0,
    rounding: str = "stochastic",
) -> Rule:
    """Reward-modulated STDP by first spikes: the reward of the neuron that spikes is its rate.

        change = R * (bounds[1] - w) * (w - bounds[0]) / 256 / 2**shift

        target spikes:  w += change    if the source has spiked in the sample
                        w -= change    if not

    R is the potential of the target's neuron of the population `reward`, >> `reward_shift`, clipped
    to -256..255: positive where the neuron is right to spike, negative where it is wrong, which
    turns the rule around. Source: Mozafari et al., arXiv:1705.09132; with the same rate for
    potentiation and depression.

    Parameters
    ----------
    reward
        A population with a neuron for each target; the label drives it.
    bounds
        Lowest and highest weight.
    shift
        0, 4, 8 or 12.
    reward_shift
        0..15.
    rounding
        As in `Rule`.
    """
    terms = (
        Term(Factor.THIRD, Factor.BETWEEN, HEARD, SPIKED),
        Term(Factor.THIRD, Factor.BETWEEN, UNHEARD, SPIKED, negative=True),
    )
    return Rule(terms, bounds, shift, rounding, third=reward, third_shift=reward_shift)


def random_backprop(
    error: str,
    window: tuple[int, int] | None,
    bounds: tuple[int, int],
    rate: float,
    error_shift: int = 0,
    rounding: str = "stochastic",
) -> Rule:
    """Event-driven random back-propagation: the error that arrives at a neuron by fixed weights.

        source spikes:  w -= rate * E    if the target's potential lies in `window`

    E is the potential of the target's neuron of the population `error`, >> `error_shift`, clipped
    to -256..255: above 0 where the target is too active. Random fixed weights from the errors of
    the output drive that population. Source: Neftci et al., arXiv:1612.05596 (eRBP).

    Parameters
    ----------
    error
        A population with a neuron for each target.
    window
        Lowest and highest potential; None for all.
    bounds
        Lowest and highest weight.
    rate
        Change of a weight for an error of 1, > 0 and at most 255.
    error_shift
        0..15.
    rounding
        As in `Rule`.

    Raises
    ------
    SpikeloomError
        The rate is too large for the factors of a rule, or so small that it would be 0.
    """
    shift, (constant,) = _scaled("random_backprop", {"rate": rate}, MOST)
    term = Term(
        Factor.CONSTANT,
        Factor.THIRD,
        SPIKED,
        constant=constant,
        window=window,
        negative=True,
    )
    return Rule((term,), bounds, shift, rounding, third=error, third_shift=error_shift)


def e_prop(
    error: str,
    window: tuple[int, int] | None,
    bounds: tuple[int, int],
    rate: float,
    tau: float,
    error_shift: int = 0,
    rounding: str = "stochastic",
) -> Rule:
    """E-prop in factored form: the trace of the source times the learning signal of the target.

        each step:  w -= rate * L * x    if the target's potential lies in `window`
                    x = sum exp(-age of the source's spikes / tau), this step's with it

    L is the potential of the target's neuron of the population `error`, >> `error_shift`, clipped
    to -256..255; the window is the boxcar in place of the slope of a spike. A spike adds
    round(rate * 2**shift) to the trace, with the greatest shift at which that is at most 64: so the
    trace is finest for rates just below 1/64, 1/4 or 4, and `error_shift` brings errors there. It
    holds about four spikes at once; more saturate. Sources: Bellec et al., Nature Communications 11
    (2020); its factored form in ReckOn, Frenkel and Indiveri, ISSCC 2022.

    Parameters
    ----------
    error
        A population with a neuron for each target.
    window
        Lowest and highest potential; None for all, as for a readout.
    bounds
        Lowest and highest weight.
    rate
        Change of a weight for an error of 1 and a single spike in this step, > 0 and at most 64.
    tau
        Time constant of the trace in steps: that of the target's potential.
    error_shift
        0..15.
    rounding
        As in `Rule`.

    Raises
    ------
    SpikeloomError
        The rate is too large for the factors of a rule, or so small that it would be 0.
    """
    shift, (amount,) = _scaled("e_prop", {"rate": rate}, SUMMED)
    pre = Trace.exponential(tau, amount)
    heard = _while_left(pre, now=True)
    term = Term(Factor.PRE_TRACE, Factor.THIRD, heard, window=window, negative=True)
    return Rule((term,), bounds, shift, rounding, pre=pre, third=error, third_shift=error_shift)


def _flat(value: int) -> tuple[int, ...]:
    """A curve that is the same at each age."""
    return (value,) * (MAX_AGE + 1)


def _gupta(values: Iterable[int]) -> tuple[int, ...]:
    """The table that has these values at the ages 2..20, and else 0."""
    table = (0, 0, *values)
    return (*table, *(0,) * (MAX_AGE + 1 - len(table)))


def _where(table: Table) -> When:
    """The ages at which a table is not 0."""
    ages = [age for age, value in enumerate(table) if value]
    return When(Gate.AGE, min(ages, default=0), max(ages, default=0), now=True)


def _while_left(trace: Trace, now: bool) -> When:
    """The ages of the last spike at which something can be left of a trace."""
    most = trace.amount if trace.nearest else ONCE
    ages = [age for age, kept in enumerate(trace.decay) if most * int(kept) >> TRACE_BITS]
    return When(Gate.AGE, 0, max(ages, default=0), now=now)


def _scaled(
    rule: str, values: dict[str, float], most: int, unit: float = 1
) -> tuple[int, list[int]]:
    """The greatest shift at which all values times `unit` are at most `most`, and these.

    So they are as exact as can be.
    """
    for name, value in values.items():
        limit = most / unit
        if not 0 <= value <= limit:
            raise SpikeloomError(f"{rule}: {name} must be 0..{limit:g}, not {value}")
    for shift in reversed(RULE_SHIFTS):
        numbers = [round(value * unit * (1 << shift)) for value in values.values()]
        if max(numbers) <= most:
            break
    for (name, value), number in zip(values.items(), numbers, strict=True):
        if value and not number:
            least = 0.5 / unit / (1 << shift)
            raise SpikeloomError(
                f"{rule}: {name} must be 0 or at least {least:.2g} beside the others, not {value}"
            )
    return shift, numbers
