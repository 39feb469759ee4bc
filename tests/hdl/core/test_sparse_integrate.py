"""Integrate with sparse matrices and one to one: every write in its clock, against hardware.md.

Words of several connections with random groups, events and fetches at random, and events of dense
rows and of rows one to one between those of sparse ones. Each operation is worked out here from the
page: issued in order, one a clock, written two clocks later.
"""

from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from spikeloom.golden.spec import FabricConfig, LoadTarget, index_bits
from spikeloom.hdl.core.integrate import Integrate

FABRICS = {
    "two lanes, one to one": FabricConfig(
        lanes=2,
        neurons=12,
        weight_words=24,
        sparse_words=20,
        slots=4,
        coordinates=8,
        connections=4,
        one_to_one=True,
    ),
    "three lanes and slots, pairs, positions": FabricConfig(
        lanes=3,
        weight_bits=4,
        neurons=20,
        weight_words=25,
        sparse_words=19,
        slots=3,
        coordinates=7,
        connections=4,
        extent=3,
        weight_pairs=True,
    ),
}
SOURCES = 5
CLOCKS = 600


@pytest.mark.parametrize("name", FABRICS)
def test_every_clock(name: str) -> None:
    config = FABRICS[name]
    lanes, slots, high = config.lanes, config.slots, config.weight_pairs
    rng = np.random.default_rng(len(name))
    top = 1 << (config.weight_bits - 1)
    weights = rng.integers(-top, top, (config.weight_words, lanes))
    groups = rng.integers(0, config.groups, (config.weight_words, lanes))
    groups[config.sparse_words :] = 0
    counts = [3, 0, 1, 2, 6]
    firsts = rng.integers(0, config.sparse_words - 6, SOURCES)
    synapses = rng.integers(1, 9, SOURCES)
    sparse = {"sparse": 1, "sources": SOURCES, "groups": 1, "channel_coordinates": 2}
    dense_row = {"weight_base": 3, "sources": 2, "sum_base": slots, "groups": 3, "synapses": 4}
    rows = {
        (LoadTarget.CONNECTION, 0): config.connection_row.pack(
            sparse | ({"high": 1} if high else {})
        ),
        (LoadTarget.CONNECTION, 1): config.connection_row.pack(dense_row),
        (LoadTarget.CONNECTION, 2): config.connection_row.pack(sparse | {"groups": 0}),
    }
    kinds = [0, 0, 0, 1, 2]
    if config.one_to_one:
        kinds += [3, 3]
        single = {"one_to_one": 1, "sources": 5, "first": 1, "last": 3, "weight_base": 10}
        single |= {"sum_base": slots, "groups": 1, "synapses": 1}
        rows[LoadTarget.CONNECTION, 3] = config.connection_row.pack(single)
    for n in range(SOURCES):
        fields = {"weight": int(firsts[n]), "count": counts[n], "synapses": int(synapses[n])}
        rows[LoadTarget.COORDINATE, 2 + n] = config.coordinate_row.pack(fields)
    for n in range(config.weight_words):
        fields = {f"lane{k}": int(weights[n, k]) for k in range(lanes)}
        fields |= {f"group{k}": int(groups[n, k]) for k in range(lanes)}
        rows[LoadTarget.WEIGHT, n] = config.weight_row.pack(fields)

    events = [
        (int(rng.choice(kinds)), int(rng.integers(SOURCES + 1)), int(rng.integers(slots)))
        for _ in range(150)
    ]
    fetches = {int(n): int(rng.integers(config.sum_words)) for n in rng.integers(0, CLOCKS, 150)}

    # By the page: an event is complete in the clock in which it enters D, or in a sparse row in the
    # next one, and taken as soon as X is free, which is in the clock of its last issue.
    operations: dict[int, tuple[list[int], Any]] = {
        n: ([row] * lanes, None) for n, row in fetches.items()
    }
    begun: dict[int, int] = {}
    errors: set[int] = set()
    enters, free = 1, 0
    for connection, index, slot in events:
        taken = max(enters + (connection in (0, 2)), free)
        words: list[tuple[int, list[int]]] = []
        if connection == 2 or index >= (2 if connection == 1 else SOURCES):
            errors.add(taken + 1)
        elif connection == 3:
            row = slots + slot + index // lanes * slots
            words = [(10 + index // lanes, [row] * lanes)] if 1 <= index <= 3 else []
        elif connection:
            words = [(3 + index + 2 * k, [slots + slot + k * slots] * lanes) for k in range(3)]
        else:
            first = int(firsts[index])
            words = [
                (word, [int(group) * slots + slot for group in groups[word]])
                for word in range(first, first + counts[index])
            ]
        clock = taken
        for number, (word, addresses) in enumerate(words):
            clock += 1
            while clock in fetches:
                clock += 1
            if number == 0:
                begun[clock] = (int(synapses[index % SOURCES]), 4, 0, 1)[connection]
            scale = 1 << config.weight_bits * (config.weight_pairs and not connection)
            counts_here = np.arange(lanes) == index % lanes if connection == 3 else 1
            operations[clock] = addresses, weights[word] * scale * counts_here
        enters, free = taken + 1, clock
    sums = np.zeros((config.sum_words, lanes), np.int64)
    writes = {}
    for clock, (addresses, added) in sorted(operations.items()):
        for lane, row in enumerate(addresses):
            sums[row, lane] = 0 if added is None else sums[row, lane] + added[lane]
        values = [int(sums[row, lane]) for lane, row in enumerate(addresses)]
        writes[clock + 2] = addresses, values
    assert max(operations) < CLOCKS

    dut = Integrate(config)
    row_bits = index_bits(config.sum_words)
    seen_writes, seen_begun, seen_errors = {}, {}, set()

    async def bench(ctx: Any) -> None:
        ctx.set(dut.load.valid, 1)
        for (target, address), row in rows.items():
            word = {"target": target, "address": address, "data": row}
            ctx.set(dut.load.word.as_value(), config.load.pack(word))
            await ctx.tick()
        ctx.set(dut.load.valid, 0)
        pending = list(events)
        for clock in range(CLOCKS + 5):
            ctx.set(dut.event.valid, bool(pending))
            if pending:
                connection, index, slot = pending[0]
                fields = {"connection": connection, "index": index, "slot": slot}
                ctx.set(dut.event.p.as_value(), config.event.pack(fields))
            ctx.set(dut.fetch.valid, clock in fetches)
            ctx.set(dut.fetch.address, fetches.get(clock, 0))
            if ctx.get(dut.sum_write.valid):
                packed = ctx.get(dut.sum_write.address)
                addresses = [packed >> n * row_bits & (1 << row_bits) - 1 for n in range(lanes)]
                values = config.sum_row.unpack(ctx.get(dut.sum_write.data)).values()
                seen_writes[clock] = addresses, list(values)
            if synapses_begun := ctx.get(dut.synapses):
                seen_begun[clock] = synapses_begun
            if ctx.get(dut.error):
                seen_errors.add(clock)
            if pending and ctx.get(dut.event.ready):
                del pending[0]
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen_begun == begun
    assert seen_errors == errors
    assert seen_writes == writes
    assert any(begun)
