"""Sparse matrices and one to one in the cycle-level model: clocks by hand, from hardware.md."""

from typing import Any

from by_hand import Probe, clocks_of, event, image, mark, play, sums

from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.spec import DECAY_ONE, FabricConfig

CONFIG = FabricConfig(
    lanes=2,
    neurons=8,
    weight_words=16,
    sparse_words=6,
    slots=2,
    axons=8,
    connections=4,
    coordinates=8,
    queue=16,
    one_to_one=True,
)
# Four groups of two neurons. Source 0 has three words, source 1 none, source 2 one.
WORDS = [
    {"lane0": 1, "lane1": 10, "group0": 3, "group1": 0},
    {"lane0": 2, "lane1": 20, "group0": 0, "group1": 2},
    {"lane0": 3, "group0": 1},  # lane 1 adds 0 to group 0
    {"lane0": 4, "lane1": 40, "group0": 3, "group1": 3},
]
SOURCES = [
    {},  # not of this connection
    {"weight": 1, "count": 3, "synapses": 5},
    {},
    {"weight": 4, "count": 1, "synapses": 2},
]
SPARSE = {"sparse": 1, "sources": 3, "groups": 1, "channel_coordinates": 1}
DENSE = {"weight_base": 8, "sources": 1, "sum_base": 2, "groups": 2, "synapses": 4}


def loaded(**changed: Any) -> MemoryImage:
    values: dict[str, Any] = {
        "weights": [{}, *WORDS, {}, {}, {}, [7, 70], [8, 80]],
        "connections": [SPARSE, DENSE, {**SPARSE, "groups": 0}],
        "coordinates": SOURCES,
        "populations": [{"neurons": 8, "retain": DECAY_ONE, "threshold": 32767}],
        "window": 1,
    }
    return image(CONFIG, **{**values, **changed})


def writes(probes: list[Probe]) -> list[tuple[int, int, int, list[int]]]:
    """Clock, the rows of both lanes, and what is written to them."""
    return [
        (clock, probe["0.sum.address"] & 7, probe["0.sum.address"] >> 3, sums(CONFIG, probe))
        for clock, probe in enumerate(probes)
        if probe["0.sum.write"]
    ]


def test_the_words_of_a_source() -> None:
    probes = play(loaded(), [event(CONFIG, ahead=1), event(CONFIG, ahead=1)], 20)
    # 0  accepted
    # 1  D, looked 0: coordinate row 1 is presented. The next event is accepted into W
    # 2  looked 1: to X, groups of word 1 presented. The next event goes into D
    # 3  X: word 1 is issued; next groups: of word 2. D: coordinate row 1 again
    # 4  word 2 is issued. D has the row, and waits
    # 5  word 3 is issued, the last: the next event goes to X. Word 1 is written
    # 6..8  its words are issued, without a bubble
    # Row 2 * group + 1 in each lane.
    assert writes(probes) == [
        (5, 7, 1, [1, 10]),
        (6, 1, 5, [2, 20]),
        (7, 3, 1, [3, 10]),
        (8, 7, 1, [2, 20]),
        (9, 1, 5, [4, 40]),
        (10, 3, 1, [6, 20]),
    ]
    assert [probes[n]["counters.synops.0"] for n in (3, 4, 6, 7)] == [0, 5, 5, 10]
    assert [n for n, p in enumerate(probes) if p["0.event.valid"] and p["0.event.ready"]] == [0, 1]


def test_a_source_of_one_word_takes_two_clocks() -> None:
    probes = play(loaded(), [event(CONFIG, index=2, ahead=1)] * 3, 20)
    # Each is in D for two clocks: 1 and 2, 3 and 4, 5 and 6; issued in the clock after.
    assert writes(probes) == [(5, 7, 7, [4, 40]), (7, 7, 7, [8, 80]), (9, 7, 7, [12, 120])]


def test_dense_between_sparse() -> None:
    words = [event(CONFIG, index=2), event(CONFIG, 1, ahead=1), event(CONFIG, index=2)]
    probes = play(loaded(), words, 20)
    # 3  the sparse word is issued, and the dense event is in D: to X at once
    # 4  its groups are issued in 4 and 5, while the last event is in D
    # 6  issued
    assert writes(probes) == [
        (5, 6, 6, [4, 40]),
        (6, 3, 3, [7, 70]),
        (7, 5, 5, [8, 80]),
        (8, 6, 6, [8, 80]),
    ]


def test_a_source_without_targets_and_events_that_are_dropped() -> None:
    words = [
        event(CONFIG, index=1),  # no targets
        event(CONFIG, index=3),  # no such source, though its coordinate row is there
        event(CONFIG, connection=2),  # a row without groups
        event(CONFIG, index=2),
    ]
    probes = play(loaded(), words, 20)
    # In D in clocks 1, 2; 3, 4; 5, 6; 7, 8. Drops are counted in the clock after the next one.
    assert writes(probes) == [(11, 6, 6, [4, 40])]
    assert [probes[n]["counters.errors.0"] for n in (5, 6, 7, 8)] == [0, 1, 1, 2]
    assert probes[19]["counters.synops.0"] == 2


def test_groups_hold_while_a_fetch_has_priority() -> None:
    """Events of the next step meet the fetches of this one."""
    words = [mark(CONFIG, 1, 1), *[event(CONFIG)] * 4, mark(CONFIG)]
    probes = play(loaded(), words, 60)
    stalled = probes[-1]["counters.stalls.0"]
    fetches = set(clocks_of(probes, "0.fetch.valid"))
    assert stalled > 0
    added = [(*rows, lanes) for clock, *rows, lanes in writes(probes) if clock - 2 not in fetches]
    # The rows of slot 1, in the order of the words, four times.
    assert [rows for *rows, _ in added[:12]] == [[7, 1], [1, 5], [3, 1]] * 4
    assert [lanes for *_, lanes in added[9:12]] == [[4, 40], [8, 80], [12, 40]]


# Sources 2 to 5 of seven, to groups 0 and 1; the bases are those of source 0, a group before.
SINGLE = {
    "one_to_one": 1,
    "sources": 7,
    "first": 2,
    "last": 5,
    "weight_base": 7,
    "sum_base": 6,
    "groups": 1,
    "synapses": 1,
}


def test_one_to_one_adds_one_lane_in_one_clock() -> None:
    rows = [SPARSE, SINGLE]
    indices = (2, 5, 3, 1, 6, 7, 4)
    words = [event(CONFIG, 1, index, ahead=1) for index in indices]
    probes = play(loaded(connections=rows), words, 20)
    # In X in clocks 2, 3, 4; those of 1 and 6 have no targets, that of 7 is dropped; 8.
    # Word 8 is [7, 70], word 9 [8, 80]. Rows 6 + 1 + 2 * (index div 2), mod 8.
    assert writes(probes) == [
        (4, 1, 1, [7, 0]),
        (5, 3, 3, [0, 80]),
        (6, 1, 1, [7, 70]),
        (10, 3, 3, [8, 80]),
    ]
    assert probes[19]["counters.synops.0"] == 4
    assert [probes[n]["counters.errors.0"] for n in (7, 8)] == [0, 1]
