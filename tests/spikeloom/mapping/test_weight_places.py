"""Where weights lie: each in one lane of one word, and an image with others is mapped alike."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_networks import IMAGES, image_programs, programs, seeds

from spikeloom.devices.weights import memory_weights
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import signed_range
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.mapping.weights import places, unpacked_words
from spikeloom.program import Program

FABRICS = (
    FabricConfig(lanes=3, weight_bits=4, sum_bits=24, neurons=40, weight_words=1400, slots=3),
    FabricConfig(lanes=16, weight_bits=2, sum_bits=12, neurons=64, weight_pairs=True),
    FabricConfig(columns=2, rows=2, lanes=2, sum_bits=24, neurons=12, weight_words=300, slots=3),
    FabricConfig(
        lanes=4, sum_bits=24, neurons=60, weight_pairs=True, sparse_words=500, one_to_one=True
    ),
)
KERNELS = (
    dataclasses.replace(IMAGES, weight_pairs=True),
    dataclasses.replace(IMAGES, columns=2, rows=2, lanes=3, weight_bits=4, connections=20),
)

SLOW = settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)


def any_program(data: st.DataObject) -> Program:
    strategies = [*map(programs, FABRICS), *map(image_programs, KERNELS)]
    return data.draw(data.draw(st.sampled_from(strategies)))


@SLOW
@given(st.data())
def test_each_weight_lies_in_one_lane_of_one_word(data: st.DataObject) -> None:
    program = any_program(data)
    words: set[tuple[int, int]] = set()
    for number, connection in enumerate(program.network.connections):
        synapses = []
        for place in places(program.network, program.plan, number):
            own = {(place.tile, place.address + n) for n in range(len(place.synapses))}
            assert not words & own
            words |= own
            synapses += place.synapses[place.synapses > 0].tolist()
        assert sorted(synapses) == list(range(1, 1 + connection.weights.size))
    assert words == {
        (tile, address)
        for tile, memories in enumerate(program.image.tiles)
        for address in range(len(memories.weights))
    }


@SLOW
@given(st.data())
def test_memories_hold_the_weights_of_the_network(data: st.DataObject) -> None:
    program = any_program(data)

    def read(tile: int, address: int, count: int) -> tuple[int, ...]:
        return program.image.tiles[tile].weights[address : address + count]

    for number, connection in enumerate(program.network.connections):
        weights = memory_weights(program, number, read)
        assert weights.dtype == np.int64
        assert np.array_equal(weights, connection.weights)


@SLOW
@given(st.data(), seeds())
def test_other_weights_give_the_image_of_a_program_mapped_anew(
    data: st.DataObject, seed: int
) -> None:
    program = any_program(data)
    rng = np.random.default_rng(seed)
    low, high = signed_range(program.network.weight_bits)
    new = {}
    for number, connection in enumerate(program.network.connections):
        if rng.random() < 0.7:
            changed = rng.random(connection.weights.shape) < rng.choice([0.02, 0.5, 1])
            # Towards zero, which cannot overflow.
            nearer = connection.weights * rng.random(connection.weights.shape)
            new[number] = np.where(
                changed, nearer.astype(np.int64).clip(low, high), connection.weights
            )
    other = program.with_weights(new)
    connections = tuple(
        dataclasses.replace(connection, weights=new.get(number, connection.weights))
        for number, connection in enumerate(program.network.connections)
    )
    network = dataclasses.replace(program.network, connections=connections)
    fresh = dataclasses.replace(program, network=network)
    assert other.image == fresh.image
    assert other.digest == fresh.digest
    written = list(other.image.rows(program.image))
    assert {piece.target for piece in written} <= {LoadTarget.WEIGHT}
    expected = {
        (tile, address)
        for tile, (before, after) in enumerate(
            zip(program.image.tiles, fresh.image.tiles, strict=True)
        )
        for address, (old, now) in enumerate(zip(before.weights, after.weights, strict=True))
        if old != now
    }
    rows = [(p.tile, p.address + n) for p in written for n in range(len(p.rows))]
    assert len(rows) == len(expected)
    assert set(rows) == expected


def dense(sources: int, targets: int, fabric: FabricConfig) -> Program:
    network = Network(
        (Input("in", sources),),
        (Population("out", targets, np.zeros(targets, np.int64)),),
        (Connection("in", "out", np.zeros((sources, targets), np.int64)),),
    )
    return Program(network, fabric, frozenset({"out"}), frozenset())


@pytest.mark.parametrize("fabric", [FabricConfig(), FabricConfig(columns=2, neurons=16)])
def test_a_changed_weight_is_one_word(fabric: FabricConfig) -> None:
    """Of a matrix with 8 lanes: weights of one source and eight targets share a word."""
    program = dense(11, 30, fabric)
    assert [len(tile.weights) > 0 for tile in program.image.tiles] == [True] * fabric.tiles
    rng = np.random.default_rng(3)
    for count in (1, 2, 50, 330):
        weights = np.zeros(330, np.int64)
        weights[rng.permutation(330)[:count]] = 9
        weights = weights.reshape(11, 30)
        expected = {(source, target // 8) for source, target in np.argwhere(weights)}
        image = program.with_weights({0: weights}).image
        assert sum(len(piece.rows) for piece in image.rows(program.image)) == len(expected)
        assert len(list(image.load_words(program.image))) == len(expected)


def test_what_is_equal_is_not_written_at_all() -> None:
    program = dense(4, 4, FabricConfig())
    same = program.with_weights({0: program.network.connections[0].weights.copy()})
    assert list(same.image.load_words(program.image)) == []


def test_other_weights_are_checked_like_those_of_any_network() -> None:
    program = dense(300, 4, FabricConfig(sum_bits=16))
    for weights, message in (
        (np.zeros((4, 300), np.int64), "weights must have shape (300, 4), not (4, 300)"),
        (np.full((300, 4), 128), "weights must be -128..127, not 128..128"),
        (np.full((300, 4), 120), "neuron 0 can sum to 0..36000, outside -32768..32767"),
    ):
        with pytest.raises(SpikeloomError) as error:
            program.with_weights({0: weights})
        assert message in str(error.value)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("lanes", [1, 3, 8, 16])
def test_words_are_unpacked_as_the_layout_says(bits: int, lanes: int) -> None:
    config = FabricConfig(weight_bits=bits, lanes=lanes, queue=16)
    low, high = signed_range(bits)
    weights = np.random.default_rng(bits).integers(low, high + 1, (20, lanes))
    layout = config.weight_row
    words = [
        layout.pack(dict(zip((f.name for f in layout.fields), row.tolist(), strict=True)))
        for row in weights
    ]
    assert np.array_equal(unpacked_words(words, config), weights)
