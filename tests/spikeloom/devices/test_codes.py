"""Codes of events and results: written out by hand, cut anywhere, refused where they are none."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_program import SMALL

from spikeloom.devices.codes import InvalidCode, ResultCodes, event_codes
from spikeloom.golden.host import Words
from spikeloom.golden.memory_image import Entry, MemoryImage
from spikeloom.golden.spec import FabricConfig

PLACED = dataclasses.replace(SMALL, extent=9, state_bits=12)
TRACED = dataclasses.replace(SMALL, synaptic_current=True, traces=True)


def image(config: FabricConfig, *entries: Entry) -> MemoryImage:
    return MemoryImage(config, (), 0, entries, ())


def codes(config: FabricConfig, events: list[list[int]], *entries: Entry) -> str:
    counts = {"in": np.array([events], np.uint8)}
    return event_codes(image(config, *entries), counts, 0).hex(" ")


def row(size: int, *axons: int) -> list[int]:
    return [axons.count(n) for n in range(size)]


def test_the_example_of_the_specification() -> None:
    said = codes(SMALL, [row(10, 1, 2, 9)], Entry("in", 0, 0, 0))
    assert said == "03 00 00 00 00 00 86 42 30"


def test_steps_and_entries_and_several_events_of_an_axon() -> None:
    entries = Entry("in", 1, 2, 0), Entry("in", 0x103, 5, 1)
    said = codes(SMALL, [row(9, 8, 8), row(9), row(9, 0, 1)], *entries)
    assert said == (
        "03 01 00 02 00 00 48 04 48 "  # the first entry: axon 8, and again
        "03 03 01 05 00 01 48 04 48 32 "  # the second; two steps follow
        "21 "
        "03 01 00 02 00 00 83 20"  # not the second, which would be due after the end
    )


@pytest.mark.parametrize("graded_bits", [0, 3])
@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int16])
def test_events_without_a_minus_are_sent_with_a_plus(kind: type, graded_bits: int) -> None:
    """Where other inputs have signs, whatever the type of these."""
    config = dataclasses.replace(SMALL, signed_spikes=True, graded_bits=graded_bits)
    made = image(config, Entry("in", 0, 0, 0))
    counts = {"in": np.array([[row(10, 1, 2, 9)]], kind)}
    plus = "00 01" if graded_bits else "00"
    assert event_codes(made, counts, 0).hex(" ") == f"03 00 00 00 00 00 {plus} 86 42 30"


def test_the_greatest_minus_is_sent() -> None:
    config = dataclasses.replace(SMALL, signed_spikes=True)
    made = image(config, Entry("in", 0, 0, 0))
    said = event_codes(made, {"in": np.full((1, 1, 1), -128, np.int8)}, 0)
    assert said.hex(" ") == "03 00 00 00 00 00 01 40" + 127 * " 04 40" + " 30"


def test_long_ways_are_skipped() -> None:
    assert codes(SMALL, [row(70, 63)], Entry("in", 0, 0, 0))[18:] == "7f 30"
    assert codes(SMALL, [row(70, 64)], Entry("in", 0, 0, 0))[18:] == "02 3f 40 30"
    assert codes(SMALL, [row(600, 599)], Entry("in", 0, 0, 0))[18:] == "02 ff 02 ff 02 56 40 30"


def test_axons_of_an_image_are_positions_in_it() -> None:
    said = codes(PLACED, [row(24, 5)], Entry("in", 0, 0, 0, (2, 3, 4)))
    assert said == "03 00 00 00 00 00 02 03 45 30"
    said = codes(PLACED, [row(24, 5)], Entry("in", 0, 0, 0))
    assert said == "03 00 00 00 00 00 00 00 45 30"


@given(st.sets(st.integers(0, 999)))
def test_codes_are_shorter_than_a_bitmap_or_a_list(axons: set[int]) -> None:
    said = codes(SMALL, [row(1000, *axons)], Entry("in", 0, 0, 0)).split()
    positions = len(said) - 1 - 6 * bool(axons)
    assert positions <= len(axons) + 2 * (1000 // 64)
    assert positions <= 143 + 2 * (1000 // 64)


# Results.


def packets(config: FabricConfig, said: str, size: int = 1000) -> tuple[list[dict], list[int]]:
    decoder = ResultCodes(config)
    data = bytes.fromhex(said)
    for at in range(0, len(data), size):
        decoder.feed(data[at : at + size])
    clocks, words = decoder.take()
    assert decoder.steps == 0
    return [config.host_out.unpack(int(word)) for word in words], clocks.tolist()


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_results_are_understood_however_they_are_cut(size: int) -> None:
    said = "43 85 03 02 00 02 07 40 05 fe ff 01 78 56 34 12 41"
    found, clocks = packets(SMALL, said, size)
    spike = {"kind": 0, "population": 0, "value": 0}
    assert found == [
        spike | {"index": 3},
        spike | {"index": 4},
        spike | {"index": 6},
        spike | {"population": 2, "index": 8},
        {"kind": 1, "population": 2, "index": 9, "value": -2},
        {"kind": 2, "population": 0, "index": 0, "value": 0},
        spike | {"population": 2, "index": 11},
    ]
    assert clocks == [0, 0, 0, 0, 0, 0x12345678, 0]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_a_current_leaves_the_cursor_to_the_state(size: int) -> None:
    found, _ = packets(TRACED, "02 02 06 fe ff 05 03 00 06 07 00 03 01 00 41 03 00 00", size)
    assert found == [
        {"kind": 3, "population": 0, "index": 3, "value": -2},
        {"kind": 1, "population": 0, "index": 3, "value": 3},
        {"kind": 3, "population": 0, "index": 4, "value": 7},
        {"kind": 0, "population": 1, "index": 1, "value": 0},
    ]


@pytest.mark.parametrize("name", ["traces", "synaptic_current"])
def test_a_current_of_a_fabric_that_sends_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidCode, match="unknown code 0x06"):
        packets(dataclasses.replace(TRACED, **{name: False}), "06 00 00")


def test_places_and_their_states() -> None:
    found, _ = packets(PLACED, "03 01 00 04 03 05 42 05 00 f8 03 01 00 40")
    assert found == [
        {"kind": 0, "population": 1, "index": 2, "y": 3, "x": 5, "value": 0},
        {"kind": 1, "population": 1, "index": 3, "y": 3, "x": 5, "value": -2048},
        {"kind": 0, "population": 1, "index": 0, "y": 0, "x": 0, "value": 0},
    ]


@pytest.mark.parametrize(
    "said",
    [
        "00",
        "06",
        "3f",
        "04 00 00",  # a place, without images
        "03 04 00",  # the fifth of four populations
        "02 ff 40",  # neuron 256 of 64
        "7f 40",
        "7e 82",
        "02 ff 05 00 00",
    ],
)
def test_what_is_no_code_is_refused(said: str) -> None:
    with pytest.raises(InvalidCode):
        packets(SMALL, said)


@pytest.mark.parametrize("said", ["04 10 00", "04 00 10", "05 00 08"])
def test_places_and_states_that_cannot_be_are_refused(said: str) -> None:
    with pytest.raises(InvalidCode):
        packets(PLACED, said)


def test_what_was_taken_is_forgotten() -> None:
    decoder = ResultCodes(SMALL)
    decoder.feed(bytes.fromhex("43 01 01 00 00 00"))
    assert decoder.steps == 1
    first: Words = decoder.take()[1]
    assert len(first) == 2
    assert len(decoder.take()[1]) == 0
