"""The cocotb tests of a fabric with AXI; `test_axi` starts them where it left `setup.json`.

The bus functional models of cocotbext-axi do the handshakes. In every clock it is also checked that
what the fabric offers stays offered until it is taken.
"""

import json
import logging
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge, with_timeout
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamSink, AxiStreamSource

from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.axi.buses import ADDRESS_BITS, Response
from spikeloom.hdl.axi.registers import IDENTIFIER, VERSION, Register, configuration_hash

SETUP = json.loads(Path("setup.json").read_text(encoding="utf-8"))
CONFIG = FabricConfig.from_json(SETUP["config"])
OKAY, SLVERR, DECERR = Response
BUSY, WAITING = 1, 2
LATEST = 100_000  # clocks in which a step is complete

CHANNELS = {
    "s_axi_b": ("valid", "ready", ("resp",)),
    "s_axi_r": ("valid", "ready", ("resp", "data")),
    "m_axis_packets_t": ("valid", "ready", ("data", "last")),
}


def pauses(rng: random.Random, often: float) -> Iterator[bool]:
    while True:
        yield rng.random() < often


async def watch(dut: Any) -> None:
    """What is valid and not taken stays as it is."""
    waiting: dict[str, list[int]] = {}
    while True:
        await RisingEdge(dut.aclk)
        for prefix, (valid, ready, payload) in CHANNELS.items():
            values = [int(getattr(dut, prefix + name).value) for name in payload]
            is_valid = int(getattr(dut, prefix + valid).value)
            if prefix in waiting:
                assert is_valid, f"{prefix}valid fell before the transfer"
                assert values == waiting[prefix], f"{prefix}* changed before the transfer"
            waiting.pop(prefix, None)
            if is_valid and not int(getattr(dut, prefix + ready).value):
                waiting[prefix] = values


class Bench:
    """A host on the bus."""

    def __init__(self, dut: Any, name: str, often: float) -> None:
        seed = f"{SETUP['seed']}-{name}"
        print(f"seed {seed}", flush=True)
        logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.WARNING)
        self.rng = random.Random(seed)
        self.dut = dut
        clocked = dut.aclk, dut.aresetn, False
        self.bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), *clocked)
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis_events"), *clocked)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis_packets"), *clocked)
        writes, reads = self.bus.write_if, self.bus.read_if
        channels = (writes.aw_channel, writes.w_channel, writes.b_channel, reads.ar_channel)
        for channel in (*channels, reads.r_channel, self.source, self.sink) if often else ():
            channel.set_pause_generator(pauses(random.Random(self.rng.random()), often))

    async def start(self) -> None:
        Clock(self.dut.aclk, 10, unit="ns").start()
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, 3)
        self.dut.aresetn.value = 1
        await ClockCycles(self.dut.aclk, 2)
        cocotb.start_soon(watch(self.dut))

    async def write(self, address: int, value: int) -> int:
        return int((await self.bus.write(address, value.to_bytes(4, "little"))).resp)

    async def read(self, address: int) -> int:
        answer = await self.bus.read(address, 4)
        assert answer.resp == OKAY, f"{address:#x}"
        return int.from_bytes(answer.data, "little")

    async def counter(self, address: int) -> int:
        return await self.read(address) | await self.read(address + 4) << 32

    async def counters(self) -> dict[str, int]:
        names = [f"{name}.{t}" for t in range(CONFIG.tiles) for name in CONFIG.tile_counters]
        places = {name: Register.COUNTERS + 8 * n for n, name in enumerate(names)}
        places["cycles"] = Register.CYCLES
        return {name: await self.counter(address) for name, address in places.items()}

    async def load(self, words: list[int]) -> None:
        """Write load words; what a register holds already, and the next row, are not written."""
        held: dict[int, int] = {}
        for word in words:
            fields = CONFIG.load.unpack(word)
            wanted = {
                Register.LOAD_TILE: fields["tile"],
                Register.LOAD_TARGET: fields["target"],
                Register.LOAD_ADDRESS: fields["address"],
            }
            width = CONFIG.load.fields[-1].width
            for n in range(-(-width // 32)):
                part = fields["data"] >> 32 * n
                wanted[Register.LOAD_DATA + 4 * n] = part & 0xFFFF_FFFF
            for address, value in wanted.items():
                if held.get(address) != value:
                    assert await self.write(address, value) == OKAY
            assert await self.write(Register.LOAD_COMMIT, 0) == OKAY
            held = {**wanted, Register.LOAD_ADDRESS: fields["address"] + 1}

    async def run(self, words: list[int]) -> list[int]:
        """Packets up to the last step."""
        width = len(self.dut.s_axis_events_tdata) // 8
        for word in words:
            # The bits above the word are ignored.
            noise = self.rng.getrandbits(8 * width) >> CONFIG.host_in.width << CONFIG.host_in.width
            self.source.send_nowait((word | noise).to_bytes(width, "little"))
        return [packet for word in words if word & 1 for packet in await self.step()]

    async def step(self) -> list[int]:
        """Packets up to the next TLAST."""
        frame = await with_timeout(self.sink.recv(), 10 * LATEST, "ns")
        size = len(self.dut.m_axis_packets_tdata) // 8
        packets = [
            int.from_bytes(frame.tdata[n : n + size], "little")
            for n in range(0, len(frame.tdata), size)
        ]
        assert not any(packet >> CONFIG.host_out.width for packet in packets)
        return packets


@cocotb.test()
async def clocks_are_those_of_the_page(dut: Any) -> None:
    """While the memories are empty, as in the next. Inputs change in the middle of a clock."""
    for name in ("awvalid", "wvalid", "bready", "arvalid", "rready"):
        getattr(dut, f"s_axi_{name}").value = 0
    for name in ("s_axis_events_tvalid", "m_axis_packets_tready", "aresetn"):
        getattr(dut, name).value = 0
    Clock(dut.aclk, 10, unit="ns").start()
    cocotb.start_soon(watch(dut))
    edge = FallingEdge(dut.aclk)
    for _ in range(3):
        await edge
    dut.aresetn.value = 1
    await edge

    async def clocks_to(signal: Any) -> int:
        """The clocks after this one until `signal` is 1."""
        for clock in range(LATEST):
            if signal.value:
                return clock
            await edge
        raise AssertionError("it never came")

    # The answer comes in the second clock after, whoever is first, and stays until it is taken.
    dut.s_axi_awaddr.value = Register.LOAD_ADDRESS
    dut.s_axi_wdata.value = 5
    dut.s_axi_wstrb.value = 15
    for first, second in (("aw", "w"), ("w", "aw"), ("aw w", "")):
        assert dut.s_axi_awready.value == dut.s_axi_wready.value == 1
        for channels in (first, second):
            for channel in channels.split():
                getattr(dut, f"s_axi_{channel}valid").value = 1
            await edge
            for channel in channels.split():
                getattr(dut, f"s_axi_{channel}valid").value = 0
                assert getattr(dut, f"s_axi_{channel}ready").value == 0
        assert await clocks_to(dut.s_axi_bvalid) == (1 if second else 0)
        for _ in range(3):
            await edge
        assert dut.s_axi_bvalid.value == 1
        assert dut.s_axi_bresp.value == OKAY
        dut.s_axi_bready.value = 1
        await edge
        assert dut.s_axi_bvalid.value == 0
        dut.s_axi_bready.value = 0
    dut.s_axi_araddr.value = Register.LOAD_ADDRESS
    dut.s_axi_arvalid.value = 1
    await edge
    dut.s_axi_arvalid.value = 0
    assert await clocks_to(dut.s_axi_rvalid) == 1
    assert dut.s_axi_rdata.value == 5
    dut.s_axi_rready.value = 1
    await edge

    # One access every two clocks; both kinds at once.
    for name in ("awvalid", "wvalid", "bready", "arvalid", "rready"):
        getattr(dut, f"s_axi_{name}").value = 1
    answers = {"b": 0, "r": 0}
    for _ in range(60):
        await edge
        for channel in answers:
            answers[channel] += int(getattr(dut, f"s_axi_{channel}valid").value)
    assert all(29 <= count <= 30 for count in answers.values()), answers
    for name in ("awvalid", "wvalid", "arvalid"):
        getattr(dut, f"s_axi_{name}").value = 0

    # Events, here of a connection that is not there, in every clock.
    dut.s_axis_events_tdata.value = 0
    dut.s_axis_events_tvalid.value = 1
    for _ in range(30):
        await edge
        assert dut.s_axis_events_tready.value == 1
    dut.s_axis_events_tvalid.value = 0
    for _ in range(8):
        await edge

    # A step takes what it takes in the fabric, a clock to get there and a clock to come back.
    dut.s_axis_events_tdata.value = CONFIG.host_in.pack({"step": 1, "first": 1})
    dut.s_axis_events_tvalid.value = 1
    await edge
    dut.s_axis_events_tvalid.value = 0
    assert 1 + await clocks_to(dut.m_axis_packets_tvalid) == SETUP["empty_step"] + 2
    assert dut.m_axis_packets_tlast.value == 1


@cocotb.test()
async def load_words_that_are_not_possible_are_refused(dut: Any) -> None:
    """Rows, tiles and memories that are not there; and anything during a step."""
    bench = Bench(dut, "load", 0.0)
    await bench.start()

    async def commit(target: int, address: int, tile: int = 0) -> int:
        assert await bench.write(Register.LOAD_TILE, tile) == OKAY
        assert await bench.write(Register.LOAD_TARGET, target) == OKAY
        assert await bench.write(Register.LOAD_ADDRESS, address) == OKAY
        answer = await bench.write(Register.LOAD_COMMIT, 0)
        after = await bench.read(Register.LOAD_ADDRESS)
        assert after == address + (answer == OKAY)
        return answer

    for target, rows in SETUP["rows"].items():
        if rows:
            assert await commit(int(target), rows - 1) == OKAY
        limit = 1 << CONFIG.load.fields[2].width
        for address in {rows, limit}:
            assert await commit(int(target), address) == SLVERR
    tiles = 1 << CONFIG.load.fields[0].width
    for tile in range(tiles):
        assert await commit(0, 0, tile) == (OKAY if tile < CONFIG.tiles else SLVERR)

    # A step stays open until its end is heard.
    bench.sink.pause = True
    assert await bench.read(Register.STATUS) == 0
    mark = CONFIG.host_in.pack({"step": 1, "first": 1})
    size = len(dut.s_axis_events_tdata) // 8
    for _ in range(3):
        bench.source.send_nowait(mark.to_bytes(size, "little"))
    await ClockCycles(dut.aclk, 200)
    # Two step packets wait in the queue, and the third in the fabric.
    assert await bench.read(Register.STATUS) == BUSY | WAITING
    assert await commit(0, 0) == SLVERR
    bench.sink.pause = False
    for _ in range(3):
        assert len(await bench.step()) == 1
    await ClockCycles(dut.aclk, 2)
    assert await bench.read(Register.STATUS) == 0
    assert await commit(0, 0) == OKAY


@cocotb.test()
async def a_program_runs(dut: Any) -> None:
    """Identity, loading, a run under pauses, the counters."""
    bench = Bench(dut, "run", SETUP["pauses"])
    await bench.start()
    assert await bench.read(Register.IDENTIFIER) == IDENTIFIER
    assert await bench.read(Register.VERSION) == VERSION
    assert await bench.counter(Register.CONFIGURATION) == configuration_hash(CONFIG)
    sizes = json.loads(SETUP["config"]).values()
    assert [await bench.read(Register.SIZES + 4 * n) for n in range(len(sizes))] == list(sizes)
    assert await bench.read(Register.STATUS) == 0

    await bench.load(SETUP["load"])
    packets = await bench.run(SETUP["words"])
    assert await bench.read(Register.STATUS) == 0
    counters = await bench.counters()
    assert len(packets) < counters["cycles"] < get_sim_time("ns") / 10
    result = {"packets": packets, "counters": counters}
    Path(SETUP["result"]).write_text(json.dumps(result), encoding="utf-8")


@cocotb.test()
async def after_a_reset_it_is_as_new(dut: Any) -> None:
    """Reset in the middle of a run, then do as docs/integration.md says, and run again."""
    bench = Bench(dut, "reset", SETUP["pauses"])
    await bench.start()
    await bench.load(SETUP["load"])
    expected = await bench.run(SETUP["words"])
    for _ in range(3):
        words = SETUP["words"]
        cut = bench.rng.randrange(len(words) // 2, len(words))
        running = cocotb.start_soon(bench.run(words[:cut]))
        await ClockCycles(dut.aclk, bench.rng.randrange(3 * cut))
        assert await bench.write(Register.CONTROL, 1) == OKAY
        running.cancel()
        assert await bench.write(Register.LOAD_COMMIT, 0) == SLVERR
        # What is on the way, in and out, is left to go.
        await bench.source.wait()
        await ClockCycles(dut.aclk, 2)
        while await bench.read(Register.STATUS) & WAITING:
            pass
        await ClockCycles(dut.aclk, 4)
        bench.sink.clear()
        assert await bench.write(Register.CONTROL, 0) == OKAY
        assert await bench.read(Register.STATUS) == 0
        await bench.load(SETUP["load"][-1:])  # CONTROL is a register, not a memory
        await bench.run([CONFIG.host_in.pack({"step": 1, "first": 1})] * CONFIG.slots)
        assert await bench.run(words) == expected
        assert all(not n for name, n in (await bench.counters()).items() if "errors" in name)


def writable() -> dict[int, int]:
    """Addresses of registers that keep what is written, and their widths."""
    fields = {field.name: field.width for field in CONFIG.load.fields}
    data = fields["data"]
    return {
        Register.CONTROL: 1,
        Register.LOAD_TILE: fields["tile"],
        Register.LOAD_TARGET: fields["target"],
        Register.LOAD_ADDRESS: fields["address"] + 1,
        **{Register.LOAD_DATA + 4 * n: min(32, data - 32 * n) for n in range(-(-data // 32))},
    }


@cocotb.test()
async def every_access_is_answered(dut: Any) -> None:
    """Reads and writes of anything, at once, against a model of the registers."""
    bench = Bench(dut, "accesses", SETUP["pauses"])
    await bench.start()
    widths = writable()
    there = set(SETUP["addresses"])
    held = dict.fromkeys(widths, 0)
    refused = 0
    for _ in range(SETUP["accesses"]):
        known = bench.rng.choice(sorted(there))
        kept = bench.rng.choice(sorted(widths))
        anything = 4 * bench.rng.randrange(1 << (ADDRESS_BITS - 2))
        address = bench.rng.choice((known, kept, kept, anything))
        if address == Register.LOAD_COMMIT:
            continue  # has a test of its own
        if bench.rng.random() < 0.5:
            answer = await bench.bus.read(address, 4)
            assert answer.resp == (OKAY if address in there else DECERR), f"{address:#x}"
            if address in held:
                assert int.from_bytes(answer.data, "little") == held[address]
            continue
        width = widths.get(address, 0)
        value = bench.rng.getrandbits(bench.rng.choice((32, width)))
        first, last = bench.rng.choice(((0, 4), (0, 4), (0, 4), (0, 1), (1, 4)))
        data = value.to_bytes(4, "little")[first:last]
        answer = await bench.bus.write(address + first, data)
        fits = width and last - first == 4 and not value >> width
        expected = DECERR if address not in there else OKAY if fits else SLVERR
        assert answer.resp == expected, f"{address:#x} {value:#x} {first} {last}"
        refused += expected != OKAY
        if address in held and expected == OKAY:
            held[address] = value
    assert refused > SETUP["accesses"] // 8

    # Many at once: the answers come in order.
    answers = [bench.bus.init_read(address, 4) for address in widths for _ in range(4)]
    for event, address in zip(answers, (a for a in widths for _ in range(4)), strict=True):
        await event.wait()
        assert int.from_bytes(event.data.data, "little") == held[address]


@cocotb.test()
async def addresses_are_those_of_the_page(dut: Any) -> None:
    """Every word of the address space is read."""
    bench = Bench(dut, "addresses", 0.0)
    await bench.start()
    found = []
    for address in range(0, 1 << ADDRESS_BITS, 4):
        if (await bench.bus.read(address, 4)).resp == OKAY:
            found.append(address)
    assert found == SETUP["addresses"]
