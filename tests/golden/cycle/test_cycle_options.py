"""Images and options of the neuron update: clocks derived by hand from docs/hardware.md."""

import dataclasses
from collections.abc import Collection
from typing import Any

import numpy as np
import pytest
from by_hand import (
    PLAIN,
    TO_HOST,
    Probe,
    clocks_of,
    event,
    fabric_image,
    image,
    mark,
    packets,
    play,
    sums,
    tile_image,
    transfers,
)
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from naive_convolution import convolutions
from numpy.typing import NDArray
from plain_layout import PlainLayout
from random_networks import PLAIN_RESETS

from spikeloom.golden.convolution import Convolution, ImageShape
from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.host import decode_packets, host_words
from spikeloom.golden.memory_image import MemoryImage as Memories
from spikeloom.golden.network import AnyConnection, Connection, Input, Network, Population
from spikeloom.golden.spec import DECAY_ONE, FabricConfig, PacketKind, Reset
from spikeloom.golden.step.run import check_inputs, simulate

IMAGES = FabricConfig(
    lanes=2,
    neurons=16,
    weight_words=32,
    slots=2,
    axons=4,
    populations=2,
    connections=4,
    targets=4,
    queue=16,
    extent=4,
    coordinates=16,
)

# A kernel of 2x2 from 1 channel of 3 rows and 4 columns (the last has no targets) to 3 channels of
# 2x2, in two groups: word (k * 2 + l) * 2 + g, accumulator row ((g * 2 + o) * 2 + o') * 2 + slot.
CONVOLUTION = {
    "image": 1,
    "sources": 1,
    "height": 3,
    "width": 4,
    "row_coordinates": 0,
    "column_coordinates": 3,
    "groups": 2,
    "synapses": 3,
    "stride": 1,
    "sum_stride": 8,
    "row_weights": 4,
    "row_sums": 4,
    "column_weights": 2,
    "column_sums": 2,
}
ROWS = [
    {"weight": 0, "sum": 0, "count": 1},
    {"weight": 0, "sum": 4, "count": 2},
    {"weight": 4, "sum": 4, "count": 1},
]
COLUMNS = [
    {"weight": 0, "sum": 0, "count": 1},
    {"weight": 0, "sum": 2, "count": 2},
    {"weight": 2, "sum": 2, "count": 1},
    {"count": 0},
]
DENSE = {"weight_base": 8, "sources": 2, "groups": 1, "synapses": 2}


def picture(**changed: Any) -> Memories:
    values = {
        "weights": [[n + 1, -n - 1] for n in range(10)],
        "connections": [CONVOLUTION, DENSE],
        "coordinates": ROWS + COLUMNS,
        "window": 1,
    }
    return image(IMAGES, **{**values, **changed})


def additions(probes: list[Probe]) -> list[tuple[int, int, int]]:
    """Clock, row and first lane of every write to the accumulators."""
    config = IMAGES
    return [
        (clock, probe["0.sum.address"], sums(config, probe)[0])
        for clock, probe in enumerate(probes)
        if probe["0.sum.write"]
    ]


def accepted(probes: list[Probe]) -> list[int]:
    return [n for n, p in enumerate(probes) if p["0.event.valid"] and p["0.event.ready"]]


# Images: events.


def test_an_event_in_the_middle_of_an_image() -> None:
    probes = play(picture(), [event(IMAGES, ahead=1, y=1, x=1)] * 3, 34)
    # 0  accepted
    # 1  D, a_clock 0: coordinate row 1 is presented. a_weight = 0, a_sum = 1 (the slot). The next
    #    event is accepted into W
    # 2  a_clock 1: the row of y is there: a_sum = 5, a_rows = 2. Coordinate row 4 is presented
    # 3  a_clock 2: the row of x is there: a_sum = 7, a_columns = 2
    # 4  addresses complete: goes to X; the next event goes into D
    # 5  issue of group 0 of the first segment; ..., 12 of group 1 of the last one. The next event
    #    is described from 8 on, and goes to X in 12. The third is accepted into W
    # 13 issue of the first group of the second, and ready again
    assert accepted(probes) == [0, 1, 5]
    assert clocks_of(probes, "0.event.ready")[:5] == [0, 1, 5, 13, 14]
    segments = [(0, 7), (1, 15), (2, 5), (3, 13), (4, 3), (5, 11), (6, 1), (7, 9)]
    assert additions(probes) == [
        (7 + 8 * n + place, row, (n + 1) * (word + 1))
        for n in range(3)
        for place, (word, row) in enumerate(segments)
    ]
    # 3 synapses at the first issue of each segment: in 5, 7, 9, 11.
    synops = [probe["counters.synops.0"] for probe in probes]
    assert synops[:14] == [0] * 6 + [3] * 2 + [6] * 2 + [9] * 2 + [12] * 2
    assert synops[-1] == 36


def test_events_at_the_corners_take_four_clocks() -> None:
    words = [event(IMAGES, y=y, x=x) for y, x in ((0, 0), (2, 2), (0, 2))]
    probes = play(picture(), words, 20)
    # In D from 1, 5 and 9 on; the second is in W before, in 2..4, the third in 6..8.
    assert accepted(probes) == [0, 1, 5]
    # Issued in 5 and 6, 9 and 10, 13 and 14. Places (0, 0), (1, 1), (0, 1) of the target.
    assert additions(probes) == [
        *((7, 0, 1), (8, 8, 2)),
        *((11, 6, 7), (12, 14, 8)),
        *((15, 2, 3), (16, 10, 4)),
    ]


def test_the_steps_of_a_segment_are_those_of_its_row() -> None:
    # An event of another row waits in D, described or not, while X walks the segments.
    other = CONVOLUTION | {"row_weights": 1, "column_weights": 1, "row_sums": 2, "column_sums": 0}
    loaded = picture(connections=[CONVOLUTION, DENSE, other])
    words = [event(IMAGES, y=1, x=1), event(IMAGES, 2, y=1, x=1), event(IMAGES, 1)]
    found = additions(play(loaded, words, 30))
    assert [row for _, row, _ in found[:8]] == [6, 14, 4, 12, 2, 10, 0, 8]
    # Segments of words 0, 1 (the column's next), 1 (the row's next), 2.
    assert [row for _, row, _ in found[8:16]] == [6, 14, 6, 14, 4, 12, 4, 12]
    # A row without `image` has the steps of a matrix again.
    assert [row for _, row, _ in found[16:]] == [0]


def test_other_events_flow_beside_images() -> None:
    dense = event(IMAGES, 1, 1)
    words = [dense, event(IMAGES, y=0, x=0), dense, dense, event(IMAGES, y=0, x=0), dense]
    probes = play(picture(), words, 30)
    # 0 dense, issued in 2; 1 the image, in D 2..5, issued in 6 and 7; 2 dense, in W 3..5, in D 6
    # and 7, issued in 8; 6 dense, in W 7, in D 8, issued in 9; 8 the image, in D 9..12, issued in
    # 13 and 14; 9 dense, in W 10..12, in D 13 and 14, issued in 15.
    assert accepted(probes) == [0, 1, 2, 6, 8, 9]
    assert [clock for clock, _, _ in additions(probes)] == [4, 8, 9, 10, 11, 15, 16, 17]


def test_an_event_without_targets_takes_its_clocks() -> None:
    nowhere = event(IMAGES, y=1, x=3)
    corner = event(IMAGES, y=0, x=0)
    rows = [ROWS[0], {"count": 0}, ROWS[2]]
    for loaded, word in (
        (picture(), nowhere),
        (picture(coordinates=rows + COLUMNS), event(IMAGES, y=1, x=1)),
    ):
        probes = play(loaded, [word, word, corner], 20)
        # In D 1..4, 5..8 and 9..12; the third is issued from 13 on.
        assert accepted(probes) == [0, 1, 5]
        assert additions(probes)[0] == (15, 0, 1)
        assert probes[-1]["counters.errors.0"] == 0
        assert probes[-1]["counters.synops.0"] == 3


@pytest.mark.parametrize(
    ("place", "connection"),
    [
        ({"index": 1, "y": 1, "x": 1}, {}),
        ({"index": 0, "y": 3, "x": 1}, {}),
        ({"index": 0, "y": 1, "x": 3}, {"width": 3}),
        ({"index": 0, "y": 1, "x": 1}, {"groups": 0}),
        # Checked before its targets, of which it has none.
        ({"index": 1, "y": 1, "x": 3}, {}),
        # Beyond the coordinate table.
        ({"index": 3, "y": 3, "x": 3}, {"row_coordinates": 15, "column_coordinates": 14}),
    ],
)
def test_an_event_beyond_its_image_is_an_error(place: Any, connection: Any) -> None:
    loaded = picture(connections=[CONVOLUTION | connection])
    words = [event(IMAGES, **place)] * 2
    probes = play(loaded, words, 15)
    # Taken in 4 and 8, and counted at the end of 5 and 9.
    assert accepted(probes) == [0, 1]
    assert [p["counters.errors.0"] for p in probes] == [0] * 6 + [1] * 4 + [2] * 5
    assert additions(probes) == []
    assert probes[-1]["counters.synops.0"] == 0


# 2 channels of 2x2, each to 2 channels of its own at every position, with a kernel of 1x1. There
# are 2 lanes, so channel c has group c: row (c * 4 + position) * 2.
DEPTHWISE = {
    "image": 1,
    "grouped": 1,
    "weight_base": 1,
    "sources": 3,
    "height": 2,
    "width": 2,
    "row_coordinates": 0,
    "column_coordinates": 2,
    "channel_coordinates": 4,
    "groups": 1,
    "synapses": 9,
    "stride": 1,
    "sum_stride": 8,
}
PLACES = [{"sum": 0, "count": 1}, {"sum": 4, "count": 1}, {"sum": 0, "count": 1}]
CHANNELS = [
    {"weight": 0, "sum": 0, "count": 1, "synapses": 2},
    {"weight": 1, "sum": 8, "count": 1, "synapses": 1},
    {"weight": 1, "sum": 8, "count": 0},
]


def test_a_grouped_event_takes_five_clocks() -> None:
    coordinates = [*PLACES, {"sum": 2, "count": 1}, *CHANNELS]
    loaded = picture(connections=[DEPTHWISE], coordinates=coordinates)
    words = [event(IMAGES, index=c, y=y, x=x) for c, y, x in ((0, 1, 0), (1, 1, 1), (2, 0, 0))]
    probes = play(loaded, [*words, words[0], event(IMAGES, index=3)], 34)
    # In D 1..5, to X in 5, issued in 6. The others are in W before: in D 6..10, 11..15, 16..20 and
    # 21..25. The third has no targets, the fifth is an error, counted at the end of 26.
    assert accepted(probes) == [0, 1, 6, 11, 16]
    # Words 1 + c (the index is not added).
    assert additions(probes) == [(8, 4, 2), (13, 14, 3), (23, 4, 4)]
    synops = [probe["counters.synops.0"] for probe in probes]
    assert [synops[n] for n in (6, 7, 11, 12, 21, 22)] == [0, 2, 2, 3, 3, 5]
    assert [p["counters.errors.0"] for p in probes] == [0] * 27 + [1] * 7


def test_groups_of_a_grouped_segment_are_those_of_the_channel() -> None:
    wide = CHANNELS[0] | {"count": 2, "synapses": 4}
    coordinates = [*PLACES, {"sum": 2, "count": 1}, wide, *CHANNELS[1:]]
    loaded = picture(connections=[DEPTHWISE], coordinates=coordinates)
    probes = play(loaded, [event(IMAGES, index=0, y=0, x=1)], 12)
    assert additions(probes) == [(8, 2, 2), (9, 10, 3)]
    assert probes[-1]["counters.synops.0"] == 4


def test_a_fetch_stalls_segments_and_not_address_generation() -> None:
    loaded = picture(populations=[{"neurons": 2, "channels": 2, "height": 1, "width": 1}])
    words = [event(IMAGES, ahead=1, y=1, x=1), mark(IMAGES)]
    probes = play(loaded, words, 30)
    # The mark is taken in 1, START is in 4, the fetch in 8: the fourth group waits for a clock.
    assert clocks_of(probes, "0.fetch.valid") == [8]
    assert [clock for clock, _, _ in additions(probes)] == [7, 8, 9, 10, 11, 12, 13, 14, 15]
    assert additions(probes)[3][1:] == (0, 0)
    assert probes[-1]["counters.stalls.0"] == 1

    # The mark is taken in 0, the fetch is in 7; the event, accepted in 3, is in D in 4..7, and
    # issued in 8 and 9.
    words = [mark(IMAGES), event(IMAGES, y=0, x=0)]
    probes = play(loaded, words, 20, gaps=[n in (1, 2) for n in range(20)])
    assert accepted(probes) == [3]
    assert clocks_of(probes, "0.fetch.valid") == [7]
    assert [clock for clock, _, _ in additions(probes)] == [9, 10, 11]
    assert probes[-1]["counters.stalls.0"] == 0


def test_a_step_waits_for_an_event_in_address_generation() -> None:
    loaded = picture(populations=[{"neurons": 2, "channels": 2, "height": 1, "width": 1}])
    probes = play(loaded, [event(IMAGES, y=0, x=0), mark(IMAGES)], 20)
    # In D until 4, in X until 6: nothing is pending in 7, which is seen in 8; START is in 9.
    assert clocks_of(probes, "fire.valid") == [9]


def test_positions_pass_routers_and_the_collector() -> None:
    config = dataclasses.replace(IMAGES, columns=2)
    row = {"neurons": 4, "channels": 1, "height": 2, "width": 2, "readout": 1}
    loaded = fabric_image(
        config,
        tile_image(config, routes=[{}, {"east": 1}]),
        tile_image(
            config,
            weights=[[n + 1, -n - 1] for n in range(8)],
            populations=[row],
            connections=[CONVOLUTION],
            coordinates=ROWS + COLUMNS,
            routes=[{}, {"local": 1}],
        ),
    )
    probes = play(loaded, [event(config, route=1, y=2, x=1), mark(config)], 60)
    # Accepted by integrate in 6, as any other event; to X in 10, so written from 13.
    assert clocks_of(probes, "1.event.valid") == [6]
    assert clocks_of(probes, "1.sum.write")[:4] == [13, 14, 15, 16]
    assert [probes[n]["1.sum.address"] for n in range(13, 17)] == [6, 14, 4, 12]
    out = [config.host_out.unpack(word) for word in transfers(probes, "host_out")]
    # Output row 1; column 1 by kernel word 4, column 0 by word 6. `retain` is 0.
    assert [(p["index"], p["y"], p["x"], p["value"]) for p in out[:4]] == [
        *((0, 0, 0, 0), (0, 0, 1, 0), (0, 1, 0, 7), (0, 1, 1, 5)),
    ]


# Weight pairs.


def test_high_weights_are_scaled_by_two_to_the_weight_bits() -> None:
    config = FabricConfig(
        lanes=2, neurons=4, weight_bits=4, sum_bits=9, weight_words=4, weight_pairs=True
    )
    loaded = image(
        config,
        weights=[[3, -8], [7, -1]],
        connections=[
            {"sources": 2, "groups": 1, "synapses": 2},
            {"sources": 2, "groups": 1, "synapses": 2, "high": 1},
        ],
    )
    words = [event(config, connection, n) for connection, n in ((1, 0), (0, 0), (1, 1), (1, 1))]
    probes = play(loaded, words, 10)
    assert clocks_of(probes, "0.sum.write") == [4, 5, 6, 7]
    assert [sums(config, p) for p in probes[4:8]] == [
        [48, -128],
        [51, -136],
        [163, -152],
        [275 - 512, -168],  # wraps in its lane
    ]


def test_high_weights_of_an_image() -> None:
    config = dataclasses.replace(IMAGES, weight_pairs=True)
    loaded = image(
        config,
        weights=[[n + 1, -n - 1] for n in range(8)],
        connections=[CONVOLUTION | {"high": 1}, CONVOLUTION],
        coordinates=ROWS + COLUMNS,
    )
    words = [event(config, y=2, x=2), event(config, 1, y=2, x=2)]
    probes = play(loaded, words, 20)
    written = [sums(config, p) for p in probes if p["0.sum.write"]]
    assert written == [[7 * 256, -7 * 256], [8 * 256, -8 * 256], [7 * 257, -7 * 257], [2056, -2056]]


# Images: the walk.


@pytest.mark.parametrize("shared", [0, 1])
def test_the_walk_of_an_image_with_a_partial_group(shared: int) -> None:
    # 3 channels of 2x2: 4 fetches of 2 neurons, then 4 of 1.
    row = {
        "neurons": 12,
        "channels": 3,
        "height": 2,
        "width": 2,
        "sum_base": 0,
        "bias_base": 2 * shared,
        "shared": shared,
        "index_base": 1,
        "v_reset": 7,
        "readout": 1,
        "reset": Reset.NONE,
    }
    biases = [99, 99, 5, 6, 7] if shared else list(range(1, 17))
    loaded = image(IMAGES, biases=biases, populations=[row | PLAIN], targets=[TO_HOST])
    probes = play(loaded, [mark(IMAGES)], 60)
    # A neuron enters the pipeline in every clock: 12 have credits among the 16, and 4 are left when
    # the last group begins.
    assert clocks_of(probes, "0.fetch.valid") == [7, 9, 11, 13, 15, 16, 17, 18]
    fetched = [p["0.fetch.address"] for p in probes if p["0.fetch.valid"]]
    assert fetched == list(range(0, 16, 2))
    assert clocks_of(probes, "0.state.write") == list(range(13, 25))
    addresses = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14]
    assert [p["0.state.address"] for p in probes if p["0.state.write"]] == addresses
    places = [(0, 0), (0, 1), (1, 0), (1, 1)]
    neurons = [(c, *place) for group in ((0, 1), (2,)) for place in places for c in group]
    values = [5 + c for c, _, _ in neurons] if shared else [1 + n for n in addresses]
    pushed = [IMAGES.spike.unpack(p["0.spike.payload"]) for p in probes if p["0.spike.valid"]]
    assert [(s["index"] - 1, s["y"], s["x"], s["value"]) for s in pushed] == [
        (*neuron, value) for neuron, value in zip(neurons, values, strict=True)
    ]
    heard = [IMAGES.host_out.unpack(word) for word in transfers(probes, "host_out")]
    for kind, expected in ((PacketKind.SPIKE, [0] * 12), (PacketKind.STATE, values)):
        found = [packet for packet in heard if packet["kind"] == kind]
        assert [(p["index"] - 1, p["y"], p["x"]) for p in found] == neurons
        assert [p["value"] for p in found] == expected


def test_the_walk_waits_for_credits_of_a_whole_group() -> None:
    # A queue of 2: a group of 2 neurons takes both, which come back in 13 and 14; then groups of 1
    # neuron each, which want two credits all the same.
    config = dataclasses.replace(IMAGES, queue=2)
    row = {"neurons": 6, "channels": 3, "height": 1, "width": 2}
    probes = play(image(config, populations=[row]), [mark(config)], 50)
    # Two credits are there in 16, so `enough` in 17, in which a group begins. The fetch of 18 gives
    # back in 24 and 25: both are there in 27. That of 29 gives back in 35: there in 37.
    assert clocks_of(probes, "0.fetch.valid") == [7, 18, 29, 39]
    assert clocks_of(probes, "0.state.write") == [13, 14, 24, 25, 35, 45]


def test_groups_of_one_neuron_begin_where_twice_the_lanes_are_left() -> None:
    # Groups of one neuron, though there are 2 lanes. In 6 there are 4 credits: a group begins in 6
    # and in 7. There were 3 in 7, too few for two groups, so `enough` is 0 in 8; 2 in 8, so it is
    # 1 in 9.
    config = dataclasses.replace(IMAGES, queue=4)
    row = {"neurons": 3, "channels": 1, "height": 1, "width": 3}
    probes = play(image(config, populations=[row]), [mark(config)], 30)
    assert clocks_of(probes, "0.fetch.valid") == [7, 8, 10]
    assert clocks_of(probes, "0.state.write") == [13, 14, 16]


def test_events_of_neurons_carry_their_position() -> None:
    loaded = picture(
        biases=[0, 1, 1],
        populations=[
            {"neurons": 4, "channels": 1, "height": 1, "width": 4, "bias_base": 0} | PLAIN,
        ],
        targets=[{"connection": 0, "delay": 1}],
    )
    probes = play(loaded, [mark(IMAGES, ahead=1)], 60)
    sent = [IMAGES.event.unpack(word) for word in transfers(probes, "0.emit_event")]
    # One lane of two is used, so biases 0, 2, 4, 6 are read.
    assert [(e["index"], e["y"], e["x"], e["slot"]) for e in sent] == [(0, 0, 1, 1)]
    # Row 0 overlaps column 1 twice.
    assert [row for _, row, data in additions(probes) if data] == [3, 11, 1, 9]


# The pipeline.

ONE = FabricConfig(lanes=2, neurons=4, slots=2, queue=4)
SYNAPTIC = dataclasses.replace(ONE, synaptic_current=True)


@pytest.mark.parametrize(
    ("options", "clocks"),
    [
        ({}, 6),
        ({"delayed_reset": True, "weight_pairs": True}, 6),
        ({"extent": 4}, 6),
        ({"synaptic_current": True}, 8),
        ({"lower_clamp": True}, 7),
        ({"max_spikes": 3}, 7),
        ({"max_spikes": 31}, 10),
        ({"synaptic_current": True, "lower_clamp": True}, 9),
        ({"synaptic_current": True, "lower_clamp": True, "max_spikes": 31, "extent": 2}, 13),
        ({"fraction_bits": 12}, 6),
        ({"neuron_parameters": True, "delayed_reset": True}, 6),
        ({"neuron_parameters": True, "synaptic_current": True, "fraction_bits": 1}, 8),
        ({"multipliers": False}, 7),
        ({"multipliers": False, "fraction_bits": 1, "neuron_parameters": True}, 7),
        ({"multipliers": False, "synaptic_current": True}, 9),
    ],
)
def test_length_of_the_pipeline(options: Any, clocks: int) -> None:
    config = dataclasses.replace(ONE, **options)
    row = {"neurons": 2}
    if config.images:
        row |= {"channels": 2, "height": 1, "width": 1}
    probes = play(image(config, populations=[row]), [mark(config)], 30)
    # The fetch is in 7, so the neurons enter in 7 and 8.
    last = 7 + clocks
    assert clocks_of(probes, "0.state.write") == [last, last + 1]
    if config.synaptic_current:
        current = 12 if config.multipliers else 13
        assert clocks_of(probes, "0.current.write") == [current, current + 1]
        assert [probes[current + n]["0.current.address"] for n in range(2)] == [0, 1]
    # DRAIN sees the pipeline empty in last + 2; IDLE in last + 3, which is seen in last + 4.
    assert clocks_of(probes, "host_out.valid") == [last + 5]


def test_credits_come_back_from_the_last_stage() -> None:
    config = dataclasses.replace(ONE, max_spikes=7, queue=2)
    probes = play(image(config, populations=[{"neurons": 4}]), [mark(config)], 40)
    # Last stages in 15 and 16: both credits are there in 18, and `enough` in 19.
    assert clocks_of(probes, "0.fetch.valid") == [7, 20]


def test_synaptic_currents_and_potentials_by_hand() -> None:
    rows = [
        {
            "neurons": 1,
            "synaptic": 1,
            "retain_synaptic": 2048,
            "retain": DECAY_ONE,
            "v_init": 100,
            "more": 1,
        },
        {"neurons": 1, "neuron_base": 2, "sum_base": 2, "retain": DECAY_ONE},
    ]
    biases = [{"bias": -9, "leak": 2}, 0, {"bias": 5, "leak": 50}]
    loaded = image(SYNAPTIC, biases=biases, populations=rows)
    words = [mark(SYNAPTIC, first=first) for first in (1, 0, 0, 1)]
    probes = play(loaded, words, 150)
    width = 1 << SYNAPTIC.state_bits
    written = {
        name: [
            (p[f"0.{name}.address"], (p[f"0.{name}.data"] + width // 2) % width - width // 2)
            for p in probes
            if p[f"0.{name}.write"]
        ]
        for name in ("current", "state")
    }
    # i: -9; -4 - 9; -6 - 9; -9. v: 100 - 7; 93 - 11; 82 - 13; 93. The other has neither i nor leak.
    assert [data for address, data in written["current"] if address == 0] == [-9, -13, -15, -9]
    assert [data for address, data in written["state"] if address == 0] == [93, 82, 69, 93]
    assert [data for address, data in written["current"] if address == 2] == [0, 0, 0, 0]
    assert [data for address, data in written["state"] if address == 2] == [5, 10, 15, 5]


def potentials(config: FabricConfig, bias: int, steps: int = 1, **row: int) -> list[list[int]]:
    """[spikes, potential] of a neuron in each step; every step is marked as the last."""
    values = {"neurons": 1, "readout": 1} | PLAIN | row
    loaded = image(config, biases=[bias], populations=[values], targets=[TO_HOST])
    result = [[0, 0]]
    for packet in packets(loaded, [mark(config, first=int(t == 0)) for t in range(steps)]):
        if packet["kind"] == PacketKind.SPIKE:
            result[-1][0] += 1
        elif packet["kind"] == PacketKind.STATE:
            result[-1][1] = packet["value"]
        else:
            result.append([0, 0])
    return result[:-1]


def test_a_delayed_reset() -> None:
    config = dataclasses.replace(ONE, delayed_reset=True)

    def values(**row: int) -> list[list[int]]:
        return potentials(config, 6, 4, delayed=1, threshold=10, **row)

    # 6, 12 spikes and stays, then: reset to -3 whatever comes, or 12 - 5 + 6 = 13, 13 - 5 + 6 = 14.
    assert values(v_reset=-3) == [[0, 6], [1, 12], [0, -3], [0, 3]]
    assert values(v_reset=5, reset=Reset.SUBTRACT) == [[0, 6], [1, 12], [1, 13], [1, 14]]
    assert values(reset=Reset.NONE) == [[0, 6], [1, 12], [1, 18], [1, 24]]
    assert values(v_reset=-3, inclusive=1, v_init=10) == [[0, -3], [0, 3], [0, 9], [1, 15]]
    assert values(v_reset=-3, spiking=0) == [[0, 6], [0, 12], [0, 18], [0, 24]]


def test_a_lower_limit_of_the_potential() -> None:
    config = dataclasses.replace(ONE, lower_clamp=True)
    assert potentials(config, -6, 3, v_min=-10) == [[0, -6], [0, -10], [0, -10]]
    # Before the threshold; a reset may lead below.
    assert potentials(config, -6, 2, v_min=3, v_reset=-50) == [[1, -50], [1, -50]]


SPIKES_PER_STEP = dataclasses.replace(ONE, max_spikes=7)
BURST = {"threshold": 10, "v_reset": 10, "reset": int(Reset.SUBTRACT), "max_spikes": 7}


@pytest.mark.parametrize(
    ("bias", "row", "expected"),
    [
        (10, {}, [0, 10]),
        (11, {}, [1, 1]),
        (55, {}, [5, 5]),
        (71, {}, [7, 1]),
        (500, {}, [7, 430]),
        (70, {}, [6, 10]),
        (70, {"inclusive": 1}, [7, 0]),
        (20, {"inclusive": 1}, [2, 0]),
        (-70, {}, [0, -70]),
        (55, {"reset": int(Reset.VALUE), "v_reset": -4}, [5, -4]),
        (55, {"reset": int(Reset.NONE)}, [5, 55]),
        # Fewer in this population; one, with a subtrahend of its own.
        (500, {"max_spikes": 3}, [3, 470]),
        (500, {"max_spikes": 1}, [1, 490]),
        (500, {"max_spikes": 1, "v_reset": 4}, [1, 496]),
        (-5, {"max_spikes": 1, "v_reset": 4, "threshold": -6}, [1, -9]),
        (500, {"spiking": 0}, [0, 500]),
    ],
)
def test_several_spikes_per_step(bias: int, row: Any, expected: list[int]) -> None:
    assert potentials(SPIKES_PER_STEP, bias, **(BURST | row)) == [expected]


def test_several_spikes_of_a_neuron_walk_the_fan_out_in_turn() -> None:
    # Two neurons, of 3 spikes and 1; each to the host and to a connection.
    row = BURST | PLAIN | {"neurons": 2, "fan_out": 2}
    loaded = image(
        SPIKES_PER_STEP,
        weights=[[1, 0], [2, 0]],
        biases=[35, 12],
        populations=[row],
        connections=[{"sources": 2, "groups": 1, "synapses": 1}],
        targets=[TO_HOST, {"delay": 1}],
        window=1,
    )
    probes = play(loaded, [mark(SPIKES_PER_STEP, first=1, ahead=1)], 40)
    # They enter in 7 and 8; pushed in 15 and 16. The first is at the head in 17: A; B in 18, C in
    # 19. Six beats, then two of the second spike.
    assert clocks_of(probes, "0.spike.valid") == [15, 16]
    pushed = [SPIKES_PER_STEP.spike.unpack(probes[n]["0.spike.payload"]) for n in (15, 16)]
    assert [(s["spiked"], s["value"]) for s in pushed] == [(3, 5), (1, 2)]
    assert [p["counters.spikes.0"] for p in probes[15:18]] == [0, 3, 4]
    assert clocks_of(probes, "0.emit_host.valid") == [19, 21, 23, 25]
    assert clocks_of(probes, "0.emit_event.valid") == [20, 22, 24, 26]
    sent = [
        SPIKES_PER_STEP.event.unpack(word)["index"] for word in transfers(probes, "0.emit_event")
    ]
    assert sent == [0, 0, 0, 1]
    written = [sums(SPIKES_PER_STEP, p)[0] for p in probes if p["0.sum.write"]]
    assert written == [0, 1, 2, 3, 5]
    # The last event is accepted in 26: X in 28. That is for the next step: emit is idle in 27,
    # which is seen in 28.
    assert clocks_of(probes, "host_out.valid")[-1] == 29


def test_a_state_follows_the_last_of_several_spikes_once() -> None:
    row = BURST | PLAIN | {"neurons": 2, "readout": 1}
    loaded = image(SPIKES_PER_STEP, biases=[35, 0], populations=[row], targets=[TO_HOST])
    probes = play(loaded, [mark(SPIKES_PER_STEP, first=1)], 40)
    out = [SPIKES_PER_STEP.host_out.unpack(word) for word in transfers(probes, "host_out")]
    assert [(p["kind"], p["index"], p["value"]) for p in out] == [
        *[(PacketKind.SPIKE, 0, 0)] * 3,
        (PacketKind.STATE, 0, 5),
        (PacketKind.STATE, 1, 0),
        (PacketKind.STEP, 0, 0),
    ]
    assert clocks_of(probes, "0.emit_host.valid") == list(range(19, 24))
    # Without targets there is the state alone.
    silent = image(SPIKES_PER_STEP, biases=[35, 0], populations=[row | {"fan_out": 0}])
    assert [p["kind"] for p in packets(silent, [mark(SPIKES_PER_STEP, first=1)])] == [
        *[PacketKind.STATE] * 2,
        PacketKind.STEP,
    ]


# Against the step level.


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """A convolution, or none, and matrices from and to an image; options of every kind or none."""
    state_bits, sum_bits = draw(st.sampled_from([(9, 20), (16, 24), (24, 24)]))
    top = (1 << (state_bits - 1)) - 1
    rng = np.random.default_rng(draw(st.integers(0, (1 << 32) - 1)))
    pictured = draw(st.integers(0, 3)) > 0
    names = ("synaptic", "delayed", "clamp", "burst", "fine", "own")
    built = {name: draw(st.booleans()) for name in names}
    values = st.one_of(st.integers(-30, 30), st.sampled_from((-top - 1, top)))

    def population(name: str, size: int, phase: int, shape: ImageShape | None) -> Population:
        several = draw(st.sampled_from([1, 3, 7, 31])) if built["burst"] else 1
        synaptic = built["synaptic"] and draw(st.booleans())
        delayed = built["delayed"] and several == 1 and draw(st.booleans())
        restores = built["delayed"] and several == 1 and not delayed and draw(st.booleans())
        bias = rng.integers(-9, 12, size)
        if shape is not None and draw(st.booleans()):
            bias = np.repeat(rng.integers(-9, 12, shape[0]), shape[1] * shape[2])

        def own(value: Any, choices: list[int]) -> Any:
            """`value` for every neuron, or values of their own: of channels, or of each."""
            if value is None or not built["own"] or draw(st.booleans()):
                return value
            if shape is not None and draw(st.booleans()):
                return np.repeat(rng.choice([value, *choices], shape[0]), shape[1] * shape[2])
            return rng.choice([value, *choices], size)

        decays, near = [0, 300, 1000, 2048, DECAY_ONE], [-top - 1, -20, 3, 9, top]
        synaptic_decay = draw(st.sampled_from([0, 1000, DECAY_ONE])) if synaptic else None
        subtrahend = draw(values) if several == 1 and draw(st.booleans()) else None
        threshold = draw(st.integers(1, 20) if several > 1 else values)
        return Population(
            name,
            size,
            bias,
            phase=phase,
            decay=own(draw(st.sampled_from(decays)), decays),
            threshold=own(threshold, [1, 3, top] if several > 1 else near),
            inclusive=draw(st.booleans()),
            spiking=draw(st.integers(0, 5)) > 0,
            reset=Reset.RESTORE if restores else draw(st.sampled_from(PLAIN_RESETS)),
            v_reset=own(draw(values), near),
            v_init=draw(values),
            image=shape,
            synaptic_decay=own(synaptic_decay, decays),
            leak=rng.integers(-5, 6, size) if synaptic and draw(st.booleans()) else None,
            subtrahend=own(subtrahend, near),
            delayed_reset=delayed,
            v_min=draw(values) if built["clamp"] and draw(st.booleans()) else None,
            max_spikes=several,
            fraction_bits=draw(st.integers(0, 12)) if built["fine"] else 0,
        )

    connections: list[AnyConnection] = []
    if pictured:
        convolution, shape = draw(convolutions())
        made = convolution.output(shape)
        source = Input("in", int(np.prod(shape)), draw(st.sampled_from([1, 2])), shape)
        connections.append(dataclasses.replace(convolution, delay=draw(st.integers(0, 1))))
        first = population("a", int(np.prod(made)), 0, made)
        if draw(st.booleans()):
            # The upper half of the weights.
            weights = rng.integers(-2, 2, convolution.weights.shape)
            connections.append(dataclasses.replace(convolution, weights=weights, high=True))
        if draw(st.booleans()):
            # One more, from neurons.
            kernel = rng.integers(-8, 8, (made[0], made[0], 1, 1))
            connections.append(Convolution("a", "a", kernel, 1))
    else:
        source = Input("in", draw(st.integers(1, 9)), 2)
        first = population("a", draw(st.integers(1, 9)), 0, None)
        connections.append(Connection("in", "a", rng.integers(-8, 8, (source.size, first.size))))
    last = population("b", draw(st.integers(1, 6)), draw(st.integers(0, 1)), None)
    for one, other, delay in (
        (source, last, 0),
        (first, last, 1),
        (last, first, 1),
        (last, last, 2),
    ):
        if draw(st.booleans()):
            matrix = rng.integers(-8, 8, (one.size, other.size))
            high = draw(st.integers(0, 3)) == 0
            connections.append(Connection(one.name, other.name, matrix, delay, high))
    try:
        return Network((source,), (first, last), tuple(connections), 4, state_bits, sum_bits)
    except SpikeloomError as error:
        if "sum_bits" not in str(error):
            raise
        reject()


def assert_does_what_the_step_level_does(
    network: Network,
    loaded: Memories,
    counts: NDArray[np.int64],
    traced: Collection[str] | None = None,
) -> None:
    """`traced` names the populations with traces; None: the fabric is built without."""
    samples, steps, _ = counts.shape
    neurons = {name: np.arange(network.size(name)) for name in traced or ()}
    expected = simulate(network, counts, traces=neurons)

    model = CycleModel(loaded.config)
    model.load(loaded)
    words = np.concatenate(host_words(loaded, check_inputs(network, counts))).tolist()
    clocks, out = (np.array(column, np.uint64) for column in zip(*model.run(words), strict=True))
    decoded = decode_packets(loaded, clocks, out, samples, steps)
    assert decoded.spikes.keys() == expected.spikes.keys()
    for name, spikes in expected.spikes.items():
        np.testing.assert_array_equal(decoded.spikes[name], spikes, name)
        assert decoded.spikes[name].dtype == spikes.dtype
    for name, states in expected.states.items():
        np.testing.assert_array_equal(decoded.states[name], states, name)
    assert decoded.traces.keys() == set(traced or ())
    assert decoded.currents.keys() == (expected.currents.keys() if traced is not None else set())
    assert decoded.current_traces.keys() == expected.current_traces.keys()
    for kind in ("traces", "current_traces", "currents"):
        for name, values in getattr(decoded, kind).items():
            np.testing.assert_array_equal(values, getattr(expected, kind)[name], name)
    assert model.counters["errors.0"] == 0
    assert model.counters["synops.0"] == int(expected.synops.sum())
    assert model.counters["spikes.0"] == sum(int(s.sum()) for s in expected.spikes.values())
    assert not any(model.tiles[0].integrate.sums)


@settings(max_examples=75, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data(), networks())
def test_every_option_does_what_the_step_level_does(data: st.DataObject, network: Network) -> None:
    lanes = data.draw(st.integers(1, 5), "lanes")
    slots = network.max_delay + 1 + data.draw(st.integers(0, 1), "slots")
    queue = data.draw(st.integers(1, 12), "queue")
    traced = data.draw(st.none() | st.sets(st.sampled_from(["a", "b"])), "traces")
    loaded = PlainLayout(network, lanes, slots, queue, traced is not None).image()
    loaded = loaded.with_traces(traced or ())
    samples, steps = 2, data.draw(st.integers(1, 4), "steps")
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 30), "seed"))
    rate = data.draw(st.sampled_from((0.0, 0.1, 0.5)), "rate")
    source = network.inputs[0]
    shape = samples, steps, source.size
    counts = (rng.random(shape) < rate) * rng.integers(1, source.max_count + 1, shape)
    assert_does_what_the_step_level_does(network, loaded, counts, traced)


def test_a_step_that_is_as_long_as_the_weight_memory() -> None:
    """With one group the step to the next is unused, and need not fit: here 2 of 0..1."""
    source, image = Input("in", 2, image=(2, 1, 1)), (1, 1, 1)
    kernel = np.array([3, -2]).reshape(1, 2, 1, 1)
    network = Network(
        (source,),
        (Population("a", 1, np.array([0]), threshold=2, image=image),),
        (Convolution("in", "a", kernel),),
        4,
        16,
        24,
    )
    loaded = PlainLayout(network, lanes=1, slots=1, queue=1).image()
    assert loaded.config.weight_words == 2
    counts = np.array([[[1, 0], [0, 1], [1, 1], [1, 0]]])
    assert simulate(network, counts).spikes["a"].any()
    assert_does_what_the_step_level_does(network, loaded, counts)


def test_a_matrix_from_an_image_to_one_neuron() -> None:
    """The same of a matrix: its two words are all that there are."""
    network = Network(
        (Input("in", 1),),
        (
            Population("a", 2, np.array([3, 1]), threshold=2, image=(2, 1, 1)),
            Population("b", 1, np.array([0]), phase=1, threshold=2),
        ),
        (Connection("a", "b", np.array([[3], [-1]])),),
        4,
        16,
        24,
    )
    loaded = PlainLayout(network, lanes=2, slots=1, queue=2).image()
    assert loaded.config.weight_words == 2
    counts = np.zeros((1, 4, 1), np.int64)
    assert simulate(network, counts).spikes["b"].any()
    assert_does_what_the_step_level_does(network, loaded, counts)
