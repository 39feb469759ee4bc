"""Integrate: events of convolutions and dense matrices become the sums of the golden model.

The tables are built here, by the rule on the page ("Why this is a convolution"): for each
coordinate of the source all kernel rows are tried one by one, and those that overlap must turn out
to be the arithmetic progression that the page promises.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from spikeloom.golden.convolution import Convolution, ConvolutionSums, ImageShape
from spikeloom.golden.fixed import Integers, signed_range
from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.hdl.core.integrate import Integrate

SLOTS = 3
CONFIG = FabricConfig(
    lanes=3,
    weight_bits=4,
    sum_bits=16,
    neurons=250,
    weight_words=700,
    slots=SLOTS,
    axons=20,
    connections=5,
    extent=9,
    coordinates=48,
    weight_pairs=True,
)
LANES = CONFIG.lanes
SUM_BASE = 2 * SLOTS
WEIGHT_BASE, ROW_AXIS, COLUMN_AXIS, CHANNEL_AXIS = 40, 5, 15, 30
CONVOLUTION, DENSE, UNUSED = 3, 1, 0
# Steps that nothing takes may be longer than their fields.
WIDTHS = {field.name: field.width for field in CONFIG.connection_row.fields}
WEIGHT_RANGE, SUM_RANGE = 1 << WIDTHS["row_weights"], 1 << WIDTHS["row_sums"]


@dataclass
class Layer:
    """A convolution in the memories of integrate: rows by target and address."""

    rows: dict[tuple[LoadTarget, int], int] = field(default_factory=dict)
    # For each source coordinate the kernel rows that overlap it, each with its output row.
    overlaps: tuple[list[list[tuple[int, int]]], ...] = ()
    # For each source channel the first lane group, their number, and the synapses in them.
    channels: list[tuple[int, int, int]] = field(default_factory=list)


def kernel_overlaps(
    convolution: Convolution, axis: int, extent: int, size: int
) -> Iterator[list[Any]]:
    """(kernel row, output row) for every coordinate 0..extent-1, in the order of kernel rows."""
    stride, dilation, pool = (
        value[axis] for value in (convolution.stride, convolution.dilation, convolution.pool)
    )
    common = math.gcd(stride, dilation)
    for coordinate in range(extent):
        pooled = coordinate // pool
        pairs = []
        for k in range(convolution.weights.shape[2 + axis]):
            o, rest = divmod(pooled + convolution.padding[axis][0] - k * dilation, stride)
            if rest == 0 and 0 <= o < size and pooled < extent // pool:
                pairs.append((k, o))
        for (k, o), (next_k, next_o) in itertools.pairwise(pairs):
            assert (next_k - k, o - next_o) == (stride // common, dilation // common)
        yield pairs


def layer(convolution: Convolution, image: ImageShape, high: bool = False) -> Layer:
    target = convolution.output(image)
    sources, height, width = target[0], target[1], target[2]
    kernel_rows, kernel_columns = convolution.weights.shape[2:]
    parts, grouped = convolution.groups, convolution.groups > 1
    per_part = target[0] // parts
    source_part = image[0] // parts
    result = Layer()
    for c in range(image[0]):
        first = c // source_part * per_part
        last = first + per_part - 1
        synapses = per_part
        groups = last // LANES - first // LANES + 1
        if not convolution.weights[first : last + 1, c % source_part].any():
            assert grouped, "only a coordinate row can tell that a channel has no targets"
            groups = synapses = 0
        result.channels.append((first // LANES, groups, synapses))
    most = max(count for _, count, _ in result.channels)
    # Weight words: by kernel row, kernel column; then group, channel or, grouped, channel, group.
    between_channels, between_groups = (most, 1) if grouped else (1, image[0])
    between_columns = most * image[0]
    between_rows = between_columns * kernel_columns
    for c, (first_group, count, _) in enumerate(result.channels):
        for g in range(count):
            for k in range(kernel_rows):
                for j in range(kernel_columns):
                    word = {}
                    for lane in range(LANES):
                        o = (first_group + g) * LANES + lane
                        if o < target[0] and o // per_part == c // source_part:
                            weight = convolution.weights[o, c % source_part, k, j]
                            word[f"lane{lane}"] = int(weight)
                    address = WEIGHT_BASE + c * between_channels + g * between_groups
                    address += k * between_rows + j * between_columns
                    key = LoadTarget.WEIGHT, address
                    assert key not in result.rows
                    assert address < CONFIG.weight_words
                    result.rows[key] = CONFIG.weight_row.pack(word)
    result.overlaps = (
        list(kernel_overlaps(convolution, 0, image[1], height)),
        list(kernel_overlaps(convolution, 1, image[2], width)),
    )
    bases, weights, sums = (
        (ROW_AXIS, COLUMN_AXIS),
        (between_rows, between_columns),
        (width * SLOTS, SLOTS),
    )
    for base, overlaps, weight, step in zip(bases, result.overlaps, weights, sums, strict=True):
        for coordinate, pairs in enumerate(overlaps):
            if pairs:
                k, o = pairs[0]
                row = {"weight": k * weight, "sum": o * step, "count": len(pairs)}
                result.rows[LoadTarget.COORDINATE, base + coordinate] = CONFIG.coordinate_row.pack(
                    row
                )
    if grouped:
        for c, (first_group, count, synapses) in enumerate(result.channels):
            row = {
                "weight": c * between_channels,
                "sum": first_group * height * width * SLOTS,
                "count": count,
                "synapses": synapses,
            }
            result.rows[LoadTarget.COORDINATE, CHANNEL_AXIS + c] = CONFIG.coordinate_row.pack(row)
    common = [
        math.gcd(stride, dilation)
        for stride, dilation in zip(convolution.stride, convolution.dilation, strict=True)
    ]
    p = [stride // g for stride, g in zip(convolution.stride, common, strict=True)]
    q = [dilation // g for dilation, g in zip(convolution.dilation, common, strict=True)]
    result.rows[LoadTarget.CONNECTION, CONVOLUTION] = CONFIG.connection_row.pack(
        {
            "image": 1,
            "grouped": grouped,
            "height": image[1],
            "width": image[2],
            "row_coordinates": ROW_AXIS,
            "column_coordinates": COLUMN_AXIS,
            "channel_coordinates": CHANNEL_AXIS,
            "stride": between_groups,
            "sum_stride": height * width * SLOTS,
            "row_weights": p[0] * between_rows % WEIGHT_RANGE,
            "column_weights": p[1] * between_columns % WEIGHT_RANGE,
            "row_sums": q[0] * width * SLOTS % SUM_RANGE,
            "column_sums": q[1] * SLOTS % SUM_RANGE,
            "high": high,
            "weight_base": WEIGHT_BASE,
            "sources": image[0],
            "sum_base": SUM_BASE,
            "groups": most,
            "synapses": 1 if grouped else sources,
        }
    )
    return result


def kernel(rng: np.random.Generator, *shape: int) -> Integers:
    low, high = signed_range(CONFIG.weight_bits)
    return rng.integers(low, high + 1, shape)


def cases() -> dict[str, tuple[Convolution, ImageShape]]:
    rng = np.random.default_rng(7)

    def case(
        image: ImageShape, shape: tuple[int, ...], **options: Any
    ) -> tuple[Convolution, ImageShape]:
        return Convolution("a", "b", kernel(rng, *shape), **options), image

    named = {
        "a 1x1 kernel": case((2, 3, 4), (3, 2, 1, 1)),
        "padding, partial last group": case((2, 5, 4), (5, 2, 3, 3), padding=((1, 1), (1, 1))),
        "uneven padding": case((1, 3, 4), (2, 1, 2, 3), padding=((2, 0), (0, 3))),
        "stride, several groups": case((3, 7, 9), (8, 3, 3, 3), stride=(2, 3)),
        "dilation": case((2, 8, 9), (4, 2, 3, 2), dilation=(2, 3)),
        "stride and dilation with a factor": case(
            (1, 9, 8), (4, 1, 4, 3), stride=(4, 2), dilation=(2, 3), padding=((3, 3), (2, 1))
        ),
        "pooling with a rest": case((2, 7, 9), (4, 2, 2, 2), pool=(2, 3)),
        "pooling, stride and padding": case(
            (1, 8, 9), (3, 1, 3, 3), pool=(2, 2), stride=(2, 1), padding=((1, 2), (2, 0))
        ),
        "a kernel as large as the image": case((3, 3, 3), (7, 3, 3, 3)),
        "grouped, parts across lane groups": case(
            (4, 4, 5), (10, 2, 2, 3), groups=2, padding=((1, 0), (1, 1))
        ),
        "one channel a part": case((5, 4, 4), (5, 1, 3, 3), groups=5, stride=(1, 2)),
        "one channel a part, several each": case((3, 4, 4), (12, 1, 2, 2), groups=3),
        "a channel without weights": case((3, 4, 4), (6, 1, 2, 2), groups=3),
    }
    silent, _ = named["a channel without weights"]
    silent.weights[2:4] = 0
    return named


CASES = cases()


@dataclass(frozen=True)
class Event:
    connection: int
    index: int
    y: int
    x: int
    slot: int

    @property
    def payload(self) -> int:
        return CONFIG.event.pack(vars(self))


@dataclass(frozen=True)
class Expected:
    """What an event does: an accumulator row in each clock, and the synapses begun in it."""

    rows: Sequence[tuple[int, int]]
    clocks: int
    error: bool = False


def of_image(tables: Layer, convolution: Convolution, image: ImageShape, event: Event) -> Expected:
    _, height, width = convolution.output(image)
    clocks = 4 if convolution.groups == 1 else 5
    if event.index >= image[0] or event.y >= image[1] or event.x >= image[2]:
        return Expected((), clocks, error=True)
    first, count, synapses = tables.channels[event.index]
    rows = [
        (
            SUM_BASE + event.slot + (((first + g) * height + o) * width + p) * SLOTS,
            synapses if g == 0 else 0,
        )
        for _, o in tables.overlaps[0][event.y]
        for _, p in tables.overlaps[1][event.x]
        for g in range(count)
    ]
    return Expected(rows, max(clocks, len(rows)))


def dense_rows(rng: np.random.Generator) -> tuple[dict[tuple[LoadTarget, int], int], Integers]:
    """A dense matrix onto the rows before those of the convolution: 2 groups, 4 sources."""
    weights = kernel(rng, 4, 2, LANES)
    rows = {
        (LoadTarget.WEIGHT, 3 + g * 4 + source): CONFIG.weight_row.pack(
            {f"lane{lane}": int(weights[source, g, lane]) for lane in range(LANES)}
        )
        for g in range(2)
        for source in range(4)
    }
    # The fields of an image do not matter in a row without `image`.
    connection = {
        "grouped": 1,
        "row_coordinates": 7,
        "stride": 5,
        "sum_stride": 7,
        "row_weights": 3,
        "weight_base": 3,
        "sources": 4,
        "groups": 2,
        "synapses": 5,
    }
    rows[LoadTarget.CONNECTION, DENSE] = CONFIG.connection_row.pack(connection)
    return rows, weights


def of_dense(event: Event) -> Expected:
    if event.index >= 4:
        return Expected((), 1, error=True)
    return Expected([(event.slot, 5), (event.slot + SLOTS, 0)], 2)


async def load(ctx: Any, dut: Integrate, rows: Mapping[tuple[LoadTarget, int], int]) -> None:
    ctx.set(dut.load.valid, 1)
    for (target, address), row in rows.items():
        word = {"target": target, "address": address, "data": row}
        ctx.set(dut.load.word.as_value(), CONFIG.load.pack(word))
        await ctx.tick()
    ctx.set(dut.load.valid, 0)


def random_events(rng: np.random.Generator, image: ImageShape, count: int) -> list[Event]:
    """Mostly of the image, all over it; some beyond it, some dense, some of no connection."""
    events = []
    for _ in range(count):
        index, y, x = (int(rng.integers(size)) for size in image)
        kind = rng.integers(10)
        connection = CONVOLUTION
        if kind == 0:
            index, y, x = [
                (image[0] + int(rng.integers(3)), y, x),
                (index, min(image[1] + int(rng.integers(3)), 15), x),
                (index, y, min(image[2] + int(rng.integers(3)), 15)),
            ][rng.integers(3)]
        elif kind <= 2:
            connection, index = DENSE, int(rng.integers(5))
        elif kind == 3:
            connection = UNUSED
        events.append(Event(connection, index, y, x, int(rng.integers(SLOTS))))
    return events


def total(
    events: Sequence[Event],
    convolution: Convolution,
    image: ImageShape,
    high: bool,
    dense: Integers,
) -> Integers:
    """The accumulator rows after `events`, by the golden model."""
    target = convolution.output(image)
    rows = np.zeros((CONFIG.sum_words, LANES), np.int64)
    counts = np.zeros((SLOTS, *image), np.uint8)
    for event in events:
        position = event.index, event.y, event.x
        if event.connection == CONVOLUTION and all(np.array(position) < image):
            counts[event.slot, *position] += 1
        elif event.connection == DENSE and event.index < 4:
            for g in range(2):
                rows[g * SLOTS + event.slot] += dense[event.index, g]
    sums = ConvolutionSums(convolution, image, 255)(counts.reshape(SLOTS, -1))
    for slot, channel, o, p in np.ndindex(SLOTS, *target):
        row = SUM_BASE + slot + ((channel // LANES * target[1] + o) * target[2] + p) * SLOTS
        weight = int(sums.reshape(SLOTS, *target)[slot, channel, o, p])
        rows[row, channel % LANES] += weight << (CONFIG.weight_bits * high)
    return rows


def lanes_of(ctx: Any, dut: Integrate) -> list[int]:
    return [ctx.get(dut.fetch.sums[lane]) for lane in range(LANES)]


def simulate(dut: Integrate, bench: Any) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("name", CASES)
def test_images_clock_by_clock(name: str) -> None:
    """Events without a pause: every write, count and drop in the clock that the page says."""
    convolution, image = CASES[name]
    high = len(name) % 2 == 0
    rng = np.random.default_rng(len(name))
    tables = layer(convolution, image, high)
    dense, dense_weights = dense_rows(rng)
    events = random_events(rng, image, 70)
    dut = Integrate(CONFIG)

    # t is the clock in which X takes an event's description; D takes the next event then, and one
    # more waits before D.
    accepted, writes, begun, errors = [0], {}, {}, set()
    t = 0
    for number, event in enumerate(events):
        if event.connection == CONVOLUTION:
            expected = of_image(tables, convolution, image, event)
            described = 4 if convolution.groups == 1 else 5
        elif event.connection == DENSE:
            expected, described = of_dense(event), 1
        else:
            expected, described = Expected((), 1, error=True), 1
        # It goes into D when that is free, and leaves room to wait for the one behind it; D has it
        # from the clock after. X is free when the one before is issued.
        enters = max(accepted[number], t)
        accepted.append(enters + 1)
        t = max(enters + described, max(writes, default=2) - 2)
        if expected.error:
            errors.add(t + 1)
        for n, (row, synapses) in enumerate(expected.rows):
            writes[t + 3 + n] = row
            if synapses:
                begun[t + 1 + n] = synapses

    async def bench(ctx: Any) -> None:
        await load(ctx, dut, {**tables.rows, **dense})
        seen_accepted, seen_writes, seen_begun, seen_errors = [], {}, {}, set()
        pending = list(events)
        ctx.set(dut.event.valid, 1)
        ctx.set(dut.event.p.as_value(), pending[0].payload)
        for clock in range(t + 30):
            if ctx.get(dut.sum_write.valid):
                seen_writes[clock] = ctx.get(dut.sum_write.address)
            if ctx.get(dut.synapses):
                seen_begun[clock] = ctx.get(dut.synapses)
            if ctx.get(dut.error):
                seen_errors.add(clock)
            transfers = ctx.get(dut.event.valid) and ctx.get(dut.event.ready)
            await ctx.tick()
            if transfers:
                seen_accepted.append(clock)
                pending.pop(0)
                ctx.set(dut.event.valid, bool(pending))
                ctx.set(dut.event.p.as_value(), pending[0].payload if pending else 0)
        assert seen_accepted == accepted[:-1]
        assert seen_writes == writes
        assert seen_begun == begun
        assert seen_errors == errors
        rows = []
        for row in range(CONFIG.sum_words):
            ctx.set(dut.fetch.valid, 1)
            ctx.set(dut.fetch.address, row)
            await ctx.tick()
            rows.append(lanes_of(ctx, dut))
        np.testing.assert_array_equal(rows, total(events, convolution, image, high, dense_weights))

    simulate(dut, bench)
    assert writes
    assert errors


@pytest.mark.parametrize("name", ["stride, several groups", "grouped, parts across lane groups"])
def test_images_while_fire_fetches(name: str) -> None:
    """Fetches of rows for whose slot nothing is pending: nothing is lost."""
    convolution, image = CASES[name]
    rng = np.random.default_rng(3)
    tables = layer(convolution, image)
    dense, dense_weights = dense_rows(rng)
    events = random_events(rng, image, 60)
    dut = Integrate(CONFIG)

    async def bench(ctx: Any) -> None:
        await load(ctx, dut, {**tables.rows, **dense})
        rows = np.zeros((CONFIG.sum_words, LANES), np.int64)
        fetched = None
        quiet = [0] * SLOTS  # clocks in which nothing was pending for the slot
        recent: list[int | None] = [None, None]
        stalls = 0
        sent: list[Event] = []
        left = list(events)
        for _ in range(4000):
            if fetched is not None:
                rows[fetched] += lanes_of(ctx, dut)
            for slot in range(SLOTS):
                ctx.set(dut.slot, slot)
                quiet[slot] = 0 if ctx.get(dut.pending) else quiet[slot] + 1
            fetched = int(rng.integers(CONFIG.sum_words)) if rng.random() < 0.5 else None
            if fetched in recent or (fetched is not None and quiet[fetched % SLOTS] < 3):
                fetched = None
            recent = [recent[-1], fetched]
            ctx.set(dut.fetch.valid, fetched is not None)
            ctx.set(dut.fetch.address, fetched or 0)
            offers = bool(left) and rng.random() < 0.5
            ctx.set(dut.event.valid, offers)
            ctx.set(dut.event.p.as_value(), left[0].payload if offers else 0)
            stalls += ctx.get(dut.stalled)
            transfers = offers and ctx.get(dut.event.ready)
            await ctx.tick()
            if transfers:
                sent.append(left.pop(0))
                ctx.set(dut.slot, sent[-1].slot)
                assert ctx.get(dut.pending)
        assert not left
        for slot in range(SLOTS):
            ctx.set(dut.slot, slot)
            assert not ctx.get(dut.pending)
        assert stalls
        if fetched is not None:
            rows[fetched] += lanes_of(ctx, dut)
        for row in range(CONFIG.sum_words):
            ctx.set(dut.fetch.valid, 1)
            ctx.set(dut.fetch.address, row)
            await ctx.tick()
            rows[row] += lanes_of(ctx, dut)
        np.testing.assert_array_equal(rows, total(events, convolution, image, False, dense_weights))

    simulate(dut, bench)
