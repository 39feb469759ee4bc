"""Fabrics that are built with a network run it without a load, as golden runs it."""

import functools
from dataclasses import fields, replace

import numpy as np
import pytest
from locking import one_at_a_time

from spikeloom.golden.contents import NOTHING, Contents
from spikeloom.golden.convolution import Convolution
from spikeloom.golden.errors import FaultyDevice
from spikeloom.golden.host import decode_packets, host_words
from spikeloom.golden.memory_image import MemoryImage, TileImage
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.golden.step.run import check_inputs, simulate
from spikeloom.hdl.fabric import Fabric
from spikeloom.mapping.plan import map_network
from spikeloom.sim.runner import FabricStuck, Simulation
from spikeloom.sim.verilog import TOP, emit, generate

CONFIG = FabricConfig(
    columns=2,
    lanes=2,
    neurons=40,
    weight_words=256,
    slots=3,
    axons=32,
    populations=4,
    connections=6,
    targets=12,
    queue=4,
    routes=8,
    extent=4,
    coordinates=32,
)
MEMORIES = frozenset(CONFIG.memories) - {LoadTarget.CONTROL}
SAMPLES, STEPS = 3, 6
COUNTS = {"in": np.random.default_rng(3).integers(0, 2, (SAMPLES, STEPS, 32)).astype(np.uint8)}


@functools.cache
def network() -> Network:
    """A convolution, a loop and a dense layer in the next phase."""
    rng = np.random.default_rng(5)
    return Network(
        (Input("in", 32, image=(2, 4, 4)),),
        (
            Population("one", 64, np.full(64, 3), 0, decay=400, threshold=120, image=(4, 4, 4)),
            Population("out", 5, rng.integers(-5, 6, 5), 1, decay=90, threshold=80),
        ),
        (
            Convolution("in", "one", rng.integers(-20, 50, (4, 2, 3, 3)), padding=((1, 1), (1, 1))),
            Convolution("one", "one", rng.integers(-20, 20, (4, 2, 1, 1)), 1, groups=2),
            Connection("one", "out", rng.integers(-20, 25, (64, 5))),
        ),
    )


@functools.cache
def image() -> MemoryImage:
    everyone = frozenset({"one", "out"})
    return map_network(network(), CONFIG, everyone, everyone)


def verilog(contents: Contents) -> str:
    if contents == NOTHING:
        return emit(CONFIG)
    design = Fabric(CONFIG, contents=contents)
    return generate("Fabric with contents", CONFIG, design, TOP, contents=contents)


def differs(contents: Contents, loaded: MemoryImage | None = None) -> str:
    """What differs from golden, "" if nothing does."""
    words = np.concatenate(host_words(image(), check_inputs(network(), COUNTS)))
    with (
        one_at_a_time("contents"),
        Simulation(CONFIG, verilog=verilog(contents)) as simulation,
    ):
        if loaded is not None:
            simulation.load(loaded)
        try:
            clocks, packets = simulation.run(words, patience=10_000)
            heard = decode_packets(image(), clocks, packets, SAMPLES, STEPS)
        except (FabricStuck, FaultyDevice) as error:
            return str(error)
    expected = simulate(network(), COUNTS)
    pairs = [(heard.spikes[name], expected.spikes[name]) for name in heard.spikes]
    pairs += [(heard.states[name], expected.states[name]) for name in heard.states]
    assert len(pairs) == 4
    assert all(spikes.sum() > 10 for spikes in expected.spikes.values())
    return "" if all((ours == theirs).all() for ours, theirs in pairs) else "spikes or states"


def test_a_fabric_with_contents_needs_no_load() -> None:
    tables = [tile.tables for tile in image().tiles]
    assert all(any(any(table[memory]) for table in tables) for memory in MEMORIES)
    assert differs(image().contents(MEMORIES)) == ""


def test_contents_can_be_loaded_over() -> None:
    flipped = replace(
        image(),
        tiles=tuple(
            replace(tile, weights=tuple(row ^ 0x1111 for row in tile.weights))
            for tile in image().tiles
        ),
        control=0,
    )
    contents = flipped.contents(MEMORIES)
    assert differs(contents) != ""
    assert differs(contents, image()) == ""


@pytest.mark.parametrize("target", CONFIG.memories)
def test_the_network_needs_every_memory(target: LoadTarget) -> None:
    """So a memory that was built without its contents would be seen above."""
    names = dict(zip(image().tiles[0].tables, fields(TileImage), strict=False))
    if target == LoadTarget.CONTROL:
        lacking = replace(image(), control=0)
    else:
        without = {names[target].name: ()}
        lacking = replace(image(), tiles=tuple(replace(t, **without) for t in image().tiles))
    assert differs(NOTHING, lacking) != ""
