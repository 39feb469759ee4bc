"""Nodes without a state: the operation each applies to a signal, its bias and its output shape."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import nir
import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.checks import MAX_SIZE
from spikeloom.golden.convolution import Pair
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
    same,
)
from spikeloom.importer.node import Node, Shape

MAX_SIGNAL = 1 << 22
"""Maximum elements of a signal between two nodes."""
STEP_ROUNDING = 1e-3
"""How far from a whole number of steps a delay may be."""


@dataclass(frozen=True)
class Step:
    """The output of a node without a state: y = operation(x) + bias, of `shape`.

    `order` is that of a `Signal`, where the node changes nothing else.
    """

    shape: Shape
    operation: Operation | None = None
    bias: Floats | None = None
    order: NDArray[np.intp] | None = None


def _linear(node: Node, shape: Shape) -> Step:
    weight = node.array("weight")
    if weight.ndim < 2:
        node.refuse(f"weight must have 2 dimensions (out, in), not shape {weight.shape}")
    *leading, outputs, inputs = weight.shape
    if shape != (*leading, inputs):
        node.refuse(
            f"weight has shape {weight.shape} (out, in), but its input has shape {shape}; "
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
            f"dimensions {start}..{end} do not exist in its input, of shape {shape}; "
            "NIR counts them without the batch (start_dim=0)"
        )
    merged = math.prod(shape[first : last + 1])
    flat = (*shape[:first], merged, *shape[last + 1 :])
    if len(shape) == 3 and len(flat) == 1 and node.option("flatten") == "channels_last":
        indices = np.arange(merged).reshape(shape)
        return Step(flat, order=indices.transpose(1, 2, 0).reshape(-1))
    return Step(flat)


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
            f"weight has shape {weight.shape} in {groups} groups, but its input has shape "
            f"{shape}; it must have {dimensions + 1} dimensions and {inputs} channels, and the "
            "groups must divide all channels"
        )
    image = shape[0], 1 if flat else shape[1], shape[-1]
    if getattr(node.node, "input_shape", None) is not None:
        expected = node.pair("input_shape", 1, flat)
        if expected != image[1:]:
            node.refuse(
                f"input_shape is {expected[2 - dimensions :]}, but its input has shape {shape}; "
                "make them agree"
            )
    weight = weight[:, :, np.newaxis] if flat else weight
    stride, dilation = node.pair("stride", 1, flat), node.pair("dilation", 1, flat)
    padding = _padding(node, image[1:], weight.shape[2:], stride, dilation, flat)
    kernel = _kernel(node, Kernel(image, weight, stride, padding, dilation, groups))
    channels, height, width = kernel.output
    step = Step((channels, width) if flat else (channels, height, width), Convolve(kernel))
    if getattr(node.node, "bias", None) is None:
        return step
    return dataclasses.replace(step, bias=np.repeat(node.each("bias", (outputs,)), height * width))


def same_padding(size: Pair, reach: Pair, stride: Pair) -> Padding:
    """Zeros that make an output of ceil(size / stride); an odd one goes to the end.

    For a stride of 1 PyTorch and JAX agree; PyTorch has no other.
    """
    total = [
        max(0, (-(-size[axis] // stride[axis]) - 1) * stride[axis] + reach[axis] - size[axis])
        for axis in (0, 1)
    ]
    rows, columns = total
    return (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)


def _padding(
    node: Node, size: Pair, taps: Shape, stride: Pair, dilation: Pair, flat: bool
) -> Padding:
    """Zeros above and below; left and right."""
    value = getattr(node.node, "padding", None)
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    if not isinstance(text, str):
        rows, columns = node.pair("padding", 0, flat)
        return (rows, rows), (columns, columns)
    if text == "same":
        if stride != (1, 1) and node.option("padding") != "same":
            node.refuse(f"padding 'same' needs stride 1, not {stride}; state it in numbers")
        reach = [dilation[axis] * (taps[axis] - 1) + 1 for axis in (0, 1)]
        return same_padding(size, (reach[0], reach[1]), stride)
    if text != "valid":
        node.refuse(f"padding must be 'same', 'valid' or numbers, not {brief(text)}")
    return NO_PADDING


def _pool(node: Node, shape: Shape) -> Step:
    if len(shape) != 3:
        node.refuse(
            f"it pools (channels, height, width), but its input has shape {shape}; make it an image"
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
        padding: Padding = (rows, rows), (columns, columns)
        if (rows or columns) and node.option("padding") == "same":
            padding = same_padding(image[1:], size, stride)
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
        # All strides beyond the end of the image are the same.
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
    if not same(delay, low):
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
