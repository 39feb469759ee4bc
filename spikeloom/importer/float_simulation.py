"""Simulation of a float network: the update of the integer neuron, in float64.

    x = sum of the weights of all spikes due now + bias
    i = (1 - synaptic_decay) * i + x               with a synaptic current; else i = x
    r = whether v is above the threshold           with a delayed or restoring reset; else 0
    u = leak((1 - decay) * v) + i + leak - r * threshold
    u = v_reset                                    where r, and the reset is to a value
    u = limit(max(integrate(u), v_min))
    s = greatest n <= max_spikes with u + noise > n * threshold + raised, where eligible   (or >=)
    s, u = select(s, u)
    v = v_reset, or u - s * threshold              where s, and the reset is not delayed; else u
    v = v + r * threshold                          with a restoring reset

`leak` of the decayed potential, `integrate`, `limit`, `noise`, `raised`, `eligible` and `select`
are what the population's switches do there, in their order. Every parameter is shared by a
population or, where `PER_NEURON` names it, has one value per neuron.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from spikeloom.events import check_axes
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.event_counts import Events
from spikeloom.golden.event_shape import with_samples
from spikeloom.golden.progress import task
from spikeloom.golden.random_numbers import NeuronNumbers, random_states
from spikeloom.golden.spec import SWITCHES, Reset
from spikeloom.importer.float_network import FloatNetwork, FloatPopulation, levels
from spikeloom.importer.linear_maps import Floats, magnitude
from spikeloom.importer.switches.switch import FloatSwitch

Spikes = Events
"""Whether a neuron spiked; how often, for a population with several spikes in a step; int8 where
spikes have a sign."""


@dataclass(frozen=True)
class FloatRun:
    """Result of a simulation.

    Parameters
    ----------
    spikes
        For each spiking population, of shape (samples, steps, size): bool, or, where a neuron can
        spike several times in a step, how often.
    states
        For each population the membrane potentials after the last step, shape (samples, size).
    peaks
        For each population the largest magnitude of a potential (before a reset) or synaptic
        current in any step.
    traces
        For each traced population the membrane potentials after every step, shape
        (samples, steps, size).
    """

    spikes: dict[str, Spikes]
    states: dict[str, Floats]
    peaks: dict[str, float]
    traces: dict[str, Floats] = field(default_factory=dict)


def simulate_float(
    network: FloatNetwork,
    inputs: Mapping[str, ArrayLike] | ArrayLike,
    traces: Collection[str] = (),
) -> FloatRun:
    """Run every sample of `inputs` from the initial state.

    Parameters
    ----------
    network
        The network to run.
    inputs
        Per input (or, for a network of one input, just) an array of numbers of shape
        (samples, steps, size) or (steps, size); an image's three axes may stand for the last.
    traces
        Names of populations whose potentials after every step are kept.

    Raises
    ------
    SpikeloomError
        An input is missing or unknown, or its shape does not fit.

    Warns (`SpikeloomWarning`) about inputs that look as if their first axis were time.
    """
    emitted = _check_inputs(network, inputs)
    check_axes(emitted)
    sequential = any(s.carries for p in network.populations for s in p.switches)
    if not sequential:
        return _simulate(network, emitted, traces, {})[0]
    runs, switches = [], dict[str, _Switches]()
    for sample in range(len(next(iter(emitted.values())))):
        alone = {name: values[sample : sample + 1] for name, values in emitted.items()}
        run, switches = _simulate(network, alone, traces, switches)
        runs.append(run)
    return _joined(runs)


def _joined(runs: Sequence[FloatRun]) -> FloatRun:
    """The run whose samples are those of all runs."""

    def joined(field: str) -> dict[str, Any]:
        parts = [getattr(run, field) for run in runs]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    peaks = {name: max(run.peaks[name] for run in runs) for name in runs[0].peaks}
    return FloatRun(joined("spikes"), joined("states"), peaks, joined("traces"))


def _simulate(
    network: FloatNetwork,
    emitted: dict[str, Floats],
    traces: Collection[str],
    before: Mapping[str, "_Switches"],
) -> tuple[FloatRun, dict[str, "_Switches"]]:
    """Run all samples at once; `before` are the switches after the sample before, if any."""
    samples, steps = next(iter(emitted.values())).shape[:2]
    depth = levels(network)
    firing_order = sorted(network.populations, key=lambda population: depth[population.name])
    for population in firing_order:
        emitted[population.name] = np.zeros((samples, steps, population.size))
    v = {p.name: np.full((samples, p.size), p.v_init) for p in firing_order}
    i = {p.name: np.zeros((samples, p.size)) for p in firing_order}
    switches = {p.name: _begin(p, (samples, p.size), before) for p in firing_order}
    peaks = {p.name: magnitude(np.asarray(p.v_init)) for p in firing_order}
    kept = {p.name: np.empty((samples, steps, p.size)) for p in firing_order if p.name in traces}
    random = random_states(network.dialect.seed or 0, 0, samples, steps)
    with task("running the float network", steps) as progress:
        for t in range(steps):
            for number, population in enumerate(firing_order):
                name = population.name
                numbers = NeuronNumbers(random[t], number)
                x: Floats = np.tile(population.bias, (samples, 1))
                for connection in network.into(name):
                    if t >= connection.delay:
                        sent = emitted[connection.source]
                        x += connection.arriving(sent[:, t - connection.delay])
                for switch, _ in switches[name]:
                    x = switch.scale(x, t)
                late = _late(population, v[name])
                fired, u, i[name] = _update(
                    population, v[name], i[name], x, late, switches[name], numbers
                )
                emitted[name][:, t] = fired
                v[name] = _after_step(population, u, fired, late)
                peaks[name] = max(peaks[name], magnitude(u), magnitude(i[name]))
                if name in kept:
                    kept[name][:, t] = v[name]
            progress.done(t + 1)
    spikes = {p.name: _counts(p, emitted[p.name]) for p in network.populations if p.spiking}
    return FloatRun(spikes, v, peaks, kept), switches


def _late(population: FloatPopulation, v: Floats) -> Floats:
    """Spikes of the step before whose reset acts in this step."""
    if population.delayed_reset or population.reset is Reset.RESTORE:
        return _spikes(population, v)
    return np.zeros(v.shape)


_Switches = list[tuple[FloatSwitch, dict[str, Floats]]]
"""The switches of a population in their order, each with what it keeps."""


def _begin(
    population: FloatPopulation, shape: tuple[int, int], before: Mapping[str, _Switches]
) -> _Switches:
    """What the switches of a population keep before the first step."""
    carried = {s.name: kept for s, kept in before.get(population.name, ()) if s.carries}
    return [
        (switch, carried.get(name) or {field: np.zeros(shape) for field, _ in layout.kept})
        for name, layout in SWITCHES.items()
        for switch in population.switches
        if switch.name == name
    ]


def _update(
    population: FloatPopulation,
    v: Floats,
    i: Floats,
    x: Floats,
    late: Floats,
    switches: _Switches,
    numbers: NeuronNumbers,
) -> tuple[Floats, Floats, Floats]:
    """Spikes, potentials before the resets of this step's spikes, and synaptic currents.

    What the switches keep is brought up to date.
    """
    drive = x
    if population.synaptic_decay is not None:
        drive = i = (1 - population.synaptic_decay) * i + x
        if population.leak is not None:
            drive = i + population.leak
    decayed = (1 - population.decay) * v
    for switch, _ in switches:
        decayed = switch.leak(decayed)
    u = _after_spikes(population, decayed + drive, late)
    for switch, kept in switches:
        u = switch.integrate(u, v, population, kept)
    if population.v_min is not None:
        u = np.maximum(u, population.v_min)
    for switch, _ in switches:
        u = switch.limit(u, population)
    compared = np.abs(u) if population.signed else u
    for switch, kept in switches:
        compared = compared + switch.noise(numbers, u) - switch.raised(kept)
    spikes = _spikes(population, compared)
    if population.signed:
        spikes = spikes * np.sign(u)
    for switch, kept in switches:
        spikes = spikes * switch.eligible(kept)
    for switch, kept in switches:
        spikes, u, selected = switch.select(spikes, u, population, kept)
        kept.update(selected)
    for switch, kept in switches:
        kept.update(switch.after(spikes != 0, kept))
    return spikes, u, i


def _after_step(population: FloatPopulation, u: Floats, spikes: Floats, late: Floats) -> Floats:
    if population.delayed_reset:
        return u
    v = _after_spikes(population, u, spikes)
    return v + late * population.threshold if population.reset is Reset.RESTORE else v


def _spikes(population: FloatPopulation, u: Floats) -> Floats:
    """How often each neuron spikes."""
    if not population.spiking:
        return np.zeros(u.shape)
    counts = np.zeros(u.shape)
    for count in range(1, population.max_spikes + 1):
        threshold = count * population.threshold
        counts += u >= threshold if population.inclusive else u > threshold
    return counts


def _after_spikes(population: FloatPopulation, u: Floats, spikes: Floats) -> Floats:
    match population.reset:
        case Reset.VALUE:
            return np.where(spikes != 0, population.v_reset, u)
        case Reset.SUBTRACT | Reset.RESTORE:
            return u - spikes * population.threshold
        case Reset.NONE:
            return u


def _counts(population: FloatPopulation, spikes: Floats) -> Spikes:
    if population.signed:
        return spikes.astype(np.int8)
    return spikes.astype(np.bool_) if population.max_spikes == 1 else spikes.astype(np.uint8)


def _check_inputs(
    network: FloatNetwork, inputs: Mapping[str, ArrayLike] | ArrayLike
) -> dict[str, Floats]:
    nodes = {node.name: node for node in network.inputs}
    if not isinstance(inputs, Mapping):
        if len(nodes) != 1:
            raise SpikeloomError(f"events: name each of the inputs {sorted(nodes)}")
        inputs = dict.fromkeys(nodes, inputs)
    if set(inputs) != set(nodes) or not nodes:
        raise SpikeloomError(f"events: expected inputs {sorted(nodes)}, got {sorted(inputs)}")
    checked = {}
    for name, node in nodes.items():
        try:
            given = np.asarray(inputs[name])
        except (TypeError, ValueError, RuntimeError):
            raise SpikeloomError(f"events of {name!r} are no rectangular array") from None
        if given.dtype.kind not in "biuf":
            raise SpikeloomError(f"events of {name!r} must be numbers, not {given.dtype}")
        values = with_samples(name, given, node.size, node.image)
        if not len(values):
            raise SpikeloomError(f"events of {name!r} hold no sample: nothing to run")
        checked[name] = values.astype(np.float64)
    if len({values.shape[:2] for values in checked.values()}) > 1:
        raise SpikeloomError("events: inputs differ in samples or steps; make them equal")
    return checked
