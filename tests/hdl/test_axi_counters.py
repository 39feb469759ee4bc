"""The two words of a counter on AXI belong together: the upper one is that of the lower one's time.

In a whole fabric the upper word of a counter stays 0 for more clocks than a bench can play.
"""

import dataclasses
from typing import Any

import pytest
from amaranth.sim import Simulator

from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.axi.register_map import places
from spikeloom.hdl.axi.registers import FabricRegisters, Register

CONFIG = dataclasses.replace(FabricConfig(), counter_bits=40)


async def read_word(dut: FabricRegisters, context: Any, address: int) -> int:
    context.set(dut.bus.araddr, address)
    context.set(dut.bus.arvalid, 1)
    context.set(dut.bus.rready, 1)
    while not context.get(dut.bus.arready):
        await context.tick()
    await context.tick()
    context.set(dut.bus.arvalid, 0)
    while not context.get(dut.bus.rvalid):
        await context.tick()
    word = int(context.get(dut.bus.rdata))
    await context.tick()
    return word


def test_the_upper_word_is_kept_when_the_lower_one_is_read() -> None:
    dut = FabricRegisters(CONFIG)
    words: list[int] = []

    async def read(context: Any, address: int) -> int:
        return await read_word(dut, context, address)

    async def bench(context: Any) -> None:
        cycles, synops = dut.counters["cycles"], dut.counters["synops.0"]
        context.set(synops, 0x77_0000_0001)
        context.set(cycles, 0x12_FFFF_FFFF)
        words.append(await read(context, Register.CYCLES))
        context.set(cycles, 0x13_0000_0005)
        words.append(await read(context, Register.IDENTIFIER) and 0)
        words.append(await read(context, Register.CYCLES + 4))
        words.append(await read(context, Register.COUNTERS))
        words.append(await read(context, Register.COUNTERS + 4))
        words.append(await read(context, Register.CYCLES))
        words.append(await read(context, Register.CYCLES + 4))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert words == [0xFFFF_FFFF, 0, 0x12, 1, 0x77, 5, 0x13]


@pytest.mark.parametrize("plasticity", [False, True])
def test_every_counter_of_every_tile_has_its_place(plasticity: bool) -> None:
    """Tiles that learn have one more."""
    config = FabricConfig(columns=2, plasticity=plasticity)
    dut = FabricRegisters(config)
    counters = {
        place.name.removeprefix("COUNTERS_"): place.address
        for place in places(config)
        if place.name.startswith("COUNTERS_")
    }
    assert len(counters) == 2 * (4 + plasticity)
    assert [*counters.values()] == [*range(0x800, 0x800 + 8 * len(counters), 8)]
    values: dict[str, int] = {}

    async def bench(context: Any) -> None:
        for number, name in enumerate(counters):
            context.set(dut.counters[name.lower().replace("_", ".")], 100 + number)
        for name, address in counters.items():
            values[name] = await read_word(dut, context, address)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert values == {name: 100 + number for number, name in enumerate(counters)}
    assert ("UPDATES_1" in values) == plasticity
