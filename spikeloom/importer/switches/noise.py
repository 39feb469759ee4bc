"""A random number is added to the potential where it is compared."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.random_numbers import NeuronNumbers
from spikeloom.golden.spec import NOISE_ROWS
from spikeloom.golden.switches.noise import Noise
from spikeloom.importer.linear_maps import Floats
from spikeloom.importer.switches.switch import FloatSwitch, Rounded, number

_PARTS = (np.arange(NOISE_ROWS) + 0.5) / NOISE_ROWS

TABLES: dict[str, Floats] = {
    "uniform": 2 * _PARTS - 1,
    "coin": (_PARTS > 0.5).astype(np.float64),
    "logistic": np.log(_PARTS / (1 - _PARTS)),
}
"""For each kind the numbers that a neuron draws from, in units of the amplitude."""


@dataclass(frozen=True)
class FloatNoise(FloatSwitch):
    """A neuron spikes if u + n is above its threshold; see the integer `Noise`.

    n is drawn by the same random numbers as there, with the network's `seed`, from a table that is
    not rounded.

    Parameters
    ----------
    kind
        "uniform", "coin" or "logistic".
    amplitude
        A potential, > 0.
    """

    kind: str
    amplitude: float

    name = "noise"

    @classmethod
    def stated(cls, value: Any, dt: float | None) -> "FloatNoise":
        """From a pair: the kind and the amplitude."""
        what = f"a pair of {' or '.join(TABLES)} and a potential above 0"
        if not isinstance(value, tuple) or len(value) != 2 or value[0] not in tuple(TABLES):
            raise SpikeloomError(f"noise must be {what}, not {value!r}")
        amplitude = number("noise", value[1], what)
        if not amplitude:
            raise SpikeloomError(f"noise must be {what}, not {value!r}")
        return cls(value[0], amplitude)

    def integer(self, rounded: Rounded) -> Noise:
        rounded(max(self.levels), "noise")  # all of the table fits
        return Noise(self.kind, rounded(self.amplitude, "noise"))

    @property
    def levels(self) -> tuple[float, ...]:
        return (self.amplitude, float(self.amplitude * TABLES[self.kind][-1]))

    def noise(self, numbers: NeuronNumbers, u: Floats) -> Floats:
        drawn: Floats = TABLES[self.kind][numbers(u.shape[-1]) % np.uint32(NOISE_ROWS)]
        return self.amplitude * drawn


FLOAT = FloatNoise
