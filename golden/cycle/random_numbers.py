"""Cycle-level golden model of a tile's noise: the section Random numbers of `docs/hardware.md`."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.spec import NOISE_ROWS, FabricConfig

_WORD = (1 << 32) - 1

Words = TypeVar("Words", int, NDArray[np.int64])


def mixed(x: Words) -> Words:
    """The function of this name: of 32 bits, or of each of an array."""
    x = x + (x << 7) & _WORD
    x ^= x >> 9
    x = x + (x << 10) & _WORD
    x ^= x >> 15
    x = x + (x << 5) & _WORD
    return x ^ x >> 8 ^ x >> 16 ^ x >> 24


class Noise:
    """The registers `start` and `state`, and the memory NOISE; attributes are named as these."""

    __slots__ = ("start", "state", "table")

    def __init__(self, config: FabricConfig) -> None:
        self.start = self.state = 0
        self.table = [0] * (NOISE_ROWS * config.noise_tables)

    def command(self, first: int) -> None:
        """A command with `restart` arrives."""
        if first:
            self.state = self.start | 1 << 31
            self.start = self.start + 0x9E3779B9 & _WORD
        else:
            low = self.state & 1
            self.state >>= 1
            if low:
                self.state ^= 0x80200003

    def drawn(self, population: int, neuron: int, table: int) -> int:
        """N of a neuron, by its number in population `population`."""
        number = mixed(self.state ^ (1 << 31) + (population << 16) + (neuron & 0xFFFF))
        return self.table[table * NOISE_ROWS + number % NOISE_ROWS]
