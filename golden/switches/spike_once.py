"""Spike once: a neuron spikes at most once in a sample."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Signed
from spikeloom.golden.switches.switch import Neurons, Switch


@dataclass(frozen=True)
class SpikeOnce(Switch):
    """After its first spike a neuron does not spike again before the next sample.

        latch = latch or spiked;  a neuron with a latch does not spike

    Its potential goes on as ever. It is the code of one spike per neuron, whose time says how
    strong the input is; Kheradpisheh et al., arXiv:1903.02440.
    """

    name = "spike_once"
    title = "one spike per sample"
    hides_spikes = True
    stays = True

    def check(self, where: str, neurons: Neurons, state_bits: int) -> None:
        if neurons.max_spikes > 1:
            raise SpikeloomError(f"{where}: a neuron spikes once at most; use max_spikes=1")

    def eligible(self, kept: Mapping[str, Signed]) -> NDArray[np.bool_]:
        eligible: NDArray[np.bool_] = kept["latch"] == 0
        return eligible

    def after(
        self, spikes: NDArray[np.bool_], kept: Mapping[str, Signed], state_bits: int
    ) -> dict[str, Signed]:
        return {"latch": kept["latch"] | spikes.view(np.int8)}


SWITCH = SpikeOnce
