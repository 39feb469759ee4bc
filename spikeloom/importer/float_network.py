"""A spiking network in floating point, as it was trained, before any rounding.

It has the structure of `spikeloom.golden.network`; `importer.float_simulation` states its update.
"""

import dataclasses
import graphlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.convolution import ImageShape
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import MAX_DELAY
from spikeloom.golden.spec import SPIKES_PER_STEP, Reset
from spikeloom.golden.summary import Summarised, Summary, network_summary
from spikeloom.golden.switches.records import record
from spikeloom.importer.assumptions import Assumption
from spikeloom.importer.dialect import NIR, Dialect
from spikeloom.importer.linear_maps import Floats, Kernel
from spikeloom.importer.switches.switch import FloatSwitch

PerNeuron = float | Floats
"""A number that all neurons of a population share, or one for each, shape (size,)."""

LARGEST = 1e100
"""Of weights and biases, in size: squares and their sums are still numbers."""

PER_NEURON = ("decay", "synaptic_decay", "threshold", "v_reset", "v_init")
"""Parameters of a population that may differ between its neurons."""


@dataclass(frozen=True)
class FloatInput:
    """Axons that the host drives.

    Parameters
    ----------
    name, size
        Unique among inputs and populations; number of axons, >= 1.
    image
        Image shape of the axons where convolutions start here; its product is `size`.
    """

    name: str
    size: int
    image: ImageShape | None = None


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
        Fraction of the potential forgotten per step, 0 (IF) to 1; per neuron or shared.
    threshold
        A neuron spikes where its potential is above it (`inclusive`: at or above it); per neuron
        or shared.
    inclusive
        Compare with >= instead of >.
    spiking
        False for LI: never spikes, is read out.
    reset, v_reset
        Effect of a spike on the potential; `v_reset` per neuron or shared. `Reset.RESTORE` is
        snnTorch's subtraction without delay: a potential that a reset left above the threshold is
        reset again before the comparison of the next step, and gets that back afterwards.
    v_init
        Potential before the first step of a sample; per neuron or shared.
    image
        Shape (channels, height, width) where convolutions start or end here; its product is `size`.
    synaptic_decay
        Fraction of the synaptic current forgotten per step, per neuron or shared; None without one.
    leak
        Added to the potential in every step, shape (size,); only with a synaptic current.
    delayed_reset
        A spike resets its neuron in the next step, after the decay of that step.
    v_min
        Lower bound of the potential; None for none.
    max_spikes
        Maximum spikes per step: 1, 3, 7, 15 or 31.
    signed
        A potential below 0 spikes by its magnitude, with spikes that count less than 0.
    switches
        Of `spikeloom.importer.switches`, at most one of each kind.
    """

    name: str
    size: int
    bias: Floats
    decay: PerNeuron = 0.0
    threshold: PerNeuron = 0.0
    inclusive: bool = False
    spiking: bool = True
    reset: Reset = Reset.VALUE
    v_reset: PerNeuron = 0.0
    v_init: PerNeuron = 0.0
    image: ImageShape | None = None
    synaptic_decay: PerNeuron | None = None
    leak: Floats | None = None
    delayed_reset: bool = False
    v_min: float | None = None
    max_spikes: int = 1
    signed: bool = False
    switches: tuple[FloatSwitch, ...] = ()


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
        Steps from the spike to its arrival, 0..15.
    """

    source: str
    target: str
    weights: Floats
    delay: int = 0

    def arriving(self, spikes: Floats) -> Floats:
        """Input of each target from spikes of shape (samples, sources)."""
        return spikes @ self.weights


@dataclass(frozen=True)
class FloatConvolution:
    """Synapses from an image to an image.

    Parameters
    ----------
    source, target
        Name of an input or spiking population; name of a population. Both have an image.
    kernel
        The pooling and the convolution.
    delay
        Steps from the spike to its arrival, 0..15.
    """

    source: str
    target: str
    kernel: Kernel
    delay: int = 0

    @property
    def weights(self) -> Floats:
        """Of the kernel."""
        return self.kernel.weights

    def arriving(self, spikes: Floats) -> Floats:
        """Input of each target from spikes of shape (samples, sources)."""
        return self.kernel.apply(spikes)


AnyFloatConnection = FloatConnection | FloatConvolution


@dataclass(frozen=True, repr=False)
class FloatNetwork(Summarised):
    """Populations joined by connections, checked on construction.

    Parameters
    ----------
    inputs, populations, connections
        In any order; names are unique.
    outputs
        For each output of the network its name and the population it reads.
    dialect
        The options under which the network was imported, its time step among them.
    assumptions
        Those of these options that change spikes and that the user did not give.
    warnings
        Results of the import that are hardly meant, each with a remedy.

    Raises
    ------
    SpikeloomError
        A name is unknown or used twice, a shape does not fit, a number is not finite or out of its
        range, or connections without delay form a cycle.
    """

    inputs: tuple[FloatInput, ...]
    populations: tuple[FloatPopulation, ...]
    connections: tuple[AnyFloatConnection, ...]
    outputs: tuple[tuple[str, str], ...] = ()
    dialect: Dialect = NIR
    assumptions: tuple[Assumption, ...] = ()
    warnings: tuple[str, ...] = ()

    def summary(self) -> Summary:
        """See `Summarised`; with what was assumed, and warnings."""
        kind = f"dialect {self.dialect.name}"
        assumed = (str(assumption) for assumption in self.assumptions)
        notes = [*(f"warning: {line}" for line in self.warnings), *assumed]
        return network_summary(self.inputs, self.populations, kind)._replace(notes=notes)

    def __post_init__(self) -> None:
        nodes: dict[str, FloatInput | FloatPopulation] = {}
        everyone: tuple[FloatInput | FloatPopulation, ...] = (*self.inputs, *self.populations)
        for node in everyone:
            if node.name in nodes:
                raise SpikeloomError(f"{node.name!r}: two nodes have this name; rename one")
            nodes[node.name] = node
        for population in self.populations:
            _check_population(population)
            noisy = any(switch.name == "noise" for switch in population.switches)
            if noisy and self.dialect.seed is None:
                raise SpikeloomError(
                    f"population {population.name!r}: noise needs a seed; pass one, such as seed=1"
                )
        senders = {node.name for node in self.inputs}
        senders |= {population.name for population in self.populations if population.spiking}
        targets = {population.name for population in self.populations}
        for connection in self.connections:
            where = f"connection {connection.source!r} -> {connection.target!r}"
            if connection.source not in senders:
                raise SpikeloomError(f"{where}: {connection.source!r} sends no spikes; add it")
            if connection.target not in targets:
                raise SpikeloomError(
                    f"{where}: the network has no population {connection.target!r}"
                )
            _check_connection(where, connection, nodes)
        levels(self)

    @property
    def dt(self) -> float | None:
        """Time step, in the unit of the file's time constants; None where nothing needed one."""
        return self.dialect.dt

    def population(self, name: str) -> FloatPopulation:
        """The population called `name`."""
        return next(node for node in self.populations if node.name == name)

    def into(self, name: str) -> tuple[AnyFloatConnection, ...]:
        """The connections whose target is `name`."""
        return tuple(c for c in self.connections if c.target == name)


def levels(network: FloatNetwork) -> dict[str, int]:
    """For each population the length of the longest delay-free path to it: 0 behind the inputs.

    Raises `SpikeloomError` where connections without delay form a cycle.
    """
    populations = {population.name for population in network.populations}
    before: dict[str, set[str]] = {population.name: set() for population in network.populations}
    for connection in network.connections:
        if connection.delay == 0 and connection.source in populations:
            before[connection.target].add(connection.source)
    depths: dict[str, int] = {}
    try:
        for name in graphlib.TopologicalSorter(before).static_order():
            depths[name] = max((depths[source] + 1 for source in before[name]), default=0)
    except graphlib.CycleError as error:
        cycle = " -> ".join(repr(name) for name in error.args[1])
        raise SpikeloomError(
            f"populations {cycle}: they form a cycle without delay; give one connection a delay"
        ) from None
    return depths


def with_delays(network: FloatNetwork, delays: Sequence[int]) -> FloatNetwork:
    """The same with other delays, in the order of its connections."""
    connections = tuple(
        dataclasses.replace(connection, delay=delay)
        for connection, delay in zip(network.connections, delays, strict=True)
    )
    return dataclasses.replace(network, connections=connections)


def _check_connection(
    where: str,
    connection: AnyFloatConnection,
    nodes: Mapping[str, FloatInput | FloatPopulation],
) -> None:
    source, target = nodes[connection.source], nodes[connection.target]
    if not _is_moderate(connection.weights).all():
        raise SpikeloomError(
            f"{where}: weights must be finite, and of at most {LARGEST:g}; rescale the layers"
        )
    if not 0 <= connection.delay <= MAX_DELAY:
        raise SpikeloomError(
            f"{where}: delay must be 0..{MAX_DELAY} steps, not {connection.delay}; "
            "shorten it, or put an identity layer between"
        )
    if isinstance(connection, FloatConvolution):
        joined = connection.kernel.image, connection.kernel.output
        if joined != (source.image, target.image):
            raise SpikeloomError(
                f"{where}: it joins images {joined}, not {(source.image, target.image)}"
            )
    elif connection.weights.shape != (source.size, target.size):
        raise SpikeloomError(
            f"{where}: weights must have shape {(source.size, target.size)}, "
            f"not {connection.weights.shape}"
        )


def _is_moderate(values: Floats) -> NDArray[np.bool_]:
    """Whether sums of squares of such numbers do not overflow."""
    moderate: NDArray[np.bool_] = np.abs(values) <= LARGEST  # NaN is not
    return moderate


def _check_population(population: FloatPopulation) -> None:
    where = f"population {population.name!r}"
    arrays = {"bias": population.bias}
    if population.leak is not None:
        arrays["leak"] = population.leak
        if population.synaptic_decay is None:
            raise SpikeloomError(
                f"{where}: leak is for a synaptic current; without one add it to bias"
            )
    for name, values in arrays.items():
        if values.shape != (population.size,):
            raise SpikeloomError(
                f"{where}: {name} must have shape ({population.size},), not {values.shape}"
            )
        if not _is_moderate(values).all():
            neuron = int(np.argmin(_is_moderate(values)))
            raise SpikeloomError(
                f"{where}: {name} must be finite, and of at most {LARGEST:g}; that of neuron "
                f"{neuron} is {values[neuron]:g}; rescale the layers"
            )
    for name in (*PER_NEURON, "v_min"):
        value = getattr(population, name)
        if value is None:
            continue
        values = np.asarray(value)
        if isinstance(value, np.ndarray) and values.shape != (population.size,):
            raise SpikeloomError(
                f"{where}: {name} must be a number or have shape ({population.size},), "
                f"not {values.shape}"
            )
        if not np.isfinite(values).all():
            neuron = int(np.argmin(np.isfinite(values)))
            remedy = "; for a neuron that never spikes give one that its potential never reaches"
            raise SpikeloomError(
                f"{where}: {name} must be finite; that of neuron {neuron} is "
                f"{np.ravel(values)[neuron]:g}{remedy if name == 'threshold' else ''}"
            )
        if "decay" in name and not ((values >= 0) & (values <= 1)).all():
            neuron = int(np.argmin((values >= 0) & (values <= 1)))
            raise SpikeloomError(
                f"{where}: {name} must be 0..1; that of neuron {neuron} is "
                f"{np.ravel(values)[neuron]:g}"
            )
    if population.reset is Reset.RESTORE and population.delayed_reset:
        raise SpikeloomError(
            f"{where}: a reset that is restored acts at once; leave out delayed_reset"
        )
    late = population.delayed_reset or population.reset is Reset.RESTORE
    for switch in population.switches:
        switch.check(where, population)
        kind = record(switch.name)
        if kind.hides_spikes and late and population.spiking:
            raise SpikeloomError(
                f"{where}: {kind.title} hides which neurons spiked, by which a delayed or "
                "restoring reset acts; use reset_delay=False and restore=False"
            )
    if population.max_spikes not in SPIKES_PER_STEP:
        raise SpikeloomError(
            f"{where}: max_spikes must be 1, 3, 7, 15 or 31, not {population.max_spikes!r}"
        )
    if population.signed and (np.min(population.threshold) <= 0 or late):
        raise SpikeloomError(
            f"{where}: signed spikes need a positive threshold and a reset that acts at once; use "
            "reset_delay=False and restore=False"
        )
    if population.max_spikes > 1 and (
        np.min(population.threshold) <= 0
        or population.delayed_reset
        or population.reset is not Reset.SUBTRACT
    ):
        raise SpikeloomError(
            f"{where}: several spikes in a step need a positive threshold that each subtracts at "
            'once: reset="subtract" and no reset_delay'
        )
