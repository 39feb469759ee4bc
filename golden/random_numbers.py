"""Keyed random numbers: the section Random numbers of `docs/hardware.md`, on arrays.

A number depends on the seed, the sample's number in the run, the step, and a key, such as a
neuron's coordinates in the network, and on nothing else: neither on the tile nor on an order.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

MAX_SEED = (1 << 32) - 1

_BITS = 0xFFFFFFFF
_BETWEEN_SAMPLES = 0x9E3779B9
_TAPS = 0x80200003
_TOP = 1 << 31
_BY = [np.array(bits, np.uint32) for bits in range(32)]
"""As arrays, which NumPy takes faster than numbers."""


def mixed(x: Words) -> Words:
    """32 bits that depend on all bits of `x`, one to one; the lowest are the best."""
    by = _BY
    x = x + (x << by[7])
    x = x ^ (x >> by[9])
    x = x + (x << by[10])
    x = x ^ (x >> by[15])
    x = x + (x << by[5])
    x ^= (x >> by[8]) ^ (x >> by[16]) ^ (x >> by[24])
    return x


def start(seed: int, sample: int) -> int:
    """What the register `start` of a tile is before sample `sample` of a run.

    Parameters
    ----------
    seed
        0..`MAX_SEED`.
    sample
        Number of the sample in its run, from 0 on.
    """
    first = int(mixed(np.array([seed + _BETWEEN_SAMPLES & _BITS], np.uint32))[0])
    return later(first, sample)


def later(start: int, samples: int) -> int:
    """What the register `start` is after so many samples more."""
    return start + samples * _BETWEEN_SAMPLES & _BITS


def random_states(seed: int, first: int, samples: int, steps: int) -> Words:
    """The register `state` in each step of samples `first`, `first` + 1, ...: (steps, samples)."""
    numbers = np.arange(samples, dtype=np.uint64) * np.uint64(_BETWEEN_SAMPLES)
    state = (numbers + np.uint64(start(seed, first))).astype(np.uint32) | np.uint32(_TOP)
    result = np.empty((steps, samples), np.uint32)
    for step in result:
        step[:] = state
        lowest = state & np.uint32(1)
        state = (state >> np.uint32(1)) ^ lowest * np.uint32(_TAPS)
    return result


@dataclass(frozen=True)
class NeuronNumbers:
    """The numbers of a population's neurons in a step.

    Parameters
    ----------
    state
        Of each sample, as `random_states` has it.
    population
        Its number in the network, in firing order.
    """

    state: Words
    population: int

    def __call__(self, size: int) -> Words:
        """Those of its `size` neurons, (samples, size)."""
        keys = np.arange(size, dtype=np.uint32) | np.uint32(self.population << 16 | _TOP)
        return mixed(self.state[:, np.newaxis] ^ keys)


NO_NUMBERS = NeuronNumbers(np.zeros(1, np.uint32), 0)
"""For populations without noise, which draw none."""
