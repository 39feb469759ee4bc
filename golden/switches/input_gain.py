"""Gain: the input of each neuron or channel is scaled and moved, differently from step to step."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spikeloom.golden.checks import check_integer
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers, Signed, signed_range
from spikeloom.golden.spec import DECAY_BITS, DECAY_ONE, GAIN_BITS
from spikeloom.golden.switches.switch import Neurons, Switch

Constants = int | tuple[int, ...]
"""A value for all neurons, or one for each neuron or for each channel of an image."""


@dataclass(frozen=True)
class InputGain(Switch):
    """The exact input x, bias included, becomes floor(x * gain / 4096) + offset.

    Variants with other gains change it from step to step: batch normalisation through time (Kim
    and Panda, arXiv:2010.01729) is such a gain and offset. Arrays of integers become tuples.

    Parameters
    ----------
    gain
        In units of 1/4096, -32768..32767: up to 8 times. 4096 leaves the input.
    offset
        In units of the potential, within its range.
    """

    gain: Constants = DECAY_ONE
    offset: Constants = 0

    name = "input_gain"
    title = "a gain of the input"

    def __post_init__(self) -> None:
        for name in ("gain", "offset"):
            value = getattr(self, name)
            if isinstance(value, np.ndarray):
                object.__setattr__(self, name, tuple(np.ravel(value).tolist()))
        super().__post_init__()

    def __str__(self) -> str:
        return f"{self.name}(gain={_summary(self.gain)}, offset={_summary(self.offset)})"

    def check(self, where: str, neurons: Neurons, state_bits: int) -> None:
        ranges = {"gain": signed_range(GAIN_BITS), "offset": signed_range(state_bits)}
        sizes = {1, neurons.size, neurons.image[0] if neurons.image else neurons.size}
        for name, limits in ranges.items():
            values = getattr(self, name)
            if isinstance(values, tuple) and len(values) not in sizes:
                expected = " or ".join(map(str, sorted(sizes)))
                raise SpikeloomError(
                    f"{where}: {name} must have {expected} values, not {len(values)}"
                )
            for value in values if isinstance(values, tuple) else (values,):
                check_integer(f"{where}: {name}", value, *limits)

    def fields(self) -> dict[str, int]:
        return {}

    def each(self, size: int) -> tuple[Integers, Integers]:
        """Gain and offset of each of `size` neurons."""
        gain, offset = (
            np.repeat(values, size // len(values)) for values in (self._gain, self._offset)
        )
        return gain, offset

    def input_bits(self, bits: int, state_bits: int) -> int:
        return max(bits + GAIN_BITS - DECAY_BITS, state_bits + 1)

    def scale(self, x: Signed) -> Signed:
        gain, offset = self.each(x.shape[-1])
        scaled: Signed = (x.astype(np.int64) * gain >> DECAY_BITS) + offset
        return scaled.astype(x.dtype)

    @cached_property
    def _gain(self) -> Integers:
        return np.atleast_1d(np.array(self.gain, np.int64))

    @cached_property
    def _offset(self) -> Integers:
        return np.atleast_1d(np.array(self.offset, np.int64))


def _summary(values: Constants) -> str:
    """A value, or the range of several."""
    return f"{min(values)}..{max(values)}" if isinstance(values, tuple) else f"{values}"


SWITCH = InputGain
