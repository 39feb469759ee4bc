"""A potential moves toward 0 by a constant."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.switches.constant_leak import ConstantLeak
from spikeloom.importer.linear_maps import Floats
from spikeloom.importer.switches.switch import FloatSwitch, Rounded, number


@dataclass(frozen=True)
class FloatConstantLeak(FloatSwitch):
    """After the decay, v - sign(v) * min(|v|, amount); only where v > 0, if `positive_only`.

    Parameters
    ----------
    amount
        Potential lost in a step, >= 0.
    positive_only
        Leave negative potentials as they are.
    """

    amount: float
    positive_only: bool = False

    name = "constant_leak"

    @classmethod
    def stated(cls, value: Any, dt: float | None) -> "FloatConstantLeak":
        """From an amount in each step, or a pair of it and "positive"."""
        what = 'a potential lost in each step, or a pair of it and "positive"'
        amount, *rest = value if isinstance(value, tuple) and value else (value,)
        if rest not in ([], ["positive"]):
            raise SpikeloomError(f"constant_leak must be {what}, not {value!r}")
        return cls(number("constant_leak", amount, what), bool(rest))

    def integer(self, rounded: Rounded) -> ConstantLeak:
        return ConstantLeak(rounded(self.amount, "constant_leak"), self.positive_only)

    @property
    def levels(self) -> tuple[float, ...]:
        return (self.amount,)

    def leak(self, v: Floats) -> Floats:
        size = np.maximum(v, 0) if self.positive_only else np.abs(v)
        leaked: Floats = v - np.sign(v) * np.minimum(size, self.amount)
        return leaked


FLOAT = FloatConstantLeak
