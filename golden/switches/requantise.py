"""Requantise: a potential is rounded and clipped to few bits."""

from dataclasses import dataclass

import numpy as np

from spikeloom.golden.checks import check_integer
from spikeloom.golden.fixed import Signed, signed_range
from spikeloom.golden.switches.switch import Neurons, Switch


@dataclass(frozen=True)
class Requantise(Switch):
    """A potential is divided by a power of two, rounded half up, and clipped.

        u = min(max(floor((u + half) / 2**shift), 0), top)        half = 2**(shift - 1), or 0

    Parameters
    ----------
    shift
        0 to the width of the potential less 1.
    top
        Maximum, 0 to that of the potential.
    """

    shift: int
    top: int

    name = "requantise"
    title = "potentials that are requantised"

    def check(self, where: str, neurons: Neurons, state_bits: int) -> None:
        check_integer(f"{where}: shift", self.shift, 0, state_bits - 1)
        check_integer(f"{where}: top", self.top, 0, signed_range(state_bits)[1])

    def limit(self, u: Signed, neurons: Neurons) -> Signed:
        half = (1 << self.shift) >> 1
        quotient: Signed = np.floor_divide(u + u.dtype.type(half), u.dtype.type(1 << self.shift))
        return quotient.clip(u.dtype.type(0), u.dtype.type(self.top))


SWITCH = Requantise
