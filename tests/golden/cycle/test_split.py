"""Every clock of a step belongs to one part; the parts are those that can be counted by hand."""

import dataclasses

import numpy as np
from mesh_program import mesh_program
from small_program import SMALL, small_network

from spikeloom.devices.chunks import chunk_words
from spikeloom.devices.prediction import predict_clocks
from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.cycle.split import PARTS, split_clocks
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.step.run import simulate
from spikeloom.program import Program

SHAPE = (2, 5)


def split(program: Program, events: np.ndarray) -> tuple[np.ndarray, CycleModel]:
    counts = {program.network.inputs[0].name: events}
    words = [int(word) for word in next(chunk_words(program.image, counts))]
    model = CycleModel(program.fabric)
    model.load(program.image)
    model.run(words)
    clocks = split_clocks(program.image, words, sum(word & 1 for word in words))
    assert (clocks >= 0).all()
    predicted = predict_clocks(program.image, counts).ravel()
    assert (clocks.sum(axis=2) == predicted[:, None]).all()
    assert (split_clocks(program.image, words, 2) == clocks[:2]).all()
    return clocks, model


def test_integrate_is_one_clock_for_each_group_of_each_event() -> None:
    network = small_network()
    program = Program(network, SMALL, frozenset(), frozenset())
    events = np.random.default_rng(4).integers(0, 3, (*SHAPE, 6)).astype(np.uint8)
    clocks, model = split(program, events)
    spikes = simulate(network, events).spikes["first"]
    # Two lanes: 9 neurons are 5 groups, 3 and 4 are 2 each. The loop takes two steps.
    groups = 5 * events.sum() + 5 * spikes[:, :-2].sum() + 4 * spikes.sum()
    assert clocks[..., PARTS.index("integrate")].sum() == groups
    assert clocks[..., PARTS.index("stall")].sum() == model.counters["stalls.0"]
    assert model.counters["stalls.0"] > 0


def silent(neurons: int) -> np.ndarray:
    """The split of three steps of a population that never receives an event."""
    network = Network(
        (Input("in", 1),),
        (Population("n", neurons, np.zeros(neurons, np.int64), threshold=9),),
        (Connection("in", "n", np.ones((1, neurons), np.int64)),),
    )
    fabric = dataclasses.replace(SMALL, queue=32)
    program = Program(network, fabric, frozenset(), frozenset())
    clocks, _ = split(program, np.zeros((1, 3, 1), np.uint8))
    return clocks[:, 0]


def test_without_events_a_step_fires_and_waits() -> None:
    few, more = silent(12), silent(24)
    assert not few[:, :2].any()
    # One neuron a clock, and as long a wait for the sequencer whatever their number.
    assert (more - few).tolist() == [[0, 0, 12, 0]] * 3


def test_each_tile_of_a_mesh_has_its_own() -> None:
    program = mesh_program()
    size = program.network.inputs[0].size
    events = (np.random.default_rng(5).random((1, 4, size)) < 0.4).astype(np.uint8)
    clocks, model = split(program, events)
    assert clocks.shape[1] == program.fabric.tiles > 1
    for tile in range(program.fabric.tiles):
        assert clocks[:, tile, 1].sum() == model.counters[f"stalls.{tile}"]
    assert len({tuple(row) for row in clocks.sum(axis=0).tolist()}) > 1
