"""Spikes raise the threshold."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import DECAY_ONE
from spikeloom.golden.switches.adaptive_threshold import AdaptiveThreshold
from spikeloom.importer.linear_maps import Floats
from spikeloom.importer.switches.switch import FloatSwitch, Rounded, number


@dataclass(frozen=True)
class FloatAdaptiveThreshold(FloatSwitch):
    """A neuron is compared with `threshold` + a, where a = (1 - decay) * a + increment * spike.

    Parameters
    ----------
    increment
        A potential, >= 0.
    decay
        Fraction of a that is forgotten in each step, 0..1.
    keep
        A sample begins with a as the one before left it.
    """

    increment: float
    decay: float
    keep: bool = False

    name = "adaptive_threshold"

    @classmethod
    def stated(cls, value: Any, dt: float | None) -> "FloatAdaptiveThreshold":
        """From a pair: the increment, and the time constant of its decay; and perhaps "keep".

        The time constant is in the unit of `dt`, or in steps without one: what is left after a step
        is exp(-dt / tau).
        """
        what = 'a pair of an increment and a time constant, and perhaps "keep"'
        if not isinstance(value, tuple) or not (len(value) == 2 or value[2:] == ("keep",)):
            raise SpikeloomError(f"adaptive_threshold must be {what}, not {value!r}")
        increment, tau = (number("adaptive_threshold", part, what) for part in value[:2])
        if not tau:
            raise SpikeloomError("adaptive_threshold: its time constant must not be 0")
        return cls(increment, -math.expm1(-(dt or 1) / tau), len(value) == 3)

    @property
    def carries(self) -> bool:
        return self.keep

    def integer(self, rounded: Rounded) -> AdaptiveThreshold:
        increment = rounded(self.increment, "adaptive_threshold")
        return AdaptiveThreshold(increment, round(self.decay * DECAY_ONE), self.keep)

    @property
    def levels(self) -> tuple[float, ...]:
        return (self.increment,)

    def raised(self, kept: Mapping[str, Floats]) -> Floats:
        return kept["adaptation"]

    def after(self, spikes: Any, kept: Mapping[str, Floats]) -> dict[str, Floats]:
        return {"adaptation": (1 - self.decay) * kept["adaptation"] + self.increment * spikes}


FLOAT = FloatAdaptiveThreshold
