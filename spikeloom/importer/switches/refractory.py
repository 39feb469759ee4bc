"""A neuron that spiked does not spike for some steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.switches.refractory import MODES, Refractory
from spikeloom.importer.linear_maps import Floats
from spikeloom.importer.switches.switch import FloatNeurons, FloatSwitch, Rounded, number


@dataclass(frozen=True)
class FloatRefractory(FloatSwitch):
    """In the `steps` steps after a spike a neuron does not spike; see the integer `Refractory`."""

    steps: int
    mode: str = "hold"

    name = "refractory"

    @classmethod
    def stated(cls, value: Any, dt: float | None) -> "FloatRefractory":
        """From a time in the unit of `dt`, or in steps without one, or a pair of it and a mode."""
        what = f"a time, or a pair of it and {' or '.join(MODES)}"
        time, *rest = value if isinstance(value, tuple) and value else (value,)
        if len(rest) > 1 or not all(mode in MODES for mode in rest):
            raise SpikeloomError(f"refractory must be {what}, not {value!r}")
        exact = number("refractory", time, what) / (dt or 1)
        steps = round(exact)
        if not 1 <= steps <= 63 or abs(exact - steps) > 1e-6 * steps:
            unit = f"of dt={dt:g}" if dt else "long"
            raise SpikeloomError(
                f"refractory={time!r} is {exact:g} steps {unit}; it must be 1 to 63 whole steps"
            )
        return cls(steps, *rest)

    def integer(self, rounded: Rounded) -> Refractory:
        return Refractory(self.steps, self.mode)

    def integrate(
        self, u: Floats, v: Floats, neurons: FloatNeurons, kept: Mapping[str, Floats]
    ) -> Floats:
        instead = {"hold": v, "clamp": neurons.v_reset, "mute": u}[self.mode]
        return np.where(kept["count"] > 0, instead, u)

    def eligible(self, kept: Mapping[str, Floats]) -> Any:
        return kept["count"] == 0

    def after(self, spikes: Any, kept: Mapping[str, Floats]) -> dict[str, Floats]:
        return {"count": np.where(spikes, self.steps, np.maximum(kept["count"] - 1, 0.0))}


FLOAT = FloatRefractory
