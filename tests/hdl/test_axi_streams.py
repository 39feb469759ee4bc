"""AXI: outputs depend on registers alone, and packets leave in every clock."""

import dataclasses
import random

from test_axi_busy import CONFIG, STEP_CLOCKS, Host, play

from spikeloom.golden.spec import LoadTarget
from spikeloom.hdl.axi.registers import Register

OUTPUTS = {
    "s_axis_events": ("tready",),
    "m_axis_packets": ("tdata", "tvalid", "tlast"),
    "s_axi": ("awready", "wready", "bresp", "bvalid", "arready", "rdata", "rresp", "rvalid"),
}
INPUTS = {
    "s_axis_events": ("tdata", "tvalid"),
    "m_axis_packets": ("tready",),
    "s_axi": (
        *("awaddr", "awprot", "awvalid", "wdata", "wstrb", "wvalid", "bready"),
        *("araddr", "arprot", "arvalid", "rready"),
    ),
}
MARK = CONFIG.host_in.pack({"step": 1, "first": 1})


async def read_out_everything(host: Host) -> None:
    """A population of all neurons, whose states are sent after each step."""
    population = {"neurons": CONFIG.neurons, "retain": 4096, "readout": 1}
    await host.load(LoadTarget.POPULATION, 0, CONFIG.population_row.pack(population))
    await host.load(LoadTarget.CONTROL, 0, CONFIG.control_row.pack({}))


def test_no_output_depends_on_an_input_of_the_same_clock() -> None:
    """Whatever the inputs become in a clock, the outputs stay."""
    rng = random.Random(1)
    seen: set[tuple[str, int]] = set()

    async def bench(host: Host) -> None:
        ctx, dut = host.ctx, host.dut
        await read_out_everything(host)
        outputs = [
            (f"{bus}.{name}", getattr(getattr(dut, bus), name))
            for bus, names in OUTPUTS.items()
            for name in names
        ]
        inputs = [
            getattr(getattr(dut, bus), name) for bus, names in INPUTS.items() for name in names
        ]
        for clock in range(400):
            before = [ctx.get(port) for _, port in outputs]
            for _ in range(4):
                for port in inputs:
                    ctx.set(port, rng.getrandbits(len(port)))
                assert [ctx.get(port) for _, port in outputs] == before
            if clock % 3 == 0:
                ctx.set(dut.s_axis_events.tdata, MARK)
            seen.update((name, int(ctx.get(port) != 0)) for name, port in outputs)
            await host.tick()

    play(CONFIG, bench)
    assert len(seen) == 2 * sum(map(len, OUTPUTS.values())), sorted(seen)


def test_packets_leave_in_every_clock() -> None:
    """Those that waited in the fabric for TREADY; meanwhile bit 1 of STATUS is 1."""

    async def bench(host: Host) -> None:
        ctx, dut = host.ctx, host.dut
        await read_out_everything(host)
        assert await host.read(Register.STATUS) == 0
        ctx.set(dut.m_axis_packets.tready, 0)
        await host.offer(MARK)
        await host.tick(STEP_CLOCKS)
        assert await host.read(Register.STATUS) == 3
        host.heard = []
        ctx.set(dut.m_axis_packets.tready, 1)
        await host.tick(CONFIG.neurons)
        assert [packet["index"] for packet in host.packets] == list(range(CONFIG.neurons))

    play(dataclasses.replace(CONFIG, queue=64), bench)


def test_events_in_reset_are_taken_and_dropped() -> None:
    """While bit 0 of CONTROL is 1; the counters start again."""

    async def bench(host: Host) -> None:
        connection = {"sources": 1, "groups": CONFIG.groups, "synapses": CONFIG.neurons}
        await host.load(LoadTarget.CONNECTION, 0, CONFIG.connection_row.pack(connection))
        await host.load(LoadTarget.CONTROL, 0, CONFIG.control_row.pack({}))
        await host.send(index=0)
        await host.tick(STEP_CLOCKS)
        assert await host.read(Register.COUNTERS) == CONFIG.neurons
        before = await host.read(Register.CYCLES)
        assert before > STEP_CLOCKS
        await host.write(Register.CONTROL, 1)
        for _ in range(5):
            host.ctx.set(host.dut.s_axis_events.tvalid, 1)
            assert host.ctx.get(host.dut.s_axis_events.tready)
            await host.tick()
        host.ctx.set(host.dut.s_axis_events.tvalid, 0)
        await host.tick(3)
        assert await host.read(Register.COUNTERS) == 0
        assert await host.read(Register.CYCLES) == 0
        await host.write(Register.CONTROL, 0)
        await host.tick(STEP_CLOCKS)
        assert await host.read(Register.COUNTERS) == 0
        assert STEP_CLOCKS <= await host.read(Register.CYCLES) < STEP_CLOCKS + 20
        assert await host.read(Register.STATUS) == 0

    play(CONFIG, bench)
