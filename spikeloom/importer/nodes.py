"""What the nodes of a NIR graph mean: operations on signals, and neurons.

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
from typing import Any, NoReturn

import nir
import numpy as np

from spikeloom.golden.convolution import Pair
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import MAX_SIZE
from spikeloom.golden.spec import Reset
from spikeloom.importer.dialect import DIALECTS, Dialect
from spikeloom.importer.float_network import FloatPopulation
from spikeloom.importer.graph import brief
from spikeloom.importer.linear_maps import (
    NO_PADDING,
    Convolve,
    Floats,
    Kernel,
    Linear,
    Operation,
    Padding,
    Scale,
)

Shape = tuple[int, ...]

MAX_SIGNAL = 1 << 22
"""Most elements of a signal between them."""
ROUNDING = 1e-6
"""Relative difference that storing time constants as float32 can make."""
STEP_ROUNDING = 1e-3
"""How far from a whole number of steps a delay may be."""


@dataclass(frozen=True)
class Node:
    """A node, and access to its parameters that checks them."""

    name: str
    node: Any
    dialect: Dialect

    @property
    def kind(self) -> str:
        """Name of its type."""
        return type(self.node).__name__

    def refuse(self, problem: str) -> NoReturn:
        """Raise an error that names the node."""
        raise SpikeloomError(f"node {self.name!r} ({self.kind}): {problem}")

    def array(self, parameter: str) -> Floats:
        """A parameter as finite float64 numbers, of whatever shape."""
        value = getattr(self.node, parameter, None)
        try:
            values = np.asarray(value)
        except (TypeError, ValueError, RuntimeError):
            values = np.asarray(None)
        if values.dtype.kind not in "biuf":
            self.refuse(f"{parameter} must be an array of numbers, not {brief(value)}")
        values = values.astype(np.float64)
        if not np.isfinite(values).all():
            self.refuse(f"{parameter} has NaN or infinite elements; export the network again")
        return values

    def each(self, parameter: str, shape: Shape) -> Floats:
        """A parameter of every element of a signal of `shape`, flattened.

        A scalar (of shape ()) is repeated, as frameworks export what all neurons share; one element
        of any other shape is not, because NIR repeats nothing.
        """
        values = self.array(parameter)
        if values.shape not in ((), shape) and (values.size, math.prod(shape)) != (1, 1):
            scalar = ", or make the parameter a scalar" if values.size == 1 else ""
            self.refuse(
                f"{parameter} has shape {values.shape}, but what arrives has shape {shape}; "
                f"make them equal{scalar}"
            )
        expected = self.dialect.only(self.kind, parameter)
        if expected is not None and (values != expected).any():
            self.refuse(
                f"{parameter} must be {expected:g}, the only value {self.dialect.name} knows; "
                'set it so, or import with dialect="nir" and a dt'
            )
        return np.broadcast_to(values.reshape(-1), math.prod(shape))

    def one(self, parameter: str, shape: Shape) -> float:
        """A parameter that all neurons share."""
        return self.same(parameter, self.each(parameter, shape))

    def same(self, parameter: str, values: Floats, tolerance: float = 0.0) -> float:
        """The value that all `values` of a parameter have."""
        low, high = float(values.min()), float(values.max())
        if high - low > tolerance * max(abs(low), abs(high)):
            self.refuse(
                f"{parameter} differs between neurons ({low:g}..{high:g}), and the hardware keeps "
                "one for a population; make it uniform, or use one node per value"
            )
        return low

    def declared_shape(self, end: str) -> Shape | None:
        """The shape that the node declares for its "input" or "output", if it does."""
        types = getattr(self.node, f"{end}_type", None)
        declared = types.get(end) if isinstance(types, dict) else types
        if declared is None:
            return None
        try:
            sizes = np.asarray(declared)
        except (TypeError, ValueError, RuntimeError):
            sizes = np.asarray(None)
        if sizes.size == 0:
            return ()
        if sizes.ndim > 1 or sizes.dtype.kind not in "iuf" or not (sizes % 1 == 0).all():
            self.refuse(f"its shape must be integers, not {brief(declared)}")
        if sizes.min() < 1:
            self.refuse(f"its shape must be positive, not {brief(declared)}")
        return tuple(int(size) for size in sizes.reshape(-1))

    def expect(self, end: str, shape: Shape) -> None:
        """Refuse a signal of another shape than the one declared."""
        expected = self.declared_shape(end)
        # Exporters of scalar parameters write an end of no dimension.
        if expected not in (None, (), shape):
            self.refuse(
                f"it expects {expected}, but what arrives has shape {shape}; make them equal"
            )

    def integers(self, parameter: str, count: int, least: int) -> tuple[int, ...]:
        """A parameter of `count` integers; one is repeated."""
        values = self.array(parameter).reshape(-1)
        if values.size not in (1, count) or (values % 1).any():
            self.refuse(f"{parameter} must be {_integers(count)}, not {brief(values.tolist())}")
        if values.min() < least:
            self.refuse(f"{parameter} must be at least {least}, not {int(values.min())}")
        return tuple(int(value) for value in np.broadcast_to(values, count))

    def pair(self, parameter: str, least: int, flat: bool = False) -> Pair:
        """A parameter of rows and columns; where the image is `flat`, of columns only."""
        if flat:
            [columns] = self.integers(parameter, 1, least)
            return least, columns
        rows, columns = self.integers(parameter, 2, least)
        return rows, columns

    def integer(self, parameter: str) -> int:
        """A parameter that is one integer."""
        values = self.array(parameter)
        if values.size != 1 or values.item() % 1:
            self.refuse(f"{parameter} must be an integer, not {brief(values.tolist())}")
        return int(values.item())

    def time_step(self) -> float:
        """The time step of the dialect."""
        if self.dialect.dt is None:
            self.refuse("its meaning depends on the time step, which NIR does not store; pass dt=")
        return self.dialect.dt

    def decay(self, parameter: str, shape: Shape) -> float:
        """Fraction that a time constant forgets per step."""
        tau, dt = self.one(parameter, shape), self.time_step()
        if tau <= 0:
            self.refuse(f"{parameter} must be positive, not {tau:g}; an IF node has no leak")
        if self.dialect.decay == "exponential":
            return -math.expm1(-dt / tau)
        decay = dt / tau
        if decay > 1 + ROUNDING:
            self.refuse(
                f"{parameter} ({tau:g}) is shorter than dt ({dt:g}); pass a dt of at most that"
            )
        return min(decay, 1.0)

    def gain(self, parameter: str, per_step: float, shape: Shape) -> Floats:
        """A gain; exporters choose it to be 1 per step, which float32 gives only nearly."""
        gain = self.each(parameter, shape) * per_step
        return np.where(np.abs(gain - 1) <= ROUNDING, 1.0, gain)


def _integers(count: int) -> str:
    return "an integer" if count == 1 else f"an integer or {count} of them"


# Maps: the operation that a node stands for, the bias that it adds, and the shape that it gives.


@dataclass(frozen=True)
class Step:
    """What a node makes of a signal: y = operation(x) + bias, of `shape`."""

    shape: Shape
    operation: Operation | None = None
    bias: Floats | None = None


def _linear(node: Node, shape: Shape) -> Step:
    weight = node.array("weight")
    if weight.ndim < 2:
        node.refuse(f"weight must have 2 dimensions (out, in), not shape {weight.shape}")
    *leading, outputs, inputs = weight.shape
    if shape != (*leading, inputs):
        node.refuse(
            f"weight has shape {weight.shape} (out, in), but what arrives has shape {shape}; "
            "make them agree, or put a Flatten (start_dim=0) before it"
        )
    result = (*leading, outputs)
    if not 1 <= math.prod(result) <= MAX_SIZE:
        node.refuse(f"it has {math.prod(result)} outputs, outside 1..{MAX_SIZE}; split it")
    return Step(result, Linear(weight))


def _affine(node: Node, shape: Shape) -> Step:
    step = _linear(node, shape)
    return dataclasses.replace(step, bias=node.each("bias", step.shape))


def _scale(node: Node, shape: Shape) -> Step:
    return Step(shape, Scale(node.each("scale", shape)))


def _flatten(node: Node, shape: Shape) -> Step:
    node.expect("input", shape)
    dimensions = len(shape)
    start, end = node.integer("start_dim"), node.integer("end_dim")
    first = start + dimensions if start < 0 else start
    last = end + dimensions if end < 0 else end
    if not 0 <= first <= last < dimensions:
        # PyTorch counts a batch dimension that NIR has not; on 1-D data both mean the same.
        if dimensions == 1 and (start, end) == (1, -1):
            return Step(shape)
        node.refuse(
            f"dimensions {start}..{end} do not exist in what arrives, of shape {shape}; "
            "NIR counts them without the batch (start_dim=0)"
        )
    merged = math.prod(shape[first : last + 1])
    return Step((*shape[:first], merged, *shape[last + 1 :]))


def _convolution(node: Node, shape: Shape) -> Step:
    """Conv1d is a Conv2d of height 1."""
    flat = isinstance(node.node, nir.Conv1d)
    dimensions = 1 if flat else 2
    weight = node.array("weight")
    if weight.ndim != dimensions + 2 or 0 in weight.shape:
        node.refuse(
            f"weight must have {dimensions + 2} dimensions (out, in / groups, kernel), "
            f"not shape {weight.shape}"
        )
    [groups] = node.integers("groups", 1, 1)
    outputs, inputs = weight.shape[0], weight.shape[1] * groups
    if len(shape) != dimensions + 1 or shape[0] != inputs or outputs % groups:
        node.refuse(
            f"weight has shape {weight.shape} in {groups} groups, but what arrives has shape "
            f"{shape}; it must have {dimensions + 1} dimensions and {inputs} channels, and the "
            "groups must divide all channels"
        )
    image = shape[0], 1 if flat else shape[1], shape[-1]
    if getattr(node.node, "input_shape", None) is not None:
        expected = node.pair("input_shape", 1, flat)
        if expected != image[1:]:
            node.refuse(
                f"input_shape is {expected[2 - dimensions :]}, but what arrives has shape {shape}; "
                "make them agree"
            )
    weight = weight[:, :, np.newaxis] if flat else weight
    stride, dilation = node.pair("stride", 1, flat), node.pair("dilation", 1, flat)
    padding = _padding(node, weight.shape[2:], stride, dilation, flat)
    kernel = _kernel(node, Kernel(image, weight, stride, padding, dilation, groups))
    channels, height, width = kernel.output
    step = Step((channels, width) if flat else (channels, height, width), Convolve(kernel))
    if getattr(node.node, "bias", None) is None:
        return step
    return dataclasses.replace(step, bias=np.repeat(node.each("bias", (outputs,)), height * width))


def _padding(node: Node, taps: Shape, stride: Pair, dilation: Pair, flat: bool) -> Padding:
    """Zeros above and below; left and right."""
    value = getattr(node.node, "padding", None)
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    if not isinstance(text, str):
        rows, columns = node.pair("padding", 0, flat)
        return (rows, rows), (columns, columns)
    if text == "same":
        if stride != (1, 1):
            node.refuse(f"padding 'same' needs stride 1, not {stride}; state it in numbers")
        # As PyTorch does it: what cannot be halved goes to the right.
        rows, columns = (dilation[axis] * (taps[axis] - 1) for axis in (0, 1))
        return (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)
    if text != "valid":
        node.refuse(f"padding must be 'same', 'valid' or numbers, not {brief(text)}")
    return NO_PADDING


def _pool(node: Node, shape: Shape) -> Step:
    if len(shape) != 3:
        node.refuse(
            f"it pools (channels, height, width), but what arrives has shape {shape}; "
            "make it an image"
        )
    image = shape[0], shape[1], shape[2]
    size, stride = node.pair("kernel_size", 1), node.pair("stride", 1)
    rows, columns = node.pair("padding", 0)
    gain = 1 / math.prod(size) if isinstance(node.node, nir.AvgPool2d) else 1.0
    gains = np.full((image[0], 1, 1, 1), gain)
    if max(size) > MAX_SIZE:
        node.refuse(f"kernel_size {size} is beyond any image; make it smaller")
    if stride == size and rows == columns == 0:
        kernel = _kernel(node, Kernel(image, gains, groups=image[0], pool=size))
    else:
        taps = np.broadcast_to(gains, (image[0], 1, *size))
        padding = (rows, rows), (columns, columns)
        kernel = _kernel(node, Kernel(image, taps, stride, padding, groups=image[0]))
    return Step(kernel.output, Convolve(kernel))


def _kernel(node: Node, kernel: Kernel) -> Kernel:
    """A kernel that fits its image, with steps no longer than they need be."""
    _, height, width = kernel.output
    if min(height, width) < 1:
        node.refuse(
            f"its kernel does not fit into {kernel.image} with this padding and dilation; "
            "make it smaller"
        )
    padded = [size + sum(pad) for size, pad in zip(kernel.pooled, kernel.padding, strict=True)]
    elements = max(math.prod(kernel.output), kernel.image[0] * math.prod(padded))
    if elements > MAX_SIGNAL:
        node.refuse(f"it makes {elements} elements, more than {MAX_SIGNAL}; make the image smaller")
    strides, dilations = [], []
    for axis in (0, 1):
        taps, dilation = kernel.taps[axis], kernel.dilation[axis]
        # A stride that leads out of the image leads as far out as the shortest that does.
        outside = padded[axis] - dilation * (taps - 1)
        strides.append(min(kernel.stride[axis], outside))
        dilations.append(dilation if taps > 1 else 1)
    return dataclasses.replace(
        kernel, stride=(strides[0], strides[1]), dilation=(dilations[0], dilations[1])
    )


MAPS: dict[type, Callable[[Node, Shape], Step]] = {
    nir.Linear: _linear,
    nir.Affine: _affine,
    nir.Scale: _scale,
    nir.Flatten: _flatten,
    nir.Conv1d: _convolution,
    nir.Conv2d: _convolution,
    nir.SumPool2d: _pool,
    nir.AvgPool2d: _pool,
}


def delay_steps(node: Node, shape: Shape) -> int:
    """Steps of a Delay node."""
    delay = node.each("delay", shape)
    low, high = float(delay.min()), float(delay.max())
    if low != high:
        node.refuse(
            f"delay differs between elements ({low:g}..{high:g}), and a connection has one; "
            "use one Delay node per value"
        )
    if low < 0:
        node.refuse(f"delay must not be negative, and is {low:g}")
    if low == 0:
        return 0
    steps = low / node.time_step()
    if abs(steps - round(min(steps, 1e9))) > STEP_ROUNDING:
        node.refuse(
            f"delay ({low:g}) is not a whole number of steps (dt is {node.time_step():g}); "
            "make it a multiple of dt"
        )
    return round(steps)


# Neurons: a population, and the gain that its inputs have on the way to it.


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
