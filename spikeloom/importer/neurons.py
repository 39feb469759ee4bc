"""Neuron nodes: the population each becomes, and the gain of its inputs.

Equations, for a time step dt; k is the fraction that a time constant forgets in a step, dt / tau
(see `spikeloom.importer.dialect` for what frameworks choose instead):

    LIF, LI     v += k * (v_leak - v + r * I)
    IF, I       v += dt * r * I
    CubaLIF     i += k_syn * (w_in * I - i);   v += k_mem * (v_leak - v + r * i)
    Threshold   v = I

All gains go into the weights. So does a threshold of each neuron: scaling a neuron's potential
changes no spike, so weights, bias, v_reset and the initial potential are scaled until all
thresholds of the population are the same.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import nir
import numpy as np

from spikeloom.golden.spec import Reset
from spikeloom.importer.dialect import DIALECTS
from spikeloom.importer.float_network import FloatPopulation
from spikeloom.importer.linear_maps import Floats
from spikeloom.importer.node import ROUNDING, Node, Shape


@dataclass(frozen=True)
class Neurons:
    """What a neuron node stands for.

    Parameters
    ----------
    population
        Its bias is what is added besides the input.
    gain
        Of the input of each neuron.
    ignored
        Whether the node has a reset potential that its framework does not read.
    """

    population: FloatPopulation
    gain: Floats
    ignored: bool = False


def _leaky(node: Node, shape: Shape) -> Neurons:
    dialect, size = node.dialect, math.prod(shape)
    decay = node.decay("tau", shape)
    if node.kind == "LI" and dialect.synaptic_gain == "decayed":
        gain = np.full(size, 1 - decay)
    elif dialect.gain == "one":
        gain = np.ones(size)
    else:
        gain = node.gain("r", decay, shape)
    v_leak = node.each("v_leak", shape)
    population = FloatPopulation(node.name, size, decay * v_leak, decay=decay, spiking=False)
    return _spiking(node, shape, Neurons(population, gain), v_leak)


def _current_based(node: Node, shape: Shape) -> Neurons:
    dialect, size = node.dialect, math.prod(shape)
    decay, synaptic_decay = node.decay("tau_mem", shape), node.decay("tau_syn", shape)
    gain = np.ones(size) if dialect.gain == "one" else node.gain("r", decay, shape)
    match dialect.synaptic_gain:
        case "euler":
            into_synapse = node.gain("w_in", synaptic_decay, shape)
        case "one":
            into_synapse = np.ones(size)
        case "decayed":
            into_synapse = np.full(size, 1 - synaptic_decay)
    v_leak = node.each("v_leak", shape)
    leak = decay * v_leak
    if dialect.synaptic_leak:
        # A current that leaks to v_leak and starts there is v_leak plus one that leaks to 0.
        leak = leak + gain * v_leak
    population = FloatPopulation(
        node.name,
        size,
        np.zeros(size),
        decay=decay,
        spiking=False,
        synaptic_decay=synaptic_decay,
        leak=leak,
    )
    if synaptic_decay == 1:  # the current is the input
        population = dataclasses.replace(population, bias=leak, synaptic_decay=None, leak=None)
    return _spiking(node, shape, Neurons(population, gain * into_synapse), v_leak)


def _integrator(node: Node, shape: Shape) -> Neurons:
    dialect, size = node.dialect, math.prod(shape)
    if dialect.gain == "one":
        gain = np.ones(size)
    else:
        per_step = 1.0 if dialect.integrator == "step" else node.time_step()
        gain = node.gain("r", per_step, shape)
    population = FloatPopulation(node.name, size, np.zeros(size), spiking=False)
    return _spiking(node, shape, Neurons(population, gain), np.zeros(size))


def _spiking(node: Node, shape: Shape, neurons: Neurons, v_leak: Floats) -> Neurons:
    """The same with initial potential, threshold and reset, where the node has them."""
    dialect = node.dialect
    v_init = v_leak if dialect.start == "leak" else np.zeros(1)
    if node.kind in ("I", "LI", "CubaLI"):
        population = dataclasses.replace(neurons.population, v_init=node.same("v_leak", v_init))
        return Neurons(population, neurons.gain)
    thresholds = node.each("v_threshold", shape)
    if thresholds.min() <= 0:
        node.refuse(
            f"v_threshold must be positive, not {thresholds.min():g}; "
            "state potentials relative to rest"
        )
    reset = Reset[dialect.reset.upper()]
    threshold = float(thresholds.max())
    scale = threshold / thresholds
    v_reset = node.each("v_reset", shape)
    ignored = reset is not Reset.VALUE and bool(v_reset.any())
    if ignored:
        known = DIALECTS.get(dialect.name)
        if known is None or known.reset == "value":
            node.refuse(
                f"v_reset is not 0, and reset={dialect.reset!r} does not read it; set it to 0, or "
                'import with reset="value"'
            )
        v_reset = np.zeros(1)
    population, leak = neurons.population, neurons.population.leak
    population = dataclasses.replace(
        population,
        bias=population.bias * scale,
        leak=None if leak is None else leak * scale,
        spiking=True,
        threshold=threshold,
        inclusive=dialect.compare == ">=",
        reset=reset,
        v_reset=node.same("v_reset (in units of v_threshold)", v_reset * scale, ROUNDING),
        v_init=node.same("v_leak (in units of v_threshold)", v_init * scale, ROUNDING),
        delayed_reset=dialect.resets_late(node.kind),
        v_min=-threshold if dialect.clamps(node.kind) else None,
        max_spikes=dialect.max_spikes,
    )
    return Neurons(population, neurons.gain * scale, ignored)


def _threshold(node: Node, shape: Shape) -> Neurons:
    thresholds = node.each("threshold", shape)
    threshold = float(thresholds.max())
    population = FloatPopulation(
        node.name,
        thresholds.size,
        threshold - thresholds,
        decay=1.0,
        threshold=threshold,
        inclusive=node.dialect.compare == ">=",
        reset=Reset.NONE,
    )
    return Neurons(population, np.ones(thresholds.size))


NEURONS: dict[type, Callable[[Node, Shape], Neurons]] = {
    nir.LIF: _leaky,
    nir.LI: _leaky,
    nir.IF: _integrator,
    nir.I: _integrator,
    nir.CubaLIF: _current_based,
    nir.CubaLI: _current_based,
    nir.Threshold: _threshold,
}


def own_shape(node: Node) -> Shape | None:
    """The shape that the parameters of a neuron node have, where they are more than scalars."""
    for parameter in ("r", "tau", "tau_mem", "v_threshold", "threshold", "v_leak"):
        shape = getattr(getattr(node.node, parameter, None), "shape", ())
        if isinstance(shape, tuple) and math.prod(shape) > 1:
            return tuple(shape)
    return None
