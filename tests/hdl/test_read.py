"""The read port: every byte of every memory of a fabric that has run, when the page says."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator
from locking import one_at_a_time
from random_networks import random_events
from readable_fabrics import FABRICS, ODD, network
from soaked import all_but

from spikeloom.golden.host import host_words
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig, LoadTarget, ReadTarget
from spikeloom.hdl.fabric import Fabric
from spikeloom.mapping.plan import map_network
from spikeloom.sim.cosim import check as cosim
from spikeloom.sim.cosim.check import Scenario
from spikeloom.sim.verilog import emit

SPARSE = FabricConfig(
    lanes=2,
    neurons=16,
    weight_words=8,
    sparse_words=4,
    coordinates=4,
    queue=2,
    readable=True,
)


def check(config: FabricConfig, verilog: str | None = None, reads: int = 1000) -> cosim.Report:
    net = network(config)
    image = map_network(net, config, frozenset("ab"), frozenset("b"))
    counts = random_events(np.random.default_rng(6), net, 2, 6, 0.5)
    words = np.concatenate(host_words(image, counts)).tolist()
    with one_at_a_time("cosim-read"):
        return cosim.check(image, Scenario(words, seed=3, gap=0.1, reads=reads), verilog)


CASES = FABRICS | {"two tiles": dataclasses.replace(FABRICS["two by two"], columns=1)}


@pytest.mark.parametrize("name", all_but(CASES.keys() - {"two by two", "narrow"}, CASES))
def test_every_memory_reads_as_the_model_has_it(name: str) -> None:
    report = check(CASES[name])
    assert report.difference is None
    assert report.reads == 1000


@pytest.mark.soak
def test_a_wrong_byte_is_found() -> None:
    config = FABRICS["narrow"]
    text = emit(config, probe=True)
    broken = text.replace("state_byte <= ", "state_byte <= 8'h01 ^ ")
    assert broken != text
    difference = check(config, broken).difference
    assert difference is not None
    assert difference.signal.startswith("read {")


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (2, 1), (3, 2)])
def test_a_byte_comes_after_its_clocks(columns: int, rows: int) -> None:
    """And not before."""
    config = FabricConfig(
        columns=columns, rows=rows, lanes=2, neurons=4, weight_words=8, queue=2, readable=True
    )
    last = config.tiles - 1
    contents = {0: 0x1234, 5: 0xABCD}
    dut = Fabric(config)

    async def bench(ctx: Any) -> None:
        for address, data in contents.items():
            row = {"tile": last, "target": LoadTarget.WEIGHT, "address": address, "data": data}
            ctx.set(dut.load.payload, row)
            ctx.set(dut.load.valid, 1)
            await ctx.tick()
        ctx.set(dut.load.valid, 0)
        await ctx.tick().repeat(config.tree_depth + 1)
        ctx.set(dut.read.active, 1)
        before = None  # the same byte of another row
        for address, byte in ((5, 0), (0, 0), (5, 0)):
            word = {"tile": last, "target": ReadTarget.WEIGHT, "address": address, "byte": byte}
            ctx.set(dut.read.word, word)
            await ctx.tick().repeat(config.read_clocks - 1)
            assert before in (None, ctx.get(dut.read.data))
            before = contents[address] >> 8 * byte & 0xFF
            for _ in range(3):
                await ctx.tick()
                assert ctx.get(dut.read.data) == before
        ctx.set(dut.read.active, 0)
        await ctx.tick().repeat(config.read_clocks)
        assert ctx.get(dut.read.data) == 0

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_words_behind_the_sparse_ones_lead_to_no_group() -> None:
    groups = SPARSE.weight_row.pack({"group0": 5, "group1": 2}) >> 16
    dut = Fabric(SPARSE)

    async def bench(ctx: Any) -> None:
        row = {"target": LoadTarget.WEIGHT, "data": groups << 16}
        for address in range(4):
            ctx.set(dut.load.payload, {**row, "address": address})
            ctx.set(dut.load.valid, 1)
            await ctx.tick()
        ctx.set(dut.load.valid, 0)
        ctx.set(dut.read.active, 1)
        for address in range(8):
            ctx.set(dut.read.word, {"target": ReadTarget.WEIGHT, "address": address, "byte": 2})
            await ctx.tick().repeat(SPARSE.read_clocks)
            assert ctx.get(dut.read.data) == (groups if address < 4 else 0)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_a_sum_is_shown_while_it_is_asked_for() -> None:
    """The sum of an event of a step that is not over; and nothing when `active` is 0 again."""
    weight = 5
    net = Network(
        (Input("in", 1),),
        (Population("p", 16, np.zeros(16, np.int64)),),
        (Connection("in", "p", np.full((1, 16), weight)),),
    )
    image = map_network(net, SPARSE, frozenset("p"), frozenset())
    words = np.concatenate(host_words(image, {"in": np.ones((1, 1, 1), np.uint8)})).tolist()
    dut = Fabric(SPARSE)

    async def bench(ctx: Any) -> None:
        for word in image.load_words():
            ctx.set(dut.load.payload.as_value(), word)
            ctx.set(dut.load.valid, 1)
            await ctx.tick()
        ctx.set(dut.load.valid, 0)
        ctx.set(dut.host_in.payload.as_value(), words[0])
        ctx.set(dut.host_in.valid, 1)
        await ctx.tick().until(dut.host_in.ready)
        ctx.set(dut.host_in.valid, 0)
        await ctx.tick().repeat(20)
        ctx.set(dut.read.word, {"target": ReadTarget.SUM, "address": 0, "byte": 0})
        for active in (1, 0):
            ctx.set(dut.read.active, active)
            await ctx.tick().repeat(SPARSE.read_clocks)
            assert ctx.get(dut.read.data) == active * weight

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_what_is_not_asked_for_has_no_port() -> None:
    plain = dataclasses.replace(ODD, readable=False)
    assert "read__word" in emit(ODD)
    assert "read__word" not in emit(plain)
