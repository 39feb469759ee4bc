"""Learning in convolutions, in the cycle-level model: clocks and weights by hand."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from by_hand import Probe, clocks_of, event, image, mark, play

from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.spec import MAX_AGE, FabricConfig, Factor, Gate, Rounding

CONFIG = FabricConfig(
    lanes=4,
    neurons=64,
    weight_words=64,
    slots=2,
    axons=8,
    populations=4,
    connections=4,
    queue=8,
    extent=4,
    coordinates=16,
    plasticity=True,
    plastic_kernels=True,
    plastic_axons=32,
    stamp_bits=8,
)
ALWAYS = {"pre_gate": Gate.ALWAYS, "post_gate": Gate.ALWAYS, "lower": -32768, "upper": 32767}
ALWAYS |= {"trace_highest": 255, "left": Factor.CONSTANT, "constant": 1}
NEVER_SPIKED = {"pre_gate": Gate.AGE, "pre_first": MAX_AGE, "pre_last": MAX_AGE, "pre_now": 1}
NEURONS = {"retain": 0, "spiking": 1, "plasticity": 1, "plasticity_always": 1, "number": 1}
NEURONS |= {"threshold": 1000}

# A kernel of 2x2 from 2 channels of 3x2, with a row and a column of padding before them, to 6
# channels of 3x2: word (k * 2 + l) * 2 + d of the 8 of each of two groups of channels. Source
# (i, j, d) is axon 3 + i * 8 + j * 2 + d. No event has a target: learning does not need one.
RULE = {"kernel": 1, "sources": 8, "channels": 2, "kernel_columns": 2, "groups": 12, "neurons": 6}
RULE |= {"row_stride": 1, "column_stride": 1, "row_padding": 1, "column_padding": 1}
RULE |= {"source_height": 3, "source_width": 2, "target_height": 3, "target_width": 2}
RULE |= {"axon_base": 3, "axon_row": 3, "axon_column": 1, "weight_base": 20}
RULE |= {"lowest": -128, "highest": 127, "rounding": Rounding.FLOOR}
ROW = {"image": 1, "plastic": 1, "axon_base": 3, "axon_row": 3, "axon_column": 1}
ROW |= {"sources": 2, "height": 3, "width": 2, "groups": 2, "synapses": 6}
TARGETS = {**NEURONS, "neurons": 36, "channels": 6, "height": 3, "width": 2}

# A kernel of 3x3 from a channel of 3x3 to a channel of 2x2, with a stride of 2 and padding 1.
STRIDED = {**RULE, "sources": 9, "channels": 1, "kernel_columns": 3, "groups": 4, "neurons": 1}
STRIDED |= {"row_stride": 2, "column_stride": 2, "source_width": 3, "target_height": 2}
STRIDED |= {"axon_column": 0, "axon_row": 2}
STRIDED_ROW = {**ROW, "sources": 1, "width": 3, "axon_column": 0, "axon_row": 2}
STRIDED_TARGETS = {**NEURONS, "neurons": 4, "channels": 1, "height": 2, "width": 2}

ENDS = 5
"""Clocks from GROUP after the last group, by NEXT and END, until the step is seen to be over."""

Source = tuple[int, int, int]
"""Row, column and channel."""


def loaded(config: FabricConfig = CONFIG, **rows: Any) -> MemoryImage:
    """An image with a rule that looks at every position after every step."""
    rows = {
        "connections": [ROW],
        "populations": [TARGETS],
        "rules": [RULE],
        "terms": [ALWAYS],
        **rows,
    }
    return image(config, learn=[1], **rows)


CLEARED = CONFIG.plastic_axons
"""Clocks of CLEAR, which the LEARN word begins."""


def run(image: MemoryImage, *steps: Sequence[Source]) -> list[Probe]:
    """The probes from after CLEAR to the last STEP packet; each step has its sources that spike."""
    words = []
    for number, sources in enumerate(steps):
        words += [event(CONFIG, index=d, y=y, x=x) for y, x, d in sources]
        words.append(mark(CONFIG, first=number == 0, ahead=1))
    waits = [True] * CLEARED + [False] * 10_000
    return play(image, words, 10_000, gaps=waits, packets=len(steps))[CLEARED:]


def after(probes: Sequence[Probe], name: str) -> list[int]:
    """The clocks in which `name` is 1, counted from two before RULE."""
    notes = [clock for clock in clocks_of(probes, "0.axon.write") if probes[clock]["0.axon.data"]]
    learn = max([*clocks_of(probes, "learn.valid")[-1:], *notes[-1:]])
    return [clock - learn for clock in clocks_of(probes, name) if clock >= learn]


def written(probes: Sequence[Probe]) -> list[tuple[int, list[int]]]:
    """Address and lanes of each word of weights that is written, in order."""
    return [
        (
            probe["0.weight_write.address"],
            [*CONFIG.weight_row.unpack(probe["0.weight_write.data"]).values()],
        )
        for probe in probes
        if probe["0.weight_write.write"]
    ]


def test_notes_of_images() -> None:
    """An event is 4 clocks in D; so are NOTE1 to NOTE3 and REST. One outside is not noted."""
    outside = [(3, 0, 0), (0, 2, 0), (0, 0, 2)]
    probes = run(loaded(), [(0, 0, 0), (2, 1, 1), *outside, (1, 0, 1), (2, 1, 1)])
    assert clocks_of(probes, "0.axon.write") == [9, 13, 29]
    axons = [probes[clock]["0.axon.address"] for clock in clocks_of(probes, "0.axon.write")]
    assert axons == [3, 3 + 16 + 2 + 1, 3 + 8 + 1]
    assert probes[-1]["counters.errors.0"] == 3


def test_a_full_queue_holds_images_back() -> None:
    """While CLEAR goes on nothing is popped; the 17th event stays in D, another in W."""
    sources = [(y, x, d) for y in range(3) for x in range(2) for d in range(2)]
    words = [event(CONFIG, index=d, y=y, x=x) for y, x, d in [*sources, *sources]]
    config = dataclasses.replace(CONFIG, plastic_axons=128)
    probes = play(loaded(config), [*words, mark(CONFIG, 1, 1)], 400, packets=1)
    taken = [n for n, p in enumerate(probes) if p["0.event.valid"] and p["0.event.ready"]]
    # W takes an event a clock after D; D takes one every 4.
    assert taken[:18] == [0, 1, *range(5, 5 + 4 * 16, 4)]
    # REST pops in clock 128, and the 17th is taken in the next.
    assert taken[18] == 130
    assert len([p for p in probes if p["0.axon.data"]]) == 12


def test_a_dense_matrix_is_noted_as_ever() -> None:
    row = {"plastic": 1, "axon_base": 5, "sources": 4, "groups": 1, "synapses": 4}
    rule = {"sources": 4, "groups": 1, "neurons": 4, "axon_base": 5, "weight_base": 9}
    rule |= {"lowest": -128, "highest": 127, "rounding": Rounding.FLOOR}
    neurons = {**NEURONS, "neurons": 4, "channels": 4, "height": 1, "width": 1}
    probes = run(loaded(connections=[row], rules=[rule], populations=[neurons]), [(3, 3, 2)])
    assert clocks_of(probes, "0.axon.write") == [6]
    assert written(probes) == [(11, [1, 1, 1, 1])]


def test_the_taps_of_a_source() -> None:
    """Source (1, 0, 1) is under the kernel at four positions, each with a tap of its own."""
    probes = run(loaded(), [(1, 0, 1)])
    # Of the second group of channels, two lanes are neurons.
    expected = [(20 + word, [1, 1, 1, 1]) for word in (7, 5, 3, 1)]
    expected += [(28 + word, [1, 1, 0, 0]) for word in (7, 5, 3, 1)]
    assert written(probes) == expected
    assert probes[-1]["counters.updates.0"] == 4 * 4 + 4 * 2
    # GROUP, LOAD, and of two positions SCAN of 8 entries and DRAIN; of others DRAIN ends a clock
    # after the write of the hit, which is in stage 4 at its entry + 4.
    clocks = [1 + 8 + 8 + 4 + 1] * 2
    clocks += [1 + 8 + entry + 4 + 9 + 1 + 1 for entry in (7, 5, 3, 1)]
    assert after(probes, "host_out.valid") == [4 + 2 * sum(clocks) + ENDS]
    first = 4 + sum(clocks[:2]) + 1 + 8 + 4 + 7
    assert after(probes, "0.weight_read.valid")[0] == first
    assert after(probes, "0.weight_write.write")[0] == first + 9


def test_a_position_sees_what_the_one_before_has_left() -> None:
    """A tap doubles at each position at which its source exists and has spiked."""
    term = {**ALWAYS, "right": Factor.WEIGHT}
    weights = [[1, 1, 1, 1]] * 36
    sources = [(y, x, 0) for y in range(3) for x in range(2)]
    probes = run(loaded(terms=[term], weights=weights), sources)
    last = dict(written(probes))
    # Rows of the kernel: 2 and 3 positions; columns: 1 and 2.
    for base in (20, 28):
        assert [last[base + word][0] for word in (0, 2, 4, 6)] == [4, 16, 8, 64]
    # Channel 1 is silent.
    assert {address % 2 for address in last} == {0}


def test_silent_sources() -> None:
    """They learn if they are in the image, where the rule says so."""
    for silent, expected in ((1, {20: [2] * 4, 22: [4] * 4, 24: [3] * 4, 26: [6] * 4}), (0, {})):
        base = loaded(rules=[{**RULE, "silent": silent}], terms=[{**ALWAYS, **NEVER_SPIKED}])
        probes = run(base, [(y, x, 1) for y in range(3) for x in range(2)])
        last = dict(written(probes))
        assert {address: word for address, word in last.items() if address < 28} == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [((1, 1, 0), [8, 6, 2, 0]), ((0, 1, 0), [5, 3]), ((2, 2, 0), [4]), ((0, 2, 0), [4])],
)
def test_stride_and_padding(source: Source, expected: list[int]) -> None:
    base = loaded(rules=[STRIDED], connections=[STRIDED_ROW], populations=[STRIDED_TARGETS])
    probes = run(base, [source])
    assert written(probes) == [(20 + word, [1, 0, 0, 0]) for word in expected]


def test_a_position_learns_when_its_neurons_spike() -> None:
    """The neuron at (1, 0) of channel 4 spikes in each step: of other groups GROUP alone."""
    neurons = {**TARGETS, "plasticity_always": 0, "plasticity_on_spike": 1, "threshold": 5}
    neurons |= {"bias_base": 0}
    biases = [0] * 48
    biases[4 * (6 + 2)] = 9
    term = {**ALWAYS, "post_gate": Gate.SPIKED, "post_now": 1}
    probes = run(loaded(populations=[neurons], terms=[term], biases=biases), [(1, 0, 1)])
    assert written(probes) == [(28 + 7, [1, 0, 0, 0])]
    read = after(probes, "0.weight_read.valid")
    assert read == [4 + 8 + 1 + 8 + 4 + 7]
    # DRAIN's last clock is 10 after; then GROUP of the 3 after it.
    assert after(probes, "host_out.valid") == [read[0] + 10 + 1 + 3 + ENDS]


def test_random_numbers_are_those_of_the_weight() -> None:
    """Their key has the weight's word and its group of channels, whatever the position."""
    rule = {**STRIDED, "shift": 1, "rounding": Rounding.STOCHASTIC, "number": 3, "index_base": 20}
    base = loaded(
        rules=[rule],
        connections=[STRIDED_ROW],
        populations=[STRIDED_TARGETS],
        terms=[{**ALWAYS, "constant": 5}],
        random=[0x12345678],
    )
    probes = run(base, [(1, 1, 0)])

    def mixed(x: int) -> int:
        x = (x + x * 128) % 2**32
        x ^= x // 512
        x = (x + x * 1024) % 2**32
        x ^= x // 2**15
        x = (x + x * 32) % 2**32
        return x ^ x // 2**8 ^ x // 2**16 ^ x // 2**24

    def change(word: int) -> int:
        number = mixed((0x12345678 | 2**31) ^ (word + (1 << 16) + (3 << 26)))
        return (5 + (number + 4) % 16) // 16

    assert written(probes) == [(20 + word, [change(word), 0, 0, 0]) for word in (8, 6, 2, 0)]
