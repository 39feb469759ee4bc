"""Linear maps from the neurons of a source to a signal, as structured as hardware has them.

    Diagonal    one gain for each element
    Kernel      sum pooling, then a cross-correlation
    Matrix      anything

An operation (`Scale`, `Linear`, `Permute`, `Convolve`) applies to a signal, and can follow a map.
The result keeps a structure where it has one; otherwise it is the exact matrix.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.convolution import ImageShape, Pair

Floats = NDArray[np.float64]

Padding = tuple[Pair, Pair]
"""Zeros above and below; left and right."""

NO_PADDING: Padding = ((0, 0), (0, 0))

BLOCK = 1 << 22
"""Elements of unit vectors at once, to bound the memory used."""

ROUNDING = 1e-6
"""Relative difference that storing a number as float32, and computing with it, can make."""


@dataclass(frozen=True)
class Diagonal:
    """y = gains * x."""

    gains: Floats

    @property
    def sources(self) -> int:
        """Elements of x."""
        return self.gains.size

    def matrix(self) -> Floats:
        """The same, of shape (elements of x, elements of y)."""
        return np.diag(self.gains)


@dataclass(frozen=True)
class Matrix:
    """y = x @ weights, of shape (elements of x, elements of y)."""

    weights: Floats

    @property
    def sources(self) -> int:
        """Elements of x."""
        return len(self.weights)

    def matrix(self) -> Floats:
        """The same, of shape (elements of x, elements of y)."""
        return self.weights


@dataclass(frozen=True)
class Kernel:
    """Sum pooling of an image, then a cross-correlation as in PyTorch.

    Parameters
    ----------
    image
        Shape of x.
    weights
        Shape (channels of y, channels of x / groups, rows, columns).
    stride, padding, dilation, groups, pool
        As in `spikeloom.golden.convolution.Convolution`.
    """

    image: ImageShape
    weights: Floats
    stride: Pair = (1, 1)
    padding: Padding = NO_PADDING
    dilation: Pair = (1, 1)
    groups: int = 1
    pool: Pair = (1, 1)

    @classmethod
    def pointwise(cls, image: ImageShape, gains: Floats) -> "Kernel":
        """A gain for each channel."""
        return cls(image, gains.reshape(-1, 1, 1, 1), groups=image[0])

    @property
    def sources(self) -> int:
        """Elements of x."""
        return math.prod(self.image)

    @property
    def pooled(self) -> Pair:
        """Rows and columns of x after pooling."""
        return self.image[1] // self.pool[0], self.image[2] // self.pool[1]

    @property
    def output(self) -> ImageShape:
        """Shape of y; a size below 1 where the kernel does not fit."""
        height, width = (
            (size + sum(pad) - dilation * (taps - 1) - 1) // stride + 1
            for size, pad, dilation, taps, stride in zip(
                self.pooled,
                self.padding,
                self.dilation,
                self.weights.shape[2:],
                self.stride,
                strict=True,
            )
        )
        return len(self.weights), height, width

    @property
    def geometry(self) -> tuple[object, ...]:
        """Everything but the weights."""
        return (
            self.image,
            self.weights.shape,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            self.pool,
        )

    @property
    def is_pointwise(self) -> bool:
        """One output for each pool, at the same place."""
        return (
            self.weights.shape[2:] == (1, 1)
            and self.stride == (1, 1)
            and self.padding == NO_PADDING
        )

    @property
    def is_depthwise(self) -> bool:
        """Every channel of y is of the same channel of x."""
        return self.groups == len(self.weights) == self.image[0]

    def apply(self, x: Floats) -> Floats:
        """Y of shape (..., elements), from x of shape (..., elements)."""
        channels, height, width = self.output
        flat = x.reshape(-1, *self.image)
        down, right = self.pool
        rows, columns = self.pooled
        whole = flat[:, :, : rows * down, : columns * right]
        pools = whole.reshape(len(flat), self.image[0], rows, down, columns, right)
        padded = np.pad(pools.sum(axis=(3, 5)), ((0, 0), (0, 0), *self.padding))
        parts = padded.reshape(len(flat), self.groups, -1, *padded.shape[2:])
        kernels = self.weights.reshape(self.groups, channels // self.groups, -1, *self.taps)
        total = np.zeros((self.groups, len(flat), height, width, channels // self.groups))
        for k in np.ndindex(self.taps):
            seen = tuple(
                slice(i * dilation, i * dilation + (size - 1) * stride + 1, stride)
                for i, dilation, size, stride in zip(
                    k, self.dilation, (height, width), self.stride, strict=True
                )
            )
            # By group: (samples, rows, columns, channels in) @ (channels in, channels out).
            window = parts[:, :, :, *seen].transpose(1, 0, 3, 4, 2)
            total += window @ kernels[:, :, :, *k].transpose(0, 2, 1)[:, None, None]
        y = total.transpose(1, 0, 4, 2, 3)
        return y.reshape(*x.shape[:-1], channels * height * width)

    @property
    def taps(self) -> Pair:
        """Rows and columns of the kernel."""
        return self.weights.shape[2], self.weights.shape[3]

    def matrix(self) -> Floats:
        """The same, of shape (elements of x, elements of y)."""
        block = min(self.sources, max(1, BLOCK // self.sources))
        starts = range(0, self.sources, block)
        return np.concatenate([self.apply(np.eye(block, self.sources, s)) for s in starts])[
            : self.sources
        ]


Map = Diagonal | Kernel | Matrix


@dataclass(frozen=True)
class Scale:
    """y = gains * x; gains of shape (elements,)."""

    gains: Floats

    def apply(self, x: Floats) -> Floats:
        """Y of x, of shape (..., elements)."""
        return x * self.gains

    def after(self, earlier: Map) -> Map | None:
        """The map that is first `earlier`, then this, where it has a structure."""
        if isinstance(earlier, Diagonal):
            return Diagonal(earlier.gains * self.gains)
        if isinstance(earlier, Kernel):
            gains = by_channel(self.gains, earlier.output)
            if gains is not None:
                weights = earlier.weights * gains.reshape(-1, 1, 1, 1)
                return dataclasses.replace(earlier, weights=weights)
        return None


@dataclass(frozen=True)
class Linear:
    """y = x @ weights.T for the last dimension of x; weights of shape (..., out, in)."""

    weights: Floats

    def apply(self, x: Floats) -> Floats:
        """Y of x, of shape (..., elements)."""
        leading, size = self.weights.shape[:-2], self.weights.shape[-1]
        if not leading:
            return x @ self.weights.T
        parts = x.reshape(*x.shape[:-1], *leading, 1, size)
        product = parts @ np.swapaxes(self.weights, -1, -2)
        return product.reshape(*x.shape[:-1], -1)

    def matrix(self) -> Floats:
        """The same as a matrix (elements of x, elements of y)."""
        leading, (outputs, inputs) = self.weights.shape[:-2], self.weights.shape[-2:]
        parts = math.prod(leading)
        blocks = np.zeros((parts, inputs, parts, outputs))
        part = np.arange(parts)
        blocks[part, :, part] = np.swapaxes(self.weights, -1, -2).reshape(parts, inputs, outputs)
        return blocks.reshape(parts * inputs, parts * outputs)

    def after(self, earlier: Map) -> Map | None:
        """The map that is first `earlier`, then this, where it has a structure."""
        if not isinstance(earlier, Kernel) or self.weights.ndim > 2:
            return None
        if earlier.pool == (1, 1) and earlier.is_pointwise:
            return None  # weights of a matrix are no more, and it needs no images
        if not earlier.is_pointwise and earlier.output[1:] != (1, 1):
            return None
        whole = self.weights.reshape(-1, *earlier.output)
        return compose(earlier, Kernel(earlier.output, whole))


@dataclass(frozen=True)
class Permute:
    """y = x[order]; order of shape (elements,)."""

    order: NDArray[np.intp]

    def apply(self, x: Floats) -> Floats:
        """Y of x, of shape (..., elements)."""
        return x[..., self.order]

    def after(self, earlier: Map) -> Map | None:
        """None: no structure survives another order."""
        return None


@dataclass(frozen=True)
class Convolve:
    """A `Kernel`, applied to a signal."""

    kernel: Kernel

    def apply(self, x: Floats) -> Floats:
        """Y of x, of shape (..., elements)."""
        return self.kernel.apply(x)

    def after(self, earlier: Map) -> Map | None:
        """The map that is first `earlier`, then this, where it has a structure."""
        if isinstance(earlier, Diagonal):
            gains = by_channel(earlier.gains, self.kernel.image)
            if gains is None:
                return None
            earlier = Kernel.pointwise(self.kernel.image, gains)
        if isinstance(earlier, Kernel) and earlier.output == self.kernel.image:
            return compose(earlier, self.kernel)
        return None


Operation = Scale | Linear | Permute | Convolve


def follow(earlier: Map, operation: Operation) -> Map:
    """The map that is first `earlier`, then `operation`."""
    structured = operation.after(earlier)
    if structured is not None:
        return structured
    if isinstance(earlier, Diagonal) and isinstance(operation, Linear):
        return Matrix(earlier.gains[:, np.newaxis] * operation.matrix())
    return Matrix(operation.apply(earlier.matrix()))


def matrix_size(earlier: Map, operation: Operation, size: int) -> int:
    """Elements of a matrix that `follow` would have to make for a signal of `size`; 0 for none."""
    return 0 if operation.after(earlier) is not None else earlier.sources * size


def compose(first: Kernel, second: Kernel) -> Kernel | None:
    """Two kernels as one, where that is possible without a matrix."""
    if second.padding != NO_PADDING and not first.is_pointwise:
        return None  # padding of the first's result is no padding of its input
    if second.pool != (1, 1):
        if not first.is_pointwise:
            return None
        pool = first.pool[0] * second.pool[0], first.pool[1] * second.pool[1]
        first = dataclasses.replace(first, pool=pool)
    join, groups = _joining(first, second)
    # Row k of the second sees rows k * step + l * dilation of what the first sees, for its row l.
    step = second.dilation[0] * first.stride[0], second.dilation[1] * first.stride[1]
    rows, columns = (
        (second.taps[axis] - 1) * step[axis] + (first.taps[axis] - 1) * first.dilation[axis] + 1
        for axis in (0, 1)
    )
    dilation = (1, 1)
    if first.is_pointwise:
        rows, columns, dilation = *second.taps, second.dilation
    elif second.taps == (1, 1):
        rows, columns, dilation = *first.taps, first.dilation
    inner = len(join(first.weights[:, :, 0, 0], second.weights[:, :, 0, 0])[0])
    weights = np.zeros((len(second.weights), inner, rows, columns))
    for k in np.ndindex(second.taps):
        for m in np.ndindex(first.taps):
            row, column = (
                (k[axis] * step[axis] + m[axis] * first.dilation[axis]) // dilation[axis]
                for axis in (0, 1)
            )
            weights[:, :, row, column] += join(first.weights[:, :, *m], second.weights[:, :, *k])
    stride = first.stride[0] * second.stride[0], first.stride[1] * second.stride[1]
    padding = second.padding if first.is_pointwise else first.padding
    return Kernel(first.image, weights, stride, padding, dilation, groups, first.pool)


def _joining(first: Kernel, second: Kernel) -> tuple[Callable[[Floats, Floats], Floats], int]:
    """How the channels of two kernels make those of one, and its groups."""
    if first.is_depthwise:
        # Channel c of the first's result is gain[c] times channel c of the source.
        def scaled(inner: Floats, outer: Floats) -> Floats:
            width = outer.shape[1]
            parts = np.repeat(np.arange(second.groups), len(outer) // second.groups)
            gains: Floats = inner[:, 0][parts[:, np.newaxis] * width + np.arange(width)]
            return outer * gains

        return scaled, second.groups
    if second.is_depthwise:
        return lambda inner, outer: outer * inner, first.groups

    def full(inner: Floats, outer: Floats) -> Floats:
        return _ungrouped(outer, second.groups) @ _ungrouped(inner, first.groups)

    return full, 1


def _ungrouped(weights: Floats, groups: int) -> Floats:
    """Weights (out, in / groups) as (out, in)."""
    out, inner = weights.shape
    full = np.zeros((out, inner * groups))
    for part in range(groups):
        rows = slice(part * out // groups, (part + 1) * out // groups)
        full[rows, part * inner : (part + 1) * inner] = weights[rows]
    return full


def same(values: Floats, others: Floats | float) -> bool:
    """Whether all values equal others up to float32 rounding."""
    larger = np.maximum(np.abs(values), np.abs(others))
    with np.errstate(invalid="ignore"):  # infinities
        near = (np.abs(values - others) <= ROUNDING * larger) & np.isfinite(larger)
    return bool((near | (values == others)).all())


def magnitude(values: Floats) -> float:
    """Largest magnitude; 0 of nothing."""
    return float(np.abs(values).max(initial=0.0))


def by_channel(gains: Floats, image: ImageShape) -> Floats | None:
    """The gain of each channel, where all its positions have the same."""
    if gains.size != math.prod(image):
        return None
    channels = gains.reshape(image[0], -1)
    return channels[:, 0] if same(channels, channels[:, :1]) else None


def add(maps: tuple[Map, ...], others: tuple[Map, ...]) -> tuple[Map, ...]:
    """The sum of maps: terms of the same structure become one."""
    total = list(maps)
    for other in others:
        for place, term in enumerate(total):
            joined = _sum(term, other)
            if joined is not None:
                total[place] = joined
                break
        else:
            total.append(other)
    return tuple(total)


def _sum(left: Map, right: Map) -> Map | None:
    match left, right:
        case Diagonal(), Diagonal():
            return Diagonal(left.gains + right.gains)
        case Kernel(), Kernel() if left.geometry == right.geometry:
            return dataclasses.replace(left, weights=left.weights + right.weights)
        case (Matrix(), Matrix() | Diagonal()) | (Diagonal(), Matrix()):
            return Matrix(left.matrix() + right.matrix())
    return None
