"""RTL in Amaranth's simulator beside the cycle-level model, for faults that are patched in."""

from typing import Any

import numpy as np
from amaranth.sim import Simulator

from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.host import host_words
from spikeloom.hdl.fabric import Fabric
from spikeloom.program import Program


def first_difference(program: Program, counts: dict[str, np.ndarray], clocks: int) -> int:
    """The first clock in which the probes differ, or -1; all words are taken in these clocks."""
    image = program.image.learning() if program.network.plastic else program.image
    config = program.fabric
    words = [int(word) for word in np.concatenate(host_words(image, counts))]
    model = CycleModel(config, trace=True)
    model.load(image)
    dut = Fabric(config, probe=True)
    first: list[int] = []

    async def bench(ctx: Any) -> None:
        loads = list(image.load_words())
        for word in loads:
            ctx.set(dut.load.valid, 1)
            ctx.set(dut.load.p.as_value(), word)
            await ctx.tick()
        ctx.set(dut.load.valid, 0)
        for _ in range(config.plastic_axons if image is not program.image else 0):
            model.clock()  # learn clears
            await ctx.tick()
        ctx.set(dut.host_out.ready, 1)
        waiting = list(words)
        for clock in range(clocks):
            word = waiting[0] if waiting else None
            ctx.set(dut.host_in.valid, word is not None)
            ctx.set(dut.host_in.p.as_value(), word or 0)
            expected = config.probe.unpack(model.clock(word))
            if model.host_in_taken:
                waiting.pop(0)
            await ctx.tick()
            got = config.probe.unpack(ctx.get(dut.probe))
            got["counters.cycles"] -= len(loads)
            if got != expected:
                first.append(clock)
                return
        assert not waiting

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return first[0] if first else -1
