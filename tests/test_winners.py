"""Selections in RTL and both golden models: equal candidates, clocks, faults."""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from random_networks import sizes
from random_switches import RANDOM
from test_equality import EVERY, assert_equal, run_cycle_level

from spikeloom.golden.cycle.selecting_fire import Candidate, SelectingFire
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.host import decode_packets, host_words
from spikeloom.golden.network import Connection, Convolution, Input, Network, Population
from spikeloom.golden.spec import FabricConfig, PacketKind, Reset
from spikeloom.golden.step.run import simulate
from spikeloom.golden.switches.adaptive_threshold import AdaptiveThreshold
from spikeloom.golden.switches.selection import Selection
from spikeloom.program import Program

FLAT, IMAGES = EVERY["switches"], EVERY["images, all options"]
Counts = dict[str, np.ndarray]


def few_values(rng: np.random.Generator, config: FabricConfig) -> tuple[Program, Counts]:
    """Two populations with selections, of few distinct weights, so that many potentials are equal.

    The second one reads the first. With images, convolutions; the last group of channels is often
    incomplete, and images of one or two positions are among them. Losers of the first population
    may lose so much that they reach the lowest potential.
    """
    selections = [RANDOM["selection"](rng, bits) for bits in (config.state_bits, 8)]
    selections[1] = dataclasses.replace(selections[1], amount=selections[1].amount % 4)
    if not config.images:
        selections = [dataclasses.replace(s, each="population", radius=None) for s in selections]
    height, width = rng.integers(1, 4, 2).tolist() if config.images else (1, 1)
    shapes = [(int(n), height, width) for n in rng.integers(1, 21, 3)]
    options = [
        {
            "threshold": int(rng.integers(0, 4)),
            "reset": Reset(int(rng.choice([Reset.VALUE, Reset.NONE]))),
            "decay": int(rng.choice([0, 2048])),
            "image": shape,
            "switches": (selection,),
        }
        for shape, selection in zip(shapes[1:], selections, strict=True)
    ]
    kinds = []
    for channels, image in zip(shapes[1:], shapes, strict=False):
        weights = rng.integers(-1, 3, (channels[0], image[0], 1, 1))
        kinds.append(weights)
    names = ["in", "a", "b"]
    connections: list[Any] = []
    for source, target, weights in zip(names, names[1:], kinds, strict=False):
        if config.images:
            connections.append(Convolution(source, target, weights))
        else:
            connections.append(Connection(source, target, weights[:, :, 0, 0].T.copy()))
    totals = [int(np.prod(shape)) for shape in shapes]
    network = Network(
        (Input("in", totals[0], image=shapes[0]),),
        tuple(
            Population(name, total, np.zeros(total, np.int64), phase, **option)
            for phase, (name, total, option) in enumerate(
                zip(names[1:], totals[1:], options, strict=True)
            )
        ),
        tuple(connections),
        config.weight_bits,
        config.state_bits,
        config.sum_bits,
    )
    every = frozenset(names[1:])
    counts = {"in": (rng.random((2, 5, totals[0])) < 0.4).astype(np.uint8)}
    return Program(network, config, every, every), counts


def cases(config: FabricConfig, count: int) -> list[tuple[Program, Counts]]:
    """Those of `few_values` that have a meaning."""
    rng = np.random.default_rng(5)
    result: list[tuple[Program, Counts]] = []
    while len(result) < count:
        with contextlib.suppress(SpikeloomError):  # it does not fit
            result.append(few_values(rng, config))
    return result


AROUND = [(0, 3, 3), (1, 0, 3), (2, 3, 0), (3, 3, 6), (4, 6, 3), (5, 4, 2), (6, 3, 3)]
"""Candidates, the best first: the winner, four out of its reach, one within, one at its place."""


def around(radius: int) -> tuple[Program, Counts]:
    """Candidates `AROUND` a winner that blocks others: channel, row and column of each."""
    image = (7, 7, 7)
    bias = np.zeros(image, np.int64)
    for potential, place in zip(range(20, 0, -1), AROUND, strict=False):
        bias[place] = potential
    selection = Selection(winners=15, radius=radius)
    population = Population(
        "p", bias.size, bias.ravel(), threshold=9, image=image, switches=(selection,)
    )
    silent = Convolution("in", "p", np.zeros((7, 1, 1, 1), np.int64))
    network = Network(
        (Input("in", 49, image=(1, 7, 7)),),
        (population,),
        (silent,),
        IMAGES.weight_bits,
        IMAGES.state_bits,
        IMAGES.sum_bits,
    )
    every = frozenset("p")
    return Program(network, IMAGES, every, every), {"in": np.zeros((1, 2, 49), np.uint8)}


@pytest.mark.parametrize(("radius", "blocked"), [(0, set()), (1, {5, 6}), (2, {5, 6})])
def test_a_winner_blocks_those_around_it(radius: int, blocked: set[int]) -> None:
    """In every direction, and with a radius of 0 no other channel."""
    heard = assert_equal(*around(radius))
    spikes = heard.spikes["p"][0, 0].reshape(7, 7, 7)
    winners = [tuple(place) for place in np.argwhere(spikes).tolist()]
    assert winners == [place for place in AROUND if place[0] not in blocked]


def with_biases(config: FabricConfig, biases: list[int], **options: Any) -> tuple[Program, Counts]:
    """A population of neurons that read nothing but their biases; the threshold is 9."""
    size = len(biases)
    population = Population("p", size, np.array(biases), threshold=9, **options)
    sizes = config.weight_bits, config.state_bits, config.sum_bits
    silent = Connection("in", "p", np.zeros((1, size), np.int64))
    network = Network((Input("in", 1),), (population,), (silent,), *sizes)
    every = frozenset("p")
    return Program(network, config, every, every), {"in": np.zeros((1, 6, 1), np.uint8)}


def best_of_a_group() -> tuple[Program, Counts]:
    """An image of one position, where the last channel of the first group is the best."""
    lanes = IMAGES.lanes
    biases = [10] * (lanes - 1) + [20] + [11] * lanes
    options = {"image": (2 * lanes, 1, 1), "switches": (Selection(each="position"),)}
    return with_biases(IMAGES, biases, **options)


def waits_for_the_second() -> tuple[Program, Counts]:
    """Candidates whose thresholds adapt; two of three win, one in each of two walks."""
    switches = (AdaptiveThreshold(7, 1024), Selection(winners=2))
    return with_biases(FLAT, [20, 25, 30], switches=switches, reset=Reset.VALUE)


def test_the_best_of_a_group_is_the_best_of_its_position() -> None:
    spikes = assert_equal(*best_of_a_group()).spikes["p"][0]
    assert np.flatnonzero(spikes[0]).tolist() == [IMAGES.lanes - 1]


def test_a_candidate_that_waits_adapts_once() -> None:
    spikes = assert_equal(*waits_for_the_second()).spikes["p"][0]
    assert spikes.sum(axis=1).max() == 2
    assert spikes.any(axis=0).all()


@pytest.mark.parametrize("config", [FLAT, IMAGES], ids=["flat", "images"])
def test_equal_candidates(config: FabricConfig) -> None:
    """RTL, cycle-level and step-level model choose the same ones."""
    spikes = 0
    for program, counts in cases(config, 30):
        heard = assert_equal(program, counts)
        spikes += int(heard.spikes["b"].sum())
    assert spikes > 50


def models_agree(config: FabricConfig) -> None:
    """The cycle-level and the step-level model."""
    for program, counts in cases(config, 40):
        image = program.image
        packets, _ = run_cycle_level(image, np.concatenate(host_words(image, counts)))
        clocks, payloads = np.array(packets, np.uint64).reshape(-1, 2).T
        heard = decode_packets(image, clocks, payloads, *sizes(counts))
        expected = simulate(program.network, counts)
        for name in program.record:
            assert np.array_equal(heard.spikes[name], expected.spikes[name])
            assert np.array_equal(heard.states[name], expected.states[name])


def clocks(selection: Selection | None, bias: list[int]) -> list[int]:
    """Clocks of each of three steps; the potentials are read out after the last."""
    size = len(bias)
    switches = () if selection is None else (selection,)
    population = Population("p", size, np.array(bias), threshold=6, switches=switches)
    silent = Connection("in", "p", np.zeros((1, size), np.int64))
    network = Network((Input("in", 1),), (population,), (silent,), 4)
    program = Program(network, FLAT, frozenset(), frozenset({"p"}))
    words = np.concatenate(host_words(program.image, {"in": np.zeros((1, 3, 1), np.uint8)}))
    packets, _ = run_cycle_level(program.image, words)
    unpack = program.fabric.host_out.unpack
    done = [clock for clock, packet in packets if unpack(packet)["kind"] == PacketKind.STEP]
    return np.diff([0, *done]).tolist()


def test_clocks() -> None:
    """n + `fire_clocks` + 3 for each winner, and once more where potentials are read out."""
    quiet, loud = [1, 1, 1, 1, 1], [7, 7, 7, 7, 7]
    more = 5 + FLAT.fire_clocks + 3
    plain = clocks(None, quiet)
    assert clocks(Selection(), quiet)[:2] == plain[:2]
    assert np.subtract(clocks(Selection(), loud), plain)[:2].tolist() == [more, more]
    assert np.subtract(clocks(Selection(3), loud), plain)[:2].tolist() == [3 * more, 3 * more]
    assert clocks(Selection(), quiet)[2] - plain[2] == more
    assert clocks(Selection(), loud)[2] - plain[2] == 2 * more


def _last(self: Candidate, other: Candidate | None) -> bool:
    return other is None or (self.u, self.channel) >= (other.u, other.channel)


def _near(self: SelectingFire, candidate: Candidate, winner: Candidate) -> bool:
    return candidate.channel == winner.channel


FAULTS: dict[str, tuple[FabricConfig, Any, str, Callable[..., Any]]] = {
    "the last of equal ones wins": (FLAT, Candidate, "beats", _last),
    "the radius counts for nothing": (IMAGES, SelectingFire, "_blocked", _near),
    "nobody loses": (
        FLAT,
        Selection,
        "fields",
        lambda self: {"winners": self.winners, "then": 0},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_model_is_a_difference(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config, where, name, wrong = FAULTS[fault]
    models_agree(config)
    monkeypatch.setattr(where, name, wrong)
    with pytest.raises(AssertionError):
        models_agree(config)
