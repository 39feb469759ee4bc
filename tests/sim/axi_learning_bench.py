"""The cocotb test of a fabric with AXI that learns; `test_axi_learning` left `setup.json`."""

import json
from pathlib import Path
from typing import Any

import cocotb
from axi_bench import SETUP, Bench


@cocotb.test()
async def it_learns(dut: Any) -> None:
    """Load, learn, and run what shows the weights without learning on."""
    bench = Bench(dut, "learn", SETUP["pauses"])
    await bench.start()
    await bench.load(SETUP["load"])
    learning = await bench.run(SETUP["words"])
    counters = await bench.counters()
    await bench.load(SETUP["still"])
    probing = await bench.run(SETUP["probe"])
    result = {"learning": learning, "probing": probing, "counters": counters}
    result["after"] = await bench.counters()
    Path(SETUP["result"]).write_text(json.dumps(result), encoding="utf-8")
