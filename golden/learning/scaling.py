"""What the ready-made rules share: rates as integers, and tables."""

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


COARSE = 0.1
"""How far the integer that stands for a rate may be from it, as a share of it, without a word."""


def flat(value: int) -> tuple[int, ...]:
    """A curve that is the same at each age."""
    return (value,) * (MAX_AGE + 1)


def while_left(trace: Trace, now: bool) -> When:
    """The ages of the last spike at which something can be left of a trace."""
    most = trace.amount if trace.nearest else ONCE
    ages = [age for age, kept in enumerate(trace.decay) if most * int(kept) >> TRACE_BITS]
    return When(Gate.AGE, 0, max(ages, default=0), now=now)


def scaled(
    rule: str, values: dict[str, float], most: int, unit: float = 1
) -> tuple[int, list[int]]:
    """The greatest shift at which all values times `unit` are at most `most`, and these.

    So they are as exact as can be. Warns (`SpikeloomWarning`) of one that is `COARSE` nevertheless.
    """
    for name, value in values.items():
        check_number(f"{rule}: {name}", value, 0, most / unit)
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
        held = number / unit / (1 << shift)
        if abs(held - value) > COARSE * value:
            warnings.warn(
                f"{rule}: {name} {value:g} is held as {held:g}, the nearest of the steps of "
                f"{1 / unit / (1 << shift):.2g} that fit beside the others; give it as that if you "
                "mean it",
                SpikeloomWarning,
                stacklevel=3,
            )
    return shift, numbers
