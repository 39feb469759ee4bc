"""Learning rules of the literature, as terms of a `Rule`: by the times of spikes, and by reward."""

import math
from collections.abc import Iterable

import numpy as np

from spikeloom.golden.checks import check_flag, check_integer, check_tau
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import signed_range
from spikeloom.golden.learning.rule import SPIKED, Rule, Table, Term, Trace, When
from spikeloom.golden.learning.scaling import (
    COARSE,
    MOST,
    ONCE,
    SUMMED,
    between,
    fading,
    flat,
    scaled,
    shifted,
    split,
    warn,
    while_left,
)
from spikeloom.golden.spec import MAX_AGE, TRACE_BITS, WEIGHT_BITS, Factor, Gate

HEARD = When(Gate.AGE, 0, MAX_AGE - 1, now=True)
"""It has spiked in the sample, fewer than 63 steps ago."""
UNHEARD = When(Gate.AGE, MAX_AGE, MAX_AGE, now=True)
"""It has not."""
FINER = "use nearest=True, or hard bounds, whose traces are finer"
LEAST_SPREAD = 2 << (TRACE_BITS // 2)
"""How far bounds are apart if BETWEEN is to be 1 in the middle."""


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
    spikes at once; more saturate. Warns (`SpikeloomWarning`) of a rate that leaves a coarse trace.
    Sources: Song, Miller and Abbott, Nature Neuroscience 3 (2000);
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
    check_tau("pair_stdp: tau_pre", tau_pre)
    check_tau("pair_stdp: tau_post", tau_post)
    check_flag("pair_stdp: nearest", nearest)
    check_flag("pair_stdp: soft", soft)
    most = ONCE if nearest else SUMMED
    changes = {"potentiation": potentiation, "depression": depression}
    shift, products = shifted("pair_stdp", changes, most if soft else most * MOST)
    parts = [
        (float(value) * (1 << shift), 1) if soft else split(product, most)
        for value, product in zip(changes.values(), products, strict=True)
    ]
    pre, post = (
        fading(f"pair_stdp: {name} {value:g}", size, tau, FINER, nearest)
        for (name, value), (size, _), tau in zip(
            changes.items(), parts, (tau_pre, tau_post), strict=True
        )
    )
    (_, up), (_, down) = parts
    before, after = while_left(pre, now=True), while_left(post, now=False)
    if soft:
        terms = (
            Term(Factor.PRE_TRACE, Factor.ABOVE, before, SPIKED),
            Term(Factor.POST_TRACE, Factor.BELOW, SPIKED, after, negative=True),
        )
    else:
        terms = (
            Term(Factor.PRE_TRACE, Factor.POST_CURVE, before, SPIKED, curve=flat(up)),
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
    check_integer("table_stdp: after", after, 1, MAX_AGE - 1)
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
    check_integer("sdsp: state_bits", state_bits, 8, 24)
    lowest, highest = signed_range(state_bits)
    check_integer("sdsp: threshold", threshold, lowest + 1, highest)
    check_integer("sdsp: change", change, 1, ONCE)
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
    that spikes after the target counts as one that has not. What rounding down takes of u * (1 - u)
    between near bounds, more than a twentieth below 127 apart, the rates make up for. Warns
    (`SpikeloomWarning`) where changes are off by as much on average even so, below 104. Sources:
    Kheradpisheh et al., arXiv:1611.01421; SpykeTorch, Mozafari et al., arXiv:1903.02440.

    Parameters
    ----------
    bounds
        Lowest and highest weight, at least 32 apart.
    potentiation, depression
        Rates, >= 0.
    rounding
        As in `Rule`.

    Raises
    ------
    SpikeloomError
        A rate is too large for the factors of a rule, or so small that it would be 0.
    """
    spread = _spread("first_spike_stdp", bounds)
    rates = {"potentiation": potentiation, "depression": depression}
    left, off = between(spread)
    if off > COARSE:
        unmoved = next(w for w in range(spread) if w * (spread - w) >> TRACE_BITS) - 1
        enough = 1 + max(n for n in range(spread, 1 << TRACE_BITS) if between(n)[1] > COARSE)
        warn(
            f"first_spike_stdp: between bounds {spread} apart changes are {off:.0%} off the "
            f"equation on average, and none of the {unmoved} weights beside a bound changes; take "
            f"bounds {enough} apart",
        )
    unit = (1 << TRACE_BITS) / spread / (left if 1 - left > COARSE else 1)
    shift, (up, down) = scaled("first_spike_stdp", rates, MOST, unit)
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
    turns the rule around. Warns (`SpikeloomWarning`) where rounding down takes more than a
    twentieth of the changes, between bounds less than 127 apart. Source: Mozafari et al.,
    arXiv:1705.09132; with the same rate for potentiation and depression.

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
    spread = _spread("reward_stdp", bounds)
    left, _ = between(spread)
    if 1 - left > COARSE:
        enough = 1 + max(n for n in range(spread, 1 << TRACE_BITS) if 1 - between(n)[0] > COARSE)
        warn(
            f"reward_stdp: between bounds {spread} apart changes are {1 - left:.0%} too small on "
            f"average, as they are rounded down; take bounds {enough} apart, or a higher reward",
        )
    terms = (
        Term(Factor.THIRD, Factor.BETWEEN, HEARD, SPIKED),
        Term(Factor.THIRD, Factor.BETWEEN, UNHEARD, SPIKED, negative=True),
    )
    return Rule(terms, bounds, shift, rounding, third=reward, third_shift=reward_shift)


def _spread(rule: str, bounds: tuple[int, int]) -> int:
    """How far the bounds are apart, if BETWEEN is not 0 for every weight within them."""
    if not isinstance(bounds, tuple) or len(bounds) != 2:
        raise SpikeloomError(f"{rule}: bounds must be a pair (lowest, highest), not {bounds!r}")
    for bound in bounds:
        check_integer(f"{rule}: bounds", bound, *signed_range(WEIGHT_BITS[-1]))
    spread = int(bounds[1]) - int(bounds[0])
    if spread < LEAST_SPREAD:
        raise SpikeloomError(
            f"{rule}: bounds must be at least {LEAST_SPREAD} apart, not {bounds}: between nearer "
            "ones the rule changes no weight; use weights of 8 bits"
        )
    return spread


def _gupta(values: Iterable[int]) -> tuple[int, ...]:
    """The table that has these values at the ages 2..20, and else 0."""
    table = (0, 0, *values)
    return (*table, *(0,) * (MAX_AGE + 1 - len(table)))


def _where(table: Table) -> When:
    """The ages at which a table is not 0."""
    if not isinstance(table, (tuple, np.ndarray)) or len(table) != MAX_AGE + 1 or table[MAX_AGE]:
        raise SpikeloomError(
            f"table_stdp: a table must have {MAX_AGE + 1} integers 0..{ONCE}, one for each age, "
            "the last one 0"
        )
    for value in table:
        check_integer("table_stdp: a value of a table", value, 0, ONCE)
    ages = [age for age, value in enumerate(table) if value]
    return When(Gate.AGE, min(ages, default=0), max(ages, default=0), now=True)
