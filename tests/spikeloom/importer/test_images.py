"""Networks with images, read back from the memories as docs/hardware.md says the hardware does."""

import dataclasses
import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_walker import Walker
from mesh_walker import Shape
from naive_convolution import dense
from random_networks import PLAIN_RESETS

from spikeloom.golden.convolution import Convolution
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.network import AnyConnection, Connection, Input, Network, Population
from spikeloom.golden.spec import SPIKES_PER_STEP, FabricConfig, Reset
from spikeloom.mapping.delivery import check_delivery
from spikeloom.mapping.plan import map_network, plan
from spikeloom.mapping.sizes import check_fits, choose_fabric

MESHES: tuple[Shape, ...] = ((1, 1), (2, 1), (2, 2), (3, 2))
LANES = (1, 4, 8)

OPTIONS: dict[str, Any] = {
    "synaptic_current": True,
    "weight_pairs": True,
    "delayed_reset": True,
    "lower_clamp": True,
    "max_spikes": 7,
}


def roomy(shape: Shape, lanes: int, **options: Any) -> FabricConfig:
    """A fabric with more than enough of everything."""
    sizes = {
        "sum_bits": 32,
        "neurons": 4096,
        "weight_words": 1 << 16,
        "axons": 512,
        "extent": 24,
        "coordinates": 1024,
    }
    return FabricConfig(
        columns=shape[0], rows=shape[1], lanes=lanes, **{**sizes, **OPTIONS, **options}
    )


def map_all(net: Network, config: FabricConfig) -> MemoryImage:
    everyone = frozenset(p.name for p in net.populations)
    return map_network(net, config, everyone, everyone)


def kernel(rng: np.random.Generator, *shape: int) -> Integers:
    return rng.integers(-128, 128, shape)


@st.composite
def convolutions(
    draw: st.DrawFn,
    source: str,
    image: tuple[int, int, int],
    target: str,
    rng: np.random.Generator,
) -> Convolution:
    """Of any geometry that leaves at least a place."""
    groups = draw(st.sampled_from([n for n in range(1, image[0] + 1) if image[0] % n == 0]))
    channels = groups * draw(st.integers(1, max(1, 18 // groups)))
    pool = draw(st.tuples(*(st.integers(1, min(3, extent)) for extent in image[1:])))
    edges = st.tuples(st.integers(0, 2), st.integers(0, 2))
    padding = draw(st.tuples(edges, edges))
    dilation = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    rows, columns = (
        draw(st.integers(1, min(4, 1 + (extent // p + sum(pad) - 1) // d)))
        for extent, p, pad, d in zip(image[1:], pool, padding, dilation, strict=True)
    )
    return Convolution(
        source,
        target,
        kernel(rng, channels, image[0] // groups, rows, columns),
        draw(st.integers(0, 3)),
        draw(st.booleans()),
        draw(st.tuples(st.integers(1, 4), st.integers(1, 4))),
        padding,
        dilation,
        groups,
        pool,
    )


@st.composite
def populations(
    draw: st.DrawFn,
    name: str,
    image: tuple[int, int, int],
    phase: int,
    rng: np.random.Generator,
    plain: bool = False,
) -> Population:
    """With any options."""
    size = math.prod(image)

    def offsets() -> Integers:
        if draw(st.booleans()):
            return rng.integers(-99, 99, image[0]).repeat(image[1] * image[2])
        return rng.integers(-99, 99, size)

    options: dict[str, Any] = {}
    state = st.integers(-32768, 32767)
    if draw(st.booleans()):
        options["synaptic_decay"] = draw(st.integers(0, 4096))
        options["leak"] = draw(st.sampled_from((None, offsets())))
    threshold = draw(state)
    if draw(st.booleans()):
        options["max_spikes"] = draw(st.sampled_from(SPIKES_PER_STEP[:3]))
        threshold = draw(st.integers(1, 32767))
    else:
        options["delayed_reset"] = draw(st.booleans())
        options["subtrahend"] = draw(st.none() | state)
    return Population(
        name,
        size,
        offsets(),
        phase,
        draw(st.integers(0, 4096)),
        threshold,
        reset=draw(st.sampled_from(PLAIN_RESETS)),
        v_reset=draw(state),
        image=None if plain else image,
        v_min=draw(st.none() | state),
        **options,
    )


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Convolutions, also of their own output and in pairs, and dense matrices of every kind."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    image = draw(st.tuples(st.integers(1, 6), st.integers(1, 7), st.integers(1, 7)))
    inputs = (Input("in", math.prod(image), image=image), Input("more", 3))
    nodes: list[Population] = []
    connections: list[AnyConnection] = []
    source: Input | Population = inputs[0]
    for n in range(draw(st.integers(1, 2))):
        assert source.image
        name = f"p{n}"
        joined = draw(convolutions(source.name, source.image, name, rng))
        shape = joined.output(source.image)
        nodes.append(draw(populations(name, shape, n, rng)))
        connections.append(joined)
        if draw(st.booleans()):
            # The other half of its weights, which shares its axes.
            other = kernel(rng, *joined.weights.shape)
            connections.append(dataclasses.replace(joined, weights=other, high=not joined.high))
        if draw(st.booleans()):
            weights = kernel(rng, shape[0], shape[0], 3, 1)
            connections.append(Convolution(name, name, weights, 1, padding=((1, 1), (0, 0))))
        source = nodes[-1]
    size = draw(st.integers(1, 20))
    nodes.append(draw(populations("flat", (size, 1, 1), len(nodes), rng, plain=True)))
    several: list[Input | Population] = [*inputs, *nodes]
    for one, to in itertools.product(several, nodes):
        # From and to images, and between plain ones.
        if draw(st.integers(0, 3)) == 0 and one.size * to.size < 20000:
            connections.append(Connection(one.name, to.name, kernel(rng, one.size, to.size), 1))
    return Network(
        inputs,
        tuple(draw(st.permutations(nodes))),
        tuple(draw(st.permutations(connections))),
        sum_bits=32,
    )


def pairs(net: Network, connection: AnyConnection) -> Iterator[tuple[int, int, int]]:
    """(source, target, weight) of each synapse, by the equation of a convolution."""
    weights = connection.weights.tolist()
    if not isinstance(connection, Convolution):
        yield from ((i, j, weight) for i, row in enumerate(weights) for j, weight in enumerate(row))
        return
    source, target = net.image(connection.source), net.image(connection.target)
    assert source
    assert target
    cut = source[0] // connection.groups, target[0] // connection.groups
    pool = connection.pool
    whole = source[1] // pool[0], source[2] // pool[1]
    places = itertools.product(range(target[1]), range(target[2]))
    taps = list(itertools.product(*map(range, connection.weights.shape[2:])))
    for (i, j), (k, n) in itertools.product(places, taps):
        y = i * connection.stride[0] + k * connection.dilation[0] - connection.padding[0][0]
        x = j * connection.stride[1] + n * connection.dilation[1] - connection.padding[1][0]
        if not (0 <= y < whole[0] and 0 <= x < whole[1]):
            continue
        for o, c in itertools.product(range(target[0]), range(cut[0])):
            channel = o // cut[1] * cut[0] + c
            for down, right in itertools.product(range(pool[0]), range(pool[1])):
                at = (channel * source[1] + y * pool[0] + down) * source[2] + x * pool[1] + right
                yield at, (o * target[1] + i) * target[2] + j, weights[o][c][k][n]


@settings(deadline=None, max_examples=60)
@given(networks())
def test_the_equation_is_that_of_the_model(net: Network) -> None:
    for connection in net.connections:
        if isinstance(connection, Convolution):
            image = net.image(connection.source)
            assert image
            matrix = np.zeros((net.size(connection.source), net.size(connection.target)), np.int64)
            for i, j, weight in pairs(net, connection):
                matrix[i, j] = weight
            np.testing.assert_array_equal(matrix, dense(connection, image))


@settings(deadline=None, max_examples=60)
@given(networks(), st.sampled_from(MESHES), st.sampled_from(LANES), st.integers(4, 6))
def test_every_synapse_is_found_once(net: Network, shape: Shape, lanes: int, slots: int) -> None:
    walker = Walker(map_all(net, roomy(shape, lanes, slots=slots)))
    found = walker.synapses()
    expected = {}
    counted: dict[tuple[str, int, int], int] = {}
    for number, c in enumerate(net.connections):
        factor = 256 if c.high else 1
        for i, j, weight in pairs(net, c):
            expected[c.source, i, c.target, j, number, c.delay] = [weight * factor]
            event = c.source, i, number
            counted[event] = counted.get(event, 0) + 1
    # Of what is found besides, nothing but weights of 0: the channels of other groups.
    assert {key: weights for key, weights in found.items() if key in expected} == expected
    assert all(weights == [0] for key, weights in found.items() if key not in expected)
    assert {event: count for event, count in walker.counted.items() if count} == counted
    grouped = any(isinstance(c, Convolution) and c.groups > 1 for c in net.connections)
    if not grouped:
        assert found.keys() == expected.keys()
    rows = [len(memories.coordinates) for memories in walker.tiles]
    assert walker.read_coordinates == {
        (tile, n) for tile, count in enumerate(rows) for n in range(count)
    }


@settings(deadline=None, max_examples=60)
@given(networks(), st.sampled_from(MESHES), st.sampled_from(LANES))
def test_every_number_is_in_the_rows(net: Network, shape: Shape, lanes: int) -> None:
    made = plan(net, roomy(shape, lanes), frozenset(), frozenset())
    walker = Walker(made.image)
    order = sorted(net.populations, key=lambda p: p.phase)
    offsets: dict[str, dict[int, tuple[int, int]]] = {p.name: {} for p in order}
    for number, memories in enumerate(walker.tiles):
        taken: set[int] = set()
        highest = 0
        read: set[int] = set()
        for entry in memories.entries:
            p = order[entry["number"]]
            assert entry["retain"] == 4096 - p.decay
            synaptic = p.synaptic_decay is not None
            assert entry["synaptic"] == synaptic
            assert entry["retain_synaptic"] == (4096 - p.synaptic_decay if synaptic else 0)
            assert entry["delayed"] == p.delayed_reset
            assert entry["v_min"] == (-32768 if p.v_min is None else p.v_min)
            assert entry["max_spikes"] == p.max_spikes
            drop = p.threshold if p.subtrahend is None else p.subtrahend
            assert entry["v_reset"] == (drop if p.reset is Reset.SUBTRACT else p.v_reset)
            leak = np.zeros(p.size, np.int64) if p.leak is None else p.leak
            channels = net.image(p.name) or (p.size, 1, 1)
            each = [values.reshape(channels[0], -1) for values in (p.bias, leak)]
            assert entry["shared"] == all((v == v[:, :1]).all() for v in each)
            assert entry["neuron_base"] * walker.config.slots == entry["sum_base"] * lanes
            groups = set()
            for neuron in memories.neurons(entry):
                groups.add(neuron.group)
                at = walker.numbered(entry, neuron)
                assert at not in offsets[p.name]
                row = memories.biases[neuron.bias]
                offsets[p.name][at] = row["bias"], row["leak"]
                highest = max(highest, neuron.address + 1)
                read.add(neuron.bias)
            assert taken.isdisjoint(groups)
            taken |= groups
        assert taken == set(range(len(taken)))
        assert made.report.used[number]["neurons"] == highest
        assert len(memories.biases) == max(read, default=-1) + 1 <= max(highest, 1)
        assert made.report.used[number]["coordinates"] == len(memories.coordinates)
    for p in order:
        leak = np.zeros(p.size, np.int64) if p.leak is None else p.leak
        assert offsets[p.name] == dict(enumerate(zip(p.bias.tolist(), leak.tolist(), strict=True)))


def exact_fit(net: Network, lanes: int) -> dict[str, int]:
    """What a single tile takes, counted without the mapper."""

    def groups(size: int) -> int:
        return (size + lanes - 1) // lanes

    kernels = [c for c in net.connections if isinstance(c, Convolution)]
    joined = {name for c in kernels for name in (c.source, c.target)}
    shapes = {
        node.name: (node.image if node.name in joined else None) or (node.size, 1, 1)
        for nodes in (net.inputs, net.populations)
        for node in nodes
    }
    order = sorted(net.populations, key=lambda p: p.phase)
    words, coordinates = 0, set()
    for c in net.connections:
        source, target = shapes[c.source], shapes[c.target]
        if isinstance(c, Convolution):
            cut = target[0] // c.groups
            touched = max(
                (cut * (n + 1) - 1) // lanes - cut * n // lanes + 1 for n in range(c.groups)
            )
            words += math.prod(c.weights.shape[2:]) * source[0] * touched
            sizes = *c.weights.shape[2:], *source[1:], *target[1:], c.groups
            walked = math.prod(sizes) > 1 or c.padding != ((0, 0), (0, 0))
            kind = c.weights.shape, c.stride, c.padding, c.dilation, c.groups, c.pool
            rows = source[1] + source[2] + (source[0] if c.groups > 1 else 0)
        else:
            words += math.prod(source) * groups(target[0]) * target[1] * target[2]
            walked = source[1] * source[2] > 1
            kind = ()
            rows = source[1] + source[2]
        if walked:
            coordinates.add((source, c.target, kind, rows))
    neurons = sum(groups(shapes[p.name][0]) * math.prod(shapes[p.name][1:]) * lanes for p in order)
    return {
        "neurons": neurons - -shapes[order[-1].name][0] % lanes,
        "weight_words": words,
        "axons": max(shapes[c.source][0] for c in net.connections),
        "extent": max(2, *(max(shape[1:]) for shape in shapes.values())),
        "coordinates": sum(rows for *_, rows in coordinates),
    }


@settings(deadline=None, max_examples=60)
@given(networks(), st.sampled_from(LANES), st.data())
def test_exact_fit_is_accepted_and_one_less_refused(
    net: Network, lanes: int, data: st.DataObject
) -> None:
    sizes = {name: max(1, size) for name, size in exact_fit(net, lanes).items()}
    config = roomy((1, 1), lanes, **sizes)
    map_all(net, config)
    name = data.draw(st.sampled_from(sorted(sizes)))
    if sizes[name] > (2 if name == "extent" else 1):
        need = sizes[name]
        smaller = dataclasses.replace(config, **{name: need - 1})
        message = rf"{name} {need} of {need - 1} \(short by 1\)"
        if name == "extent":
            message = rf"an image of .* needs extent={need}; use "
        with pytest.raises(SpikeloomError, match=message):
            map_all(net, smaller)


@settings(deadline=None, max_examples=30)
@given(networks(), st.sampled_from(MESHES[1:]), st.sampled_from(LANES))
def test_tiles_hold_no_more_than_what_is_reported(net: Network, shape: Shape, lanes: int) -> None:
    made = plan(net, roomy(shape, lanes), frozenset(), frozenset())
    for used, memories in zip(made.report.used, made.image.tiles, strict=True):
        for name in ("weights", "coordinates", "populations", "connections", "routes"):
            key = "weight_words" if name == "weights" else name
            assert used[key] == len(getattr(memories, name))
    rows = list(made.image.load_words())
    assert len(rows) == 1 + sum(
        len(getattr(tile, field.name))
        for tile in made.image.tiles
        for field in dataclasses.fields(tile)
    )


# What is stored, and where.


def stack(*connections: AnyConnection, **changed: Any) -> Network:
    """An input of 4 channels, 6 x 5, a population of 12 channels, and a plain one of 10."""
    nodes = {
        "conv": Population("conv", 12 * 30, np.zeros(360, np.int64), image=(12, 6, 5)),
        "flat": Population("flat", 10, np.zeros(10, np.int64), 1),
    }
    for name, options in changed.items():
        nodes[name] = dataclasses.replace(nodes[name], **options)
    return Network(
        (Input("in", 120, image=(4, 6, 5)),), tuple(nodes.values()), connections, sum_bits=24
    )


RNG = np.random.default_rng(5)
SAME = Convolution("in", "conv", RNG.integers(-9, 9, (12, 4, 3, 3)), padding=((1, 1), (1, 1)))
GROUPED = dataclasses.replace(SAME, weights=RNG.integers(-9, 9, (12, 1, 3, 3)), groups=4)
FLAT = Connection("conv", "flat", RNG.integers(-9, 9, (360, 10)))
FABRIC = FabricConfig(
    lanes=4,
    sum_bits=24,
    neurons=400,
    weight_words=1 << 13,
    extent=6,
)


def test_a_kernel_is_stored_once_for_each_lane_group() -> None:
    [tile] = Walker(map_all(stack(SAME, FLAT), FABRIC)).tiles
    # 9 taps, 4 channels, 3 groups of lanes; 360 neurons, 3 groups.
    assert len(tile.weights) == 9 * 4 * 3 + 360 * 3
    assert len(tile.coordinates) == 6 + 5 + 6 + 5
    conv, flat = tile.connections
    assert (conv["groups"], conv["stride"], conv["synapses"]) == (3, 36, 12)
    assert conv["sum_stride"] == 30 * FABRIC.slots
    assert (conv["row_weights"], conv["column_weights"]) == (12, 4)
    assert (conv["row_sums"], conv["column_sums"]) == (5 * FABRIC.slots, FABRIC.slots)
    assert (flat["sources"], flat["height"], flat["width"]) == (12, 6, 5)
    assert (flat["groups"], flat["stride"], flat["sum_stride"]) == (3, 360, FABRIC.slots)
    # A place of the source meets one place of the kernel.
    assert flat["row_weights"] == flat["column_sums"] == 0
    senders = map_all(stack(SAME, FLAT), FABRIC).senders
    assert [sender.image for sender in senders] == [(12, 6, 5), None]


def test_only_channels_that_lead_to_a_tile_have_weights_there() -> None:
    image = map_all(stack(GROUPED), dataclasses.replace(FABRIC, columns=3))
    # Each tile has a group of 4 of the 12 channels; each channel of the source leads to 3.
    words = sorted(len(tile.weights) for tile in image.tiles)
    assert words == [9 * 2] * 3
    [alone] = map_all(stack(GROUPED), FABRIC).tiles
    # Two of the channels lead to two lane groups.
    assert len(alone.weights) == 9 * 4 * 2


def test_halves_of_weights_share_their_axes() -> None:
    pair = SAME, dataclasses.replace(SAME, weights=-SAME.weights, high=True)
    fabric = dataclasses.replace(FABRIC, weight_pairs=True)
    [tile] = Walker(map_all(stack(*pair), fabric)).tiles
    assert len(tile.coordinates) == 6 + 5
    assert [entry["high"] for entry in tile.connections] == [0, 1]
    other = Convolution("in", "conv", RNG.integers(-9, 9, (12, 4, 1, 1)))
    [tile] = Walker(map_all(stack(SAME, other), fabric)).tiles
    assert len(tile.coordinates) == 2 * (6 + 5)


def test_an_image_that_no_convolution_joins_is_plain() -> None:
    net = stack(Connection("in", "conv", RNG.integers(-9, 9, (120, 360))), FLAT)
    fabric = dataclasses.replace(FABRIC, extent=1, weight_words=1 << 14)
    image = map_all(net, fabric)
    [tile] = Walker(image).tiles
    assert [entry["sources"] for entry in tile.connections] == [120, 360]
    assert {entry.image for entry in image.entries} == {None}
    assert image.tiles[0].coordinates == ()
    check_fits(net, fabric, frozenset())


def test_one_bias_for_each_channel_is_stored_once() -> None:
    shared = np.arange(12).repeat(30)
    fabric = dataclasses.replace(FABRIC, synaptic_current=True)
    [tile] = Walker(map_all(stack(SAME, conv={"bias": shared}), fabric)).tiles
    assert [row["bias"] for row in tile.biases] == [*range(12), *[0] * 10]
    leak = np.arange(360)
    changed = {"bias": shared, "leak": leak, "synaptic_decay": 5}
    [tile] = Walker(map_all(stack(SAME, conv=changed), fabric)).tiles
    assert len(tile.biases) == 370
    # The first group: 4 channels at the first place, then at the second.
    assert [row["leak"] for row in tile.biases[:8]] == [0, 30, 60, 90, 1, 31, 61, 91]


@pytest.mark.parametrize(
    ("shape", "sizes"), [((1, 1), [12]), ((2, 1), [4, 8]), ((2, 2), [4, 4, 4]), ((3, 2), [4, 4, 4])]
)
def test_parts_are_whole_channel_groups(shape: Shape, sizes: list[int]) -> None:
    config = dataclasses.replace(FABRIC, columns=shape[0], rows=shape[1])
    tiles = Walker(map_all(stack(SAME, FLAT), config)).tiles
    rows = [e for tile in tiles for e in tile.entries if e["number"] == 0]
    assert sorted(e["channels"] for e in rows) == sizes
    assert sorted(e["neurons"] for e in rows) == [30 * size for size in sizes]


def test_a_channel_group_that_no_tile_can_hold() -> None:
    fabric = dataclasses.replace(FABRIC, columns=3, rows=3, neurons=119)
    with pytest.raises(SpikeloomError) as error:
        map_all(stack(SAME), fabric)
    assert str(error.value) == (
        "the network does not fit the fabric: no tile has room for 120 more neurons of 'conv'; in "
        "the closest, neurons 120 of 119 (short by 1); use a larger FabricConfig"
    )


# What a fabric must be built for.

LIF = {"synaptic_decay": 9}
HIGH = dataclasses.replace(FLAT, high=True)
ONE = Network(
    (Input("in", 3, image=(3, 1, 1)),),
    (Population("p", 2, np.zeros(2, np.int64), image=(2, 1, 1)),),
    (Convolution("in", "p", np.ones((2, 3, 3, 3), np.int64), padding=((1, 1), (1, 1))),),
)


@pytest.mark.parametrize(
    ("net", "message", "field", "value"),
    [
        (stack(flat=LIF), "population 'flat': a synaptic current", "synaptic_current", True),
        (stack(flat={"v_min": 0}), "population 'flat': a minimum potential", "lower_clamp", True),
        (
            stack(flat={"delayed_reset": True}),
            "population 'flat': a delayed reset",
            "delayed_reset",
            True,
        ),
        (
            stack(flat={"max_spikes": 7, "threshold": 1}),
            "population 'flat': 7 spikes per step",
            "max_spikes",
            7,
        ),
        (
            stack(HIGH),
            "connection 'conv' -> 'flat': the upper half of a weight",
            "weight_pairs",
            True,
        ),
        (stack(SAME), "input 'in': an image of 6 x 5", "extent", 6),
        (ONE, "connection 'in' -> 'p': a convolution", "extent", 2),
    ],
)
def test_what_a_fabric_is_not_built_for_is_refused_by_name(
    net: Network, message: str, field: str, value: int
) -> None:
    config = FabricConfig(lanes=4, sum_bits=net.sum_bits, neurons=400, weight_words=1 << 13)
    with pytest.raises(SpikeloomError) as error:
        map_all(net, config)
    assert str(error.value) == (
        f"the network does not fit the fabric: {message} needs {field}={value}; use "
        f"dataclasses.replace(fabric, {field}={value})"
    )
    map_all(net, dataclasses.replace(config, **{field: value}))
    assert getattr(choose_fabric(net, {}, frozenset()), field) >= value


@pytest.mark.parametrize(
    "options",
    [
        {"v_min": -32768},
        {"delayed_reset": True, "reset": Reset.NONE},
        {"delayed_reset": True, "spiking": False},
        {"max_spikes": 7, "threshold": 1, "spiking": False},
    ],
)
def test_what_makes_no_difference_needs_nothing(options: dict[str, Any]) -> None:
    net = stack(flat=options)
    config = FabricConfig(lanes=4, sum_bits=24, neurons=400)
    map_all(net, config)
    map_all(net, dataclasses.replace(config, max_spikes=3, lower_clamp=True))


def test_coordinate_tables_are_made_long_enough() -> None:
    image = 1, 200, 200
    net = Network(
        (Input("in", 40000, image=image),),
        (Population("p", 40000, np.zeros(40000, np.int64), image=image),),
        (Convolution("in", "p", np.ones((1, 1, 1, 1), np.int64)),),
    )
    built = choose_fabric(net, {"lanes": 1}, frozenset())
    assert (built.extent, built.coordinates, built.neurons) == (256, 512, 1 << 16)
    map_all(net, built)


def test_an_image_too_large_for_any_fabric() -> None:
    net = Network(
        (Input("in", 300, image=(1, 300, 1)),),
        (Population("p", 300, np.zeros(300, np.int64), image=(1, 300, 1)),),
        (Convolution("in", "p", np.ones((1, 1, 1, 1), np.int64)),),
    )
    message = (
        "input 'in': an image of 300 x 1 is too large for any fabric, which has at most 256 x 256; "
        "crop it, or pool it before"
    )
    with pytest.raises(SpikeloomError) as error:
        choose_fabric(net, {}, frozenset())
    assert str(error.value) == message
    with pytest.raises(SpikeloomError) as error:
        check_fits(net, FabricConfig(), frozenset())
    assert str(error.value) == message


# Delivery.


def broken_images() -> dict[str, tuple[Network, MemoryImage, str]]:
    """Images with one thing wrong, and what should be said about it."""
    net = stack(GROUPED, FLAT)
    image = map_all(net, dataclasses.replace(FABRIC, columns=2, rows=2))
    home = next(n for n, tile in enumerate(image.tiles) if tile.connections[0])
    config = image.config
    row = config.connection_row.unpack(image.tiles[home].connections[0])
    first = next(
        n
        for n in range(row["channel_coordinates"], row["channel_coordinates"] + 4)
        if config.coordinate_row.unpack(image.tiles[home].coordinates[n])["count"]
    )

    def changed(memory: str, name: str, word: int, **fields: int) -> MemoryImage:
        layout = getattr(config, name)
        words = list(getattr(image.tiles[home], memory))
        words[word] = layout.pack(layout.unpack(words[word]) | fields)
        tiles = list(image.tiles)
        tiles[home] = dataclasses.replace(tiles[home], **{memory: tuple(words)})
        return dataclasses.replace(image, tiles=tuple(tiles))

    def connection(**fields: int) -> MemoryImage:
        return changed("connections", "connection_row", 0, **fields)

    def axis(word: int, **fields: int) -> MemoryImage:
        return changed("coordinates", "coordinate_row", word, **fields)

    def population(**fields: int) -> MemoryImage:
        return changed("populations", "population_row", 0, **fields)

    whole = r"connection 0 from tile 0 is not whole"
    entries = tuple(dataclasses.replace(entry, image=None) for entry in image.entries)
    cases = {
        "a row meets one less": (axis(row["row_coordinates"] + 2, count=2), whole),
        "a row meets nothing": (axis(row["row_coordinates"], count=0), whole),
        "a column meets one more": (axis(row["column_coordinates"], count=3), whole),
        "a channel has no target": (axis(first, count=0), whole),
        "a channel has fewer synapses": (axis(first, synapses=1), whole),
        "the axes of another": (connection(row_coordinates=row["column_coordinates"]), whole),
        "no convolution": (connection(image=0), whole),
        "not grouped": (connection(grouped=0), whole),
        "an image less high": (connection(height=5), whole),
        "an image less wide": (connection(width=4), whole),
        "no groups": (connection(groups=0), whole),
        "a channel less": (connection(sources=3), whole),
        "fires fewer places": (population(height=5), "does not fire each position of 'conv'"),
        "fires another image": (population(height=5, width=6), "is in exactly one tile"),
        "the host sends no places": (
            dataclasses.replace(image, entries=entries),
            "events of 'in' do not have the positions",
        ),
    }
    return {name: (net, broken, message) for name, (broken, message) in cases.items()}


@pytest.mark.parametrize("name", broken_images())
def test_a_broken_image_is_found(name: str) -> None:
    net, image, message = broken_images()[name]
    with pytest.raises(ValueError, match=message):
        check_delivery(net, image)
