"""Output `occupied` of a fabric: whether it holds an event, whenever that is due."""

import dataclasses
from collections import deque
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator
from random_networks import random_events
from test_cosim import RECURRENT, network

from spikeloom.golden.cycle.model import STEP_PACKET, CycleModel
from spikeloom.golden.host import host_words
from spikeloom.hdl.fabric import Fabric
from spikeloom.mapping.plan import map_network

FABRICS = {
    "one tile": (RECURRENT, 0),
    "two tiles": (dataclasses.replace(RECURRENT, columns=2, routes=4), 1),
    "five tiles": (dataclasses.replace(RECURRENT, columns=5, routes=4), 2),
}
STEPS = 4


@pytest.mark.parametrize("name", FABRICS)
def test_it_is_that_of_the_model_in_every_clock(name: str) -> None:
    config, depth = FABRICS[name]
    assert config.tree_depth == depth
    plain = network(config)
    image = map_network(plain, config, frozenset(), frozenset("b"))
    counts = random_events(np.random.default_rng(2), plain, 1, STEPS, 0.3)
    words = host_words(image, counts)[0].tolist()
    model = CycleModel(config)
    model.load(image)
    held = outlived = 0  # clocks, steps

    async def bench(ctx: Any) -> None:
        nonlocal held, outlived
        for word in image.load_words():
            ctx.set(dut.load.p.as_value(), word)
            ctx.set(dut.load.valid, 1)
            await ctx.tick()
        ctx.set(dut.load.valid, 0)
        for _ in range(depth):
            await ctx.tick()
        ctx.set(dut.host_out.ready, 1)
        expected = deque([False] * depth)
        steps = taken = 0
        while steps < STEPS or model.occupied:
            expected.append(model.occupied)
            held += model.occupied
            assert ctx.get(dut.occupied) == expected.popleft()
            # The next step's events wait, so that none hides those that outlive a step.
            offered = taken < len(words) and steps == sum(word & 1 for word in words[:taken])
            word = words[taken] if offered else None
            ctx.set(dut.host_in.valid, offered)
            ctx.set(dut.host_in.p.as_value(), word or 0)
            model.clock(word)
            await ctx.tick()
            taken += model.host_in_taken
            if model.host_out == STEP_PACKET:
                steps += 1
                outlived += model.occupied

    dut = Fabric(config, status=True)
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert held
    assert outlived or not depth  # a lone tile's events are short
