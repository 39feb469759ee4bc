"""Learning rules of the literature that take an error, the potential of another population."""

import math

from spikeloom.golden.checks import check_integer, check_number, check_tau
from spikeloom.golden.learning.check import MAX_THIRD_SHIFT
from spikeloom.golden.learning.rule import SPIKED, Rule, Term, Trace
from spikeloom.golden.learning.scaling import (
    MOST,
    ONCE,
    SUMMED,
    fading,
    flat,
    scaled,
    shifted,
    while_left,
)
from spikeloom.golden.spec import Factor

LONGEST = 8191
"""The longest time constant of a filter, of which a step has 1/8192."""

MOST_ELIGIBLE = 127
"""The greatest eligibility with weights of 8 bits."""


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
    shift, (constant,) = scaled("random_backprop", {"rate": rate}, MOST)
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
    tau_readout: float | None = None,
    most: int = MOST_ELIGIBLE,
) -> Rule:
    """E-prop: the eligibility of the synapse times the learning signal of the target.

        each step:  w -= rate * L * x    if the target's potential lies in `window`
                    x = sum exp(-age of the source's spikes / tau), this step's with it

    L is the potential of the target's neuron of the population `error`, >> `error_shift`, clipped
    to -256..255; the window is the boxcar in place of the slope of a spike. A spike adds
    round(rate * 2**shift) to the trace, with the greatest shift at which that is at most 64: so the
    trace is finest for rates just below 1/64, 1/4 or 4, and `error_shift` brings errors there; it
    warns (`SpikeloomWarning`) of a coarse one. The trace ends 63 steps after a spike, and holds
    about four spikes at once; more saturate. This is the factored form, in which the window is that
    of the step with the error. With `tau_readout` the synapse has an eligibility of its own, which
    holds the windows of earlier steps, as in `super_spike`:

        each step:  w -= rate * L * e
                    e += (1 - exp(-1 / tau_readout)) * ((x if potential in window else 0) - e)

    Sources: Bellec et al., Nature Communications 11 (2020); its factored form in ReckOn, Frenkel
    and Indiveri, ISSCC 2022.

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
    tau_readout
        None, or the time constant in steps of the filter of the eligibility: that of the readout.
    most
        As in `super_spike`.

    Raises
    ------
    SpikeloomError
        The rate is too large for the factors of a rule, or so small that it would be 0.
    """
    if tau_readout is not None:
        tau_filter = tau_readout
        return _filtered(
            "e_prop", error, window, bounds, rate, tau, tau_filter, error_shift, rounding, most
        )
    check_tau("e_prop: tau", tau)
    check_integer("e_prop: error_shift", error_shift, 0, MAX_THIRD_SHIFT)
    shift, _ = shifted("e_prop", {"rate": rate}, SUMMED)
    pre = _trace("e_prop", rate, float(rate) * (1 << shift), tau, error_shift)
    heard = while_left(pre, now=True)
    term = Term(Factor.PRE_TRACE, Factor.THIRD, heard, window=window, negative=True)
    return Rule((term,), bounds, shift, rounding, pre=pre, third=error, third_shift=error_shift)


def super_spike(
    error: str,
    window: tuple[int, int] | None,
    bounds: tuple[int, int],
    rate: float,
    tau: float,
    tau_filter: float,
    error_shift: int = 0,
    rounding: str = "stochastic",
    most: int = MOST_ELIGIBLE,
) -> Rule:
    """SuperSpike: each synapse filters the product of its two ends, and learns by the error.

        each step:  w -= rate * E * e
                    e += (1 - exp(-1 / tau_filter)) * ((x if potential in window else 0) - e)
                    x = sum exp(-age of the source's spikes / tau), this step's with it

    E is the potential of the target's neuron of the population `error`, >> `error_shift`, clipped
    to -256..255: above 0 where the target is too active. So x is the first filter, which stands for
    what a spike of the source does to the potential; the window is the boxcar in place of the slope
    of a spike; and the eligibility e is the second filter, as long as that of the error. They have
    one time constant each, where the paper has a rise and a decay. What the paper divides by, a
    mean of squares, is left to `rate`. A spike adds at most 64 to x in integers, as in `e_prop`,
    and e has about `most` / 255 of it: so it is finest for rates just below 1/128, 1/8 or 2. An
    eligibility goes on from sample to sample; steps without input between them let it decay.
    Source: Zenke and Ganguli, Neural Computation 30 (2018), arXiv:1705.11146.

    Parameters
    ----------
    error
        A population with a neuron for each target.
    window
        Lowest and highest potential; None for all.
    bounds
        Lowest and highest weight.
    rate
        Change of a weight for an error of 1 and an e of 1, > 0 and about 64 * `most` / 255 at most.
    tau, tau_filter
        Time constants of x and of e in steps.
    error_shift
        0..15.
    rounding
        As in `Rule`, of weights and of eligibilities: these do not decay to 0 with "nearest".
    most
        The greatest eligibility, 1..127 with weights of 8 bits, 1..7 with 4.

    Raises
    ------
    SpikeloomError
        The rate is too large for the factors of a rule, or so small that it would be 0.
    """
    return _filtered(
        "super_spike", error, window, bounds, rate, tau, tau_filter, error_shift, rounding, most
    )


def _trace(name: str, rate: float, size: float, tau: float, error_shift: int) -> Trace:
    """The trace to which a spike adds `size`, of the rule `name`."""
    doublings = math.floor(math.log2(SUMMED / size)) if size else 0
    doublings = min(doublings, MAX_THIRD_SHIFT - error_shift)
    remedy = (
        f"use error_shift={error_shift + doublings} and a rate of {rate * 2**doublings:g}, with "
        "errors as large as that takes"
    )
    return fading(f"{name}: rate {rate:g}", size, tau, remedy)


def _filtered(
    name: str,
    error: str,
    window: tuple[int, int] | None,
    bounds: tuple[int, int],
    rate: float,
    tau: float,
    tau_filter: float,
    error_shift: int,
    rounding: str,
    most: int,
) -> Rule:
    """The rule `name`, whose trace is filtered in a plane."""
    check_tau(f"{name}: tau", tau)
    check_tau(f"{name}: tau of the filter", tau_filter)
    check_number(f"{name}: tau of the filter", tau_filter, 0, LONGEST)
    check_integer(f"{name}: most", most, 1, MOST)
    check_integer(f"{name}: error_shift", error_shift, 0, MAX_THIRD_SHIFT)
    share = -math.expm1(-1 / tau_filter)
    filter_shift, (leak,) = scaled(name, {"1 - exp(-1 / tau of the filter)": share}, MOST)
    # A spike adds amount * gain / leak to what the eligibility goes to: the finest amount, and as
    # much gain as the greatest trace leaves room for.
    most_gain = math.ceil(leak * most / ONCE)
    shift, (product,) = shifted(name, {"rate": rate}, SUMMED * most_gain, leak)
    gain = -(-product // SUMMED) or 1
    pre = _trace(name, rate, product / gain, tau, error_shift)
    eligibility = Rule(
        (
            Term(
                Factor.PRE_TRACE,
                Factor.POST_CURVE,
                while_left(pre, now=True),
                curve=flat(gain),
                window=window,
            ),
            Term(Factor.CONSTANT, Factor.WEIGHT, constant=leak, negative=True),
        ),
        (0, most),
        filter_shift,
        rounding,
        pre=pre,
    )
    term = Term(Factor.ELIGIBILITY, Factor.THIRD, negative=True)
    return Rule(
        (term,),
        bounds,
        shift,
        rounding,
        third=error,
        third_shift=error_shift,
        eligibility=eligibility,
    )
