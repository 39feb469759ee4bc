"""The input is scaled and moved, differently from step to step."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import signed_range
from spikeloom.golden.spec import DECAY_ONE, GAIN_BITS
from spikeloom.golden.switches.input_gain import InputGain
from spikeloom.importer.linear_maps import Floats
from spikeloom.importer.switches.switch import FloatNeurons, FloatSwitch, Rounded

Numbers = tuple[tuple[float, ...], ...]
"""For each step, the last of which holds for ever, a number or one for each neuron or channel."""


@dataclass(frozen=True)
class FloatInputGain(FloatSwitch):
    """The input x, bias included, becomes gain * x + offset.

    Parameters
    ----------
    gains, offsets
        `offsets` are potentials.
    """

    gains: Numbers
    offsets: Numbers

    name = "input_gain"

    def __str__(self) -> str:
        return f"input_gain(steps={self.versions}, up to {max(map(max, self.gains)):g})"

    @classmethod
    def stated(cls, value: Any, dt: float | None) -> "FloatInputGain":
        """From a pair of a gain and an offset.

        Each is a number, a list with one for each neuron or channel, or a list of such lists, one
        for each step.
        """
        what = (
            "a pair of a gain and an offset, each a number, one for each neuron or channel, or a "
            "list of these for each step"
        )
        try:
            gains, offsets = value
            return cls(_numbers(gains), _numbers(offsets))
        except (TypeError, ValueError):
            raise SpikeloomError(f"input_gain must be {what}, not {str(value)[:40]}") from None

    def check(self, where: str, neurons: FloatNeurons) -> None:
        sizes = {1, neurons.size, neurons.image[0] if neurons.image else neurons.size}
        for row in (*self.gains, *self.offsets):
            if len(row) not in sizes:
                expected = " or ".join(map(str, sorted(sizes)))
                raise SpikeloomError(
                    f"{where}: input_gain must have {expected} values in each step, not {len(row)}"
                )
        low, high = signed_range(GAIN_BITS)
        for gain in (gain for row in self.gains for gain in row):
            if not low <= round(gain * DECAY_ONE) <= high:
                raise SpikeloomError(
                    f"{where}: input_gain {gain:g} is not above -8 and below 8; "
                    "divide the gains by a power of two, and multiply the weights by it"
                )

    @property
    def versions(self) -> int:
        """Steps until it no longer changes."""
        return max(len(self.gains), len(self.offsets))

    def at(self, step: int) -> "FloatInputGain":
        """The gain of a step alone."""
        return dataclasses.replace(
            self, gains=(_last(self.gains, step),), offsets=(_last(self.offsets, step),)
        )

    def scale(self, x: Floats, step: int) -> Floats:
        size = x.shape[-1]
        gain, offset = (
            np.repeat(row, size // len(row))
            for row in (_last(self.gains, step), _last(self.offsets, step))
        )
        scaled: Floats = x * gain + offset
        return scaled

    def integer(self, rounded: Rounded) -> InputGain:
        gains = [round(gain * DECAY_ONE) for gain in self.gains[0]]
        offsets = [rounded(offset, "input_gain") for offset in self.offsets[0]]
        return InputGain(*(tuple(row) if len(row) > 1 else row[0] for row in (gains, offsets)))

    @property
    def levels(self) -> tuple[float, ...]:
        return tuple(offset for row in self.offsets for offset in row)


def _numbers(value: Any) -> Numbers:
    array = np.asarray(value)
    if array.dtype.kind not in "iuf" or array.ndim > 2 or not array.size:
        raise ValueError("not numbers of steps and neurons")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError("not finite")
    return tuple(map(tuple, np.atleast_2d(array).tolist()))


def _last(rows: Numbers, step: int) -> tuple[float, ...]:
    return rows[min(step, len(rows) - 1)]


FLOAT = FloatInputGain
