"""The integer spiking network: what is computed, independent of any hardware.

Its parameters are those of the update equation (see `golden.step.run`); tiles, lanes and memories
play no role.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikeloom.golden.checks import (
    check_array,
    check_flag,
    check_input,
    check_integer,
    check_sums,
)
from spikeloom.golden.convolution import Convolution, ConvolutionSums, ImageShape
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers, differs, signed_range
from spikeloom.golden.learning.check import check_plasticity
from spikeloom.golden.learning.rule import Rule
from spikeloom.golden.plain import PlainIntegers
from spikeloom.golden.population_check import check_population
from spikeloom.golden.schedule import Variant, check_schedule
from spikeloom.golden.sparse import OneToOne, SparseConnection
from spikeloom.golden.spec import MAX_FRACTION_BITS, Reset
from spikeloom.golden.summary import Summarised, Summary, network_summary
from spikeloom.golden.switches.noise import check_seed
from spikeloom.golden.switches.switch import Switch

MAX_DELAY = 15
"""Maximum delay of a connection in steps: the maximum number of slots less one."""

MAX_WEIGHT_BITS = 16
"""Maximum width of a weight; hardware has 2, 4 or 8 bits, and pairs of them."""

Parameter = int | Integers
"""A value for all neurons of a population, or an array of shape (size,) with a value for each."""


@dataclass(frozen=True)
class Input(PlainIntegers):
    """Axons that the host drives.

    Parameters
    ----------
    name
        Unique among inputs and populations.
    size
        Number of axons, >= 1.
    max_count
        Maximum events per step of an axon, 1..255. It bounds the sums.
    signed
        Events can be negative: an axon has -`max_count`..`max_count` of them in a step.
    image
        Image shape of the axons, of `size` elements; needed where a convolution starts here.
    """

    name: str
    size: int
    max_count: int = 1
    image: ImageShape | None = None
    signed: bool = False


@dataclass(frozen=True)
class Population(PlainIntegers):
    """Neurons that share one update and fire in one phase.

    Those of `PARAMETERS` are integers, or int64 arrays of shape (size,) with a value for each
    neuron.

    Parameters
    ----------
    name
        Unique among inputs and populations.
    size
        Number of neurons, >= 1.
    bias
        b_in, added to the input in every step, shape (size,). Without a synaptic current it holds
        b_mem too.
    phase
        Phases of a step fire in ascending order, from 0.
    decay
        k_mem in units of 1/4096: 0 keeps the potential (IF), 4096 forgets it. A negative one, down
        to -4096, lets it grow: -4096 doubles it.
    threshold
        A neuron spikes if its potential is above it (`inclusive`: at or above it).
    inclusive
        Compare with >= instead of >.
    spiking
        False for LI neurons, which never spike and are read out.
    reset, v_reset
        What a spike does to the potential.
    v_init
        Potential before the first step of a sample.
    image
        Image shape of the neurons, of `size` elements; needed where a convolution starts or ends
        here.
    synaptic_decay
        k_syn in units of 1/4096; None: no synaptic current. The current starts each sample at 0.
    leak
        b_mem, shape (size,); only with a synaptic current, and 0 if None.
    subtrahend
        What `Reset.SUBTRACT` and `Reset.RESTORE` subtract for each spike; `threshold` if None.
    delayed_reset
        A spike resets its neuron in the next step, after the decay; not with `Reset.RESTORE`.
    v_min
        Lower limit of the potential; that of its width if None.
    max_spikes
        Maximum spikes per step: 1, 3, 7, 15 or 31. Above 1 the threshold must be positive.
    signed
        A neuron whose potential is below 0 spikes by its magnitude, with negative spikes, which
        subtract weights and are reset in the other direction. The threshold must be positive.
    fraction_bits
        Sums of weights are scaled by 2**`fraction_bits`, 0..12, before the bias is added: the unit
        of potential, bias, leak, threshold, reset values and limits is finer than a weight's.
    switches
        Of `spikeloom.golden.switches`, at most one of each kind, in any order.
    variants
        Parameters in other steps, which the network's `schedule` calls 1, 2, ...
    """

    name: str
    size: int
    bias: Integers
    phase: int = 0
    decay: Parameter = 0
    threshold: Parameter = 0
    inclusive: bool = False
    spiking: bool = True
    reset: Reset = Reset.VALUE
    v_reset: Parameter = 0
    v_init: Parameter = 0
    image: ImageShape | None = None
    synaptic_decay: Parameter | None = None
    leak: Integers | None = None
    subtrahend: Parameter | None = None
    delayed_reset: bool = False
    v_min: int | None = None
    max_spikes: int = 1
    signed: bool = False
    fraction_bits: int = 0
    switches: tuple[Switch, ...] = ()
    variants: tuple[Variant, ...] = ()

    def at(self, variant: int) -> "Population":
        """The population in steps of a variant; it is itself where it does not have that many."""
        if not 1 <= variant <= len(self.variants):
            return self
        fields: dict[str, Any] = self.variants[variant - 1].fields
        return dataclasses.replace(self, **fields)

    @property
    def versions(self) -> list["Population"]:
        """Itself, and what it is in steps of each of its variants."""
        return [self.at(variant) for variant in range(len(self.variants) + 1)]

    def shared(self, parameter: str) -> int:
        """The value of one of `PARAMETERS`, not None, that all neurons have.

        Raises `SpikeloomError` where it differs between neurons.
        """
        value = getattr(self, parameter)
        if differs(value):
            raise SpikeloomError(
                f"population {self.name!r}: {parameter} differs between neurons "
                f"({value.min()}..{value.max()})"
            )
        return int(np.ravel(value)[0])

    @property
    def subtracted(self) -> Parameter:
        """What a reset that subtracts takes away for each spike."""
        return self.threshold if self.subtrahend is None else self.subtrahend


@dataclass(frozen=True)
class Connection(PlainIntegers):
    """A dense matrix of synapses.

    Parameters
    ----------
    source, target
        Name of an input or population, and name of a population.
    weights
        Shape (size of source, size of target), integers of the network's `weight_bits`.
    delay
        Steps from the spike to its arrival, >= 0.
    high
        Weights are scaled by 2**`weight_bits`. With a second connection for the lower half this
        gives weights of twice the width.
    plasticity
        How the weights change while the network learns; None: they stay.
    """

    source: str
    target: str
    weights: Integers
    delay: int = 0
    high: bool = False
    plasticity: Rule | None = None


AnyConnection = Connection | Convolution | SparseConnection | OneToOne

Learnable = Connection | Convolution
"""What can have a rule."""


@dataclass(frozen=True, repr=False)
class Network(PlainIntegers, Summarised):
    """Populations joined by connections, checked on construction.

    Parameters
    ----------
    inputs, populations, connections
        In any order; names are unique.
    weight_bits, state_bits, sum_bits
        Widths of weights, of membrane potentials (which saturate), and of the exact sums.
    schedule
        Which variant of its populations holds in each step of a sample: 0 for themselves, or the
        number of one of their `variants`. The last one holds for all later steps.
    seed
        Of the random numbers of noise and of stochastic rounding, 0..2**32-1; both need one.

    Raises
    ------
    SpikeloomError
        A name is unknown or used twice; a type, shape or range is wrong; a connection with delay 0
        does not end in a later phase; the weights into a neuron could overflow its sum; or a
        learning rule does not fit its connection.
    """

    inputs: tuple[Input, ...]
    populations: tuple[Population, ...]
    connections: tuple[AnyConnection, ...]
    weight_bits: int = 8
    state_bits: int = 16
    sum_bits: int = 16
    schedule: tuple[int, ...] = ()
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("network: weight_bits", self.weight_bits, 2, MAX_WEIGHT_BITS)
        check_integer("network: state_bits", self.state_bits, 8, 24)
        check_integer("network: sum_bits", self.sum_bits, 8, 32)
        names = [node.name for node in self._nodes]
        for name in names:
            if names.count(name) > 1:
                raise SpikeloomError(f"{name!r}: two nodes have this name; rename one")
        if not self.populations:
            raise SpikeloomError("network: there is no population; add one")
        for node in self.inputs:
            check_input(node.name, node.size, node.max_count, node.signed, node.image)
        for population in self.populations:
            where = f"population {population.name!r}: fraction_bits"
            check_integer(where, population.fraction_bits, 0, MAX_FRACTION_BITS)
        check_schedule(self.schedule, self.populations)
        for population in self.populations:
            for version in population.versions:
                check_population(version, self.state_bits, self.bias_bits)
        check_seed(self.seed, self.populations)
        phases = sorted({population.phase for population in self.populations})
        if phases != list(range(len(phases))):
            raise SpikeloomError(
                f"network: phases must be 0, 1, 2, ... without a gap, not {phases}"
            )
        for connection in self.connections:
            self._check_connection(connection)
        check_plasticity(
            self.plastic, self.populations, self.weight_bits, self.state_bits, self.seed
        )
        for population in self.populations:
            self._check_sums(population)

    def summary(self) -> Summary:
        """See `Summarised`."""
        bits = f"{self.weight_bits}-bit weights, {self.state_bits}-bit potentials"
        return network_summary(self.inputs, self.populations, f"{self.synapses:,} synapses", bits)

    def input(self, name: str) -> Input:
        """The input called `name`."""
        return next(node for node in self.inputs if node.name == name)

    def population(self, name: str) -> Population:
        """The population called `name`."""
        return next(node for node in self.populations if node.name == name)

    def size(self, name: str) -> int:
        """Axons of an input, or neurons of a population."""
        return next(node.size for node in self._nodes if node.name == name)

    def image(self, name: str) -> ImageShape | None:
        """The image shape of an input or population, if it has one."""
        return next(node.image for node in self._nodes if node.name == name)

    def max_events(self, name: str) -> int:
        """Maximum events per step of an axon or neuron, of either sign."""
        counts = {node.name: node.max_count for node in self.inputs}
        counts |= {node.name: node.max_spikes for node in self.populations}
        return counts[name]

    def has_signs(self, name: str) -> bool:
        """Whether events of an input or population can be negative."""
        return next(node.signed for node in self._nodes if node.name == name)

    def into(self, name: str) -> tuple[AnyConnection, ...]:
        """The connections whose target is `name`."""
        return tuple(c for c in self.connections if c.target == name)

    @property
    def plastic(self) -> tuple[Learnable, ...]:
        """The connections that learn, in their order; their numbers key random numbers."""
        able = (c for c in self.connections if isinstance(c, Learnable))
        return tuple(c for c in able if c.plasticity is not None)

    def check_learns(self) -> None:
        """Raises `SpikeloomError` if no connection is plastic."""
        if not self.plastic:
            raise SpikeloomError(
                "learn: no connection of this network is plastic; give one a rule, "
                "Connection(..., plasticity=Rule(...)), or run without learning"
            )

    @property
    def phases(self) -> int:
        """Number of phases of a step."""
        return 1 + max(population.phase for population in self.populations)

    @property
    def max_delay(self) -> int:
        """Maximum delay of all connections, in steps."""
        return max((connection.delay for connection in self.connections), default=0)

    @property
    def synapses(self) -> int:
        """Number of synapses, zero weights included."""
        return sum(int(self.fan_out(connection).sum()) for connection in self.connections)

    def fan_out(self, connection: AnyConnection) -> Integers:
        """Synapses of `connection` from each axon or neuron of its source, shape (size,)."""
        if isinstance(connection, Convolution):
            return connection.fan_out(self._images(connection)[0])
        if isinstance(connection, Connection):
            return np.full(*connection.weights.shape)
        return connection.fan_out()

    @property
    def fraction_bits(self) -> int:
        """Maximum `fraction_bits` of a population."""
        return max(population.fraction_bits for population in self.populations)

    @property
    def bias_bits(self) -> int:
        """Width of a bias, which is in the unit of the potential."""
        return max(self.sum_bits, self.state_bits) if self.fraction_bits else self.sum_bits

    @property
    def input_bits(self) -> int:
        """Width in which every neuron's exact input fits: its scaled sum plus its bias."""
        return max(self.sum_bits + self.fraction_bits, self.bias_bits) + 1

    def sum_range(self, connection: AnyConnection) -> tuple[Integers, Integers]:
        """Minimum and maximum sum that `connection` can add to each of its targets in a step."""
        count = self.max_events(connection.source) << (self.weight_bits * connection.high)
        least, most = connection.weights, connection.weights
        if isinstance(connection, Learnable) and connection.plasticity is not None:
            least, most = (np.full_like(least, bound) for bound in connection.plasticity.bounds)
        if self.has_signs(connection.source):
            most = np.maximum(-least, most)
            least = -most
        lowest, highest = np.minimum(least, 0), np.maximum(most, 0)
        if isinstance(connection, Convolution):
            image, _ = self._images(connection)
            all_axons = np.ones(self.size(connection.source), np.bool_)
            lowest, highest = (
                ConvolutionSums(dataclasses.replace(connection, weights=part), image, 1)(all_axons)
                for part in (lowest, highest)
            )
            return lowest.astype(np.int64) * count, highest.astype(np.int64) * count
        if isinstance(connection, Connection):
            return lowest.sum(axis=0) * count, highest.sum(axis=0) * count
        size = self.size(connection.target)
        return connection.totals(lowest, size) * count, connection.totals(highest, size) * count

    @property
    def _nodes(self) -> tuple[Input | Population, ...]:
        return (*self.inputs, *self.populations)

    def _images(self, connection: Convolution) -> tuple[ImageShape, ImageShape]:
        """The image shapes of the source and the target."""
        source, target = self.image(connection.source), self.image(connection.target)
        if source is None or target is None:
            missing = connection.source if source is None else connection.target
            raise SpikeloomError(
                f"connection {connection.source!r} -> {connection.target!r}: a convolution "
                f"connects images, and {missing!r} has no image shape; give it one"
            )
        return source, target

    def _check_connection(self, connection: AnyConnection) -> None:
        where = f"connection {connection.source!r} -> {connection.target!r}"
        phases = {population.name: population.phase for population in self.populations}
        sizes = {node.name: node.size for node in self._nodes}
        if connection.source not in sizes:
            raise SpikeloomError(f"{where}: the network has no {connection.source!r}; add it")
        if connection.target not in phases:
            raise SpikeloomError(f"{where}: the network has no population {connection.target!r}")
        expected = sizes[connection.source], sizes[connection.target]
        limits = signed_range(self.weight_bits)
        if isinstance(connection, Convolution):
            connection.check(where, *self._images(connection), limits)
        elif isinstance(connection, Connection):
            check_array(f"{where}: weights", connection.weights, expected, limits)
        else:
            connection.check(where, expected, limits)
        check_flag(f"{where}: high", connection.high)
        check_integer(f"{where}: delay", connection.delay, 0, MAX_DELAY)
        # Inputs come before every phase.
        if connection.delay == 0 and phases.get(connection.source, -1) >= phases[connection.target]:
            raise SpikeloomError(
                f"{where}: delay 0 must end in a later phase; give it a delay of 1 or more"
            )

    def _check_sums(self, population: Population) -> None:
        """Check that no exact sum of weights can overflow `sum_bits`."""
        ranges = np.zeros((2, population.size), np.int64)
        for connection in self.into(population.name):
            ranges += self.sum_range(connection)
        check_sums(f"population {population.name!r}", ranges[0], ranges[1], self.sum_bits)
