"""Floor reset: a potential below a minimum is reset."""

from dataclasses import dataclass

import numpy as np

from spikeloom.golden.checks import check_integer
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Signed, signed_range
from spikeloom.golden.spec import Reset
from spikeloom.golden.switches.switch import Neurons, Switch


@dataclass(frozen=True)
class FloorReset(Switch):
    """A potential below `minimum` becomes `v_reset`, before it is compared.

    Not together with `v_min`, nor with a reset that subtracts, which has no `v_reset`. Source: the
    neuron of Gupta et al., arXiv:2010.01200.

    Parameters
    ----------
    minimum
        In units of the potential, any that it can be.
    """

    minimum: int

    name = "floor_reset"
    title = "a potential that is reset at a minimum"

    def check(self, where: str, neurons: Neurons, state_bits: int) -> None:
        check_integer(f"{where}: minimum", self.minimum, *signed_range(state_bits))
        if neurons.v_min is not None:
            raise SpikeloomError(f"{where}: it has a v_min too; leave out one of them")
        if neurons.reset in (Reset.SUBTRACT, Reset.RESTORE):
            raise SpikeloomError(
                f"{where}: it sets the potential to v_reset, which a reset that subtracts does not "
                "have; use Reset.VALUE, or v_min"
            )

    def limit(self, u: Signed, neurons: Neurons) -> Signed:
        return np.where(u < self.minimum, np.asarray(neurons.v_reset, u.dtype), u)


SWITCH = FloorReset
