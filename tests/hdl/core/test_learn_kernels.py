"""Convolutions in learn alone: clocks, words and weights by hand; what is noted of their events."""

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator
from learn_bench import CONFIG, Bench
from test_learn import LOAD, OTHER_RULE, SCAN, built, notes, words

from spikeloom.golden.random_numbers import mixed
from spikeloom.golden.spec import Factor, LoadTarget, Rounding
from spikeloom.hdl.core.address_generation import AddressGeneration
from spikeloom.hdl.core.learning.kernel_walk import KernelWalk

KERNELS = dataclasses.replace(CONFIG, extent=4, neurons=64, plastic_axons=32, plastic_kernels=True)

SMALL = {
    "kernel": 1,
    "channels": 2,
    "kernel_columns": 2,
    "row_stride": 2,
    "column_stride": 2,
    "row_padding": 1,
    "column_padding": 1,
    "source_height": 3,
    "source_width": 3,
    "target_height": 2,
    "target_width": 2,
    "axon_row": 3,
    "axon_column": 1,
    "sources": 8,
    "groups": 4,
}
"""2 channels of 3 x 3 places, a kernel of 2 x 2 at 2 x 2 positions that begin in row and column -1
and 1. Its 8 words are at

    position    words: row, column of the place, of channels 0 and 1
    0, at -1    0, 1 .. 4, 5: outside                                   6, 7: (0, 0)
    1           0, 1, 2, 3: outside             4, 5: (0, 1)            6, 7: (0, 2)
    2           0, 1: outside   2, 3: (1, 0)    4, 5: outside           6, 7: (2, 0)
    3, at 1     0, 1: (1, 1)    2, 3: (1, 2)    4, 5: (2, 1)            6, 7: (2, 2)
"""


def at(row: int, column: int, channel: int = 0) -> int:
    """The axon of a place in the source of `SMALL`."""
    return 8 * row + 2 * column + channel


def kernel_bench(*terms: dict[str, int], **fields: int) -> Bench:
    bench = Bench(KERNELS, weights=words(32))
    bench.rule(0, *terms, **{**SMALL, **fields})
    return bench


def test_clocks_of_two_positions() -> None:
    """Of positions 0 and 3, whose words are those of places where an axon spiked."""
    bench = kernel_bench()
    bench.run(notes(at(0, 0), at(1, 1, 1), at(2, 2), at(0, 2)), groups=(0, 3))
    # After 6 others word 6 is in stage 4; it is written 9 later. DRAIN ends in the clock after
    # that; GROUP of three positions, and LOAD of the last.
    first = SCAN + 4 + 6
    second = first + 9 + 2 + 3 + LOAD
    assert bench.reads == [(first, 6), (second + 4 + 1, 1), (second + 4 + 6, 6)]
    assert bench.writes == [(clock + 9, word) for clock, word in bench.reads]
    # Word 1 once; word 6 once at each position; place (0, 2) is that of a position not touched.
    expected = words(32)
    for word in (6, 1, 6):
        expected[word] = [weight + 1 for weight in expected[word]]
    assert bench.weights == expected
    assert bench.updates == 12
    assert bench.idle_after == second + 4 + 6 + 9 + 1 + 1 + 2 + OTHER_RULE + 1


def test_a_scan_goes_through_all_words() -> None:
    """8 words in 8 + 4 clocks, also if none is of an axon that spiked, or inside."""
    bench = kernel_bench()
    bench.run(notes(at(2, 2)), groups=(0,))
    assert not bench.reads
    # SCAN, DRAIN, GROUP of the other three, and that of none.
    assert bench.idle_after == SCAN + 8 + 4 + 1 + 3 + 2 + OTHER_RULE + 1


def test_each_position_learns_from_what_the_one_before_has_left() -> None:
    """The weight doubles at each: w' = w + w, three times; then it is at its bound."""
    double = {"left": Factor.WEIGHT, "right": Factor.ONE}
    bench = kernel_bench(double)
    bench.weights[6] = [3, -5, 20, 0]
    bench.run(notes(at(0, 0), at(2, 0), at(2, 2)), groups=(0, 1, 2, 3))
    assert [word for _, word in bench.reads] == [6, 6, 6]
    assert bench.weights[6] == [24, -40, 127, 0]


def test_silent_axons_learn() -> None:
    """Every word that has a place inside, of axons that spiked and of others."""
    inside = {0: [6, 7], 1: [4, 5, 6, 7], 2: [2, 3, 6, 7], 3: [*range(8)]}
    benches = [kernel_bench(silent=1), kernel_bench(silent=1, at_end=1)]
    benches[0].run(notes(at(1, 1)), groups=(0, 1, 3))
    assert [word for _, word in benches[0].reads] == [*inside[0], *inside[1], *inside[3]]
    # At a sample's end all positions, touched or not.
    benches[1].run(notes(at(1, 1)), ends=True, groups=())
    assert [word for _, word in benches[1].reads] == [*itertools.chain(*inside.values())]


def test_groups_of_channels() -> None:
    """Six channels: those of 4 and 5 have words 8 to 15, and their positions groups 4 to 7."""
    bench = kernel_bench(groups=8, neurons=6, weight_base=10)
    bench.run(notes(at(0, 0), at(1, 1)), groups=(0, 4, 7))
    assert [word for _, word in bench.reads] == [10 + 6, 10 + 8 + 6, 10 + 8 + 0]
    before = words(32)
    assert bench.weights[16] == [weight + 1 for weight in before[16]]
    for word in (24, 18):
        added = [min(w + 1, 127) if lane < 2 else w for lane, w in enumerate(before[word])]
        assert bench.weights[word] == added
    assert bench.updates == 4 + 2 + 2


def test_random_numbers_are_those_of_word_and_channel() -> None:
    """The same at each position."""
    state, number, change = 0x1234_5678, 5, -37
    fields = {"shift": 1, "rounding": Rounding.STOCHASTIC, "number": number, "index_base": 16}
    bench = kernel_bench({"constant": change}, groups=8, neurons=8, axon_base=3, **fields)
    bench.random_state = state
    bench.weights = [[0] * 4 for _ in range(32)]
    bench.run(notes(3 + at(0, 0), 3 + at(2, 2)), groups=(4, 7))
    random = int(mixed(np.array([state ^ (6 | 1 << 16 | number << 26)], np.uint32))[0])
    change_of = [(change + (random + 4 + lane) % 16) >> 4 for lane in range(4)]
    assert bench.weights[14] == [2 * change for change in change_of]


def test_eight_words_wait() -> None:
    """3 channels of 2 x 3 places that all learn; a column has room for 4 axons, a row for 4.

    Every second place spiked a step before, so that 10 of its trace of 20 are left.
    """
    shape = {"channels": 3, "kernel_columns": 3, "axon_column": 2, "axon_row": 4, "sources": 18}
    shape |= {"row_padding": 0, "column_padding": 0, "pre_amount": 20}
    bench = kernel_bench({"left": Factor.PRE_TRACE, "right": Factor.ONE, "pre_now": 1}, **shape)
    bench.curve({1: {"pre_decay": 128}})
    bench.weights = [[0] * 4 for _ in range(18)]
    odd = [(row + column) % 2 for row in range(2) for column in range(3)]
    axons = [16 * row + 4 * column for row in range(2) for column in range(3)]
    steps = [
        notes(
            *(
                axon + d
                for axon, is_odd in zip(axons, odd, strict=True)
                for d in range(3)
                if is_odd == step
            )
        )
        for step in range(2)
    ]
    bench.run(*steps, groups=(0,))
    read = [*range(8), *range(10, 29, 2)]
    assert [clock - SCAN - 4 for clock, _ in bench.reads] == read
    assert [word for _, word in bench.reads] == [*range(18)]
    assert bench.weights == [[20 if odd[word // 3] else 30] * 4 for word in range(18)]


def test_a_matrix_in_the_same_fabric() -> None:
    """Whatever its fields of kernels are."""
    bench = Bench(KERNELS, weights=words(32))
    bench.rule(0, {}, **{**SMALL, "kernel": 0, "groups": 2, "neurons": 8, "sources": 10})
    bench.run(notes(9, 2), groups=(0, 1))
    assert bench.reads[:2] == [(SCAN + 4, 9), (SCAN + 5, 2)]
    assert [word for _, word in bench.reads[2:]] == [19, 12]


def random_rule(rng: np.random.Generator) -> dict[str, int]:
    """A convolution of any shape that fits."""
    height, width = rng.integers(1, 5, 2).tolist()
    channels = int(rng.integers(1, 4))
    rows, columns = rng.integers(1, 5, 2).tolist()
    return {
        "kernel": 1,
        "axon_base": int(rng.integers(32)),
        "channels": channels,
        "kernel_columns": columns,
        "sources": rows * columns * channels,
        "row_stride": int(rng.integers(1, 4)),
        "column_stride": int(rng.integers(1, 4)),
        "row_padding": int(rng.integers(rows)),
        "column_padding": int(rng.integers(columns)),
        "source_height": height,
        "source_width": width,
        "target_height": int(rng.integers(1, 4)),
        "target_width": int(rng.integers(1, 4)),
        "axon_row": int(rng.integers(5)),
        "axon_column": int(rng.integers(3)),
    }


def entries(rule: dict[str, int], y: int, x: int) -> list[tuple[int, int, int]]:
    """Plainly, from the text: axon, number and whether it is inside, of each word at a position."""
    expected = []
    for e in range(rule["sources"]):
        d = e % rule["channels"]
        place = e // rule["channels"]
        i = y * rule["row_stride"] - rule["row_padding"] + place // rule["kernel_columns"]
        j = x * rule["column_stride"] - rule["column_padding"] + place % rule["kernel_columns"]
        axon = rule["axon_base"] + i * 2 ** rule["axon_row"] + j * 2 ** rule["axon_column"] + d
        inside = 0 <= i < rule["source_height"] and 0 <= j < rule["source_width"]
        expected.append((axon % KERNELS.plastic_axons, e, int(inside)))
    return expected


def test_kernels_of_any_shape() -> None:
    """Each word of each position of two groups of channels, as soon as it may be asked for."""
    rng = np.random.default_rng(5)
    dut = built(KernelWalk(KERNELS))

    async def pulse(ctx: Any, name: str) -> None:
        ctx.set(getattr(dut, name), 1)
        await ctx.tick()
        ctx.set(getattr(dut, name), 0)

    async def bench(ctx: Any) -> None:
        for _ in range(30):
            rule = random_rule(rng)
            for name, value in rule.items():
                ctx.set(dut.row[name], value)
            last = "begin"
            height, width = rule["target_height"], rule["target_width"]
            for _, y, x in itertools.product(range(2), range(height), range(width)):
                await pulse(ctx, last)
                await ctx.tick().repeat(dut.latency - 2)
                await pulse(ctx, "start")
                for expected in entries(rule, y, x):
                    if rng.integers(4) == 0:
                        await ctx.tick()
                    entry = ctx.get(dut.entry)
                    assert (entry.axon, entry.source, entry.inside) == expected, (rule, y, x)
                    await pulse(ctx, "go")
                assert ctx.get(dut.turns) == (y == height - 1 and x == width - 1)
                last = "advance"

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("waits", [0, 3])
def test_notes_of_images(waits: int) -> None:
    """The axon of (y, x) and channel; also without targets, and of a matrix; not of what is
    dropped.
    """
    config = dataclasses.replace(KERNELS, coordinates=16, connections=2)
    image = {"image": 1, "height": 3, "width": 3, "sources": 2, "groups": 1, "stride": 1}
    image |= {"plastic": 1, "axon_base": 1, "axon_row": 3, "axon_column": 1, "row_coordinates": 0}
    image |= {"column_coordinates": 4, "rule": 1}
    matrix = {"plastic": 1, "axon_base": 25, "sources": 4, "groups": 1, "axon_row": 3}
    rows = [config.connection_row.pack(row) for row in (image, matrix)]
    # Row 2 of the source has no target.
    coordinates = [config.coordinate_row.pack({"count": n != 2}) for n in range(8)]
    contents = {LoadTarget.CONNECTION: rows, LoadTarget.COORDINATE: coordinates}
    dut = AddressGeneration(config, contents)
    events = [(0, 1, 2, 1), (1, 3, 1, 1), (0, 2, 1, 0), (0, 3, 1, 0), (0, 0, 0, 0), (0, 0, 3, 1)]
    expected = [(1, 1 + at(1, 2, 1)), (0, 28), (1, 1 + at(2, 1)), (1, 1)]
    taken: list[tuple[int, int]] = []

    async def send(ctx: Any) -> None:
        for connection, y, x, channel in events:
            index = y if connection else channel
            for name, value in {"connection": connection, "y": y, "x": x, "index": index}.items():
                ctx.set(dut.event.p[name], value)
            ctx.set(dut.event.valid, 1)
            await ctx.tick().until(dut.event.ready)
            ctx.set(dut.event.valid, 0)

    async def take(ctx: Any) -> None:
        ctx.set(dut.notes.learning, 1)
        for clock in range(80):
            ctx.set(dut.segments.ready, clock % (waits + 1) == 0)
            if ctx.get(dut.notes.valid):
                taken.append((ctx.get(dut.notes.p.rule), ctx.get(dut.notes.p.axon)))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(send)
    simulator.add_testbench(take)
    simulator.run()
    assert taken == expected
