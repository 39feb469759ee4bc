"""Constant leak: a potential moves toward 0 by a constant in every step."""

from dataclasses import dataclass

from spikeloom.golden.checks import check_flag, check_integer
from spikeloom.golden.fixed import Signed, signed_range
from spikeloom.golden.switches.switch import Neurons, Switch


@dataclass(frozen=True)
class ConstantLeak(Switch):
    """After the decay a potential moves toward 0 by `amount`, and never across it.

        v' = max(v' - amount, 0) if v' > 0;  min(v' + amount, 0) if v' < 0 and not positive_only

    Parameters
    ----------
    amount
        In units of the potential, 0 to its maximum.
    positive_only
        Leave negative potentials as they are.
    """

    amount: int
    positive_only: bool = False

    name = "constant_leak"
    title = "a constant leak"

    def check(self, where: str, neurons: Neurons, state_bits: int) -> None:
        check_integer(f"{where}: amount", self.amount, 0, signed_range(state_bits)[1])
        check_flag(f"{where}: positive_only", self.positive_only)

    def leak(self, v: Signed) -> Signed:
        amount = v.dtype.type(self.amount)
        leaked: Signed = v - v.clip(v.dtype.type(0) if self.positive_only else -amount, amount)
        return leaked


SWITCH = ConstantLeak
