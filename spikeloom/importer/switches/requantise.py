"""Potentials that are rounded to few bits: of integer networks only."""

from dataclasses import dataclass
from typing import Any

from spikeloom.golden.errors import SpikeloomError
from spikeloom.importer.switches.switch import FloatSwitch


@dataclass(frozen=True)
class FloatRequantise(FloatSwitch):
    """Not there: it divides integers by a power of two, so it has no meaning in float units."""

    name = "requantise"

    @classmethod
    def stated(cls, value: Any, dt: float | None) -> "FloatRequantise":
        """Refused."""
        raise SpikeloomError(
            "requantise rounds integer potentials, and a float network has none; compile without, "
            "and set Requantise(...) on the population of the integer network"
        )


FLOAT = FloatRequantise
