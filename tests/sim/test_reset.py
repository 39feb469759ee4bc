"""Reset of a fabric in the middle of a run, at its plain ports: docs/integration.md says how."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from amaranth import ClockDomain, Module
from amaranth.sim import Simulator
from random_networks import random_events
from test_cosim import RECURRENT, network

from spikeloom.golden.host import decode_packets, host_words
from spikeloom.golden.spec import PacketKind
from spikeloom.golden.step.run import simulate
from spikeloom.hdl.fabric import Fabric
from spikeloom.mapping.plan import map_network

STEPS = 4
FABRICS = {
    "one tile": RECURRENT,
    "deep mesh": dataclasses.replace(RECURRENT, columns=3, rows=2, routes=4),
}


@pytest.mark.parametrize("name", FABRICS)
def test_after_it_a_run_is_as_in_a_new_fabric(name: str) -> None:
    """Loaded once; reset while events, sums and packets of a step are everywhere."""
    config = FABRICS[name]
    plain = network(config)
    image = map_network(plain, config, frozenset("ab"), frozenset("b"))
    counts = random_events(np.random.default_rng(4), plain, 1, STEPS, 0.5)
    expected = simulate(plain, counts)
    words = host_words(image, counts)[0].tolist()
    *rows, control = image.load_words()
    flush = [config.host_in.pack({"step": 1, "first": 1})] * config.slots
    dut = Fabric(config)
    top = Module()
    top.domains.sync = domain = ClockDomain()
    top.submodules.fabric = dut

    async def load(ctx: Any, words: list[int]) -> None:
        ctx.set(dut.load.valid, 1)
        for word in words:
            ctx.set(dut.load.p.as_value(), word)
            await ctx.tick()
        ctx.set(dut.load.valid, 0)

    async def play(ctx: Any, words: list[int], clocks: int | None = None) -> list[int]:
        """Packets until all steps are complete, or those of some clocks."""
        packets: list[int] = []
        marks, taken = sum(word & 1 for word in words), 0
        ctx.set(dut.host_out.ready, 1)
        while marks if clocks is None else clocks:
            ctx.set(dut.host_in.valid, taken < len(words))
            ctx.set(dut.host_in.p.as_value(), words[taken] if taken < len(words) else 0)
            taken += ctx.get(dut.host_in.valid & dut.host_in.ready)
            if ctx.get(dut.host_out.valid):
                packets.append(ctx.get(dut.host_out.p.as_value()))
                marks -= packets[-1] & 3 == PacketKind.STEP
            clocks = None if clocks is None else clocks - 1
            await ctx.tick()
        ctx.set(dut.host_in.valid, 0)
        return packets

    async def bench(ctx: Any) -> None:
        await load(ctx, [*rows, control])
        for clocks in (40, 101):
            await play(ctx, words, clocks)
            ctx.set(domain.rst, 1)
            await ctx.tick()
            ctx.set(domain.rst, 0)
            assert ctx.get(dut.counters.as_value()) == 0
            await load(ctx, [control])
            await play(ctx, flush)
            packets = np.array(await play(ctx, words), np.uint64)
            run = decode_packets(image, np.zeros(packets.size, np.uint64), packets, 1, STEPS)
            for population, spikes in run.spikes.items():
                assert np.array_equal(spikes, expected.spikes[population])
            assert np.array_equal(run.states["b"], expected.states["b"])
            assert not any(ctx.get(dut.counters[f"errors.{n}"]) for n in range(config.tiles))

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert expected.spikes["a"].any()
    assert expected.states["b"].any()
