"""What the ready-made rules share: rates as integers, traces and tables."""

import inspect
import math
import warnings

from spikeloom.golden.checks import check_number
from spikeloom.golden.errors import SpikeloomError, SpikeloomWarning
from spikeloom.golden.fixed import signed_range
from spikeloom.golden.learning.rule import Trace, When
from spikeloom.golden.spec import FACTOR_BITS, MAX_AGE, RULE_SHIFTS, TRACE_BITS, Gate

ONCE = (1 << TRACE_BITS) - 1
"""What a spike adds to a trace of the last spike alone: as much as fits, so it decays finely."""

SUMMED = 1 << (TRACE_BITS - 2)
"""What it adds to a trace of all spikes: four of them at once fit."""

MOST = signed_range(FACTOR_BITS)[1]
"""Greatest constant, and greatest value of a curve."""

COARSE = 0.05
"""How far integers may be from the equation that they stand for, as a share of it, without a word.
"""


def warn(text: str) -> None:
    """Issue a `SpikeloomWarning` in the line that asks for a rule, outside of this package."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals["__name__"].startswith(__package__ or ""):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, SpikeloomWarning, stacklevel=level)


def flat(value: int) -> tuple[int, ...]:
    """A curve that is the same at each age."""
    return (value,) * (MAX_AGE + 1)


def while_left(trace: Trace, now: bool) -> When:
    """The ages of the last spike at which something can be left of a trace."""
    most = trace.amount if trace.nearest else ONCE
    ages = [age for age, kept in enumerate(trace.decay) if most * int(kept) >> TRACE_BITS]
    return When(Gate.AGE, 0, max(ages, default=0), now=now)


def between(spread: int) -> tuple[float, float]:
    """How the factor BETWEEN is off for bounds that are `spread` apart, as it is rounded down.

    What is left of its sum over all weights, and how far off it is on average if it is made up for
    that; both as shares.
    """
    exact = [weight * (spread - weight) / (1 << TRACE_BITS) for weight in range(spread + 1)]
    held = [math.floor(value) for value in exact]
    left = sum(held) / sum(exact)
    off = sum(abs(h / left - value) for h, value in zip(held, exact, strict=True)) / sum(exact)
    return left, off


def fading(rule: str, size: float, tau: float, remedy: str, nearest: bool = False) -> Trace:
    """The trace to which a spike adds `size` and of which exp(-age / `tau`) is left.

    What is left is rounded down, which takes much of a small trace. Where it would take more than
    `COARSE` of the whole, the decay of each age is the nearest to the exponential that leaves such
    an integer that the sum over all ages so far is right. Warns (`SpikeloomWarning`), with the
    `remedy`, if half a unit is more than `COARSE` of a spike.
    """
    amount = round(size)
    plain = Trace.exponential(tau, amount, nearest)
    wanted = [size * math.exp(-age / tau) for age in range(MAX_AGE)]
    kept = amount + sum(amount * int(share) >> TRACE_BITS for share in plain.decay[1:])
    if abs(kept - sum(wanted)) <= COARSE * sum(wanted):
        return plain
    if COARSE * size < 0.5:
        warn(
            f"{rule} leaves a trace of {amount} units to a spike: it is up to {0.5 / size:.0%} of "
            f"a spike off at each age, and more where spikes add up; {remedy}",
        )
    decay, owed = [1 << TRACE_BITS], size - amount
    for share, exact in zip(plain.decay[1:MAX_AGE], wanted[1:], strict=True):
        owed += exact
        left = min(max(round(owed), 0), amount)
        owed -= left
        least = -(-(left << TRACE_BITS) // amount)
        most = ((left + 1 << TRACE_BITS) - 1) // amount
        decay.append(min(max(int(share), least), most, 1 << TRACE_BITS))
    return Trace((*decay, 0), amount, nearest)


def split(product: int, most: int) -> tuple[int, int]:
    """A trace of at most `most` and a constant whose product is nearest to this; a large trace."""
    constant = round(product / most)
    if abs(constant * most - product) <= COARSE * product:
        return most, constant
    least = -(-product // most)
    constants = range(least, min(2 * least, MOST) + 1)
    constant = min(constants, key=lambda number: abs(round(product / number) * number - product))
    return round(product / constant), constant


def shifted(
    rule: str, values: dict[str, float], most: int, unit: float = 1
) -> tuple[int, list[int]]:
    """The greatest shift at which all values times `unit` are at most `most`, and these.

    So they are as exact as can be.
    """
    for name, value in values.items():
        check_number(f"{rule}: {name}", value, 0, most / unit)
    for shift in reversed(RULE_SHIFTS):
        numbers = [round(float(value) * unit * (1 << shift)) for value in values.values()]
        if max(numbers) <= most:
            break
    for (name, value), number in zip(values.items(), numbers, strict=True):
        if value and not number:
            least = 0.5 / unit / (1 << shift)
            raise SpikeloomError(
                f"{rule}: {name} must be 0 or at least {least:.2g} beside the others, not {value}"
            )
    return shift, numbers


def scaled(
    rule: str, values: dict[str, float], most: int, unit: float = 1
) -> tuple[int, list[int]]:
    """As `shifted`; warns (`SpikeloomWarning`) of a number that is `COARSE` nevertheless."""
    shift, numbers = shifted(rule, values, most, unit)
    for (name, value), number in zip(values.items(), numbers, strict=True):
        held = number / unit / (1 << shift)
        if abs(held - value) > COARSE * value:
            warn(
                f"{rule}: {name} {value:g} is held as {held:g}, the nearest of the steps of "
                f"{1 / unit / (1 << shift):.2g} that fit beside the others; give it as that if you "
                "mean it",
            )
    return shift, numbers
