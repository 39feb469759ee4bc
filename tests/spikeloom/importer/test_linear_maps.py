"""Structured maps compute what the definition says, and stay structured where hardware is."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_convolution import dense

from spikeloom.golden.convolution import Convolution
from spikeloom.importer.linear_maps import (
    Convolve,
    Diagonal,
    Floats,
    Kernel,
    Linear,
    Map,
    Matrix,
    Operation,
    Scale,
    add,
    compose,
    follow,
)


def by_definition(kernel: Kernel, x: Floats) -> Floats:
    """One image through pooling and cross-correlation, element by element."""
    channels, height, width = kernel.image
    pooled = np.zeros((channels, *kernel.pooled))
    for c, i, j in np.ndindex(channels, height, width):
        place = i // kernel.pool[0], j // kernel.pool[1]
        if place[0] < kernel.pooled[0] and place[1] < kernel.pooled[1]:
            pooled[c, *place] += x.reshape(kernel.image)[c, i, j]
    y = np.zeros(kernel.output)
    outputs, inner = kernel.weights.shape[:2]
    for o, i, j in np.ndindex(kernel.output):
        group = o // (outputs // kernel.groups)
        for c, k, m in np.ndindex(inner, *kernel.taps):
            row = i * kernel.stride[0] + k * kernel.dilation[0] - kernel.padding[0][0]
            column = j * kernel.stride[1] + m * kernel.dilation[1] - kernel.padding[1][0]
            if 0 <= row < kernel.pooled[0] and 0 <= column < kernel.pooled[1]:
                y[o, i, j] += kernel.weights[o, c, k, m] * pooled[group * inner + c, row, column]
    return y.reshape(-1)


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def kernels(draw: st.DrawFn, image: tuple[int, int, int] | None = None) -> Kernel:
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    if image is None:
        image = draw(st.integers(1, 4)), draw(st.integers(3, 6)), draw(st.integers(3, 6))
    pool = draw(st.sampled_from([(1, 1), (1, 1), (2, 2), (1, 3), (2, 1)]))
    groups = draw(st.sampled_from([g for g in (1, 2, 3, 4) if image[0] % g == 0]))
    outputs = groups * draw(st.integers(1, 3))
    taps = draw(pairs)
    kernel = Kernel(
        image,
        generator.integers(-3, 4, (outputs, image[0] // groups, *taps)).astype(float),
        draw(pairs),
        draw(st.sampled_from([((0, 0), (0, 0)), ((1, 1), (1, 1)), ((0, 1), (2, 1))])),
        draw(st.sampled_from([(1, 1), (2, 1), (1, 2)])),
        groups,
        pool,
    )
    return kernel


def fits(kernel: Kernel) -> bool:
    return min(kernel.output) >= 1 and min(kernel.pooled) >= 1


@given(kernels().filter(fits), st.integers(0, 2**32))
@settings(deadline=None, max_examples=20)
def test_kernels_follow_the_definition_and_the_integer_convolution(
    kernel: Kernel, seed: int
) -> None:
    x = np.random.default_rng(seed).normal(size=(2, kernel.sources))
    y = kernel.apply(x)
    for one, expected in zip(x, y, strict=True):
        np.testing.assert_allclose(by_definition(kernel, one), expected, atol=1e-9)
    np.testing.assert_allclose(x @ kernel.matrix(), y, atol=1e-9)
    integer = Convolution(
        "a", "b", kernel.weights.astype(np.int64), 0, False, kernel.stride, kernel.padding,
        kernel.dilation, kernel.groups, kernel.pool,
    )  # fmt: skip
    assert integer.output(kernel.image) == kernel.output
    assert np.array_equal(dense(integer, kernel.image), kernel.matrix())


@given(st.data())
@settings(deadline=None, max_examples=50)
def test_composed_kernels_are_one_after_the_other(data: st.DataObject) -> None:
    first = data.draw(kernels().filter(fits))
    second = data.draw(kernels(first.output).filter(fits))
    both = compose(first, second)
    if both is not None:
        assert both.output == second.output
        np.testing.assert_allclose(both.matrix(), first.matrix() @ second.matrix(), atol=1e-9)


@given(st.data())
@settings(deadline=None, max_examples=30)
def test_any_chain_of_operations_is_their_product(data: st.DataObject) -> None:
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    shape = 2, data.draw(st.integers(2, 6)), data.draw(st.integers(2, 6))
    size = int(np.prod(shape))
    found: Map = Diagonal(np.ones(size))
    expected = np.eye(size)
    for _ in range(data.draw(st.integers(1, 4))):
        operation: Operation
        kind = data.draw(st.sampled_from(["scale", "by channel", "linear", "kernel"]))
        size = int(np.prod(shape))
        if kind == "scale":
            operation = Scale(generator.integers(1, 4, size).astype(float))
        elif kind == "by channel":
            gains = generator.integers(1, 4, shape[0]).astype(float)
            operation = Scale(np.repeat(gains, size // shape[0]))
        elif kind == "linear":
            shape = data.draw(st.integers(1, 5)), 1, 1
            operation = Linear(generator.integers(-3, 4, (shape[0], size)).astype(float))
        else:
            kernel = data.draw(kernels(shape))
            if not fits(kernel):
                continue
            operation, shape = Convolve(kernel), kernel.output
        found = follow(found, operation)
        expected = operation.apply(expected)
    np.testing.assert_allclose(found.matrix(), expected, atol=1e-9)


IMAGE = (2, 8, 8)
ONES = Diagonal(np.ones(128))
POOL = Convolve(Kernel(IMAGE, np.ones((2, 1, 1, 1)), groups=2, pool=(2, 2)))
OVERLAPPING = Convolve(Kernel(IMAGE, np.ones((2, 1, 3, 3)), (2, 2), groups=2))


def conv(image: tuple[int, int, int], padding: int = 0) -> Convolve:
    pad = ((padding, padding), (padding, padding))
    return Convolve(Kernel(image, np.ones((3, image[0], 3, 3)), padding=pad))


@pytest.mark.parametrize(
    ("operations", "kind", "weights"),
    [
        ([Scale(np.full(128, 3.0))], Diagonal, None),
        ([conv(IMAGE)], Kernel, (3, 2, 3, 3)),
        ([Scale(np.repeat([1.0, 2.0], 64)), conv(IMAGE, 1)], Kernel, (3, 2, 3, 3)),
        ([Scale(np.arange(128.0)), conv(IMAGE)], Matrix, None),
        ([POOL, conv((2, 4, 4), 1)], Kernel, (3, 2, 3, 3)),
        ([OVERLAPPING], Kernel, (2, 1, 3, 3)),
        ([OVERLAPPING, conv((2, 3, 3))], Kernel, (3, 2, 7, 7)),
        ([OVERLAPPING, conv((2, 3, 3), 1)], Matrix, None),
        ([conv(IMAGE), Scale(np.repeat([1.0, 2.0, 3.0], 36))], Kernel, (3, 2, 3, 3)),
        ([conv(IMAGE), Scale(np.arange(108.0))], Matrix, None),
        ([POOL, Linear(np.ones((5, 32)))], Kernel, (5, 2, 4, 4)),
        ([POOL, Linear(np.ones((5, 32))), Linear(np.ones((4, 5)))], Kernel, (4, 2, 4, 4)),
        ([Linear(np.ones((5, 128)))], Matrix, None),
        ([conv(IMAGE), Linear(np.ones((5, 108)))], Matrix, None),
    ],
)
def test_structure_is_kept_where_hardware_has_it(
    operations: list[Operation], kind: type, weights: tuple[int, ...] | None
) -> None:
    found: Map = ONES
    for operation in operations:
        found = follow(found, operation)
    assert type(found) is kind
    if isinstance(found, Kernel):
        assert found.weights.shape == weights
    expected = np.eye(128)
    for operation in operations:
        expected = operation.apply(expected)
    np.testing.assert_allclose(found.matrix(), expected, atol=1e-9)


def test_linear_of_more_dimensions_works_on_each_part() -> None:
    generator = np.random.default_rng(3)
    weights, x = generator.normal(size=(2, 3, 4, 5)), generator.normal(size=(2, 3, 5))
    expected = np.einsum("abij,abj->abi", weights, x).reshape(-1)
    np.testing.assert_allclose(Linear(weights).apply(x.reshape(-1)), expected)
    np.testing.assert_allclose(x.reshape(-1) @ Linear(weights).matrix(), expected)


def test_sums_join_what_has_the_same_structure() -> None:
    kernel = Kernel((1, 3, 3), np.ones((1, 1, 3, 3)))
    other = Kernel((1, 3, 3), np.ones((1, 1, 1, 1)), stride=(3, 3))
    maps: list[Map] = [Diagonal(np.ones(9)), Matrix(np.ones((9, 9))), kernel, other]
    for one in maps:
        [joined] = add((one,), (one,))
        assert np.array_equal(joined.matrix(), 2 * one.matrix())
    for first, second in itertools.permutations(maps, 2):
        if first.matrix().shape == second.matrix().shape:
            total = sum(one.matrix() for one in add((first,), (second,)))
            assert np.array_equal(total, first.matrix() + second.matrix())
    assert len(add((kernel,), (other,))) == 2
    assert len(add((maps[0],), (maps[1],))) == 1
