"""A spiking network in floating point: what the user trained, before any rounding.

It has the structure of `golden.network` and the update of the integer neuron, in float64:

    x = sum of the weights of all spikes due now + bias
    u = (1 - decay) * v + x
    s = u > threshold            (or >=)
    v = v_reset, or u - threshold, or u, on a spike; else u
"""

import graphlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.errors import SpikeloomError
from golden.spec import Reset
from spikeloom.dialect import DIALECTS, Dialect

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FloatInput:
    """Axons that the host drives: a unique name and a number of axons, >= 1."""

    name: str
    size: int


@dataclass(frozen=True)
class FloatPopulation:
    """Neurons that share one update.

    Parameters
    ----------
    name
        Unique among inputs and populations.
    size
        Number of neurons, >= 1.
    bias
        Added to the input in every step, shape (size,).
    decay
        Fraction of the potential forgotten per step, 0 (IF) to 1.
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
    bias: Floats
    decay: float = 0.0
    threshold: float = 0.0
    inclusive: bool = False
    spiking: bool = True
    reset: Reset = Reset.VALUE
    v_reset: float = 0.0
    v_init: float = 0.0


@dataclass(frozen=True)
class FloatConnection:
    """A dense matrix of synapses.

    Parameters
    ----------
    source, target
        Name of an input or spiking population; name of a population.
    weights
        Shape (size of source, size of target).
    delay
        Steps from the spike to its arrival, >= 0.
    """

    source: str
    target: str
    weights: Floats
    delay: int = 0


@dataclass(frozen=True)
class FloatNetwork:
    """Populations joined by connections, checked when made.

    Parameters
    ----------
    inputs, populations, connections
        In any order; names are unique.
    outputs
        For each output of the network its name and the population it reads.
    dialect
        The options under which the network was imported, its time step among them.

    Raises
    ------
    SpikeloomError
        A name is unknown or used twice, a shape does not fit, a number is not finite or out of its
        range, or connections without delay form a cycle.
    """

    inputs: tuple[FloatInput, ...]
    populations: tuple[FloatPopulation, ...]
    connections: tuple[FloatConnection, ...]
    outputs: tuple[tuple[str, str], ...] = ()
    dialect: Dialect = DIALECTS["nir"]

    def __post_init__(self) -> None:
        sizes: dict[str, int] = {}
        nodes: tuple[FloatInput | FloatPopulation, ...] = (*self.inputs, *self.populations)
        for node in nodes:
            if node.name in sizes:
                raise SpikeloomError(f"{node.name!r}: two nodes have this name; rename one")
            sizes[node.name] = node.size
        for population in self.populations:
            _check_population(population)
        senders = {node.name for node in self.inputs}
        senders |= {population.name for population in self.populations if population.spiking}
        targets = {population.name for population in self.populations}
        for connection in self.connections:
            where = f"connection {connection.source!r} -> {connection.target!r}"
            if connection.source not in senders:
                raise SpikeloomError(f"{where}: {connection.source!r} sends no spikes; add it")
            if connection.target not in targets:
                raise SpikeloomError(f"{where}: the network has no population of the latter name")
            expected = sizes[connection.source], sizes[connection.target]
            if connection.weights.shape != expected:
                shape = connection.weights.shape
                raise SpikeloomError(f"{where}: weights must have shape {expected}, not {shape}")
            if not np.isfinite(connection.weights).all():
                raise SpikeloomError(f"{where}: weights must be finite; rescale the layers")
            if connection.delay < 0:
                raise SpikeloomError(f"{where}: delay must be >= 0, not {connection.delay}")
        levels(self)

    @property
    def dt(self) -> float | None:
        """Time step, in the unit of the file's time constants; None where nothing needed one."""
        return self.dialect.dt

    def into(self, name: str) -> tuple[FloatConnection, ...]:
        """The connections whose target is `name`."""
        return tuple(c for c in self.connections if c.target == name)


@dataclass(frozen=True)
class FloatRun:
    """What a float network did.

    Parameters
    ----------
    spikes
        For each spiking population, bool of shape (samples, steps, size).
    states
        For each population the membrane potentials after the last step, shape (samples, size).
    """

    spikes: dict[str, NDArray[np.bool_]]
    states: dict[str, Floats]


def levels(network: FloatNetwork) -> dict[str, int]:
    """For each population the most populations on any delay-free way to it: 0 behind the inputs.

    Raises `SpikeloomError` where connections without delay form a cycle.
    """
    populations = {population.name for population in network.populations}
    before: dict[str, set[str]] = {population.name: set() for population in network.populations}
    for connection in network.connections:
        if connection.delay == 0 and connection.source in populations:
            before[connection.target].add(connection.source)
    found: dict[str, int] = {}
    try:
        for name in graphlib.TopologicalSorter(before).static_order():
            found[name] = max((found[source] + 1 for source in before[name]), default=0)
    except graphlib.CycleError as error:
        cycle = " -> ".join(repr(name) for name in error.args[1])
        raise SpikeloomError(
            f"populations {cycle}: they form a cycle without delay; give one connection a delay"
        ) from None
    return found


def simulate_float(network: FloatNetwork, inputs: Mapping[str, ArrayLike] | ArrayLike) -> FloatRun:
    """Run every sample of `inputs` from the initial state.

    Parameters
    ----------
    network
        What to run.
    inputs
        Per input (or, for a network of one input, just) an array of numbers of shape
        (samples, steps, size) or (steps, size).

    Raises
    ------
    SpikeloomError
        An input is missing or unknown, or its shape does not fit.
    """
    emitted: dict[str, NDArray[np.float64] | NDArray[np.bool_]] = {}
    emitted.update(_check_inputs(network, inputs))
    samples, steps = next(iter(emitted.values())).shape[:2]
    depth = levels(network)
    firing_order = sorted(network.populations, key=lambda population: depth[population.name])
    v: dict[str, Floats] = {}
    for population in firing_order:
        emitted[population.name] = np.zeros((samples, steps, population.size), np.bool_)
        v[population.name] = np.full((samples, population.size), population.v_init)
    for t in range(steps):
        for population in firing_order:
            x: Floats = population.bias
            for connection in network.into(population.name):
                if t >= connection.delay:
                    due = emitted[connection.source][:, t - connection.delay]
                    x = x + due.astype(np.float64) @ connection.weights
            u = (1 - population.decay) * v[population.name] + x
            spikes = _fires(population, u)
            emitted[population.name][:, t] = spikes
            v[population.name] = np.where(spikes, _after_spike(population, u), u)
    return FloatRun(
        {p.name: emitted[p.name].astype(np.bool_) for p in network.populations if p.spiking}, v
    )


def _fires(population: FloatPopulation, u: Floats) -> NDArray[np.bool_]:
    if not population.spiking:
        return np.zeros(u.shape, np.bool_)
    return u >= population.threshold if population.inclusive else u > population.threshold


def _after_spike(population: FloatPopulation, u: Floats) -> Floats:
    if population.reset is Reset.VALUE:
        return np.full(u.shape, population.v_reset)
    return u - population.threshold if population.reset is Reset.SUBTRACT else u


def _check_inputs(
    network: FloatNetwork, inputs: Mapping[str, ArrayLike] | ArrayLike
) -> dict[str, Floats]:
    sizes = {node.name: node.size for node in network.inputs}
    if not isinstance(inputs, Mapping):
        if len(sizes) != 1:
            raise SpikeloomError(f"events: name each of the inputs {sorted(sizes)}")
        inputs = dict.fromkeys(sizes, inputs)
    if set(inputs) != set(sizes) or not sizes:
        raise SpikeloomError(f"events: expected inputs {sorted(sizes)}, got {sorted(inputs)}")
    checked = {}
    for name, size in sizes.items():
        values = np.asarray(inputs[name], np.float64)
        if values.ndim == 2:
            values = values[np.newaxis]
        if values.ndim != 3 or values.shape[2] != size:
            raise SpikeloomError(
                f"events of {name!r} must have shape (samples, steps, {size}) "
                f"or (steps, {size}), not {np.shape(inputs[name])}"
            )
        checked[name] = values
    if len({values.shape[:2] for values in checked.values()}) > 1:
        raise SpikeloomError("events: inputs differ in samples or steps; make them equal")
    return checked


def _check_population(population: FloatPopulation) -> None:
    where = f"population {population.name!r}"
    if population.bias.shape != (population.size,):
        raise SpikeloomError(
            f"{where}: bias must have shape ({population.size},), not {population.bias.shape}"
        )
    if not np.isfinite(population.bias).all():
        raise SpikeloomError(f"{where}: bias must be finite; rescale the layers")
    if not 0 <= population.decay <= 1:
        raise SpikeloomError(f"{where}: decay must be 0..1, not {population.decay}")
    for name in ("threshold", "v_reset", "v_init"):
        value = getattr(population, name)
        if not np.isfinite(value):
            raise SpikeloomError(f"{where}: {name} must be a finite number, not {value}")
