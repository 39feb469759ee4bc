"""A neuron spikes at most once in a sample."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.switches.spike_once import SpikeOnce
from spikeloom.importer.linear_maps import Floats
from spikeloom.importer.switches.switch import FloatSwitch, Rounded


@dataclass(frozen=True)
class FloatSpikeOnce(FloatSwitch):
    """After its first spike a neuron does not spike again in the sample."""

    name = "spike_once"

    @classmethod
    def stated(cls, value: Any, dt: float | None) -> "FloatSpikeOnce":
        """From True."""
        if value is not True:
            raise SpikeloomError(f"spike_once must be True, or left out, not {value!r}")
        return cls()

    def integer(self, rounded: Rounded) -> SpikeOnce:
        return SpikeOnce()

    def eligible(self, kept: Mapping[str, Floats]) -> Any:
        return kept["latch"] == 0

    def after(self, spikes: Any, kept: Mapping[str, Floats]) -> dict[str, Floats]:
        return {"latch": np.maximum(kept["latch"], spikes)}


FLOAT = FloatSpikeOnce
