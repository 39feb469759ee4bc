"""The memory image, read back as docs/hardware.md says the hardware reads it."""

import collections
import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_walker import Walker
from mesh_walker import LOCAL, MESHES, NAMES, WEST, Shape, meshes, walk
from random_networks import PLAIN_RESETS

import spikeloom
from spikeloom.devices.prediction import golden_clocks, predict_clocks
from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.host import decode_packets, host_words
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig, Reset
from spikeloom.golden.step.run import check_inputs, simulate
from spikeloom.mapping.delivery import check_delivery
from spikeloom.mapping.plan import map_network, plan

SIZES = ("neurons", "weight_words", "populations", "connections", "targets", "axons", "slots")


@st.composite
def networks(draw: st.DrawFn) -> Network:
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    weight_bits = draw(st.sampled_from([2, 4, 8]))
    number = draw(st.integers(1, 4))
    phases = draw(st.integers(1, number))
    inputs = tuple(Input(f"in{n}", draw(st.integers(1, 9))) for n in range(draw(st.integers(1, 2))))
    populations = tuple(
        Population(
            f"p{n}",
            size,
            rng.integers(-100, 100, size),
            phase=(number - 1 - n) % phases,
            decay=draw(st.integers(0, 4096)),
            threshold=draw(st.integers(-32768, 32767)),
            inclusive=draw(st.booleans()),
            spiking=draw(st.booleans()),
            reset=draw(st.sampled_from(PLAIN_RESETS)),
            v_reset=draw(st.integers(-32768, 32767)),
            v_init=draw(st.integers(-32768, 32767)),
        )
        for n in range(number)
        for size in [draw(st.integers(1, 20))]
    )
    top = 1 << (weight_bits - 1)
    connections = []
    for _ in range(draw(st.integers(0, 7))):
        source, target = (
            draw(st.sampled_from((*inputs, *populations))),
            draw(st.sampled_from(populations)),
        )
        at_once = isinstance(source, Input) or source.phase < target.phase
        connections.append(
            Connection(
                source.name,
                target.name,
                rng.integers(-top, top, (source.size, target.size)),
                draw(st.integers(0 if at_once else 1, 4)),
            )
        )
    return Network(inputs, populations, tuple(connections), weight_bits=weight_bits)


def exact_fit(net: Network, lanes: int, **changed: int) -> FabricConfig:
    """The smallest fabric for `net` with every population recorded, sized without the mapper."""

    def groups(size: int) -> int:
        return (size + lanes - 1) // lanes

    # Groups of all populations but the last, and the neurons of the last.
    last = max(net.populations, key=lambda p: p.phase)
    last = [p for p in net.populations if p.phase == last.phase][-1]
    before = sum(groups(p.size) for p in net.populations if p is not last)
    spiking = {p.name for p in net.populations if p.spiking}
    sizes = {
        "neurons": before * lanes + last.size,
        "weight_words": sum(len(c.weights) * groups(net.size(c.target)) for c in net.connections),
        "populations": len(net.populations),
        "connections": len(net.connections),
        "targets": len(spiking) + sum(c.source in spiking for c in net.connections),
        "axons": max((len(c.weights) for c in net.connections), default=1),
        "slots": 1 + max((c.delay for c in net.connections), default=0),
    }
    return FabricConfig(
        lanes=lanes,
        weight_bits=net.weight_bits,
        **{name: max(1, size) for name, size in (sizes | changed).items()},
    )


def roomy(net: Network, shape: Shape, lanes: int, slots: int = 5) -> FabricConfig:
    """A fabric with more than enough of everything but slots."""
    return FabricConfig(
        columns=shape[0],
        rows=shape[1],
        lanes=lanes,
        weight_bits=net.weight_bits,
        neurons=4 * 32,
        weight_words=7 * 20 * 20,
        slots=slots,
        axons=20,
    )


def map_all(net: Network, config: FabricConfig) -> MemoryImage:
    everyone = frozenset(p.name for p in net.populations)
    return map_network(net, config, everyone, everyone)


@settings(deadline=None)
@given(networks(), meshes(), st.integers(1, 16), st.integers(5, 8))
def test_every_synapse_is_found_once(net: Network, shape: Shape, lanes: int, slots: int) -> None:
    config = roomy(net, shape, lanes, slots)
    walker = Walker(map_all(net, config))
    names = [sender.name for sender in walker.image.senders]
    assert names == [p.name for p in sorted(net.populations, key=lambda p: p.phase)]
    silent = {p.name for p in net.populations if not p.spiking}
    expected = {
        (c.source, i, c.target, j, number, c.delay): [weight]
        for number, c in enumerate(net.connections)
        if c.source not in silent
        for i, weights in enumerate(c.weights.tolist())
        for j, weight in enumerate(weights)
    }
    assert walker.synapses() == expected
    if all(c.source not in silent for c in net.connections):
        words = [len(memories.weights) for memories in walker.tiles]
        assert walker.read == {(tile, n) for tile, count in enumerate(words) for n in range(count)}


@settings(deadline=None)
@given(networks(), meshes(), st.integers(1, 16))
def test_every_number_of_a_population_is_in_its_rows(
    net: Network, shape: Shape, lanes: int
) -> None:
    config = roomy(net, shape, lanes)
    walker = Walker(map_all(net, config))
    order = sorted(net.populations, key=lambda p: p.phase)
    biases: dict[str, dict[int, int]] = {p.name: {} for p in order}
    for memories in walker.tiles:
        assert len(memories.phases) == walker.control["last_phase"] + 1 == net.phases
        taken: set[int] = set()
        for phase, entries in enumerate(memories.phases):
            for entry in entries:
                p = order[entry["number"]]
                assert p.phase == phase
                assert entry["retain"] == 4096 - p.decay
                for name in ("threshold", "v_init", "inclusive", "spiking", "reset"):
                    assert entry[name] == getattr(p, name), name
                subtracts = p.reset is Reset.SUBTRACT
                assert entry["v_reset"] == (p.threshold if subtracts else p.v_reset)
                assert entry["readout"] == 1
                # Whole groups, not shared; the accumulators of the same groups.
                first = entry["neuron_base"] // lanes
                assert entry["neuron_base"] == first * lanes
                assert entry["sum_base"] == first * config.slots
                groups = set(range(first, first - (-entry["neurons"] // lanes)))
                assert taken.isdisjoint(groups)
                taken |= groups
                for n in range(entry["neurons"]):
                    neuron = entry["index_base"] + n
                    assert neuron not in biases[p.name]
                    biases[p.name][neuron] = memories.biases[entry["neuron_base"] + n]["bias"]
        assert taken == set(range(len(taken)))
    for p in order:
        assert biases[p.name] == dict(enumerate(p.bias.tolist()))


@settings(deadline=None)
@given(networks(), meshes(), st.integers(1, 16), st.data())
def test_a_fabric_of_just_what_was_used_is_enough(
    net: Network, shape: Shape, lanes: int, data: st.DataObject
) -> None:
    config = roomy(net, shape, lanes)
    everyone = frozenset(p.name for p in net.populations)
    made = plan(net, config, everyone, everyone)
    most = {name: max(used[name] for used in made.report.used) for name in made.report.available}
    for used, memories in zip(made.report.used, made.image.tiles, strict=True):
        for name in ("populations", "connections", "targets", "routes"):
            assert used[name] == len(getattr(memories, name))
        assert (used["neurons"], used["weight_words"]) == (
            len(memories.biases),
            len(memories.weights),
        )
    exact = {name: max(1, rows) for name, rows in most.items()}
    image = map_all(net, dataclasses.replace(config, **exact))
    assert [tile.weights for tile in image.tiles] == [tile.weights for tile in made.image.tiles]
    assert image.entries == made.image.entries
    # With less it is another mapping, which `map_network` checks, or it is refused in one line.
    name = data.draw(st.sampled_from(sorted(exact)))
    smaller = dataclasses.replace(config, **{**exact, name: max(1, exact[name] - 1)})
    refused = ""
    try:
        less = plan(net, smaller, everyone, everyone)
    except SpikeloomError as error:
        refused = str(error)
    if refused:
        remedy = r"[^\n]* \(short by \d+\); use [^\n]*[Ff]abric[^\n]*"
        assert re.fullmatch(remedy, refused)
    else:
        assert all(used[name] <= getattr(smaller, name) for used in less.report.used)


@settings(deadline=None)
@given(networks(), meshes(), st.integers(1, 16))
def test_the_same_network_is_mapped_alike(net: Network, shape: Shape, lanes: int) -> None:
    config = roomy(net, shape, lanes)
    everyone = frozenset(p.name for p in net.populations)
    made = plan(net, config, everyone, everyone)
    assert plan(net, config, everyone, everyone) == made
    assert json.loads(json.dumps(dataclasses.asdict(made.report)))["routes"] == made.report.routes
    assert made.report.cost <= made.report.reading_order_cost


@settings(deadline=None)
@given(networks(), st.integers(0, 4))
def test_input_runs_ahead_as_far_as_slots_allow(net: Network, spare: int) -> None:
    config = exact_fit(net, 4)
    config = dataclasses.replace(config, slots=config.slots + spare)
    image = map_all(net, config)
    longest = max((entry.delay for entry in image.entries), default=0)
    # Slots in use: the step fired, `window` steps ahead of it, and an input delay on top.
    assert 1 + Walker(image).control["window"] + longest == config.slots


def test_only_what_is_recorded_or_read_out_goes_to_the_host() -> None:
    net = Network(
        (Input("in", 1),),
        (
            Population("a", 1, np.zeros(1, np.int64)),
            Population("b", 1, np.zeros(1, np.int64), spiking=False),
        ),
        (),
    )
    config = FabricConfig()
    image = map_network(net, config, frozenset({"b"}), frozenset({"a"}))
    [tile] = Walker(image).tiles
    assert tile.targets == []
    assert [entry["readout"] for entry in tile.populations] == [1, 0]
    # LI has no spikes to record.
    assert [(s.name, s.recorded, s.readout) for s in image.senders] == [
        ("a", False, True),
        ("b", False, False),
    ]
    image = map_network(net, config, frozenset({"a"}), frozenset())
    [tile] = Walker(image).tiles
    assert tile.targets == [{"host": 1, "route": 0, "connection": 0, "delay": 0}]
    assert [(s.recorded, s.readout) for s in image.senders] == [(True, False), (False, False)]


def test_connections_come_before_the_host() -> None:
    net = Network(
        (),
        (Population("a", 1, np.zeros(1, np.int64)),),
        (Connection("a", "a", np.array([[1]]), 1), Connection("a", "a", np.array([[2]]), 2)),
    )
    [tile] = Walker(map_all(net, FabricConfig())).tiles
    assert [entry["host"] for entry in tile.targets] == [0, 0, 1]


# Meshes.


def layered(*sizes: int) -> Network:
    """Layers that all spike when anything comes; the first is the input."""
    names = [f"layer{n}" for n in range(len(sizes))]
    return Network(
        (Input(names[0], sizes[0]),),
        tuple(
            Population(names[n], sizes[n], np.zeros(sizes[n], np.int64), phase=n - 1)
            for n in range(1, len(sizes))
        ),
        tuple(
            Connection(names[n - 1], names[n], np.ones((sizes[n - 1], sizes[n]), np.int64))
            for n in range(1, len(sizes))
        ),
    )


def test_a_spike_is_sent_once_however_many_tiles_want_it() -> None:
    image = map_all(layered(5, 8, 32), FabricConfig(columns=2, rows=2, lanes=8))
    walker = Walker(image)
    senders = [t for t in walker.tiles if any(e["number"] == 0 for e in t.entries)]
    assert len(senders) == 1
    assert [target["host"] for target in senders[0].targets] == [0, 1, 1]
    # One route to the tile of the first layer, one to all tiles.
    assert [len(tile.routes) for tile in image.tiles] == [2] * 4


def test_a_single_tile_has_no_routes() -> None:
    image = map_all(layered(5, 8, 32), FabricConfig())
    assert image.tiles[0].routes == ()
    assert {entry.route for entry in image.entries} == {0}


def test_the_report_adds_up() -> None:
    net = layered(5, 8)
    config = FabricConfig(columns=2, lanes=4)
    everyone = frozenset({"layer1"})
    report = plan(net, config, everyone, everyone, {"layer0": 0.5}).report
    # Half an event a step from each of 5 axons, all of them also for tile 1.
    assert [(link.tile, link.port, link.packets) for link in report.links] == [
        (0, "east", 2.5),
        (1, "west", 0.0),
    ]
    assert report.cost == report.reading_order_cost == 2.5 + 1.25
    assert report.routes == 1
    assert (
        report.used
        == (
            {
                "neurons": 4,
                "weight_words": 5,
                "populations": 1,
                "connections": 1,
                "targets": 1,
                "routes": 1,
            },
        )
        * 2
    )
    assert report.available["weight_words"] == 16384


@settings(deadline=None)
@given(networks(), meshes(2), st.integers(1, 16))
def test_the_traffic_reported_is_that_of_the_image(net: Network, shape: Shape, lanes: int) -> None:
    everyone = frozenset(p.name for p in net.populations)
    made = plan(net, roomy(net, shape, lanes), everyone, everyone)
    walker = Walker(made.image)
    tables = [memories.routes for memories in made.image.tiles]
    # Tile, port and route of each event, with every axon and neuron active once.
    sent = [(0, WEST, entry.route, net.size(entry.input)) for entry in made.image.entries]
    sent += [
        (tile, LOCAL, target["route"], entry["neurons"])
        for tile, memories in enumerate(walker.tiles)
        for entry in memories.entries
        for target in memories.fan_out(entry)
        if not target["host"]
    ]
    expected = collections.Counter[tuple[int, int]]()
    for tile, port, route, count in sent:
        for link in walk(shape, tables, tile, port, route)[1]:
            expected[link] += count
    for link in made.report.links:
        assert link.packets == expected.pop((link.tile, NAMES.index(link.port.upper())), 0)
    assert not expected


def test_placement_beats_reading_order_on_a_network() -> None:
    # 16 populations of one group, joined in pairs that lie far apart in reading order.
    names = [f"p{n}" for n in range(16)]
    net = Network(
        (Input("in", 1),),
        tuple(Population(name, 8, np.zeros(8, np.int64)) for name in names),
        tuple(
            Connection(name, names[15 - n], np.ones((8, 8), np.int64), 1)
            for n, name in enumerate(names)
        ),
    )
    everyone = frozenset(names)
    report = plan(net, FabricConfig(columns=4, rows=4), everyone, everyone).report
    assert report.cost < report.reading_order_cost / 2


@pytest.mark.parametrize(
    ("activity", "message"),
    [
        ({"layer9": 1.0}, "activity: no input or population is called 'layer9'"),
        ({"layer1": -1.0}, "activity of 'layer1' must be 0..255, not -1.0"),
        ({"layer1": float("nan")}, "activity of 'layer1' must be 0..255, not nan"),
    ],
)
def test_activity_is_checked(activity: dict[str, float], message: str) -> None:
    with pytest.raises(SpikeloomError, match=f"^{message}$"):
        plan(layered(5, 8), FabricConfig(), frozenset(), frozenset(), activity)


@pytest.mark.parametrize("shape", [*MESHES, (4, 4)])
@pytest.mark.parametrize("schedule", ["layered", "pipelined"])
def test_mnist_maps(shape: Shape, schedule: Any) -> None:
    path = Path(__file__).parents[3] / "examples" / "mnist" / "mnist.nir"
    net = spikeloom.load_nir(path, dt=1e-3)
    config = FabricConfig(columns=shape[0], rows=shape[1])
    program = spikeloom.compile(net, config, schedule=schedule)
    hidden = [
        sum(e["neurons"] for e in tile.entries if e["number"] == 0)
        for tile in Walker(program.image).tiles
    ]
    assert sum(hidden) == 128
    # 16 groups of 8, spread as evenly as they can be.
    assert max(hidden) - min(hidden) <= 8
    check_delivery(program.network, program.image)


# Delivery.


def broken_images() -> dict[str, tuple[MemoryImage, str]]:
    """Images with one thing wrong, and what should be said about it."""
    image = map_all(layered(5, 32, 32), FabricConfig(columns=2, rows=2, lanes=8))

    def changed(tile: int, memory: str, word: int, **fields: int) -> MemoryImage:
        """With other values in a row of a tile's memory."""
        layout = getattr(image.config, f"{memory.removesuffix('s')}_row")
        words = list(getattr(image.tiles[tile], memory))
        words[word] = layout.pack(layout.unpack(words[word]) | fields)
        tiles = list(image.tiles)
        tiles[tile] = dataclasses.replace(tiles[tile], **{memory: tuple(words)})
        return dataclasses.replace(image, tiles=tuple(tiles))

    whole = r"connection \d from tile \d is not whole"
    unsent = "does not send each event of"
    misplaced = "is in exactly one tile"
    return {
        "a branch is missing": (changed(0, "routes", 0, south=0), whole),
        "a tile is passed by": (changed(1, "routes", 0, local=0), whole),
        "a tile has no row": (changed(1, "connections", 1, sources=0, synapses=0), whole),
        "a tile has fewer axons": (changed(1, "connections", 1, sources=31), whole),
        "a tile has fewer neurons": (changed(1, "connections", 1, synapses=7), whole),
        "to another connection": (changed(1, "targets", 0, connection=0), unsent),
        "with another delay": (changed(1, "targets", 0, delay=1), unsent),
        "to the host instead": (changed(1, "targets", 0, host=1), unsent),
        "no fan-out": (changed(1, "populations", 0, fan_out=0), unsent),
        "a neuron is missing": (changed(1, "populations", 0, neurons=7), misplaced),
        "neurons are there twice": (changed(1, "populations", 0, index_base=0), misplaced),
        "neurons are there in addition": (
            dataclasses.replace(image, tiles=(*image.tiles[:3], image.tiles[0])),
            misplaced,
        ),
        "no input": (dataclasses.replace(image, entries=()), unsent),
        "input twice": (dataclasses.replace(image, entries=image.entries * 2), unsent),
    }


@pytest.mark.parametrize("name", broken_images())
def test_a_broken_image_is_found(name: str) -> None:
    image, message = broken_images()[name]
    with pytest.raises(ValueError, match=message):
        check_delivery(layered(5, 32, 32), image)


# The cycle-level model.


@settings(deadline=None, max_examples=30)
@given(networks(), meshes(), st.integers(1, 16), st.integers(0, 1 << 30))
def test_the_cycle_level_model_computes_the_network(
    net: Network, shape: Shape, lanes: int, seed: int
) -> None:
    config = roomy(net, shape, lanes)
    image = map_all(net, config)
    rng = np.random.default_rng(seed)
    counts = check_inputs(
        net, {node.name: rng.random((2, 4, node.size)) < 0.4 for node in net.inputs}
    )
    expected = simulate(net, counts)
    model = CycleModel(config)
    model.load(image)
    words = np.concatenate(host_words(image, counts))
    clocks, packets = np.array(model.run(words.tolist()), np.uint64).T
    heard = decode_packets(image, clocks, packets, 2, 4)
    for name, spikes in heard.spikes.items():
        np.testing.assert_array_equal(spikes, expected.spikes[name])
    for name, states in heard.states.items():
        np.testing.assert_array_equal(states, expected.states[name])
    totals = collections.Counter[str]()
    for name, count in model.counters.items():
        totals[name.partition(".")[0]] += count
    assert totals["synops"] == expected.synops.sum()
    assert totals["errors"] == 0


@pytest.mark.parametrize("shape", [(1, 1), (2, 2)])
def test_predicted_clocks_are_those_of_the_cycle_level_model(shape: Shape) -> None:
    net = layered(5, 32, 8)
    config = FabricConfig(columns=shape[0], rows=shape[1])
    image = map_all(net, config)
    counts = {"layer0": np.ones((3, 4, 5), np.uint8)}
    model = CycleModel(config)
    model.load(image)
    words = np.concatenate(host_words(image, counts))
    ends = [clock for clock, packet in model.run(words.tolist()) if packet & 3 == 2]
    predicted = predict_clocks(image, counts, workers=1)
    assert predicted.shape == (3, 4)
    assert (predicted.cumsum() - 1).tolist() == ends
    assert golden_clocks(image, counts, workers=1).tolist() == predicted.sum(axis=1).tolist()


# What does not fit.


def network() -> Network:
    """Every size matters: two of each kind, and all delays."""
    rng = np.random.default_rng(3)
    return Network(
        (Input("in", 6),),
        (
            Population("a", 5, np.zeros(5, np.int64)),
            Population("b", 3, np.zeros(3, np.int64), phase=1),
        ),
        (
            Connection("in", "a", rng.integers(-9, 9, (6, 5))),
            Connection("a", "b", rng.integers(-9, 9, (5, 3))),
            Connection("b", "a", rng.integers(-9, 9, (3, 5)), 2),
        ),
    )


# With 4 lanes a takes 2 groups and b starts at neuron 8; 6 * 2 + 5 * 1 + 3 * 2 = 23 words of
# weights; a and b each have a connection and the host.
NEEDS = {
    "neurons": 11,
    "weight_words": 23,
    "populations": 2,
    "connections": 3,
    "targets": 4,
    "axons": 6,
    "slots": 3,
}


def test_exact_fit_is_what_was_counted() -> None:
    config = exact_fit(network(), 4)
    assert {name: getattr(config, name) for name in SIZES} == NEEDS
    map_all(network(), config)


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("short", [1, 2])
def test_a_size_too_small_is_named_with_what_is_short(name: str, short: int) -> None:
    have = max(1, NEEDS[name] - short)
    with pytest.raises(SpikeloomError) as error:
        map_all(network(), FabricConfig(lanes=4, **{**NEEDS, name: have}))
    assert str(error.value) == (
        f"the network does not fit the fabric: {name} {NEEDS[name]} of {have} "
        f"(short by {NEEDS[name] - have}); use "
        f"dataclasses.replace(fabric, {name}={NEEDS[name]})"
    )


def test_everything_that_is_short_is_named_at_once() -> None:
    with pytest.raises(SpikeloomError) as error:
        map_all(network(), FabricConfig(lanes=4, **dict.fromkeys(NEEDS, 1)))
    for name, need in NEEDS.items():
        assert f"{name} {need} of 1 (short by {need - 1})" in str(error.value)
    assert "\n" not in str(error.value)


@settings(deadline=None)
@given(networks(), st.integers(1, 16), st.sampled_from(SIZES))
def test_exact_fit_is_accepted_and_one_less_refused(net: Network, lanes: int, name: str) -> None:
    config = exact_fit(net, lanes)
    map_all(net, config)
    need = getattr(config, name)
    if need > 1:
        smaller = dataclasses.replace(config, **{name: need - 1})
        with pytest.raises(SpikeloomError, match=rf"{name} {need} of {need - 1} \(short by 1\)"):
            map_all(net, smaller)


@pytest.mark.parametrize(
    ("name", "other"), [("weight_bits", 4), ("state_bits", 12), ("sum_bits", 20)]
)
def test_widths_of_network_and_fabric_agree(name: str, other: int) -> None:
    changed: dict[str, Any] = {name: other}
    with pytest.raises(SpikeloomError, match=f"^{name}: the network has .*, the fabric {other}; "):
        map_all(network(), FabricConfig(**changed))
