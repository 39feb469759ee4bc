"""Noise: a neuron is compared with a random number added to its potential."""

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spikeloom.golden.checks import check_integer, check_word
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers, Signed, signed_range
from spikeloom.golden.random_numbers import MAX_SEED, NeuronNumbers
from spikeloom.golden.spec import NOISE_ROWS
from spikeloom.golden.switches.switch import Neurons, Switch


def _uniform(amplitude: int, row: int) -> int:
    return (2 * amplitude + 1) * (2 * row + 1) // (2 * NOISE_ROWS) - amplitude


def _coin(amplitude: int, row: int) -> int:
    return amplitude if row >= NOISE_ROWS // 2 else 0


def _logistic(amplitude: int, row: int) -> int:
    return round(amplitude * math.log((2 * row + 1) / (2 * NOISE_ROWS - 2 * row - 1)))


KINDS: dict[str, Callable[[int, int], int]] = {
    "uniform": _uniform,
    "coin": _coin,
    "logistic": _logistic,
}
"""For each kind the number in a row of the table of an amplitude."""


@functools.lru_cache(64)
def noise_table(kind: str, amplitude: int) -> Integers:
    """The numbers that a neuron draws from, each equally often; int64 (`NOISE_ROWS`,)."""
    table = np.array([KINDS[kind](amplitude, row) for row in range(NOISE_ROWS)])
    table.setflags(write=False)
    return table


@dataclass(frozen=True)
class Noise(Switch):
    """A neuron spikes if u + n is above its threshold; n is drawn anew in each step.

    The potential itself, and a reset, are as they would be without. n is one of 256 numbers, which
    the low 8 bits of the neuron's random number (`golden.random_numbers`) choose from a table:

        uniform     the integers -amplitude..amplitude, all as often, or evenly spread
        coin        0 or amplitude, each half of the time
        logistic    amplitude * ln(p / (1 - p)), p = 1/512, 3/512, ..., 511/512, rounded: so a
                    neuron spikes with probability 1 / (1 + exp((threshold - u) / amplitude))

    As u and n are whole numbers, the threshold of this curve is half a unit higher, or with
    `inclusive` half a unit lower: at u = threshold, Noise("logistic", 20) spikes 126 times of 256.
    Not for several spikes per step, nor for signed ones. The network needs a `seed`. Sources: Lynch
    et al., arXiv:1904.12591 (coin); Jang et al., arXiv:1812.03929 (logistic).

    Parameters
    ----------
    kind
        "uniform", "coin" or "logistic".
    amplitude
        In units of the potential; at least 1, and every number fits the potential.
    """

    kind: str
    amplitude: int

    name = "noise"
    title = "noise"
    hides_spikes = True

    def check(self, where: str, neurons: Neurons, state_bits: int) -> None:
        check_word(f"{where}: kind", self.kind, KINDS)
        highest = signed_range(state_bits)[1]
        if self.kind == "logistic":
            highest = int(highest / math.log(2 * NOISE_ROWS - 1))
        check_integer(f"{where}: amplitude", self.amplitude, 1, highest)
        if neurons.signed:
            raise SpikeloomError(f"{where}: noise of signed spikes is not built; use signed=False")
        if neurons.max_spikes > 1:
            raise SpikeloomError(
                f"{where}: with several spikes per step each subtracts the threshold; "
                "use max_spikes=1"
            )

    def fields(self) -> dict[str, int]:
        return {}  # the mapping numbers the tables

    @property
    def table(self) -> Integers:
        """The numbers that it draws from."""
        return noise_table(self.kind, int(self.amplitude))

    def noise(self, numbers: NeuronNumbers, u: Signed) -> Signed:
        chosen: Signed = self.table[numbers(u.shape[-1]) % np.uint32(NOISE_ROWS)].astype(u.dtype)
        return chosen


class _Variable(Protocol):
    """A population, as far as its switches go."""

    @property
    def name(self) -> str: ...
    @property
    def switches(self) -> tuple[Switch, ...]: ...
    @property
    def versions(self) -> Sequence["_Variable"]: ...


def check_seed(seed: int | None, populations: Iterable[_Variable]) -> None:
    """Check the seed of a network, which it must have if a population has noise at any time."""
    if seed is not None:
        check_integer("network: seed", seed, 0, MAX_SEED)
        return
    for population in populations:
        if any(type(s) is Noise for version in population.versions for s in version.switches):
            raise SpikeloomError(
                f"population {population.name!r}: noise needs a seed; give the network one, "
                "such as seed=1"
            )


SWITCH = Noise
