"""Signed and graded events: every write of the RTL's integrate is that of the cycle-level model."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from amaranth import Value
from amaranth.sim import Simulator

from spikeloom.golden.cycle.integrate import ConnectionRow
from spikeloom.golden.cycle.integrate import Integrate as CycleIntegrate
from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.hdl.core import integrate as rtl_integrate
from spikeloom.hdl.core.amount import Amount
from spikeloom.hdl.core.integrate import Integrate

CONFIG = FabricConfig(
    lanes=3,
    weight_bits=4,
    sum_bits=13,
    neurons=6,
    weight_words=64,
    slots=2,
    axons=8,
    connections=2,
    weight_pairs=True,
    signed_spikes=True,
    graded_bits=5,
)
ROWS = (
    {"sources": 7, "groups": 2, "synapses": 5},
    {"weight_base": 20, "sources": 7, "groups": 2, "synapses": 6, "high": 1},
)


def check(config: FabricConfig, count: int = 60) -> None:
    """Random events, some of magnitude 0, and fetches in between."""
    rng = np.random.default_rng(5)
    golden = CycleIntegrate(config)
    loads = []
    for address in range(config.weight_words):
        word = int(rng.integers(1 << config.weight_row.width))
        golden.write_weights(address, word)
        loads.append({"target": LoadTarget.WEIGHT, "address": address, "data": word})
    for address, row in enumerate(ROWS):
        golden.connections[address] = ConnectionRow(**row)
        packed = config.connection_row.pack(row)
        loads.append({"target": LoadTarget.CONNECTION, "address": address, "data": packed})
    fields = [(field.name, 1 << field.width) for field in config.event.fields]
    events = [
        config.event.pack({name: int(rng.integers(top)) for name, top in fields})
        for _ in range(count)
    ]
    dut = Integrate(config)
    written: list[int] = []

    async def bench(ctx: Any) -> None:
        ctx.set(dut.load.valid, 1)
        for word in loads:
            ctx.set(dut.load.word.as_value(), config.load.pack(word))
            await ctx.tick()
        ctx.set(dut.load.valid, 0)
        left = list(events)
        synops = 0
        for clock in range(40 * count):
            fetching = clock % 7 == 3
            ctx.set(dut.fetch.valid, fetching)
            ctx.set(dut.fetch.address, clock % config.sum_words)
            ctx.set(dut.event.valid, bool(left))
            ctx.set(dut.event.p.as_value(), left[0] if left else 0)
            taken = left.pop(0) if left and ctx.get(dut.event.ready) else None
            address = golden.write_address
            assert ctx.get(dut.sum_write.valid) == (address is not None), clock
            data = ctx.get(dut.sum_write.data)
            synops += ctx.get(dut.synapses)
            golden.clock(taken, fetching, clock % config.sum_words)
            if address is not None:
                written.append(address)
                assert data == golden.row(address), clock
            await ctx.tick()
            if not left and golden.empty:
                break
        assert synops == golden.synops

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert len(written) > count


BUILDS = {
    "both": CONFIG,
    "signed": dataclasses.replace(CONFIG, graded_bits=0),
    "graded": dataclasses.replace(CONFIG, signed_spikes=False),
}


@pytest.mark.parametrize("name", BUILDS)
def test_sums(name: str) -> None:
    check(BUILDS[name])


def _without_shift(self: Amount, weight: Value) -> Value:
    return weight ^ self._negative.as_signed()


def _highest_first(self: CycleIntegrate, bits: int) -> None:
    highest = bits.bit_length() - 1
    self.x_rest = bits ^ 1 << highest
    self.x_weights = self.x_table[highest]


FAULTS = {
    "golden, the highest bit first": (CycleIntegrate, "_issue_bits", _highest_first),
    "RTL, no shift": (Amount, "times", _without_shift),
    "RTL, no carry": (Amount, "carry", lambda self, m, clears: None),
    "RTL, all bits at once": (
        rtl_integrate,
        "next_bits",
        lambda m, config, event, taken, issue: (event.magnitude, issue),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_a_difference(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*FAULTS[name])
    with pytest.raises(AssertionError):
        check(CONFIG)
