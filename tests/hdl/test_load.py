"""The load port of a whole fabric: always ready, and the host waits for words on their way."""

from typing import Any

import pytest
from amaranth.sim import Simulator

from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.hdl.fabric import Fabric


@pytest.mark.parametrize(("columns", "rows", "depth"), [(1, 1, 0), (2, 1, 1), (3, 2, 2)])
@pytest.mark.parametrize("last", [LoadTarget.ROUTE, LoadTarget.CONTROL])
def test_the_host_waits_until_load_words_have_arrived(
    columns: int, rows: int, depth: int, last: LoadTarget
) -> None:
    """An event that is offered any number of clocks after the last word finds its rows."""
    config = FabricConfig(
        columns=columns,
        rows=rows,
        lanes=2,
        neurons=4,
        weight_words=8,
        slots=2,
        axons=4,
        populations=2,
        connections=2,
        targets=2,
        queue=8,
        routes=2,
    )
    assert config.tree_depth == depth
    data = {
        LoadTarget.CONNECTION: config.connection_row.pack(
            {"sources": 1, "groups": 1, "synapses": 2}
        ),
        LoadTarget.ROUTE: config.route_row.pack({"local": 1}),
        LoadTarget.CONTROL: config.control_row.pack({"window": 1}),
    }
    dut = Fabric(config)

    async def bench(ctx: Any) -> None:
        for gap in range(depth + 2):
            for target in sorted(data, key=lambda target: target == last):
                ctx.set(dut.load.p, {"tile": 0, "target": target, "address": 0})
                ctx.set(dut.load.p.data, data[target])
                ctx.set(dut.load.valid, 1)
                assert ctx.get(dut.load.ready)
                await ctx.tick()
            ctx.set(dut.load.valid, 0)
            for _ in range(gap):
                assert ctx.get(dut.load.ready)
                assert not ctx.get(dut.host_in.ready)
                await ctx.tick()
            ctx.set(dut.host_in.valid, 1)
            clocks = 0
            while not ctx.get(dut.host_in.ready):
                await ctx.tick()
                clocks += 1
            # The last of them, in which `ready` is 0, are the D clocks after the last word.
            assert clocks == max(depth - gap, 0)
            await ctx.tick()
            ctx.set(dut.host_in.valid, 0)
            await ctx.tick().repeat(12)
            assert ctx.get(dut.counters["synops.0"]) == 2 * (gap + 1)
            assert ctx.get(dut.counters["errors.0"]) == 0
            # Rows are unwritten again, so that the next event needs the new words.
            for target in (LoadTarget.CONNECTION, LoadTarget.ROUTE):
                ctx.set(dut.load.p, {"tile": 0, "target": target, "address": 0, "data": 0})
                ctx.set(dut.load.valid, 1)
                await ctx.tick()
            ctx.set(dut.load.valid, 0)
            await ctx.tick().repeat(depth + 1)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
