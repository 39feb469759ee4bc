"""A neurosynaptic core: 256 axons, 256 neurons, a binary crossbar and four types of axons.

In each tick, for neuron j:

    V += sum over axons i that spike of crossbar[i, j] * weights[type of i, j];  V += leak[j]
    V >= threshold: spike, and V = v_reset, or V - threshold, or V as it is (`reset`)
    V < -floor: V = -floor (`saturates`), or else -v_reset, or V + floor, or V as it is (`reset`)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import Reset
from spikeloom.golden.switches.floor_reset import FloorReset

SIDE = 256
"""Maximum axons, and maximum neurons, of a core."""
WEIGHT_BITS = 9


@dataclass(frozen=True)
class Core:
    """A core whose neurons share their resets.

    Parameters
    ----------
    crossbar
        Whether axon i leads to neuron j, (axons, neurons), at most `SIDE` of each.
    types
        Type of each axon, 0..3.
    weights
        Of each type into each neuron, (4, neurons), -255..255.
    leak
        Of each neuron.
    threshold, reset, v_reset
        What a spike needs, >= 1, and what it does.
    floor, saturates
        The lower limit, negated, >= 0, and whether a potential stays at it.
    """

    crossbar: NDArray[np.bool_]
    types: Integers
    weights: Integers
    leak: Integers
    threshold: int = 1
    reset: Reset = Reset.VALUE
    v_reset: int = 0
    floor: int = 0
    saturates: bool = True

    @classmethod
    def ternary(cls, weights: Integers, bias: Integers) -> "Core":
        """Neurons without memory that spike where inputs @ `weights` + `bias` is not negative.

        Weights are -1, 0 and 1, so each input has an axon of type 0 and one of type 1.
        """
        crossbar = np.stack([weights > 0, weights < 0], axis=1).reshape(-1, weights.shape[1])
        types = np.tile([0, 1], len(weights))
        signs = np.array([[1], [-1], [0], [0]]).repeat(weights.shape[1], axis=1)
        return cls(crossbar, types, signs, bias + 1)

    @property
    def matrix(self) -> Integers:
        """The weight from each axon to each neuron."""
        matrix: Integers = self.crossbar * self.weights[self.types]
        return matrix

    def population(self, name: str, phase: int = 0) -> Population:
        """Its neurons.

        Raises `SpikeloomError` for a lower limit that the neuron update does not have.
        """
        switches: tuple[FloorReset, ...] = ()
        v_min = -self.floor if self.saturates else None
        if not self.saturates and self.reset is Reset.VALUE and not self.v_reset:
            switches = (FloorReset(-self.floor),)
        elif not self.saturates and self.reset is not Reset.NONE:
            raise SpikeloomError(
                f"core {name!r}: below its floor a potential would become "
                f"{'-v_reset' if self.reset is Reset.VALUE else 'V + floor'}, which no switch "
                "does; use saturates=True"
            )
        return Population(
            name,
            len(self.leak),
            self.leak,
            phase,
            threshold=self.threshold,
            inclusive=True,
            reset=self.reset,
            v_reset=self.v_reset,
            v_min=v_min,
            switches=switches,
        )

    def network(self, weight_bits: int = WEIGHT_BITS) -> Network:
        """A network of this core alone; its axons are the input."""
        return Network(
            (Input("axons", len(self.crossbar)),),
            (self.population("core"),),
            (Connection("axons", "core", self.matrix),),
            weight_bits=weight_bits,
            state_bits=20,
            sum_bits=18,
        )
