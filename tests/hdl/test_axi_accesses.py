"""AXI registers, accessed as cocotbext-axi does not: in reset, in parts, while an answer waits."""

from test_axi_busy import CONFIG, Host, play

from spikeloom.golden.spec import LoadTarget
from spikeloom.hdl.axi.buses import Response
from spikeloom.hdl.axi.registers import Register


def present(host: Host, register: int, value: int, strobes: int = 15) -> None:
    """Put a write on the bus and leave it there."""
    values = {"awaddr": register, "awvalid": 1, "wdata": value, "wstrb": strobes, "wvalid": 1}
    for name, bits in values.items():
        host.ctx.set(getattr(host.dut.s_axi, name), bits)


async def accepted(host: Host) -> None:
    """Wait until the write on the bus is accepted, both parts in the same clock."""
    ctx, bus = host.ctx, host.dut.s_axi
    while not ctx.get(bus.awready):
        assert not ctx.get(bus.wready)
        await host.tick()
    assert ctx.get(bus.wready)
    await host.tick()
    for name in ("awvalid", "wvalid"):
        ctx.set(getattr(bus, name), 0)


def test_no_load_in_reset_or_of_a_part() -> None:
    async def bench(host: Host) -> None:
        await host.prepare(LoadTarget.WEIGHT, 0, 1)
        assert await host.write(Register.CONTROL, 1) == Response.OKAY
        assert await host.write(Register.LOAD_COMMIT, 0) == Response.SLVERR
        assert await host.write(Register.CONTROL, 0) == Response.OKAY
        for strobes in (0, 1, 7, 14):
            present(host, Register.LOAD_COMMIT, 0, strobes)
            await accepted(host)
            while not host.ctx.get(host.dut.s_axi.bvalid):
                await host.tick()
            assert host.ctx.get(host.dut.s_axi.bresp) == Response.SLVERR
            await host.tick()
        assert await host.read(Register.LOAD_ADDRESS) == 0
        assert await host.write(Register.LOAD_COMMIT, 0) == Response.OKAY
        assert await host.read(Register.LOAD_ADDRESS) == 1

    play(CONFIG, bench)


def test_a_write_waits_for_the_answer_before() -> None:
    """And is answered in the clock after it, as two clocks have passed."""

    async def bench(host: Host) -> None:
        ctx, bus = host.ctx, host.dut.s_axi
        ctx.set(bus.bready, 0)
        present(host, Register.IDENTIFIER, 0)
        await accepted(host)
        present(host, Register.LOAD_TARGET, 1)
        await accepted(host)
        await host.tick(5)
        assert (ctx.get(bus.bvalid), ctx.get(bus.bresp)) == (1, Response.SLVERR)
        ctx.set(bus.bready, 1)
        await host.tick()
        assert (ctx.get(bus.bvalid), ctx.get(bus.bresp)) == (1, Response.OKAY)
        await host.tick()
        assert not ctx.get(bus.bvalid)
        assert await host.read(Register.LOAD_TARGET) == 1

    play(CONFIG, bench)


def test_a_write_that_waits_in_reset_is_carried_out_once() -> None:
    async def bench(host: Host) -> None:
        ctx, bus = host.ctx, host.dut.s_axi
        ctx.set(host.dut.aresetn, 0)
        present(host, Register.LOAD_TARGET, 1)
        for _ in range(3):
            await host.tick()
            assert not ctx.get(bus.awready)
        ctx.set(host.dut.aresetn, 1)
        await accepted(host)
        answers = 0
        for _ in range(10):
            answers += ctx.get(bus.bvalid)
            await host.tick()
        assert answers == 1

    play(CONFIG, bench)


def test_bits_of_an_access_that_are_ignored() -> None:
    """The two lowest ones of an address, AWPROT, ARPROT and the value of LOAD_COMMIT."""

    async def bench(host: Host) -> None:
        ctx, bus = host.ctx, host.dut.s_axi
        for low in range(4):
            ctx.set(bus.awprot, 7 - low)
            ctx.set(bus.arprot, 3 + low)
            assert await host.write(Register.LOAD_ADDRESS + low, low) == Response.OKAY
            assert await host.read(Register.LOAD_ADDRESS + (low + 1) % 4) == low
            assert await host.write(Register.LOAD_COMMIT + low, 0xFFFFFFFF >> low) == Response.OKAY
            assert await host.read(Register.LOAD_ADDRESS) == low + 1
            assert await host.read(Register.LOAD_COMMIT) == 0

    play(CONFIG, bench)
