"""Mismatch: an analogue instance of a network, whose neurons differ from their design.

Transistors of one drawing differ from copy to copy. On an analogue chip each neuron therefore has
its own threshold, leak and gain, which nobody knows exactly. Planted in an integer network, the
same differences are there again in every run, in the golden model and in hardware.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.checks import check_integer
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers, signed_range
from spikeloom.golden.network import Connection, Network, Parameter, Population
from spikeloom.golden.plain import PlainIntegers
from spikeloom.golden.population_check import DECAYS
from spikeloom.golden.sparse import OneToOne, SparseConnection

MAX_DEVIATION = 0.5
"""Maximum standard deviation; above it, factors would often be cut at 0."""

Gains = Mapping[str, NDArray[np.float64]]
"""For each population, what the weights into each neuron are multiplied by, shape (size,)."""


@dataclass(frozen=True)
class Mismatch(PlainIntegers):
    """How much the neurons of an instance differ from their design, each by its own factors.

    A factor is normally distributed around 1, and cut at 0. Thresholds (of spiking neurons), leaks
    (both decays, each its own) and gains are multiplied by factors and rounded; a gain is that of
    the weights into a neuron.

    Parameters
    ----------
    threshold, leak, gain
        Standard deviations of the factors, 0..0.5.
    seed
        Of the factors, >= 0. The same seed gives the same instance of networks whose populations
        have the same sizes, in the same order.

    Raises
    ------
    SpikeloomError
        A deviation or the seed is out of range.
    """

    threshold: float = 0.0
    leak: float = 0.0
    gain: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("threshold", "leak", "gain"):
            value = getattr(self, name)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not 0 <= value <= MAX_DEVIATION:
                raise SpikeloomError(
                    f"Mismatch: {name} is a standard deviation, 0..{MAX_DEVIATION}, such as 0.15, "
                    f"not {value!r}"
                )
        check_integer("Mismatch: seed", self.seed, 0, (1 << 63) - 1)

    def gains(self, network: Network) -> dict[str, NDArray[np.float64]]:
        """The gain of each neuron of each population."""
        return {
            population.name: self._factors(number, population.size)["gain"]
            for number, population in enumerate(network.populations)
        }

    def planted(self, network: Network) -> Network:
        """The instance of `network`: its neurons differ, and its weights have their gains.

        Raises
        ------
        SpikeloomError
            `network` is none of integers, a convolution cannot carry a gain for each neuron, or the
            sums of weights overflow.
        """
        if not isinstance(network, Network):
            raise SpikeloomError(
                "Mismatch: planted takes a network of integers, such as program.network, not "
                f"{network!r:.60}"
            )
        populations = tuple(
            self._instance(population, number, network.state_bits)
            for number, population in enumerate(network.populations)
        )
        gains = self.gains(network)
        limits = signed_range(network.weight_bits)
        connections = []
        for connection in network.connections if self.gain else ():
            where = f"connection {connection.source!r} -> {connection.target!r}"
            if not isinstance(connection, (Connection, OneToOne, SparseConnection)):
                raise SpikeloomError(
                    f"{where}: neurons of a convolution share their weights, so gains cannot "
                    "differ; use Mismatch(gain=0), or a dense matrix"
                )
            if connection.high:
                raise SpikeloomError(
                    f"{where}: gains of weights of two words are not supported; give the network "
                    "its weights in one connection, before it is compiled"
                )
            gain = gains[connection.target]
            if isinstance(connection, SparseConnection):
                gain = gain[connection.targets]
            rule = connection.plasticity if isinstance(connection, Connection) else None
            bounds = limits if rule is None else rule.bounds
            weights = amplified(connection.weights, gain, bounds)
            connections.append(dataclasses.replace(connection, weights=weights))
        changed = tuple(connections) or network.connections
        return dataclasses.replace(network, populations=populations, connections=changed)

    def _factors(self, number: int, size: int) -> dict[str, NDArray[np.float64]]:
        """The factors of population `number`. All are drawn, so that none depends on another."""
        rng = np.random.default_rng((self.seed, number))
        deviations = {
            "threshold": self.threshold,
            "decay": self.leak,
            "synaptic_decay": self.leak,
            "gain": self.gain,
        }
        return {
            name: np.maximum(0, 1 + deviation * rng.standard_normal(size))
            for name, deviation in deviations.items()
        }

    def _instance(self, population: Population, number: int, state_bits: int) -> Population:
        factors = self._factors(number, population.size)
        names = ["decay", "synaptic_decay"] + ["threshold"] * population.spiking
        fields: dict[str, Any] = {
            name: amplified(value, factors[name], DECAYS.get(name, signed_range(state_bits)))
            for name in names
            if (value := getattr(population, name)) is not None
        }
        return dataclasses.replace(population, **fields)


def amplified(values: Parameter, factors: NDArray[np.float64], limits: tuple[int, int]) -> Integers:
    """What an instance makes of a design: values times factors, rounded, clipped to `limits`.

    Parameters
    ----------
    values
        Weights of shape (..., targets), or a parameter of neurons.
    factors
        Shape (targets,), such as gains.
    """
    return np.rint(values * factors).clip(*limits).astype(np.int64)
