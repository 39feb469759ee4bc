"""Convolutions against the formula that defines them, synapse by synapse, alone and in a run."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_convolution import convolutions, dense, naive_matrix, naive_shape

from spikeloom.golden import convolution as module
from spikeloom.golden.convolution import Convolution, ConvolutionSums, ImageShape
from spikeloom.golden.network import AnyConnection, Connection, Input, Network, Population
from spikeloom.golden.spec import Reset
from spikeloom.golden.step.run import simulate


def kernel(*shape: int) -> Any:
    """A kernel of 1, 2, 3, ..."""
    return np.arange(1, 1 + np.prod(shape)).reshape(shape)


def join(shape: tuple[int, int, int, int], **changed: Any) -> Convolution:
    return Convolution("in", "a", kernel(*shape), **changed)


# By hand.


def test_a_kernel_over_an_image_by_hand() -> None:
    # A cross-correlation: the kernel is not turned round. 1 2 / 3 4 over 3x3.
    events = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 2]], np.uint8).reshape(1, 9)
    sums = ConvolutionSums(join((1, 1, 2, 2)), (1, 3, 3), 2)(events)
    assert sums.tolist() == [[1 + 4, 3, 2, 1 + 8]]


@pytest.mark.parametrize(
    ("changed", "shape"),
    [
        ({}, (1, 5, 5)),
        ({"stride": (2, 3)}, (1, 3, 2)),
        ({"dilation": (2, 3)}, (1, 3, 1)),
        ({"padding": ((1, 0), (2, 3))}, (1, 6, 10)),
        # 7 // 2 = 3 rows, of which the last one of the image is left out.
        ({"pool": (2, 1)}, (1, 1, 5)),
        ({"pool": (2, 3), "padding": ((0, 0), (1, 0))}, (1, 1, 1)),
        ({"pool": (1, 4)}, (1, 5, -1)),
    ],
)
def test_shape_of_the_output_by_hand(changed: dict[str, Any], shape: ImageShape) -> None:
    assert join((1, 1, 3, 3), **changed).output((1, 7, 7)) == shape


def test_fan_out_by_hand() -> None:
    # A kernel of 2 over 4, with stride 2: each coordinate is met once; with stride 1 the ends are
    # met once, the others twice. 3 channels in each part.
    convolution = join((6, 1, 2, 2), groups=2, stride=(2, 1))
    expected = np.tile(3 * np.array([1, 2, 2, 1]), 2 * 4)
    assert convolution.fan_out((2, 4, 4)).tolist() == expected.tolist()
    # Stride 3 leaves out what lies between kernels and after the last one: rows 0, 1, 3, 4.
    assert join((1, 1, 2, 1), stride=(3, 1)).fan_out((1, 6, 1)).tolist() == [1, 1, 0, 1, 1, 0]
    # Pools of 2; the fifth row belongs to none.
    assert join((1, 1, 1, 1), pool=(2, 1)).fan_out((1, 5, 1)).tolist() == [1, 1, 1, 1, 0]


def test_more_zeros_before_than_after() -> None:
    # Output row 0 sees kernel rows 2 and 3 on rows 0 and 1, and so on.
    convolution = join((1, 1, 4, 1), padding=((2, 0), (0, 0)))
    assert dense(convolution, (1, 3, 1)).tolist() == [[3, 2], [4, 3], [0, 4]]


# Against the formula.


@settings(deadline=None, max_examples=150)
@given(convolutions(), st.integers(0, 1 << 30))
def test_a_convolution_is_the_matrix_of_its_formula(
    case: tuple[Convolution, ImageShape], seed: int
) -> None:
    convolution, image = case
    matrix, synapses = naive_matrix(convolution, image)
    shape = naive_shape(convolution, image)
    assert convolution.output(image) == shape
    assert dense(convolution, image).tolist() == matrix.tolist()
    assert convolution.fan_out(image).tolist() == synapses.tolist()
    assert convolution.fan_out(image).sum() >= np.count_nonzero(matrix)
    events = np.random.default_rng(seed).integers(0, 4, (3, 2, int(np.prod(image))), np.uint8)
    sums = ConvolutionSums(convolution, image, 3)(events)
    assert sums.shape == (3, 2, int(np.prod(shape)))
    assert (sums == events.astype(np.int64) @ matrix).all()
    if shape[1:] == (1, 1):
        assert convolution.dense_weights(image).tolist() == matrix.tolist()


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("pool", [(1, 1), (2, 1)])
def test_channels_by_themselves_are_the_matrix_of_their_formula(
    alike: bool, pool: tuple[int, int]
) -> None:
    weights = kernel(3, 1, 2, 2) - 5
    if alike:
        weights[:] = weights[0]
    geometry: Any = {"stride": (2, 1), "padding": ((1, 0), (0, 2)), "groups": 3, "pool": pool}
    convolution, image = Convolution("in", "a", weights, **geometry), (3, 6, 5)
    events = np.random.default_rng(2).integers(-2, 3, (4, 2, 90)).astype(np.int16)
    sums = ConvolutionSums(convolution, image, 2, 8, signed=True)
    expected = 8 * (events @ naive_matrix(convolution, image)[0])
    assert np.array_equal(sums(events), expected)
    total = np.ones(expected.shape, np.float32)
    assert np.array_equal(sums(events, total), expected + 1)


@pytest.mark.parametrize("count", [1, 255])
def test_sums_beyond_2_to_the_24_are_exact(count: int) -> None:
    # 300 channels with a kernel of 21 x 21: 300 * 441 * 127 = 16.8 million, just above 2**24.
    weights = np.full((1, 300, 21, 21), 127)
    weights[0, 0, 0, 0] = 126
    sums = ConvolutionSums(Convolution("in", "a", weights), (300, 21, 21), count)
    events = np.full((1, 300 * 441), count, np.uint8)
    assert sums(events).tolist() == [[count * (127 * 300 * 441 - 1)]]


def test_events_of_a_large_pool_are_counted_exactly() -> None:
    # 20 * 20 * 255 = 102,000 events meet one weight.
    sums = ConvolutionSums(join((1, 1, 1, 1), pool=(20, 20)), (1, 20, 20), 255)
    assert sums(np.full((1, 400), 255, np.uint8)).tolist() == [[102_000]]


def test_moments_are_taken_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    convolution, image = join((2, 2, 2, 2), groups=1), (2, 4, 4)
    events = np.random.default_rng(0).random((7, 32)) < 0.5
    whole = ConvolutionSums(convolution, image, 1)(events)
    for block in (1, 9 * 8, 3 * 9 * 8):
        monkeypatch.setattr(module, "BLOCK", block)
        assert (ConvolutionSums(convolution, image, 1)(events) == whole).all()


# In a run.


def picture(image: ImageShape) -> int:
    return int(np.prod(image))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Network, Network]:
    """Two convolutions in a row, with some delay or `high`, and the same with matrices."""
    first, image = draw(convolutions(weight_bits=4))
    middle = naive_shape(first, image)
    first = dataclasses.replace(first, delay=draw(st.integers(0, 1)))
    # The second one's channels fit the first one's; its kernel is of one place.
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    second = Convolution(
        "a",
        "b",
        rng.integers(-8, 8, (2, middle[0], 1, 1)),
        high=draw(st.booleans()),
        stride=(draw(st.integers(1, 2)), 1),
        pool=(1, draw(st.integers(1, min(2, middle[2])))),
    )
    last = naive_shape(second, middle)
    loop = Connection("b", "a", rng.integers(-8, 8, (picture(last), picture(middle))), 1)
    several = draw(st.sampled_from([1, 3]))
    populations = tuple(
        Population(
            name,
            picture(shape),
            rng.integers(-9, 20, picture(shape)),
            phase=phase,
            decay=500,
            threshold=20,
            reset=Reset.SUBTRACT,
            max_spikes=several if name == "a" else 1,
            image=shape,
        )
        for phase, (name, shape) in enumerate([("a", middle), ("b", last)])
    )
    inputs = (Input("in", picture(image), 2, image),)
    connections: list[AnyConnection] = [first, second, loop]

    def network(connections: list[AnyConnection]) -> Network:
        return Network(inputs, populations, tuple(connections), weight_bits=4, sum_bits=24)

    matrices = [naive_matrix(first, image)[0], naive_matrix(second, middle)[0]]
    as_matrices: list[AnyConnection] = [
        Connection(c.source, c.target, matrix, c.delay, c.high)
        for c, matrix in zip((first, second), matrices, strict=True)
    ]
    return network(connections), network([*as_matrices, loop])


@settings(deadline=None, max_examples=60)
@given(pairs(), st.integers(0, 1 << 30), st.sampled_from([0.1, 0.6]))
def test_a_run_with_convolutions_is_that_with_their_matrices(
    both: tuple[Network, Network], seed: int, rate: float
) -> None:
    convolved, expanded = both
    rng = np.random.default_rng(seed)
    size = convolved.inputs[0].size
    events = (rng.random((2, 4, size)) < rate) * rng.integers(1, 3, (2, 4, size))
    run, expected = simulate(convolved, events), simulate(expanded, events)
    assert run.spikes.keys() == expected.spikes.keys()
    for name, spikes in expected.spikes.items():
        assert (run.spikes[name] == spikes).all()
        assert (run.states[name] == expected.states[name]).all()
    # A matrix has synapses where the convolution has none: count those that it has.
    synops = np.zeros(2, np.int64)
    for c in convolved.connections:
        count = events if c.source == "in" else expected.spikes[c.source]
        if isinstance(c, Convolution):
            image = convolved.image(c.source)
            assert image is not None
            synapses = naive_matrix(c, image)[1]
        else:
            synapses = np.full(c.weights.shape[0], c.weights.shape[1])
        synops += count[:, : 4 - c.delay].astype(np.int64).sum(axis=1) @ synapses
    assert run.synops.tolist() == synops.tolist()
    assert convolved.synapses == sum(int(convolved.fan_out(c).sum()) for c in convolved.connections)
