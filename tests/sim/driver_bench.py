"""The cocotb test of the C header: the compiled header reads and writes over AXI4-Lite."""

import ctypes
import json
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

READ = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32)
WRITE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)


@cocotb.test()
async def the_header_reads_and_loads(dut: Any) -> None:
    setup = json.loads(Path("setup.json").read_text(encoding="utf-8"))
    Clock(dut.aclk, 10, unit="ns").start()
    bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, dut.aresetn, False)
    dut.s_axis_events_tvalid.value = 0
    dut.m_axis_packets_tready.value = 0
    dut.aresetn.value = 0
    await ClockCycles(dut.aclk, 3)
    dut.aresetn.value = 1
    await ClockCycles(dut.aclk, 2)

    @resume
    async def read(_: Any, address: int) -> int:
        answer = await bus.read(address, 4)
        assert not answer.resp, hex(address)
        return int.from_bytes(answer.data, "little")

    @resume
    async def write(_: Any, address: int, value: int) -> int:
        return int((await bus.write(address, value.to_bytes(4, "little"))).resp)

    library = ctypes.CDLL(setup["library"])
    values = (ctypes.c_uint64 * setup["places"])()
    words = (ctypes.c_uint32 * len(setup["load"]))(*setup["load"])

    @bridge
    def exercise() -> int:
        return int(library.exercise(READ(read), WRITE(write), values, words, setup["rows"]))

    status = await exercise()
    result = {"status": status, "values": list(values)}
    Path(setup["result"]).write_text(json.dumps(result), encoding="utf-8")
