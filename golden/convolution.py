"""Convolutions: what they join, and the exact sums that they bring."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from spikeloom.golden.fixed import Integers, Signed

ImageShape = tuple[int, int, int]
"""Channels, height and width; axons or neurons are numbered in this order, the last fastest."""

Pair = tuple[int, int]
"""Something of rows, and of columns."""


@dataclass(frozen=True)
class Convolution:
    """Synapses from an image to an image: a cross-correlation, as in PyTorch and NIR.

        y[o, i, j] = sum over c, k, l of weights[o, c, k, l] * x[c, i', j']
        i' = i * stride + k * dilation - padding            and j' likewise

    where x is what the source sends after sum pooling: a spike at (row, column) counts at
    (row // pool, column // pool), and not at all beyond the last whole pool.

    Parameters
    ----------
    source, target
        Name of an input or population; name of a population. Both have an image.
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
        Channels of source and target are cut into so many parts, joined part to part.
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
        """What the convolution makes of a source's image; a size below 1 where it does not fit."""
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
        """How many synapses each axon or neuron of a source with `image` has, shape (size,)."""
        _, *size = self.output(image)
        rows, columns = (self._meetings(axis, image[1 + axis], size[axis]) for axis in (0, 1))
        places = np.outer(rows, columns) * (len(self.weights) // self.groups)
        counts: Integers = np.tile(places.reshape(-1), image[0])
        return counts

    def _meetings(self, axis: int, extent: int, size: int) -> Integers:
        """For each coordinate of the source how many kernel rows (or columns) meet it."""
        counts = np.zeros(extent, np.int64)
        pool, dilation = self.pool[axis], self.dilation[axis]
        for place in range(size):
            for tap in range(self.weights.shape[2 + axis]):
                pooled = place * self.stride[axis] + tap * dilation - self.padding[axis][0]
                if 0 <= pooled < extent // pool:
                    counts[pooled * pool : (pooled + 1) * pool] += 1
        return counts


BLOCK = 1 << 20
"""Elements of unfolded input at once, to bound the memory used."""


class ConvolutionSums:
    """The sums that a convolution's events bring to its targets.

    The input is unfolded, a row for each place of the output, and multiplied with the kernel in
    the smallest float type whose integers are exact up to the largest possible sum.

    Parameters
    ----------
    convolution
        Its kernel counts as it is, without `high`.
    image
        Of the source.
    max_count
        Most events of an axon or neuron at once.
    """

    def __init__(self, convolution: Convolution, image: ImageShape, max_count: int) -> None:
        self._convolution = convolution
        self._image = image
        kernel = convolution.weights.reshape(convolution.groups, -1, _taps(convolution))
        most = max_count * convolution.pool[0] * convolution.pool[1]
        self._counts = np.uint16 if most < 1 << 16 else np.uint32
        bits = (most * int(np.abs(kernel).sum(axis=2).max())).bit_length() + 1
        # By part: (taps, channels of the target's part).
        self._kernel = kernel.transpose(0, 2, 1).astype(np.float32 if bits <= 25 else np.float64)

    def __call__(self, events: NDArray[np.bool_] | NDArray[np.uint8]) -> Signed:
        """Sums of shape (..., targets) for events (..., sources)."""
        _, height, width = self._convolution.output(self._image)
        flat = events.reshape(-1, *self._image)
        block = max(1, BLOCK // (height * width * self._kernel.shape[1]))
        sums = [self._sums(flat[start : start + block]) for start in range(0, len(flat), block)]
        result: Signed = np.concatenate(sums).reshape(*events.shape[:-1], -1)
        return result

    def _sums(self, events: NDArray[np.bool_] | NDArray[np.uint8]) -> NDArray[np.int64]:
        pooled = _pooled(self._convolution, events, self._counts)
        windows = _unfold(self._convolution, pooled.astype(self._kernel.dtype))
        moments, channels, height, width = windows.shape[:4]
        each = channels // self._convolution.groups
        sums = []
        for part, kernel in enumerate(self._kernel):
            places = windows[:, part * each : (part + 1) * each].transpose(0, 2, 3, 1, 4, 5)
            rows = places.reshape(moments * height * width, -1)
            with np.errstate(invalid="ignore"):  # as in `spikeloom.golden.step.sums`
                sums.append((rows @ kernel).reshape(moments, height * width, -1))
        by_place = np.concatenate(sums, axis=2)
        return by_place.transpose(0, 2, 1).reshape(moments, -1).astype(np.int64)


Counts = NDArray[np.unsignedinteger[Any]]
"""How many events a pool has."""


def _taps(convolution: Convolution) -> int:
    return int(np.prod(convolution.weights.shape[1:]))


def _pooled(
    convolution: Convolution,
    events: NDArray[np.bool_] | NDArray[np.uint8],
    counts: type[np.uint16] | type[np.uint32],
) -> Counts:
    """Events summed over pools, and padded; (moments, channels, rows, columns)."""
    moments, channels, height, width = events.shape
    rows, columns = convolution.pool
    whole = events[:, :, : height // rows * rows, : width // columns * columns]
    pools = whole.reshape(moments, channels, height // rows, rows, width // columns, columns)
    summed: Counts = pools.sum(axis=(3, 5), dtype=counts)
    return np.pad(summed, ((0, 0), (0, 0), *convolution.padding))


def _unfold(convolution: Convolution, x: NDArray[Any]) -> NDArray[Any]:
    """A view (moments, channels, output rows, output columns, kernel rows, kernel columns)."""
    rows, columns = convolution.weights.shape[2:]
    down, right = convolution.dilation
    reach = (rows - 1) * down + 1, (columns - 1) * right + 1
    windows = sliding_window_view(x, reach, axis=(2, 3))
    return windows[:, :, :: convolution.stride[0], :: convolution.stride[1], ::down, ::right]
