"""Convolutional connections: geometry and exact sums."""

import math
import threading
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from spikeloom.golden.checks import MAX_SIZE, check_array, check_integer, check_pair
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.event_counts import Events, as_counts
from spikeloom.golden.fixed import Integers, Signed
from spikeloom.golden.learning.rule import Rule
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
    plasticity
        How the weights change while the network learns, each of them once for each position at
        which the rule applies; None: they stay. Not with `high`, `dilation`, `groups` or `pool`.
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
    plasticity: Rule | None = None

    def check(self, where: str, source: ImageShape, target: ImageShape, limits: Pair) -> None:
        """Check that it fits images `source` and `target`, with weights between `limits`.

        Raises `SpikeloomError`, with `where` in front.
        """
        for name in ("stride", "dilation", "pool"):
            check_pair(f"{where}: {name}", getattr(self, name), 1)
        if not isinstance(self.padding, tuple) or len(self.padding) != 2:
            raise SpikeloomError(f"{where}: padding must be two pairs, not {self.padding!r}")
        for pair in self.padding:
            check_pair(f"{where}: padding", pair, 0)
        channels = source[0]
        check_integer(f"{where}: groups", self.groups, 1, MAX_SIZE)
        if channels % self.groups or target[0] % self.groups:
            raise SpikeloomError(
                f"{where}: {channels} and {target[0]} channels cannot be divided into "
                f"{self.groups} groups"
            )
        kernel = self.weights
        if not isinstance(kernel, np.ndarray) or kernel.ndim != 4 or 0 in kernel.shape:
            raise SpikeloomError(f"{where}: weights must be an array of 4 dimensions, none empty")
        expected = (target[0], channels // self.groups, *kernel.shape[2:])
        check_array(f"{where}: weights", kernel, expected, limits)
        if self.output(source) != target:
            raise SpikeloomError(
                f"{where}: its output for {source} is {self.output(source)}, "
                f"not the target's {target}"
            )
        if isinstance(self.plasticity, Rule):
            self._check_rule(f"{where}: plasticity", self.plasticity)

    def _check_rule(self, where: str, rule: Rule) -> None:
        """Check what a kernel that learns may not be, beyond what no connection may."""
        if self.groups != 1:
            raise SpikeloomError(
                f"{where}: kernels of {self.groups} groups cannot learn; use groups=1"
            )
        if self.dilation != (1, 1):
            raise SpikeloomError(
                f"{where}: kernels with dilation {self.dilation} cannot learn; use dilation=(1, 1)"
            )
        if self.pool != (1, 1):
            raise SpikeloomError(
                f"{where}: kernels behind a pool of {self.pool} cannot learn; use pool=(1, 1), "
                "after a population that pools"
            )
        if rule.third is not None:
            raise SpikeloomError(
                f"{where}: the rule of a kernel has no third factor; leave out third={rule.third!r}"
            )
        if rule.eligibility is not None:
            raise SpikeloomError(
                f"{where}: the rule of a kernel has no eligibility; leave that out"
            )
        if (taps := self.weights[0].size) > MAX_SIZE:
            raise SpikeloomError(
                f"{where}: {taps} weights of a channel learn, {MAX_SIZE} at most; "
                "use a smaller kernel"
            )

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
        pool = self.pool[axis]
        taps = np.arange(self.weights.shape[2 + axis]) * self.dilation[axis]
        positions = np.arange(size) * self.stride[axis] - self.padding[axis][0]
        pooled = np.add.outer(positions, taps)
        inside = pooled[(pooled >= 0) & (pooled < extent // pool)]
        counts = np.zeros(extent, np.int64)
        whole = extent // pool * pool
        counts[:whole] = np.repeat(np.bincount(inside, minlength=extent // pool), pool)
        return counts

    def dense_weights(self, image: ImageShape) -> Integers:
        """The weights of all synapses, (sources, targets), where the output is one position.

        Each weight meets every axon or neuron of a pool.
        """
        assert self.output(image)[1:] == (1, 1)
        dense = np.zeros((*image, len(self.weights)), np.int64)
        (top, _), (left, _) = self.padding
        rows, columns = self.pool
        each, targets = self.weights.shape[1], len(self.weights) // self.groups
        for group, tap_row, tap_column in np.ndindex(self.groups, *self.weights.shape[2:]):
            y = (tap_row * self.dilation[0] - top) * rows
            x = (tap_column * self.dilation[1] - left) * columns
            if 0 <= y <= image[1] - rows and 0 <= x <= image[2] - columns:
                source = slice(group * each, (group + 1) * each)
                target = slice(group * targets, (group + 1) * targets)
                taps = self.weights[target, :, tap_row, tap_column]
                dense[source, y : y + rows, x : x + columns, target] = taps.T[:, None, None]
        return dense.reshape(-1, len(self.weights))


BLOCK = 1 << 18
"""Elements of unfolded input at once: few enough to stay in the cache."""

PRODUCT_COLUMNS = 32
"""Columns that a matrix product should have at least; narrower ones are slow."""

Pooled = NDArray[np.integer[Any]]
"""Number of events in a pool."""


class ConvolutionSums:
    """The exact sums that the events of a convolution's source add to its targets.

    An output row is cut into tiles of a few columns, and the part of the source that a tile sees is
    multiplied with a matrix that holds the kernel once for each of these columns, shifted. So the
    matrix has `PRODUCT_COLUMNS` even where the output has few channels. The product is in the
    smallest float type in which every partial sum is an exact integer.

    Parameters
    ----------
    convolution
        `high` is ignored.
    image
        Image shape of the source.
    max_count
        Maximum number of events of an axon or neuron in a step.
    scale
        What a weight counts, a power of two.
    signed
        Events can be negative.
    """

    def __init__(
        self,
        convolution: Convolution,
        image: ImageShape,
        max_count: int,
        scale: int = 1,
        signed: bool = False,
    ) -> None:
        self._targets = math.prod(convolution.output(image))
        kernels = convolution.weights
        if convolution.groups == image[0] == len(kernels) and (kernels == kernels[0]).all():
            # Each channel is as good as an image of its own: one product for all of them.
            convolution = replace(convolution, weights=kernels[:1], groups=1)
            image = (1, *image[1:])
        self._convolution = convolution
        self._image = image
        self._output = convolution.output(image)
        max_pooled = max_count * math.prod(convolution.pool)
        self._counts = np.min_scalar_type(-max_pooled if signed else max_pooled)
        highest = max_pooled * int(np.abs(convolution.weights).sum(axis=(1, 2, 3)).max())
        bits = highest.bit_length() + 1
        dtype = np.dtype(np.float32 if bits <= 25 else np.float64)
        channels = len(convolution.weights) // convolution.groups
        width = min(self._output[2], -(-PRODUCT_COLUMNS // channels))
        self._matrix = _tile_matrix(convolution, width).astype(dtype) * dtype.type(scale)
        self._buffers = _Buffers(convolution, image, width, dtype)

    def __call__(self, events: Events, total: Signed | None = None) -> Signed:
        """Add the sums of `events`, (..., sources), to `total`, contiguous, and return it.

        Parameters
        ----------
        total
            Shape (..., targets), of a type that holds the result; int64 zeros if None.
        """
        groups = self._convolution.groups
        channels, height, width = self._output
        if total is None:
            total = np.zeros((*events.shape[:-1], self._targets), np.int64)
        flat = as_counts(events).reshape(-1, *self._image)
        result = total.reshape(len(flat), groups, channels // groups, height * width)
        blocks = max(1, -(-len(flat) // self._buffers.block))
        block = max(1, -(-len(flat) // blocks))  # equal ones
        for start in range(0, len(flat), block):
            pooled = _pooled(flat[start : start + block], self._convolution.pool, self._counts)
            product = self._buffers.multiply(pooled, self._matrix)
            sums = product[..., :width, :].reshape(len(pooled), groups, height * width, -1)
            by_channel = sums.transpose(0, 1, 3, 2).astype(total.dtype, copy=False)
            result[start : start + block] += by_channel
        return total


def _tile_matrix(convolution: Convolution, width: int) -> Integers:
    """What a tile of `width` output columns multiplies the part of the source with that it sees.

    Shape (groups, kernel rows * source columns * channels, width * output channels).
    """
    groups, stride, dilation = convolution.groups, convolution.stride[1], convolution.dilation[1]
    _, each, rows, taps = convolution.weights.shape
    # (groups, kernel rows, kernel columns, source channels, output channels)
    kernel = convolution.weights.reshape(groups, -1, each, rows, taps).transpose(0, 3, 4, 2, 1)
    columns = _columns_seen(convolution, width)
    matrix = np.zeros((groups, rows, columns, each, width, kernel.shape[-1]), np.int64)
    for column, tap in np.ndindex(width, taps):
        matrix[:, :, column * stride + tap * dilation, :, column] = kernel[:, :, tap]
    return matrix.reshape(groups, rows * columns * each, -1)


def _columns_seen(convolution: Convolution, width: int) -> int:
    """Columns of the source, from the first to the last that `width` output columns see."""
    taps: int = convolution.weights.shape[3]
    return (width - 1) * convolution.stride[1] + (taps - 1) * convolution.dilation[1] + 1


class _Buffers(threading.local):
    """Memory in which a thread multiplies one block of input after the other.

    Only columns are unfolded. The kernel rows of an output row are then adjacent, so its input is a
    view (a copy where they are dilated). Fresh memory would cost a page fault every 4 KiB.
    """

    def __init__(
        self, convolution: Convolution, image: ImageShape, width: int, dtype: np.dtype[Any]
    ) -> None:
        top, bottom = convolution.padding[0]
        left = convolution.padding[1][0]
        groups, each = self._groups = convolution.groups, convolution.weights.shape[1]
        height, extent = (
            size // pool for size, pool in zip(image[1:], convolution.pool, strict=True)
        )
        channels, output_rows, output_columns = convolution.output(image)
        tiles = -(-output_columns // width)
        columns = _columns_seen(convolution, width)
        rows = top + height + bottom
        self.block = max(1, BLOCK // (groups * tiles * rows * columns * each))
        # Only what lies in the image is written, so the padding stays 0.
        unfolded = np.zeros((groups, tiles, self.block, rows, columns, each), dtype)
        self._tiles = []  # where the input of each is written, and the columns that it sees
        for tile in range(tiles):
            first = tile * width * convolution.stride[1] - left
            start, stop = max(first, 0), min(first + columns, extent)
            if start < stop:
                seen = unfolded[:, tile, :, top : top + height, start - first : stop - first]
                self._tiles.append((seen, slice(start, stop)))
        taps, stride, dilation = (
            convolution.weights.shape[2],
            convolution.stride[0],
            convolution.dilation[0],
        )
        flat = unfolded.reshape(groups, tiles, self.block, rows, -1)
        windows = sliding_window_view(flat, (taps - 1) * dilation + 1, axis=3)
        # (groups, output rows, tiles, moments, kernel rows, columns and channels)
        self._rows = windows[:, :, :, ::stride, :, ::dilation].transpose(0, 3, 1, 2, 5, 4)
        shape = self.block, groups, output_rows, tiles, width * (channels // groups)
        self._product = np.empty(shape, dtype)
        self._shape = *shape[:3], tiles * width, channels // groups

    def multiply(self, pooled: Pooled, matrix: NDArray[Any]) -> NDArray[Any]:
        """The product of what each tile sees of `pooled` with `matrix`.

        Shape (moments, groups, output rows, columns of all tiles, output channels), a view that is
        valid until the next call.
        """
        moments = len(pooled)
        images = _channels_last(pooled)
        by_group = images.reshape(*images.shape[:3], *self._groups).transpose(3, 0, 1, 2, 4)
        for seen, columns in self._tiles:
            seen[:, :moments] = by_group[:, :, :, columns]
        rows = self._rows[:, :, :, :moments]
        product = self._product[:moments].transpose(1, 2, 3, 0, 4)
        with np.errstate(invalid="ignore"):  # as in `spikeloom.golden.step.sums`
            np.matmul(
                rows.reshape(*rows.shape[:4], -1), matrix[:, np.newaxis, np.newaxis], out=product
            )
        return self._product[:moments].reshape(moments, *self._shape[1:])


def _channels_last(images: Pooled) -> Pooled:
    """A copy of `images`, (moments, channels, rows, columns), as (moments, rows, columns, ...)."""
    moments, channels, *size = images.shape
    flat = images.reshape(moments, channels, -1)
    last = np.empty((moments, flat.shape[2], channels), images.dtype)
    if channels < PRODUCT_COLUMNS:  # NumPy would run along the short axis
        for channel in range(channels):
            last[:, :, channel] = flat[:, channel]
    else:
        last[:] = flat.transpose(0, 2, 1)
    return last.reshape(moments, *size, channels)


def _pooled(events: Pooled, pool: Pair, counts: np.dtype[Any]) -> Pooled:
    """Events, (moments, channels, rows, columns), summed over pools."""
    for axis, extent in enumerate(pool, 2):
        if extent > 1:
            along = np.moveaxis(events, axis, 0)
            whole = len(along) // extent * extent
            summed = along[:whole:extent].astype(counts)
            for tap in range(1, extent):
                summed += along[tap:whole:extent]
            events = np.moveaxis(summed, 0, axis)
    return events
