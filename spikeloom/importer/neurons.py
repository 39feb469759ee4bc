"""Neuron nodes: the population each becomes, and the gain of its inputs.

Equations, for a time step dt; k is the fraction that a time constant forgets in a step, dt / tau
(see `spikeloom.importer.dialect` for what frameworks choose instead):

    LIF, LI     v += k * (v_leak - v + r * I)
    IF, I       v += dt * r * I
    CubaLIF     i += k_syn * (w_in * I - i);   v += k_mem * (v_leak - v + r * i)
    Threshold   v = I

All gains go into the weights. Time constants, thresholds, reset and initial potentials may differ
between neurons; a lower bound is that of a population. Scaling a neuron's potential changes no
spike, so neurons with a lower bound of -v_threshold are scaled until their thresholds are the same.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import nir
import numpy as np

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import Reset
from spikeloom.importer.dialect import PARAMETERS, SPIKING
from spikeloom.importer.dialects import DIALECTS
from spikeloom.importer.float_network import FloatPopulation
from spikeloom.importer.linear_maps import Floats, same
from spikeloom.importer.node import SPREAD, Node, Shape
from spikeloom.importer.origins import check_origin, require_time_step, wrote
from spikeloom.importer.switches.switch import FloatSwitch, float_switch


@dataclass(frozen=True)
class Neurons:
    """The meaning of a neuron node.

    Parameters
    ----------
    population
        Its bias does not yet contain that of its input.
    gain
        Of the input of each neuron.
    ignored
        Whether the node has a reset potential that its framework does not read.
    """

    population: FloatPopulation
    gain: Floats
    ignored: bool = False


def _leaky(node: Node, shape: Shape) -> Neurons:
    size = math.prod(shape)
    decay = node.decay("tau", shape, _is_written(node, "tau", shape))
    if node.kind == "LI" and node.dialect.synaptic_gain == "decayed":
        node.uses("synaptic_gain")
        gain = 1 - _written_decay(node, "tau", shape)
    else:
        gain = _membrane_gain(node, "tau", shape)
    v_leak = node.each("v_leak", shape)
    population = FloatPopulation(
        node.name, size, decay * v_leak, decay=node.per_neuron(decay), spiking=False
    )
    return _spiking(node, shape, Neurons(population, gain), v_leak)


def _is_written(node: Node, tau: str, shape: Shape) -> bool:
    """Whether the dialect's framework wrote the node with the dialect's time step."""
    require_time_step(node.in_file(), tau, shape)
    return wrote(node.dialect.name, node.in_file(), tau, shape, node.time_step())


def _written_decay(node: Node, tau: str, shape: Shape) -> Floats:
    """The decay of the file's time constant, from which gains follow."""
    return np.clip(node.in_file().rate(tau, shape), 0.0, 1.0)


def _membrane_gain(node: Node, tau: str, shape: Shape) -> Floats:
    check_origin(node.in_file(), tau, shape)
    match node.option("gain"):
        case "one":
            return np.ones(math.prod(shape))
        case "decay":
            return _written_decay(node, tau, shape)
    return node.gain("r", node.in_file().rate(tau, shape), shape)


def _current_based(node: Node, shape: Shape) -> Neurons:
    size = math.prod(shape)
    written = _is_written(node, "tau_mem", shape)
    decay, synaptic_decay = (node.decay(tau, shape, written) for tau in ("tau_mem", "tau_syn"))
    gain = _membrane_gain(node, "tau_mem", shape)
    match node.option("synaptic_gain"):
        case "euler":
            into_synapse = node.gain("w_in", node.in_file().rate("tau_syn", shape), shape)
        case "one":
            into_synapse = np.ones(size)
        case _:
            into_synapse = 1 - _written_decay(node, "tau_syn", shape)
    v_leak = node.each("v_leak", shape)
    leak = decay * v_leak
    if v_leak.any() and node.option("synaptic_leak"):
        # A current that leaks to v_leak and starts there is v_leak plus one that leaks to 0.
        leak = leak + gain * v_leak
    population = FloatPopulation(
        node.name,
        size,
        np.zeros(size),
        decay=node.per_neuron(decay),
        spiking=False,
        synaptic_decay=node.per_neuron(synaptic_decay),
        leak=leak,
    )
    if (synaptic_decay == 1).all():  # the current is the input
        population = dataclasses.replace(population, bias=leak, synaptic_decay=None, leak=None)
    return _spiking(node, shape, Neurons(population, gain * into_synapse), v_leak)


def _integrator(node: Node, shape: Shape) -> Neurons:
    size = math.prod(shape)
    if node.option("gain") != "euler":
        gain = np.ones(size)
    else:
        per_step = 1.0 if node.option("integrator") == "step" else node.time_step()
        gain = node.gain("r", per_step, shape)
    population = FloatPopulation(node.name, size, np.zeros(size), spiking=False)
    return _spiking(node, shape, Neurons(population, gain), np.zeros(size))


def _spiking(node: Node, shape: Shape, neurons: Neurons, v_leak: Floats) -> Neurons:
    """The same with initial potential, threshold and reset, where the node has them."""
    v_init = _start(node, shape, v_leak)
    if node.kind in ("I", "LI", "CubaLI"):
        population = dataclasses.replace(neurons.population, v_init=node.per_neuron(v_init))
        return Neurons(population, neurons.gain)
    thresholds = node.each("v_threshold", shape, infinite=True)
    low, threshold = float(thresholds.min()), float(thresholds.max())
    if low == np.inf:  # a neuron that never spikes
        population = dataclasses.replace(neurons.population, v_init=node.per_neuron(v_init))
        return Neurons(population, neurons.gain)
    if low <= 0 or threshold == np.inf:
        problem = (
            f"v_threshold must be positive, and finite unless it is infinite for every neuron; it "
            f"is {low:g}..{threshold:g}"
        )
        node.refuse(f"{problem}; {_other_thresholds(node, shape, thresholds, v_leak, v_init)}")
    if low * SPREAD <= threshold:
        node.warn(
            f"v_threshold differs between neurons by a factor of {threshold / low:g} "
            f"({low:g}..{threshold:g}); check the array"
        )
    scale = np.ones(thresholds.size)
    if node.dialect.lower_bound(node.kind) is True:
        scale = threshold / thresholds
        thresholds = np.full(thresholds.size, threshold)
    reset, v_reset, ignored = _reset(node, shape)
    population, leak = neurons.population, neurons.population.leak
    population = dataclasses.replace(
        population,
        bias=population.bias * scale,
        leak=None if leak is None else leak * scale,
        spiking=True,
        threshold=node.per_neuron(thresholds),
        inclusive=node.option("compare") == ">=",
        reset=reset,
        v_reset=node.per_neuron(v_reset * scale),
        v_init=node.per_neuron(v_init * scale),
        v_min=_lower_bound(node, threshold),
        max_spikes=node.option("max_spikes"),
        signed=node.option("signed"),
        switches=_switches(node),
    )
    return Neurons(population, neurons.gain * scale, ignored)


def _switches(node: Node) -> tuple[FloatSwitch, ...]:
    """The switches that are stated for a spiking node."""
    try:
        return tuple(
            float_switch(name).stated(value, node.dialect.dt)
            for name, value in node.dialect.switches
        )
    except SpikeloomError as error:
        node.refuse(str(error))


def _other_thresholds(
    node: Node, shape: Shape, thresholds: Floats, v_leak: Floats, v_init: Floats
) -> str:
    """The remedy for thresholds that are not positive, or infinite for some neurons."""
    if thresholds.max() == np.inf:
        return "give these neurons a threshold= that their potential never reaches"
    v_reset = node.each("v_reset", shape)
    leaks = node.kind != "IF"
    rest = v_leak if leaks else v_reset
    if node.dialect.reset != "value" or node.dialect.synaptic_leak or (thresholds <= rest).any():
        return f"give it a positive one, such as threshold={{{node.name!r}: 1.0}}"
    relative = {"threshold": thresholds - rest, "v_reset": v_reset - rest, "v_init": v_init - rest}
    if leaks:
        relative["v_leak"] = np.zeros(1)
    if not all(same(values, values[:1]) for values in relative.values()):
        return f"state {', '.join(relative)} relative to the {'v_leak' if leaks else 'v_reset'}"
    stated = (f"{name}={{{node.name!r}: {v[0]:.9g}}}" for name, v in relative.items())
    return f"state potentials relative to rest: {', '.join(stated)}"


def _start(node: Node, shape: Shape, v_leak: Floats) -> Floats:
    """The initial potential of each neuron."""
    if node.replaced("v_init") is not None:
        return node.each("v_init", shape)
    return v_leak if v_leak.any() and node.option("start") == "leak" else np.zeros(1)


def _reset(node: Node, shape: Shape) -> tuple[Reset, Floats, bool]:
    """Kind of reset and potential after one; whether the framework ignores the file's."""
    name = node.option("reset")
    v_reset = node.each("v_reset", shape)
    if name == "value" or not v_reset.any():
        return RESETS[name], v_reset, False
    known = DIALECTS.get(node.dialect.name)
    if known is None or known.reset == "value" or node.replaced("v_reset") is not None:
        node.refuse(
            f"v_reset is not 0, and reset={name!r} does not read it; set it to 0, or "
            'import with reset="value"'
        )
    return RESETS[name], np.zeros(1), True


def _lower_bound(node: Node, threshold: float) -> float | None:
    """The lower bound of all neurons, whose thresholds are the same where it is minus that."""
    bound = node.dialect.lower_bound(node.kind)
    node.uses("clamp")
    if bound is False:
        return None
    return -threshold if bound is True else bound


RESETS = {
    "value": Reset.VALUE,
    "zero": Reset.VALUE,
    "subtract": Reset.SUBTRACT,
    "none": Reset.NONE,
}


def reset_timing(node: Node, population: FloatPopulation, recurrent: bool) -> FloatPopulation:
    """The population with the time at which it resets; `recurrent` if it drives itself."""
    if node.kind not in SPIKING or not population.spiking or population.reset is Reset.NONE:
        return population
    node.uses("reset_delay")
    late = node.dialect.resets_late(node.kind)
    if late and population.reset is Reset.VALUE and node.dialect.reset_first:
        late = recurrent or node.kind == "CubaLIF"
    reset = population.reset
    if reset is Reset.SUBTRACT and node.dialect.restore and not late:
        node.uses("restore")
        reset = Reset.RESTORE
    return dataclasses.replace(population, reset=reset, delayed_reset=late)


def _threshold(node: Node, shape: Shape) -> Neurons:
    thresholds = node.each("threshold", shape)
    threshold = float(thresholds.max())
    population = FloatPopulation(
        node.name,
        thresholds.size,
        threshold - thresholds,
        decay=1.0,
        threshold=threshold,
        inclusive=node.option("compare") == ">=",
        reset=Reset.NONE,
    )
    return Neurons(population, np.ones(thresholds.size))


def at_threshold(neurons: Neurons, node: Node, shape: Shape) -> Neurons:
    """Neurons that never spike, with the Threshold behind them: they spike and are not reset."""
    population = dataclasses.replace(
        neurons.population,
        spiking=True,
        threshold=node.per_neuron(node.each("threshold", shape)),
        inclusive=node.option("compare") == ">=",
        reset=Reset.NONE,
    )
    return dataclasses.replace(neurons, population=population)


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
    for option in PARAMETERS:
        shape = np.shape(node.replaced(option) or ())
        if math.prod(shape) > 1:
            return shape
    return None
