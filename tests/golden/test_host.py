"""Host words and packets, against an encoder and a decoder written for this test alone."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spikeloom.golden.errors import FaultyDevice
from spikeloom.golden.host import decode_packets, host_words
from spikeloom.golden.memory_image import Entry, MemoryImage, Sender, TileImage
from spikeloom.golden.spec import FabricConfig, LoadTarget, PacketKind

CONFIG = FabricConfig(
    lanes=2, neurons=10, axons=12, slots=4, populations=3, connections=5, routes=6
)
STEP, SPIKE, STATE = PacketKind.STEP, PacketKind.SPIKE, PacketKind.STATE
CURRENT = PacketKind.CURRENT


def image(
    entries: tuple[Entry, ...] = (),
    senders: tuple[Sender, ...] = (),
    config: FabricConfig = CONFIG,
) -> MemoryImage:
    return MemoryImage(config, (TileImage((), (), (), (), (), ()),), 0, entries, senders)


def cut(word: int, *widths: int) -> list[int]:
    """`word` cut into fields, lowest first."""
    fields = []
    for width in widths:
        fields.append(word % 2**width)
        word //= 2**width
    assert word == 0
    return fields


def bits_for(count: int) -> int:
    """Width of numbers below `count`, at least one bit."""
    return max(1, len(f"{count - 1:b}"))


def decoded(words: NDArray[np.uint64], config: FabricConfig) -> list[tuple[int, ...]]:
    """(step, first, ahead, route, connection, index) of each word."""
    widths = (
        1,
        1,
        bits_for(config.slots),
        bits_for(config.routes),
        bits_for(config.connections),
        bits_for(max(config.axons, config.neurons)),
    )
    return [tuple(cut(int(word), *widths)) for word in words]


# Words to the fabric.


def test_words_by_hand() -> None:
    # Two connections from one input, the second with a delay of 1: its events of the last step
    # would be due after the sample.
    counts = np.zeros((1, 2, 12), np.uint8)
    counts[0, 0, [3, 11]] = 1
    counts[0, 1, 5] = 2
    (words,) = host_words(image((Entry("in", 5, 4, 0), Entry("in", 2, 1, 1))), {"in": counts})
    assert words.dtype == np.uint64
    assert decoded(words, CONFIG) == [
        (0, 0, 0, 5, 4, 3),
        (0, 0, 0, 5, 4, 11),
        (0, 0, 1, 2, 1, 3),
        (0, 0, 1, 2, 1, 11),
        (1, 1, 1, 0, 0, 0),  # first step; one more follows
        (0, 0, 0, 5, 4, 5),
        (0, 0, 0, 5, 4, 5),
        (1, 0, 0, 0, 0, 0),
    ]


def test_without_events_there_are_only_marks() -> None:
    words = host_words(image((Entry("in", 0, 0, 0),)), {"in": np.zeros((3, 6, 12), np.uint8)})
    # Steps that follow saturate at slots - 1 = 3.
    expected = [(1, 1, 3), (1, 0, 3), (1, 0, 3), (1, 0, 2), (1, 0, 1), (1, 0, 0)]
    assert [[word[:3] for word in decoded(sample, CONFIG)] for sample in words] == [expected] * 3


def test_an_input_without_connections_has_no_events() -> None:
    (words,) = host_words(image(), {"in": np.ones((1, 2, 12), np.uint8)})
    assert [word[0] for word in decoded(words, CONFIG)] == [1, 1]


def test_a_sample_shorter_than_a_delay_gets_no_event() -> None:
    (words,) = host_words(image((Entry("in", 0, 0, 3),)), {"in": np.ones((1, 2, 12), np.uint8)})
    assert [word[0] for word in decoded(words, CONFIG)] == [1, 1]


def test_axons_of_an_image_have_a_position() -> None:
    config = dataclasses.replace(CONFIG, extent=4)
    # 2 channels of 3 rows and 2 columns: axon 9 is in channel 1, row 1, column 1.
    pictured = Entry("in", 5, 4, 0, image=(2, 3, 2))
    counts = np.zeros((1, 1, 12), np.uint8)
    counts[0, 0, [0, 3, 9, 10]] = [1, 1, 2, 1]
    entries = (pictured, Entry("in", 2, 1, 0))
    (words,) = host_words(image(entries, config=config), {"in": counts})
    fields = [cut(int(word), 1, 1, 2, 3, 3, 4, 2, 2) for word in words]
    assert [tuple(word[3:]) for word in fields[:-1]] == [
        *((5, 4, 0, 0, 0), (5, 4, 0, 1, 1), (5, 4, 1, 1, 1), (5, 4, 1, 1, 1), (5, 4, 1, 2, 0)),
        # Without an image the index is the axon's number.
        *((2, 1, 0, 0, 0), (2, 1, 3, 0, 0), (2, 1, 9, 0, 0), (2, 1, 9, 0, 0), (2, 1, 10, 0, 0)),
    ]
    assert fields[-1] == [1, 1, 0, 0, 0, 0, 0, 0]


@st.composite
def plays(draw: st.DrawFn) -> tuple[FabricConfig, MemoryImage, dict[str, NDArray[np.uint8]]]:
    config = FabricConfig(
        lanes=1,
        slots=draw(st.integers(1, 5)),
        axons=draw(st.integers(1, 40)),
        neurons=draw(st.integers(1, 40)),
        connections=draw(st.integers(1, 9)),
        routes=draw(st.integers(1, 9)),
    )
    names = ["x", "y"][: draw(st.integers(1, 2))]
    entries = tuple(
        Entry(
            draw(st.sampled_from(names)),
            draw(st.integers(0, config.routes - 1)),
            draw(st.integers(0, config.connections - 1)),
            draw(st.integers(0, config.slots - 1)),
        )
        for _ in range(draw(st.integers(0, 4)))
    )
    entries = tuple(sorted(entries, key=lambda entry: names.index(entry.input)))
    samples, steps = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    counts = {
        name: rng.integers(0, 3, (samples, steps, draw(st.integers(1, config.axons))), np.uint8)
        for name in names
    }
    return config, image(entries, config=config), counts


@settings(deadline=None)
@given(plays())
def test_words_are_the_events_in_order_and_a_mark_after_each_step(
    play: tuple[FabricConfig, MemoryImage, dict[str, NDArray[np.uint8]]],
) -> None:
    config, played, counts = play
    samples, steps, _ = next(iter(counts.values())).shape
    words = host_words(played, counts)
    assert len(words) == samples
    max_ahead = 2 ** bits_for(config.slots) - 1
    for sample in range(samples):
        expected: list[tuple[int, ...]] = []
        for step in range(steps):
            for entry in played.entries:
                if step + entry.delay < steps:
                    for axon, count in enumerate(counts[entry.input][sample, step]):
                        word = (0, 0, entry.delay, entry.route, entry.connection, axon)
                        expected += [word] * int(count)
            expected.append((1, int(step == 0), min(steps - 1 - step, max_ahead), 0, 0, 0))
        assert decoded(words[sample], config) == expected


# Packets from the fabric.

SENDERS = (
    Sender("both", 3, recorded=True, readout=True),
    Sender("silent", 2, recorded=False, readout=False),
    Sender("spikes", 10, recorded=True, readout=False),
)


def packet(kind: int, population: int = 0, index: int = 0, value: int = 0) -> int:
    """A packet with 2, 2, 4 and 16 bits."""
    return kind + 4 * population + 16 * index + 256 * (value % 65536)


def decode(
    *packets: int, samples: int = 1, steps: int = 2, senders: tuple[Sender, ...] = SENDERS
) -> Any:
    clocks = np.arange(100, 100 + len(packets), dtype=np.uint64)
    return decode_packets(
        image(senders=senders), clocks, np.array(packets, np.uint64), samples, steps
    )


FINAL = [packet(STATE, 0, n, value) for n, value in enumerate((-32768, -1, 32767))]


def test_packets_by_hand() -> None:
    run = decode(
        packet(SPIKE, 2, 9),
        packet(SPIKE, 0, 1),
        packet(STEP),
        packet(SPIKE, 2, 0),
        *FINAL,
        packet(STEP),
    )
    assert run.spikes.keys() == {"both", "spikes"}
    assert np.argwhere(run.spikes["both"]).tolist() == [[0, 0, 1]]
    assert np.argwhere(run.spikes["spikes"]).tolist() == [[0, 0, 9], [0, 1, 0]]
    assert run.states.keys() == {"both"}
    assert run.states["both"].tolist() == [[-32768, -1, 32767]]
    assert run.clocks.tolist() == [[102, 107]]
    assert (run.spikes["both"].shape, run.spikes["spikes"].shape) == ((1, 2, 3), (1, 2, 10))


TRACED = (
    Sender("final", 2, recorded=False, readout=True, currents=True),
    Sender("traced", 2, recorded=True, readout=False, trace=True, currents=True),
    Sender("both", 1, recorded=False, readout=True, trace=True),
)


def values(population: int, *numbers: int, kind: int = STATE) -> list[int]:
    return [packet(kind, population, n, value) for n, value in enumerate(numbers)]


def traced_step(t: int) -> list[int]:
    """Step t of two: the currents of "traced" first, then in any order; tiles interleave."""
    last = [*values(0, 50, 51), *values(0, -50, -51, kind=CURRENT)] if t else []
    return [
        *values(1, 10 * t, 10 * t + 1, kind=CURRENT),
        packet(SPIKE, 1, 1),
        *last,
        *values(2, -t),
        *values(1, -10 * t, -10 * t - 1),
        packet(STEP),
    ]


def test_traces_and_currents_by_hand() -> None:
    run = decode(*traced_step(0), *traced_step(1), senders=TRACED)
    assert {name: v.tolist() for name, v in run.states.items()} == {
        "final": [[50, 51]],
        "both": [[-1]],
    }
    assert {name: v.tolist() for name, v in run.currents.items()} == {"final": [[-50, -51]]}
    assert {name: v.tolist() for name, v in run.traces.items()} == {
        "traced": [[[0, -1], [-10, -11]]],
        "both": [[[0], [-1]]],
    }
    assert {name: v.tolist() for name, v in run.current_traces.items()} == {
        "traced": [[[0, 1], [10, 11]]]
    }
    assert run.traces["traced"].dtype == run.current_traces["traced"].dtype == np.int64


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (packet(CURRENT, 1, 1, 1), "'traced': not every synaptic current arrived once per step"),
        (packet(STATE, 1, 0, 0), "'traced': not every state arrived once per step"),
        (packet(STATE, 2, 0, 0), "'both': not every state arrived once per step"),
        (packet(CURRENT, 0, 1, -51), "'final': not every synaptic current arrived once per sample"),
    ],
)
def test_a_trace_with_a_gap_is_refused(missing: int, message: str) -> None:
    packets = [*traced_step(0), *traced_step(1)]
    packets.remove(missing)
    with pytest.raises(FaultyDevice, match=message):
        decode(*packets, senders=TRACED)


def test_order_within_a_step_does_not_matter() -> None:
    one = decode(*FINAL, packet(SPIKE, 0, 0), packet(SPIKE, 2, 5), packet(STEP), steps=1)
    other = decode(
        packet(SPIKE, 2, 5), *reversed(FINAL), packet(SPIKE, 0, 0), packet(STEP), steps=1
    )
    for name in one.spikes:
        assert np.array_equal(one.spikes[name], other.spikes[name])
    assert np.array_equal(one.states["both"], other.states["both"])


def test_samples_follow_each_other() -> None:
    run = decode(
        *(packet(STEP), packet(SPIKE, 2, 7), *FINAL, packet(STEP)),
        *(packet(SPIKE, 2, 8), packet(STEP), *reversed(FINAL), packet(STEP)),
        samples=2,
    )
    assert np.argwhere(run.spikes["spikes"]).tolist() == [[0, 1, 7], [1, 0, 8]]
    assert run.states["both"].tolist() == [[-32768, -1, 32767]] * 2
    assert run.clocks.shape == (2, 2)


GOOD = [packet(SPIKE, 2, 9), packet(STEP), packet(SPIKE, 0, 2), *FINAL, packet(STEP)]


@pytest.mark.parametrize(
    ("packets", "message"),
    [
        ([], "expected 2 complete steps, got 0"),
        (GOOD[:-1], "expected 2 complete steps, got 1"),
        ([*GOOD, packet(STEP)], "expected 2 complete steps, got 3"),
        ([*GOOD, packet(SPIKE, 2, 1)], "expected 2 complete steps"),
        ([packet(SPIKE, 2, 9), *GOOD], "population 'spikes': a packet arrived twice"),
        ([packet(SPIKE, 0, 3), *GOOD], "population 'both' has no neuron 3"),
        ([packet(SPIKE, 2, 10), *GOOD], "population 'spikes' has no neuron 10"),
        ([packet(SPIKE, 1, 0), *GOOD], "1 packets that no population sends"),
        ([packet(SPIKE, 3, 0), *GOOD], "1 packets that no population sends"),
        ([packet(3), *GOOD], "1 packets that no population sends"),
        ([packet(STATE, 2, 0), *GOOD], "1 packets that no population sends"),
        ([packet(STATE, 1, 0), *GOOD], "1 packets that no population sends"),
        # A state that is missing, arrives twice or too early, or belongs to no neuron.
        ([*GOOD[:-2], GOOD[-1]], "'both': not every state arrived once per sample"),
        ([*GOOD[:-1], FINAL[0], GOOD[-1]], "'both': a packet arrived twice"),
        ([FINAL[0], *GOOD], "'both': not every state arrived once per sample"),
        ([FINAL[2], *GOOD[:-2], GOOD[-1]], "'both': not every state arrived once per sample"),
        ([*GOOD[:-1], packet(STATE, 0, 3), GOOD[-1]], "'both' has no neuron 3"),
    ],
)
def test_impossible_packets_are_refused(packets: list[int], message: str) -> None:
    decode(*GOOD)
    with pytest.raises(FaultyDevice, match=message):
        decode(*packets)


@pytest.mark.parametrize("max_spikes", [3, 31])
def test_several_packets_of_a_neuron_are_counted(max_spikes: int) -> None:
    senders = (Sender("often", 4, recorded=True, readout=False, max_spikes=max_spikes),)
    many = [packet(SPIKE, 0, 2)] * max_spikes
    words = [packet(SPIKE, 0, 1), *many, packet(STEP), packet(SPIKE, 0, 2), packet(STEP)]
    run = decode(*words, senders=senders)
    assert run.spikes["often"].dtype == np.uint8
    assert run.spikes["often"].tolist() == [[[0, 1, max_spikes, 0], [0, 0, 1, 0]]]
    with pytest.raises(
        FaultyDevice, match=f"'often': a packet arrived more than {max_spikes} times"
    ):
        decode(packet(SPIKE, 0, 2), *words, senders=senders)


def positioned(kind: int, population: int, index: int, y: int, x: int, value: int = 0) -> int:
    """A packet of a fabric whose positions have 2 bits for each of y and x."""
    return packet(kind, population, index) + (y << 8) + (x << 10) + ((value % 65536) << 12)


def decode_positions(*packets: int) -> Any:
    senders = (
        Sender("image", 12, recorded=True, readout=True, image=(2, 3, 2)),
        Sender("flat", 3, recorded=True, readout=False),
    )
    config = dataclasses.replace(CONFIG, extent=4)
    states = [positioned(STATE, 0, n // 6, n // 2 % 3, n % 2, n - 5) for n in range(12)]
    words = np.array([*packets, *states, positioned(STEP, 0, 0, 0, 0)], np.uint64)
    return decode_packets(image(senders=senders, config=config), words, words, 1, 1)


def test_positions_become_neurons() -> None:
    run = decode_positions(
        positioned(SPIKE, 0, 1, 1, 1), positioned(SPIKE, 0, 0, 2, 0), positioned(SPIKE, 1, 2, 0, 0)
    )
    # (1, 1, 1) is 1 * 6 + 1 * 2 + 1, (0, 2, 0) is 4.
    assert np.flatnonzero(run.spikes["image"]).tolist() == [4, 9]
    assert np.flatnonzero(run.spikes["flat"]).tolist() == [2]
    assert run.spikes["image"].dtype == np.bool_
    assert run.states["image"].tolist() == [list(range(-5, 7))]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (positioned(SPIKE, 0, 2, 0, 0), "'image' has no channel 2"),
        (positioned(SPIKE, 0, 0, 3, 0), "'image' has no row 3"),
        (positioned(SPIKE, 0, 0, 0, 2), "'image' has no column 2"),
        (positioned(STATE, 0, 0, 0, 3), "'image' has no column 3"),
        (positioned(SPIKE, 1, 3, 0, 0), "'flat' has no neuron 3"),
        (positioned(SPIKE, 1, 0, 1, 0), "'flat' has no row 1"),
        (positioned(SPIKE, 1, 0, 0, 1), "'flat' has no column 1"),
        (positioned(STATE, 0, 1, 1, 1), "'image': a packet arrived twice"),
    ],
)
def test_positions_outside_the_image_are_refused(wrong: int, message: str) -> None:
    with pytest.raises(FaultyDevice, match=message):
        decode_positions(wrong)


# Load words.


def test_load_words_write_every_row_once() -> None:
    config = dataclasses.replace(CONFIG, columns=2, extent=2)
    tiles = (
        TileImage((1, 2, 3), (4, 5), (6,), (7, 8), (9,), (10, 11)),
        TileImage((12,), (13, 14), (15, 16), (17,), (18, 19), (20, 21), (23, 24)),
    )
    loaded = MemoryImage(config, tiles, 22, (), ())
    words = [config.load.unpack(word) for word in loaded.load_words()]
    assert [(w["tile"], w["target"], w["address"], w["data"]) for w in words] == [
        *((0, LoadTarget.WEIGHT, n, data) for n, data in enumerate((1, 2, 3))),
        *((0, LoadTarget.BIAS, n, data) for n, data in enumerate((4, 5))),
        (0, LoadTarget.POPULATION, 0, 6),
        *((0, LoadTarget.CONNECTION, n, data) for n, data in enumerate((7, 8))),
        (0, LoadTarget.TARGET, 0, 9),
        *((0, LoadTarget.ROUTE, n, data) for n, data in enumerate((10, 11))),
        (1, LoadTarget.WEIGHT, 0, 12),
        *((1, LoadTarget.BIAS, n, data) for n, data in enumerate((13, 14))),
        *((1, LoadTarget.POPULATION, n, data) for n, data in enumerate((15, 16))),
        (1, LoadTarget.CONNECTION, 0, 17),
        *((1, LoadTarget.TARGET, n, data) for n, data in enumerate((18, 19))),
        *((1, LoadTarget.ROUTE, n, data) for n, data in enumerate((20, 21))),
        *((1, LoadTarget.COORDINATE, n, data) for n, data in enumerate((23, 24))),
        (0, LoadTarget.CONTROL, 0, 22),
    ]
