"""Adaptive threshold: each spike of a neuron raises its threshold, which then decays."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.checks import check_flag, check_integer
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Signed, decay, signed_range
from spikeloom.golden.spec import DECAY_ONE
from spikeloom.golden.switches.switch import Neurons, Switch


@dataclass(frozen=True)
class AdaptiveThreshold(Switch):
    """A neuron is compared with `threshold` + a.

        a = min(floor(a * (4096 - decay) / 4096) + increment on a spike, maximum potential)

    A sample begins with a = 0, or with `keep` as the sample before ended; the first sample of a run
    begins with a = 0. A reset that subtracts takes away what it would without. Source:
    the adaptive neurons of Bellec et al., arXiv:1803.09574.

    Parameters
    ----------
    increment
        In units of the potential, 0 to its maximum.
    decay
        k_a in units of 1/4096, 0..4096.
    keep
        Keep a over samples, which then run one after the other.
    """

    increment: int
    decay: int
    keep: bool = False

    name = "adaptive_threshold"
    title = "an adaptive threshold"
    hides_spikes = True

    def check(self, where: str, neurons: Neurons, state_bits: int) -> None:
        check_integer(f"{where}: increment", self.increment, 0, signed_range(state_bits)[1])
        check_integer(f"{where}: decay", self.decay, 0, DECAY_ONE)
        check_flag(f"{where}: keep", self.keep)
        if neurons.max_spikes > 1:
            raise SpikeloomError(
                f"{where}: with several spikes per step each subtracts the threshold; "
                "use max_spikes=1"
            )

    def fields(self) -> dict[str, int]:
        return {"increment": self.increment, "retain": DECAY_ONE - self.decay, "keep": self.keep}

    @property
    def carries(self) -> bool:
        return self.keep

    @property
    def decays(self) -> tuple[int, ...]:
        return (self.decay,)

    def raised(self, kept: Mapping[str, Signed]) -> Signed:
        return kept["adaptation"]

    def after(
        self, spikes: NDArray[np.bool_], kept: Mapping[str, Signed], state_bits: int
    ) -> dict[str, Signed]:
        adaptation = decay(kept["adaptation"], self.decay)
        adaptation += spikes * adaptation.dtype.type(self.increment)
        return {"adaptation": np.minimum(adaptation, signed_range(state_bits)[1])}


SWITCH = AdaptiveThreshold
