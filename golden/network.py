"""An integer spiking network: what is computed, whatever hardware computes it.

The numbers mean what the update equation says (see `golden.step`); nothing here knows of tiles,
lanes or memories.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden.errors import SpikeloomError
from golden.spec import DECAY_ONE, WEIGHT_BITS, Reset

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Input:
    """Axons that the host drives.

    Parameters
    ----------
    name
        Unique among inputs and populations.
    size
        Number of axons, >= 1.
    max_count
        Most events one axon can have in one step, 1..255. It bounds the sums.
    """

    name: str
    size: int
    max_count: int = 1


@dataclass(frozen=True)
class Population:
    """Neurons that share one update and fire in one phase.

    Parameters
    ----------
    name
        Unique among inputs and populations.
    size
        Number of neurons, >= 1.
    bias
        Added to the input in every step (b_in + b_mem), shape (size,).
    phase
        Phases of a step fire in ascending order, from 0.
    decay
        k in units of 1/4096: 0 keeps the potential (IF), 4096 forgets it.
    threshold
        A neuron spikes where its potential is above it (`inclusive`: at or above it).
    inclusive
        Compare with >= instead of >.
    spiking
        False for LI: never spikes, is read out.
    reset, v_reset
        What a spike makes of the potential.
    v_init
        Potential before the first step of a sample.
    """

    name: str
    size: int
    bias: Integers
    phase: int = 0
    decay: int = 0
    threshold: int = 0
    inclusive: bool = False
    spiking: bool = True
    reset: Reset = Reset.VALUE
    v_reset: int = 0
    v_init: int = 0


@dataclass(frozen=True)
class Connection:
    """A dense matrix of synapses.

    Parameters
    ----------
    source, target
        Name of an input or population; name of a population.
    weights
        Shape (size of source, size of target), integers of the network's `weight_bits`.
    delay
        Steps from the spike to its arrival, >= 0.
    """

    source: str
    target: str
    weights: Integers
    delay: int = 0


@dataclass(frozen=True)
class Network:
    """Populations joined by connections, checked when made.

    Parameters
    ----------
    inputs, populations, connections
        In any order; names are unique.
    weight_bits, state_bits, sum_bits
        Widths of weights, of membrane potentials (which saturate), and of the exact sums.

    Raises
    ------
    SpikeloomError
        A name is unknown or used twice, a type, shape or range does not fit, a delay of 0 leads to
        the same or an earlier phase, or the weights into a neuron could overflow its sum.
    """

    inputs: tuple[Input, ...]
    populations: tuple[Population, ...]
    connections: tuple[Connection, ...]
    weight_bits: int = 8
    state_bits: int = 16
    sum_bits: int = 16

    def __post_init__(self) -> None:
        if self.weight_bits not in WEIGHT_BITS:
            raise SpikeloomError(
                f"network: weight_bits must be 2, 4 or 8, not {self.weight_bits!r}"
            )
        _check_integer("network: state_bits", self.state_bits, 8, 24)
        _check_integer("network: sum_bits", self.sum_bits, 8, 32)
        names = [node.name for node in self._nodes]
        for name in names:
            if names.count(name) > 1:
                raise SpikeloomError(f"{name!r}: two nodes have this name; rename one")
        if not self.populations:
            raise SpikeloomError("network: it has no population; add one")
        for node in self.inputs:
            _check_integer(f"input {node.name!r}: size", node.size, 1, 1 << 16)
            _check_integer(f"input {node.name!r}: max_count", node.max_count, 1, 255)
        for population in self.populations:
            self._check_population(population)
        phases = sorted({population.phase for population in self.populations})
        if phases != list(range(len(phases))):
            raise SpikeloomError(
                f"network: phases must be 0, 1, 2, ... without a gap, not {phases}"
            )
        for connection in self.connections:
            self._check_connection(connection)
        for population in self.populations:
            self._check_sums(population)

    def input(self, name: str) -> Input:
        """The input called `name`."""
        return next(node for node in self.inputs if node.name == name)

    def population(self, name: str) -> Population:
        """The population called `name`."""
        return next(node for node in self.populations if node.name == name)

    def size(self, name: str) -> int:
        """Axons of an input, or neurons of a population."""
        return next(node.size for node in self._nodes if node.name == name)

    def into(self, name: str) -> tuple[Connection, ...]:
        """The connections whose target is `name`."""
        return tuple(c for c in self.connections if c.target == name)

    @property
    def phases(self) -> int:
        """Phases of a step."""
        return 1 + max(population.phase for population in self.populations)

    @property
    def max_delay(self) -> int:
        """Longest delay of any connection."""
        return max((connection.delay for connection in self.connections), default=0)

    @property
    def synapses(self) -> int:
        """Number of synapses, zero weights included."""
        return sum(connection.weights.size for connection in self.connections)

    @property
    def _nodes(self) -> tuple[Input | Population, ...]:
        return (*self.inputs, *self.populations)

    def _check_population(self, population: Population) -> None:
        where = f"population {population.name!r}"
        low, high = signed_range(self.state_bits)
        _check_integer(f"{where}: size", population.size, 1, 1 << 16)
        _check_integer(f"{where}: phase", population.phase, 0, 255)
        _check_integer(f"{where}: decay", population.decay, 0, DECAY_ONE)
        for name in ("threshold", "v_reset", "v_init"):
            _check_integer(f"{where}: {name}", getattr(population, name), low, high)
        for name in ("inclusive", "spiking"):
            if not isinstance(getattr(population, name), bool):
                raise SpikeloomError(
                    f"{where}: {name} must be True or False, not {getattr(population, name)!r}"
                )
        if not isinstance(population.reset, Reset):
            raise SpikeloomError(f"{where}: reset must be a Reset, not {population.reset!r}")
        _check_array(f"{where}: bias", population.bias, (population.size,), self.sum_bits)

    def _check_connection(self, connection: Connection) -> None:
        where = f"connection {connection.source!r} -> {connection.target!r}"
        phases = {population.name: population.phase for population in self.populations}
        sizes = {node.name: node.size for node in self._nodes}
        if connection.source not in sizes:
            raise SpikeloomError(f"{where}: the network has no {connection.source!r}; add it")
        if connection.target not in phases:
            raise SpikeloomError(f"{where}: the network has no population {connection.target!r}")
        expected = sizes[connection.source], sizes[connection.target]
        _check_array(f"{where}: weights", connection.weights, expected, self.weight_bits)
        _check_integer(f"{where}: delay", connection.delay, 0, 15)
        # An input is before every phase.
        if connection.delay == 0 and phases.get(connection.source, -1) >= phases[connection.target]:
            raise SpikeloomError(
                f"{where}: delay 0 must lead to a later phase; give it a delay of 1 or more"
            )

    def _check_sums(self, population: Population) -> None:
        """Refuse weights whose exact sum could leave `sum_bits`."""
        highest = np.zeros(population.size, np.int64)
        lowest = np.zeros(population.size, np.int64)
        counts = {node.name: node.max_count for node in self.inputs}
        for connection in self.into(population.name):
            count = counts.get(connection.source, 1)
            highest += count * np.maximum(connection.weights, 0).sum(axis=0)
            lowest += count * np.minimum(connection.weights, 0).sum(axis=0)
        low, high = signed_range(self.sum_bits)
        if highest.max() > high or lowest.min() < low:
            neuron = int(np.argmax(np.maximum(highest - high, low - lowest)))
            raise SpikeloomError(
                f"population {population.name!r}: the weights into neuron {neuron} can sum to "
                f"{lowest[neuron]}..{highest[neuron]}, outside {low}..{high}; "
                f"raise sum_bits above {self.sum_bits} or lower weight_bits"
            )


def signed_range(bits: int) -> tuple[int, int]:
    """Least and greatest two's-complement number of `bits` bits."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def network_equal(one: Network, other: Network) -> bool:
    """Whether two networks are the same in every number and name."""

    def plain(network: Network) -> object:
        return _plain(dataclasses.asdict(network))

    return bool(plain(one) == plain(other))


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.shape, value.tolist()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _check_integer(where: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise SpikeloomError(f"{where} must be an integer, not {value!r}")
    if not low <= value <= high:
        raise SpikeloomError(f"{where} must be {low}..{high}, not {value}")


def _check_array(where: str, values: Integers, shape: tuple[int, ...], bits: int) -> None:
    low, high = signed_range(bits)
    if not isinstance(values, np.ndarray):
        raise SpikeloomError(f"{where} must be a NumPy array, not {type(values).__name__}")
    if values.shape != shape:
        raise SpikeloomError(f"{where} must have shape {shape}, not {values.shape}")
    if values.dtype != np.int64:
        raise SpikeloomError(f"{where} must be of type int64, not {values.dtype}")
    if values.size and not (low <= values.min() and values.max() <= high):
        raise SpikeloomError(f"{where} must be {low}..{high}, not {values.min()}..{values.max()}")
