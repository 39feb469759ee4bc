"""Convolutional connections: geometry and exact sums."""

import math
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from spikeloom.golden.fixed import Integers, Signed
from spikeloom.golden.plain import PlainIntegers

ImageShape = tuple[int, int, int]
"""Channels, height and width; axons or neurons are numbered in this order, the last fastest."""

Pair = tuple[int, int]
"""A value for rows and one for columns."""


@dataclass(frozen=True)
class Convolution(PlainIntegers):
    """Synapses from an image to an image: a cross-correlation, as in PyTorch and NIR.

        y[o, i, j] = sum over c, k, l of weights[o, c, k, l] * x[c, i', j']
        i' = i * stride + k * dilation - padding            and j' likewise

    where x is the source after sum pooling: a spike at (row, column) counts at (row // pool,
    column // pool); rows and columns beyond the last whole pool are ignored.

    Parameters
    ----------
    source, target
        Name of an input or population; name of a population. Both have an image shape.
    weights
        Kernel, shape (channels of target, channels of source / groups, rows, columns), integers of
        the network's `weight_bits`.
    delay, high
        As in `Connection`.
    stride, dilation, pool
        Rows and columns, >= 1.
    padding
        Rows of zeros above and below; columns left and right; each >= 0.
    groups
        Number of equal parts into which the channels of source and target are cut; part n of the
        source connects to part n of the target.
    """

    source: str
    target: str
    weights: Integers
    delay: int = 0
    high: bool = False
    stride: Pair = (1, 1)
    padding: tuple[Pair, Pair] = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    groups: int = 1
    pool: Pair = (1, 1)

    def output(self, image: ImageShape) -> ImageShape:
        """Image shape of the target for a source of shape `image`; below 1 where none fits."""
        size = [
            (extent // pool + sum(pad) - dilation * (kernel - 1) - 1) // stride + 1
            for extent, pool, pad, dilation, kernel, stride in zip(
                image[1:],
                self.pool,
                self.padding,
                self.dilation,
                self.weights.shape[2:],
                self.stride,
                strict=True,
            )
        ]
        return self.weights.shape[0], size[0], size[1]

    def fan_out(self, image: ImageShape) -> Integers:
        """Synapses of each axon or neuron of a source of shape `image`, int64 (size,)."""
        _, *size = self.output(image)
        rows, columns = (
            self._kernel_overlaps(axis, image[1 + axis], size[axis]) for axis in (0, 1)
        )
        of_channel = np.outer(rows, columns) * (len(self.weights) // self.groups)
        counts: Integers = np.tile(of_channel.reshape(-1), image[0])
        return counts

    def _kernel_overlaps(self, axis: int, extent: int, size: int) -> Integers:
        """Kernel rows (or columns) over each coordinate of the source, for all `size` positions."""
        counts = np.zeros(extent, np.int64)
        pool, dilation = self.pool[axis], self.dilation[axis]
        for position in range(size):
            for tap in range(self.weights.shape[2 + axis]):
                pooled = position * self.stride[axis] + tap * dilation - self.padding[axis][0]
                if 0 <= pooled < extent // pool:
                    counts[pooled * pool : (pooled + 1) * pool] += 1
        return counts


BLOCK = 1 << 17
"""Elements of unfolded input at once: few enough to stay in the cache."""

PRODUCT_COLUMNS = 32
"""Columns that a matrix product should have at least; narrower ones are slow."""

Events = NDArray[np.bool_] | NDArray[np.uint8]
"""Whether an axon or neuron has an event, or how many."""


Counts = NDArray[np.unsignedinteger[Any]]
"""Number of events in a pool."""


class ConvolutionSums:
    """The exact sums that the events of a convolution's source add to its targets.

    For each row of the output, the kernel is multiplied with the unfolded input of that row, in
    the smallest float type in which every partial sum is an exact integer.

    Parameters
    ----------
    convolution
        `high` is ignored: the kernel counts as it is.
    image
        Image shape of the source.
    max_count
        Maximum number of events of an axon or neuron in a step.
    """

    def __init__(self, convolution: Convolution, image: ImageShape, max_count: int) -> None:
        self._convolution = convolution
        self._image = image
        self._output = convolution.output(image)
        # By group: (channels of the target's group, kernel rows * channels * kernel columns).
        taps = math.prod(convolution.weights.shape[1:])
        kernel = convolution.weights.transpose(0, 2, 1, 3).reshape(convolution.groups, -1, taps)
        max_pooled = max_count * math.prod(convolution.pool)
        self._counts = np.uint16 if max_pooled < 1 << 16 else np.uint32
        bits = (max_pooled * int(np.abs(kernel).sum(axis=2).max())).bit_length() + 1
        self._kernel = kernel.astype(np.float32 if bits <= 25 else np.float64)
        self._integer = np.int32 if bits <= 32 else np.int64
        self._buffers = _Buffers(convolution, image, self._kernel.dtype)

    def __call__(self, events: Events) -> Signed:
        """Sums of shape (..., targets) for events (..., sources)."""
        flat = events.reshape(-1, *self._image)
        groups, each, _ = self._kernel.shape
        _, height, width = self._output
        pack, block = self._buffers.pack, self._buffers.block
        sums = np.empty((-(-len(flat) // pack), pack, groups, each, height, width), self._integer)
        for start in range(0, len(flat), block):
            pooled = _pooled(self._convolution, flat[start : start + block], self._counts)
            unfolded = self._buffers.unfold(pooled)
            with np.errstate(invalid="ignore"):  # as in `spikeloom.golden.step.sums`
                product = self._kernel[:, np.newaxis] @ unfolded
            product = product.reshape(-1, groups, height, each, pack, width)
            part = slice(start // pack, start // pack + len(product))
            sums[part] = product.transpose(0, 4, 1, 3, 2, 5)
        targets = sums.reshape(-1, math.prod(self._output))[: len(flat)]
        return targets.reshape(*events.shape[:-1], -1)


class _Buffers(threading.local):
    """Memory in which a thread unfolds one block of input after the other.

    Only columns are unfolded. The kernel rows of an output row are then adjacent, so its input is a
    view (a copy where they are dilated). Fresh memory would cost a page fault every 4 KiB.
    """

    def __init__(self, convolution: Convolution, image: ImageShape, dtype: np.dtype[Any]) -> None:
        (top, bottom), (left, right) = convolution.padding
        height, width = (
            extent // pool for extent, pool in zip(image[1:], convolution.pool, strict=True)
        )
        rows, columns = top + height + bottom, left + width + right
        _, each, kernel_rows, kernel_columns = convolution.weights.shape
        output_width = convolution.output(image)[2]
        # Moments that share a matrix product, and those unfolded at once.
        self.pack = -(-PRODUCT_COLUMNS // output_width)
        packed = self.pack * image[0] * rows * max(columns, kernel_columns * output_width)
        packs = max(1, BLOCK // packed)
        self.block = packs * self.pack
        # Only the image is written, so the padding stays 0.
        padded = np.zeros((self.block, image[0], rows, columns), dtype)
        self._inner = padded[..., top : top + height, left : left + width]
        padded = padded.reshape(packs, self.pack, convolution.groups, each, rows, columns)
        (stride, column_stride), (dilation, column_dilation) = (
            convolution.stride,
            convolution.dilation,
        )
        windows = _windows(padded, 5, kernel_columns, column_stride, column_dilation)
        # (packs, groups, rows, channels of the group, kernel columns, pack, output columns)
        self._columns = windows.transpose(0, 2, 4, 3, 6, 1, 5)
        self._unfolded = np.empty(self._columns.shape, dtype)
        windows = _windows(self._unfolded, 2, kernel_rows, stride, dilation)
        # (packs, groups, output rows, kernel rows, channels, kernel columns, pack, output columns)
        self._rows = windows.transpose(0, 1, 2, 7, 3, 4, 5, 6)

    def unfold(self, pooled: Counts | Events) -> NDArray[Any]:
        """The input of each kernel tap for each position of the output.

        Shape (packs, groups, output rows, kernel rows * channels * kernel columns, pack * output
        columns); moments of the last pack beyond those given are unspecified.
        """
        packs = -(-len(pooled) // self.pack)
        self._inner[: len(pooled)] = pooled
        self._unfolded[:packs] = self._columns[:packs]
        rows = self._rows[:packs]
        return rows.reshape(*rows.shape[:3], math.prod(rows.shape[3:6]), -1)


def _windows(x: NDArray[Any], axis: int, taps: int, stride: int, dilation: int) -> NDArray[Any]:
    """A view of `x` in which `axis` is that of the output, and the last axis that of the taps."""
    windows = sliding_window_view(x, (taps - 1) * dilation + 1, axis=axis)
    return np.moveaxis(np.moveaxis(windows, axis, 0)[::stride], 0, axis)[..., ::dilation]


def _pooled(
    convolution: Convolution, events: Events, counts: type[np.uint16] | type[np.uint32]
) -> Events | Counts:
    """Events summed over pools, (moments, channels, rows, columns)."""
    rows, columns = convolution.pool
    if rows == columns == 1:
        return events
    height, width = (
        extent // pool * pool
        for extent, pool in zip(events.shape[2:], convolution.pool, strict=True)
    )
    summed = np.zeros((*events.shape[:2], height // rows, width // columns), counts)
    for y, x in np.ndindex(rows, columns):
        summed += events[:, :, y:height:rows, x:width:columns]
    return summed
