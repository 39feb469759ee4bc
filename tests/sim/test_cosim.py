"""The cycle-by-cycle bench: RTL and model agree under gaps and backpressure, and faults show."""

import dataclasses
import re

import numpy as np
import pytest
from locking import one_at_a_time
from random_networks import random_events, shuffled, sizes

from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.host import host_words
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig, Reset
from spikeloom.golden.step.run import simulate
from spikeloom.mapping.plan import map_network
from spikeloom.sim.cosim import check as cosim
from spikeloom.sim.cosim.bench import first_difference
from spikeloom.sim.cosim.check import Scenario
from spikeloom.sim.verilog import emit

RECURRENT = FabricConfig(
    lanes=3,
    weight_bits=8,
    state_bits=12,
    sum_bits=14,
    neurons=13,
    weight_words=140,
    slots=5,
    axons=9,
    populations=3,
    connections=9,
    targets=9,
    queue=4,
    counter_bits=16,
)
NARROW = dataclasses.replace(
    RECURRENT, lanes=1, neurons=5, weight_words=24, weight_bits=2, state_bits=9, slots=1, queue=1
)
FABRICS = {"recurrent": RECURRENT, "narrow": NARROW}

PAUSES = {
    "none": {},
    "some": {"gap": 0.2, "backpressure": 0.2, "load_gap": 0.2},
    "slow host": {"gap": 0.9},
    "heavy backpressure": {"backpressure": 0.95},
    "both": {"gap": 0.5, "backpressure": 0.8, "load_gap": 0.5},
}
SAMPLES, STEPS = 3, 7


def network(config: FabricConfig) -> Network:
    """Two phases and two inputs; recurrent with every delay where there are slots for it."""
    rng = np.random.default_rng(5)
    sizes = {"in": 6, "aux": 2, "a": 8, "b": 4} if config.slots > 1 else {"in": 4, "aux": 1}
    sizes |= {} if config.slots > 1 else {"a": 3, "b": 2}
    top = 1 << (config.weight_bits - 1)

    def connection(source: str, target: str, delay: int = 0) -> Connection:
        weights = rng.integers(-top, top, (sizes[source], sizes[target]))
        return Connection(source, target, weights, delay)

    connections = [connection("in", "a"), connection("aux", "b"), connection("a", "b")]
    if config.slots > 1:
        connections += [connection("aux", "a", 1), connection("b", "a", config.slots - 1)]
        connections += [connection("a", "a", 1), connection("b", "b", 2)]
    return Network(
        (Input("in", sizes["in"], 2), Input("aux", sizes["aux"])),
        (
            Population("a", sizes["a"], rng.integers(-3, 9, sizes["a"]), decay=700, threshold=top),
            Population(
                "b",
                sizes["b"],
                rng.integers(-3, 9, sizes["b"]),
                phase=1,
                decay=90,
                threshold=top // 2,
                inclusive=True,
                reset=Reset.SUBTRACT,
                v_init=-3,
            ),
        ),
        tuple(connections),
        config.weight_bits,
        config.state_bits,
        config.sum_bits,
    )


def mapped(config: FabricConfig) -> MemoryImage:
    return map_network(network(config), config, frozenset("ab"), frozenset("b"))


def check(image: MemoryImage, scenario: Scenario, verilog: str | None = None) -> cosim.Report:
    """Run the bench, which test processes build one at a time."""
    with one_at_a_time(f"cosim-{image.config.lanes}"):
        return cosim.check(image, scenario, verilog)


@pytest.mark.parametrize("pauses", PAUSES)
@pytest.mark.parametrize("name", FABRICS)
def test_every_clock_agrees(name: str, pauses: str) -> None:
    image = mapped(FABRICS[name])
    plain = network(FABRICS[name])
    rng = np.random.default_rng(6)
    counts = random_events(rng, plain, SAMPLES, STEPS, 0.5)
    words = shuffled(rng, np.concatenate(host_words(image, counts))).tolist()
    report = check(image, Scenario(words, seed=7, **PAUSES[pauses]))

    assert report.difference is None
    assert report.seed == 7
    assert report.events == len(words)
    assert report.steps == SAMPLES * STEPS == np.prod(sizes(counts))
    expected = simulate(plain, counts)
    spikes = sum(int(raster.sum()) for raster in expected.spikes.values())
    assert spikes > 0
    assert report.packets == report.steps + spikes + expected.states["b"].size

    # Loading takes one clock per word; the model predicts the rest.
    model = CycleModel(image.config)
    model.load(image)
    model.run(words)
    least = len(list(image.load_words())) + model.cycles
    if pauses == "none":
        assert report.cycles == least
    else:
        assert report.cycles > least


def test_a_seed_replays() -> None:
    image = mapped(NARROW)
    counts = random_events(np.random.default_rng(8), network(NARROW), 1, 3, 0.5)
    words = np.concatenate(host_words(image, counts)).tolist()
    scenario = Scenario(words, seed=1, gap=0.5, backpressure=0.5)
    cycles = [check(image, dataclasses.replace(scenario, seed=seed)).cycles for seed in (1, 1, 2)]
    assert cycles[0] == cycles[1] != cycles[2]


# What must fail.


@pytest.mark.parametrize("words", [[], [NARROW.host_in.pack({"connection": 1})]])
def test_a_bench_without_steps_fails(words: list[int]) -> None:
    with pytest.raises(RuntimeError, match="compared nothing"):
        check(mapped(NARROW), Scenario(words, seed=1))


@pytest.mark.parametrize("deaf", [{"backpressure": 1.0}, {"gap": 1.0}])
def test_a_bench_that_does_not_end_fails(deaf: dict[str, float]) -> None:
    words = [NARROW.host_in.pack({"step": 1})]
    with pytest.raises(RuntimeError, match="no transfer at the host ports for 300 clocks"):
        check(mapped(NARROW), Scenario(words, seed=1, limit=300, **deaf))


@pytest.mark.parametrize(
    ("fault", "signal"),
    [
        ((r"load__valid & (\S+ ;)", r"\1"), None),  # CONTROL is written without a valid word
        ((r"load__ready = 1'h1", "load__ready = ~load__valid"), "load.ready"),
    ],
)
def test_faults_at_the_load_port_are_found(fault: tuple[str, str], signal: str | None) -> None:
    text = emit(NARROW, probe=True)
    pattern, replacement = fault
    start = text.index("module \\spikeloom_fabric.sequencer ") if signal is None else 0
    broken = text[:start] + re.sub(pattern, replacement, text[start:], count=1)
    assert broken != text
    counts = random_events(np.random.default_rng(8), network(NARROW), 2, 5, 0.5)
    words = np.concatenate(host_words(mapped(NARROW), counts)).tolist()
    report = check(mapped(NARROW), Scenario(words, seed=1, load_gap=0.5), broken)
    assert report.difference is not None
    assert signal in (None, report.difference.signal)


def test_a_probe_of_another_width_fails() -> None:
    """In the first clock all signals that differ in position are 0; only the width differs."""
    other = dataclasses.replace(NARROW, counter_bits=17)
    assert other.probe.width > NARROW.probe.width
    words = [NARROW.host_in.pack({"step": 1})]
    with pytest.raises(RuntimeError, match="the words do not differ"):
        check(mapped(other), Scenario(words, seed=1), emit(NARROW, probe=True))


def test_verilog_that_does_not_build_is_an_error() -> None:
    broken = emit(NARROW, probe=True).replace("endmodule", "endmodul", 1)
    with pytest.raises(SpikeloomError, match="failed"):
        check(mapped(NARROW), Scenario([NARROW.host_in.pack({"step": 1})], seed=1), broken)


def test_first_difference_names_the_field() -> None:
    probe = NARROW.probe
    expected = probe.pack({"0.fetch.valid": 1, "counters.cycles": 9})
    got = probe.pack({"0.fetch.valid": 1, "counters.cycles": 8, "counters.errors.0": 1})
    difference = {"signal": "counters.cycles", "expected": 9, "got": 8}
    assert first_difference(probe, expected, got) == difference
    with pytest.raises(ValueError, match="do not differ"):
        first_difference(probe, expected, expected)
