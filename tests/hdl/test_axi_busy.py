"""AXI registers: no memory is loaded between an event and the step that it is due in."""

from typing import Any

import pytest
from amaranth.sim import Simulator

from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.hdl.axi.axi_fabric import AxiFabric
from spikeloom.hdl.axi.buses import Response
from spikeloom.hdl.axi.registers import Register

CONFIG = FabricConfig(
    lanes=2,
    neurons=32,
    weight_words=32,
    slots=3,
    axons=4,
    populations=2,
    connections=2,
    targets=2,
    queue=4,
)
GROUPS = CONFIG.groups
STEP_CLOCKS = 300
"""More clocks than any step here takes."""


class Host:
    """The host of an `AxiFabric`, which it clocks."""

    def __init__(self, ctx: Any, dut: AxiFabric) -> None:
        self.ctx, self.dut = ctx, dut
        self.packets: list[dict[str, int]] = []

    async def tick(self, clocks: int = 1) -> None:
        ctx, dut = self.ctx, self.dut
        for _ in range(clocks):
            if ctx.get(dut.m_axis_packets.tvalid):
                self.packets.append(CONFIG.host_out.unpack(ctx.get(dut.m_axis_packets.tdata)))
            ctx.set(dut.aclk, 1)
            await ctx.delay(1e-8)
            ctx.set(dut.aclk, 0)
            await ctx.delay(1e-8)

    async def start(self) -> None:
        ctx, dut = self.ctx, self.dut
        await self.tick()
        for ready in (dut.aresetn, dut.s_axi.bready, dut.s_axi.rready, dut.m_axis_packets.tready):
            ctx.set(ready, 1)
        await self.tick()

    async def write(self, register: int, value: int) -> int:
        ctx, bus = self.ctx, self.dut.s_axi
        values = {"awaddr": register, "awvalid": 1, "wdata": value, "wstrb": 15, "wvalid": 1}
        for name, bits in values.items():
            ctx.set(getattr(bus, name), bits)
        while ctx.get(bus.awvalid) or ctx.get(bus.wvalid):
            taken = [name for name in ("aw", "w") if ctx.get(getattr(bus, f"{name}ready"))]
            await self.tick()
            for name in taken:
                ctx.set(getattr(bus, f"{name}valid"), 0)
        while not ctx.get(bus.bvalid):
            await self.tick()
        response = ctx.get(bus.bresp)
        await self.tick()
        return int(response)

    async def read(self, register: int) -> int:
        ctx, bus = self.ctx, self.dut.s_axi
        ctx.set(bus.araddr, register)
        ctx.set(bus.arvalid, 1)
        while not ctx.get(bus.arready):
            await self.tick()
        await self.tick()
        ctx.set(bus.arvalid, 0)
        while not ctx.get(bus.rvalid):
            await self.tick()
        value = ctx.get(bus.rdata)
        await self.tick()
        return int(value)

    async def prepare(self, target: LoadTarget, row: int, data: int) -> None:
        """Everything of a load word but its commit."""
        await self.write(Register.LOAD_TARGET, target)
        await self.write(Register.LOAD_ADDRESS, row)
        for n in range(-(-CONFIG.load.fields[-1].width // 32)):
            await self.write(Register.LOAD_DATA + 4 * n, data >> 32 * n & 0xFFFFFFFF)

    async def load(self, target: LoadTarget, row: int, data: int) -> None:
        await self.prepare(target, row, data)
        assert await self.write(Register.LOAD_COMMIT, 0) == Response.OKAY

    async def send(self, **fields: int) -> None:
        """A word of `host_in`, and the clocks in which it reaches the fabric."""
        ctx, stream = self.ctx, self.dut.s_axis_events
        ctx.set(stream.tdata, CONFIG.host_in.pack(fields))
        ctx.set(stream.tvalid, 1)
        await self.tick()
        ctx.set(stream.tvalid, 0)
        await self.tick(3)


@pytest.mark.parametrize("ahead", range(CONFIG.slots))
def test_no_load_between_an_event_and_its_step(ahead: int) -> None:
    """Each group of the event's synapses takes the weights loaded before it."""

    async def bench(ctx: Any) -> None:
        host = Host(ctx, dut)
        await host.start()
        connection = {"sources": 1, "groups": GROUPS, "synapses": CONFIG.neurons}
        await host.load(LoadTarget.CONNECTION, 0, CONFIG.connection_row.pack(connection))
        population = {"neurons": CONFIG.neurons, "retain": 4096, "readout": 1}
        await host.load(LoadTarget.POPULATION, 0, CONFIG.population_row.pack(population))
        for row in range(GROUPS):
            weights = CONFIG.weight_row.pack({"lane0": 1, "lane1": 1})
            await host.load(LoadTarget.WEIGHT, row, weights)
        await host.load(LoadTarget.CONTROL, 0, CONFIG.control_row.pack({}))
        await host.prepare(LoadTarget.WEIGHT, GROUPS - 1, 0x7F7F)
        assert await host.read(Register.STATUS) & 1 == 0

        await host.send(index=0, ahead=ahead)
        for step in range(ahead + 1):
            # At once, and when the fabric has long been at rest.
            for clocks in (0, STEP_CLOCKS):
                await host.tick(clocks)
                assert await host.read(Register.STATUS) & 1 == 1
                assert await host.write(Register.LOAD_COMMIT, 0) == Response.SLVERR
            await host.send(step=1, first=step == 0, ahead=ahead - step)
        await host.tick(STEP_CLOCKS)
        *states, last = host.packets[ahead:]
        assert [packet["value"] for packet in states] == [1] * CONFIG.neurons
        assert last["kind"] == 2
        assert await host.read(Register.STATUS) & 1 == 0
        assert await host.write(Register.LOAD_COMMIT, 0) == Response.OKAY

    dut = AxiFabric(CONFIG)
    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()


def test_a_reset_ends_the_wait_for_a_step() -> None:
    """The event that was waiting is gone."""

    async def bench(ctx: Any) -> None:
        host = Host(ctx, dut)
        await host.start()
        await host.prepare(LoadTarget.WEIGHT, 0, 1)
        await host.send(index=0, ahead=2)
        assert await host.read(Register.STATUS) & 1 == 1
        for reset in (1, 0):
            assert await host.write(Register.CONTROL, reset) == Response.OKAY
        assert await host.read(Register.STATUS) & 1 == 0
        assert await host.write(Register.LOAD_COMMIT, 0) == Response.OKAY

    dut = AxiFabric(CONFIG)
    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
