"""Refractory period: for some steps after a spike a neuron spikes no more."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.checks import check_integer, check_word
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Signed
from spikeloom.golden.spec import RefractoryMode, Reset
from spikeloom.golden.switches.switch import Neurons, Switch

MODES = {mode.name.lower(): mode for mode in RefractoryMode}


@dataclass(frozen=True)
class Refractory(Switch):
    """In the `steps` steps after a spike a neuron does not spike.

        c = steps on a spike; else max(c - 1, 0)
        u = v ("hold"), v_reset ("clamp"), or u ("mute"), where c > 0 before the step

    Parameters
    ----------
    steps
        1..63.
    mode
        What becomes of the potential meanwhile: "hold", "clamp" or "mute". "clamp" is not for a
        reset that subtracts, which has no `v_reset`.
    """

    steps: int
    mode: str = "hold"

    name = "refractory"
    title = "a refractory period"
    hides_spikes = True

    def check(self, where: str, neurons: Neurons, state_bits: int) -> None:
        check_integer(f"{where}: steps", self.steps, 1, 63)
        check_word(f"{where}: mode", self.mode, MODES)
        if self.mode == "clamp" and neurons.reset in (Reset.SUBTRACT, Reset.RESTORE):
            raise SpikeloomError(
                f"{where}: clamp keeps the potential at v_reset, which a reset that subtracts does "
                "not have; use hold or mute, or Reset.VALUE"
            )

    def fields(self) -> dict[str, int]:
        return {"steps": self.steps, "mode": MODES[self.mode]}

    def integrate(
        self, u: Signed, v: Signed, neurons: Neurons, kept: Mapping[str, Signed]
    ) -> Signed:
        if self.mode == "mute":
            return u
        value = v if self.mode == "hold" else np.asarray(neurons.v_reset, u.dtype)
        return np.where(kept["count"] > 0, value, u)

    def eligible(self, kept: Mapping[str, Signed]) -> NDArray[np.bool_]:
        eligible: NDArray[np.bool_] = kept["count"] == 0
        return eligible

    def after(
        self, spikes: NDArray[np.bool_], kept: Mapping[str, Signed], state_bits: int
    ) -> dict[str, Signed]:
        count = np.maximum(kept["count"] - 1, 0)
        return {"count": np.where(spikes, count.dtype.type(self.steps), count)}


SWITCH = Refractory
