"""A fault in the fire lanes, in the cycle-level model or in the RTL, is a difference of the two."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from amaranth import Module
from amaranth.sim import Simulator

from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.cycle.quick_fire import QuickFire
from spikeloom.golden.host import host_words
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.common.load import connect_load
from spikeloom.hdl.core import banks, fire
from spikeloom.hdl.core.sums import shifting
from spikeloom.hdl.fabric import Fabric
from spikeloom.program import Program

CONFIG = FabricConfig(
    lanes=4,
    fire_lanes=2,
    neurons=13,
    weight_words=64,
    axons=8,
    populations=2,
    connections=4,
    targets=4,
    queue=8,
)


def program() -> Program:
    """Seven neurons, of which some spike, and five that are read out."""
    rng = np.random.default_rng(3)
    network = Network(
        (Input("in", 4),),
        (
            Population("a", 7, np.arange(7), threshold=9, decay=500),
            Population("b", 5, np.arange(5), 1, spiking=False),
        ),
        (
            Connection("in", "a", rng.integers(-4, 12, (4, 7))),
            Connection("a", "b", rng.integers(-9, 9, (7, 5))),
        ),
    )
    return Program(network, CONFIG, frozenset({"a"}), frozenset({"b"}))


def compare() -> int:
    """Run RTL and cycle-level model side by side; the clock of their first difference, or -1."""
    image = program().image
    counts = {"in": np.ones((1, 5, 4), np.uint8)}
    words = [int(word) for word in np.concatenate(host_words(image, counts))]
    model = CycleModel(CONFIG, trace=True)
    model.load(image)
    dut = Fabric(CONFIG, probe=True)
    first: list[int] = []

    async def bench(ctx: Any) -> None:
        loads = list(image.load_words())
        for word in loads:
            ctx.set(dut.load.valid, 1)
            ctx.set(dut.load.p.as_value(), word)
            await ctx.tick()
        ctx.set(dut.load.valid, 0)
        ctx.set(dut.host_out.ready, 1)
        waiting = list(words)
        for clock in range(260):
            word = waiting[0] if waiting else None
            ctx.set(dut.host_in.valid, word is not None)
            ctx.set(dut.host_in.p.as_value(), word or 0)
            expected = CONFIG.probe.unpack(model.clock(word))
            if model.host_in_taken:
                waiting.pop(0)
            await ctx.tick()
            got = CONFIG.probe.unpack(ctx.get(dut.probe))
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


def test_no_fault_is_no_difference() -> None:
    assert compare() == -1


GOLDEN = {
    "the first group waits for WALK": ("_begin", lambda self: None),
    "neurons that send nothing are waited for": ("idle", property(lambda self: not self.state)),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_fault_of_the_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QuickFire, *GOLDEN[name])
    assert compare() >= 0


def _crossed(m: Module, load: Any, target: Any, bank: Any, lane: int, low: int) -> None:
    connect_load(m, load, target, bank, lane ^ 1, low)


def _by_one(m: Module, config: FabricConfig, fetch: Any) -> Any:
    return shifting(m, dataclasses.replace(config, fire_lanes=1), fetch)


RTL = {
    "biases go to the other lane": (banks, "connect_load", _crossed),
    "sums shift by one lane": (fire, "shifting", _by_one),
}


@pytest.mark.parametrize("name", RTL)
def test_a_fault_of_the_rtl(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*RTL[name])
    assert compare() >= 0
