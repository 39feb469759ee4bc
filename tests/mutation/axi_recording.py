"""The cocotb tests of a fabric with AXI, with what is on its ports in every clock."""

import json
from pathlib import Path
from typing import Any

import axi_bench
import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

PORTS = json.loads(Path("ports.json").read_text(encoding="utf-8"))
_watch = axi_bench.watch


async def _record(dut: Any) -> None:
    with Path("ports.txt").open("a", encoding="utf-8") as file:
        while True:
            await RisingEdge(dut.aclk)
            values = [str(getattr(dut, port).value) for port in PORTS]
            file.write(" ".join(values) + "\n")
            file.flush()


async def _watched(dut: Any) -> None:
    """As `watch`, recorded."""
    cocotb.start_soon(_record(dut))
    await _watch(dut)


async def _start(bench: axi_bench.Bench) -> None:
    """As `Bench.start`, recorded from the first clock on."""
    Clock(bench.dut.aclk, 10, unit="ns").start()
    cocotb.start_soon(_record(bench.dut))
    bench.dut.aresetn.value = 0
    await ClockCycles(bench.dut.aclk, 3)
    bench.dut.aresetn.value = 1
    await ClockCycles(bench.dut.aclk, 2)
    cocotb.start_soon(_watch(bench.dut))


axi_bench.watch = _watched
axi_bench.Bench.start = _start
from axi_bench import *  # noqa: E402, F403
