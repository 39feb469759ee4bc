"""A potential below a minimum is reset."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.switches.floor_reset import FloorReset
from spikeloom.importer.linear_maps import Floats
from spikeloom.importer.switches.switch import FloatNeurons, FloatSwitch, Rounded


@dataclass(frozen=True)
class FloatFloorReset(FloatSwitch):
    """A potential below `minimum` becomes `v_reset`, before it is compared."""

    minimum: float

    name = "floor_reset"

    @classmethod
    def stated(cls, value: Any, dt: float | None) -> "FloatFloorReset":
        """From a potential."""
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not abs(value) < 1e300:
            raise SpikeloomError(f"floor_reset must be a potential, not {value!r}")
        return cls(float(value))

    def integer(self, rounded: Rounded) -> FloorReset:
        return FloorReset(rounded(self.minimum, "floor_reset"))

    @property
    def levels(self) -> tuple[float, ...]:
        return (self.minimum,)

    def from_rest(self, rest: float) -> "FloatFloorReset":
        return FloatFloorReset(self.minimum - rest)

    def limit(self, u: Floats, neurons: FloatNeurons) -> Floats:
        return np.where(u < self.minimum, neurons.v_reset, u)


FLOAT = FloatFloorReset
