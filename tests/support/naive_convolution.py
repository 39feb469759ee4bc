"""The matrix of a convolution, synapse by synapse from the formula that defines it."""

import itertools

import numpy as np
from hypothesis import strategies as st

from spikeloom.golden.convolution import Convolution, ConvolutionSums, ImageShape
from spikeloom.golden.fixed import Integers


def naive_shape(convolution: Convolution, image: ImageShape) -> ImageShape:
    """Channels, rows and columns for which the whole kernel lies in the padded pools."""
    sizes = []
    for axis in (0, 1):
        pooled = image[1 + axis] // convolution.pool[axis] + sum(convolution.padding[axis])
        reach = (convolution.weights.shape[2 + axis] - 1) * convolution.dilation[axis]
        first_kernel_row = range(0, pooled, convolution.stride[axis])
        sizes.append(sum(1 for place in first_kernel_row if place + reach < pooled))
    return convolution.weights.shape[0], sizes[0], sizes[1]


def naive_matrix(convolution: Convolution, image: ImageShape) -> tuple[Integers, Integers]:
    """Weights, shape (size of source, size of target), and how many synapses each source has."""
    channels, height, width = image
    outputs, rows, columns = naive_shape(convolution, image)
    part, out_part = channels // convolution.groups, outputs // convolution.groups
    matrix = np.zeros((channels, height, width, outputs, rows, columns), np.int64)
    synapses = np.zeros(image, np.int64)
    kernel = convolution.weights.shape[2:]
    for o, i, j in np.ndindex(outputs, rows, columns):
        for c, k, m in np.ndindex(part, *kernel):
            channel = o // out_part * part + c
            row = i * convolution.stride[0] + k * convolution.dilation[0]
            column = j * convolution.stride[1] + m * convolution.dilation[1]
            row -= convolution.padding[0][0]
            column -= convolution.padding[1][0]
            if not (
                0 <= row < height // convolution.pool[0]
                and 0 <= column < width // convolution.pool[1]
            ):
                continue
            for down, right in itertools.product(*map(range, convolution.pool)):
                y, x = row * convolution.pool[0] + down, column * convolution.pool[1] + right
                matrix[channel, y, x, o, i, j] += convolution.weights[o, c, k, m]
                synapses[channel, y, x] += 1
    return matrix.reshape(channels * height * width, -1), synapses.reshape(-1)


def dense(convolution: Convolution, image: ImageShape) -> Integers:
    """The matrix (size of source, size of target) that golden's sums make of it."""
    size = int(np.prod(image))
    sums = ConvolutionSums(convolution, image, 1)
    return sums(np.eye(size, dtype=np.bool_)).astype(np.int64)


@st.composite
def convolutions(
    draw: st.DrawFn, source: str = "in", target: str = "a", weight_bits: int = 4
) -> tuple[Convolution, ImageShape]:
    """A convolution that fits, and the image of its source."""
    small = st.integers(1, 3)
    groups = draw(st.integers(1, 3))
    image = groups * draw(small), draw(st.integers(1, 7)), draw(st.integers(1, 7))
    values: dict[str, tuple[int, int]] = {}
    paddings: list[tuple[int, int]] = []
    kernel: list[int] = []
    for axis in (0, 1):
        pool = draw(st.integers(1, min(3, image[1 + axis])))
        padding = draw(st.integers(0, 2)), draw(st.integers(0, 2))
        extent = image[1 + axis] // pool + sum(padding)
        size = draw(st.integers(1, min(4, extent)))
        dilation = draw(st.integers(1, max(1, min(3, (extent - 1) // max(1, size - 1)))))
        kernel.append(size)
        paddings.append(padding)
        values[f"{axis}"] = dilation, pool
    rng = np.random.default_rng(draw(st.integers(0, (1 << 32) - 1)))
    high = 1 << (weight_bits - 1)
    shape = groups * draw(small), image[0] // groups, kernel[0], kernel[1]
    return (
        Convolution(
            source,
            target,
            rng.integers(-high, high, shape),
            stride=(draw(small), draw(small)),
            padding=(paddings[0], paddings[1]),
            dilation=(values["0"][0], values["1"][0]),
            groups=groups,
            pool=(values["0"][1], values["1"][1]),
        ),
        image,
    )
