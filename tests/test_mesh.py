"""Meshes: the same network gives the same spikes wherever it runs, and the RTL is the model.

The model runs every pair of a shape and a number of lanes; in RTL four are here, and `make soak`
runs the others.
"""

import dataclasses
import functools
import itertools

import numpy as np
import pytest
from loaded_fabric import loaded
from locking import one_at_a_time
from soaked import all_but

from spikeloom.golden.convolution import Convolution
from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.host import decode_packets, host_words
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig, Reset
from spikeloom.golden.step.run import Run, check_inputs, simulate
from spikeloom.mapping.plan import map_network
from spikeloom.sim.cosim import check as cosim
from spikeloom.sim.runner import run_batch

STEPS = 6
SAMPLES = 3
SHAPES = [(1, 1), (2, 1), (2, 2), (4, 4), (3, 5)]
"""Columns and rows."""
LANES = [1, 4, 8]
IN_RTL = {((2, 1), 4)}
"""Shapes and lanes whose RTL is not left to `make soak`."""


@functools.cache
def network(schedule: str) -> Network:
    """Two layers, the first recurrent, and a readout; layered or pipelined."""
    rng = np.random.default_rng(7)
    forward, phases = (0, (0, 1, 2)) if schedule == "layered" else (1, (0, 0, 0))

    def weights(*shape: int) -> np.ndarray:
        return rng.integers(-40, 60, shape)

    return Network(
        (Input("in", 24),),
        (
            Population("one", 45, rng.integers(-5, 6, 45), phases[0], decay=300, threshold=150),
            Population("two", 33, rng.integers(-5, 6, 33), phases[1], decay=90, threshold=160),
            Population("out", 10, np.zeros(10, np.int64), phases[2], spiking=False),
        ),
        (
            Connection("in", "one", weights(24, 45), forward),
            Connection("one", "one", weights(45, 45) // 4, 1),
            Connection("one", "two", weights(45, 33) // 2, forward),
            Connection("two", "one", weights(33, 45) // 8, 2),
            Connection("two", "out", weights(33, 10), forward),
        ),
    )


def fabric(columns: int, rows: int, lanes: int) -> FabricConfig:
    return FabricConfig(
        columns=columns,
        rows=rows,
        lanes=lanes,
        neurons=112,
        weight_words=8192 // (columns * rows),  # of all tiles together: as many as one needs
        slots=4,
        axons=64,
        populations=4,
        connections=8,
        targets=16,
        queue=16,
        routes=64,
    )


def events() -> np.ndarray:
    return np.random.default_rng(3).random((SAMPLES, STEPS, 24)) < 0.3


def mapped(net: Network, config: FabricConfig) -> MemoryImage:
    everyone = frozenset(population.name for population in net.populations)
    return map_network(net, config, everyone, everyone)


def check_packets(
    image: MemoryImage, clocks: np.ndarray, packets: np.ndarray, expected: Run
) -> None:
    heard = decode_packets(image, clocks, packets, SAMPLES, STEPS)
    for name, spikes in heard.spikes.items():
        assert (spikes == expected.spikes[name]).all()
    for name, states in heard.states.items():
        assert (states == expected.states[name]).all()


@pytest.mark.parametrize("schedule", ["layered", "pipelined"])
@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_model_gives_the_same_spikes_on_every_mesh(
    shape: tuple[int, int], lanes: int, schedule: str
) -> None:
    net = network(schedule)
    expected = simulate(net, events())
    assert all(spikes.sum() > 20 for name, spikes in expected.spikes.items() if name != "out")
    image = mapped(net, fabric(*shape, lanes))
    model = CycleModel(image.config)
    model.load(image)
    words = np.concatenate(host_words(image, check_inputs(net, events())))
    clocks, packets = np.array(model.run([int(word) for word in words]), np.uint64).T
    check_packets(image, clocks, packets, expected)
    counters = model.counters
    tiles = range(image.config.tiles)
    assert sum(counters[f"synops.{tile}"] for tile in tiles) == expected.synops.sum()
    assert sum(counters[f"errors.{tile}"] for tile in tiles) == 0


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_model_gives_the_same_traces_on_every_mesh(shape: tuple[int, int]) -> None:
    net = network("layered")
    synaptic = dataclasses.replace(net.populations[0], synaptic_decay=1000)
    net = dataclasses.replace(net, populations=(synaptic, *net.populations[1:]))
    config = dataclasses.replace(fabric(*shape, 4), traces=True, synaptic_current=True)
    names = {population.name for population in net.populations}
    neurons = {name: np.arange(net.size(name)) for name in names}
    expected = simulate(net, events(), traces=neurons)
    image = mapped(net, config).with_traces(names)
    model = CycleModel(config)
    model.load(image)
    words = np.concatenate(host_words(image, check_inputs(net, events())))
    clocks, packets = np.array(model.run(words.tolist()), np.uint64).T
    check_packets(image, clocks, packets, expected)
    run = decode_packets(image, clocks, packets, SAMPLES, STEPS)
    assert run.traces.keys() == names
    assert run.currents.keys() == run.current_traces.keys() == {synaptic.name}
    for kind in ("traces", "current_traces", "currents"):
        for name, values in getattr(run, kind).items():
            assert len(np.unique(values)) > 10
            assert (values == getattr(expected, kind)[name]).all()


def test_pipelined_is_layered_a_step_later_for_each_layer() -> None:
    # Without bias and loops, so that a layer that waits for its first spikes stays as it was.
    rng = np.random.default_rng(5)
    first, second = rng.integers(-40, 60, (24, 30)), rng.integers(-40, 60, (30, 12))
    rasters = {}
    for schedule, delay, phases in (("layered", 0, (0, 1)), ("pipelined", 1, (0, 0))):
        net = Network(
            (Input("in", 24),),
            (
                Population("one", 30, np.zeros(30, np.int64), phases[0], 300, 150),
                Population("two", 12, np.zeros(12, np.int64), phases[1], 90, 160),
            ),
            (Connection("in", "one", first, delay), Connection("one", "two", second, delay)),
        )
        given = np.random.default_rng(3).random((1, STEPS, 24)) < 0.3
        padded = np.concatenate([given, np.zeros((1, 2, 24), bool)], axis=1)
        image = mapped(net, fabric(2, 2, 4))
        model = CycleModel(image.config)
        model.load(image)
        words = np.concatenate(host_words(image, check_inputs(net, padded)))
        clocks, packets = np.array(model.run([int(word) for word in words]), np.uint64).T
        rasters[schedule] = decode_packets(image, clocks, packets, 1, STEPS + 2).spikes
    for name, late in (("one", 1), ("two", 2)):
        layered, pipelined = rasters["layered"][name], rasters["pipelined"][name]
        assert layered[:, :STEPS].any()
        assert (pipelined[:, late : STEPS + late] == layered[:, :STEPS]).all()


@pytest.mark.parametrize(
    ("shape", "lanes"),
    [
        pytest.param(*pair, marks=() if pair in IN_RTL else pytest.mark.soak)
        for pair in itertools.product(SHAPES, LANES)
    ],
    ids=str,
)
def test_the_rtl_is_the_model_in_every_clock_count_and_packet(
    shape: tuple[int, int], lanes: int
) -> None:
    config = fabric(*shape, lanes)
    for schedule in ("layered", "pipelined"):
        net = network(schedule)
        image = mapped(net, config)
        words = np.concatenate(host_words(image, check_inputs(net, events())))
        (result,) = run_batch(loaded(image), [words], workers=1)
        check_packets(image, result.clocks, result.packets, simulate(net, events()))
        model = CycleModel(config)
        model.load(image)
        assert list(zip(result.clocks.tolist(), result.packets.tolist(), strict=True)) == model.run(
            [int(word) for word in words]
        )
        assert result.counters == model.counters
        assert sum(result.counters[f"errors.{tile}"] for tile in range(config.tiles)) == 0


@pytest.mark.parametrize("shape", all_but({(2, 2)}, [(2, 1), (2, 2)]), ids=str)
def test_every_signal_of_the_rtl_is_the_models(shape: tuple[int, int]) -> None:
    net = network("layered")
    image = mapped(net, fabric(*shape, 8))
    words = [int(w) for w in np.concatenate(host_words(image, check_inputs(net, events()[:2])))]
    for seed, gap, backpressure in ((1, 0.0, 0.0), (2, 0.4, 0.5)):
        with one_at_a_time(f"mesh-bench-{shape}"):
            report = cosim.check(image, cosim.Scenario(words, seed, gap, backpressure, 0.1))
        assert report.difference is None, str(report.difference)
        assert report.steps == 2 * STEPS
        assert report.cycles > len(words)


def test_a_packet_without_a_route_is_counted_where_it_is_dropped() -> None:
    """With the other errors of its tile: an axon that its connection does not have."""
    config = fabric(2, 2, 8)
    net = network("layered")
    image = mapped(net, config)
    free = config.routes - 1  # no tile has a row for it
    assert all(len(tile.routes) <= free for tile in image.tiles)
    inputs = [entry for entry in image.entries if entry.input == "in"]
    lost = config.host_in.pack({"route": free})
    excess = {"route": inputs[0].route, "connection": inputs[0].connection, "index": 63}
    words = [lost, config.host_in.pack(excess), lost, config.host_in.pack({"step": 1, "first": 1})]
    (result,) = run_batch(loaded(image), [np.array(words, np.uint64)], workers=1)
    model = CycleModel(config)
    model.load(image)
    assert list(zip(result.clocks.tolist(), result.packets.tolist(), strict=True)) == model.run(
        words
    )
    assert result.counters == model.counters
    assert result.counters["errors.0"] >= 2
    assert sum(result.counters[f"errors.{tile}"] for tile in range(config.tiles)) > 2


# Images on meshes.


def image_network() -> Network:
    """Convolutions, one of them recurrent, a dense layer behind them, and every option."""
    rng = np.random.default_rng(11)

    def weights(*shape: int) -> np.ndarray:
        return rng.integers(-30, 50, shape)

    first, second = (12, 5, 6), (9, 3, 3)
    return Network(
        (Input("in", 2 * 10 * 12, image=(2, 10, 12)),),
        (
            Population(
                "one",
                360,
                rng.integers(-5, 6, 12).repeat(30),
                0,
                decay=400,
                threshold=140,
                image=first,
                synaptic_decay=1500,
                v_min=-100,
            ),
            Population(
                "two",
                81,
                rng.integers(-5, 6, 81),
                1,
                decay=90,
                threshold=160,
                reset=Reset.SUBTRACT,
                image=second,
                delayed_reset=True,
            ),
            Population("out", 10, np.full(10, 200), 2, threshold=90, max_spikes=3),
        ),
        (
            Convolution("in", "one", weights(12, 2, 3, 3), padding=((1, 1), (1, 1)), pool=(2, 2)),
            Convolution(
                "one", "one", weights(12, 3, 1, 3) // 4, 1, groups=4, padding=((0, 0), (1, 1))
            ),
            Convolution("one", "two", weights(9, 12, 3, 2) // 2, stride=(1, 2)),
            Connection("two", "out", weights(81, 10) // 2),
            Connection("two", "out", weights(81, 10) // 40, high=True),
        ),
        sum_bits=24,
    )


def image_fabric(columns: int, rows: int, lanes: int) -> FabricConfig:
    return dataclasses.replace(
        fabric(columns, rows, lanes),
        neurons=800,
        weight_words=4096,
        sum_bits=24,
        axons=512,
        extent=12,
        synaptic_current=True,
        weight_pairs=True,
        delayed_reset=True,
        lower_clamp=True,
        max_spikes=3,
    )


def run_images(
    columns: int, rows: int, lanes: int
) -> tuple[MemoryImage, np.ndarray, CycleModel, Run]:
    net = image_network()
    image = mapped(net, image_fabric(columns, rows, lanes))
    counts = np.random.default_rng(3).random((2, STEPS, 240)) < 0.1
    words = np.concatenate(host_words(image, check_inputs(net, counts)))
    model = CycleModel(image.config)
    model.load(image)
    return image, words, model, simulate(net, counts)


@pytest.mark.parametrize(("shape", "lanes"), [((1, 1), 1), ((2, 1), 8), ((3, 1), 4), ((2, 2), 4)])
def test_images_give_the_same_spikes_on_every_mesh(shape: tuple[int, int], lanes: int) -> None:
    image, words, model, expected = run_images(*shape, lanes)
    assert all(spikes.sum() > 20 for spikes in expected.spikes.values())
    assert expected.spikes["out"].max() > 1
    clocks, packets = np.array(model.run([int(word) for word in words]), np.uint64).T
    heard = decode_packets(image, clocks, packets, 2, STEPS)
    for name, spikes in heard.spikes.items():
        assert (spikes == expected.spikes[name]).all()
    for name, states in heard.states.items():
        assert (states == expected.states[name]).all()
    tiles = range(image.config.tiles)
    assert sum(model.counters[f"synops.{tile}"] for tile in tiles) == expected.synops.sum()


def test_images_on_a_mesh_in_rtl() -> None:
    image, words, model, _ = run_images(2, 1, 8)
    with one_at_a_time("mesh-images"):
        (result,) = run_batch(loaded(image), [words], workers=1)
    packets = list(zip(result.clocks.tolist(), result.packets.tolist(), strict=True))
    assert packets == model.run([int(word) for word in words])
    assert result.counters == model.counters
