"""Builds or runs the cocotb bench; started by `sim.cosim` as a process of its own."""

import json
import sys
from pathlib import Path
from typing import Any

from cocotb_tools.runner import get_runner

from sim.cosim import WAIVERS
from sim.verilog import TOP


def main(request: dict[str, Any]) -> None:
    """Do what `request` says; a failure is an exception or exit."""
    runner = get_runner("verilator")
    if request["action"] == "build":
        runner.build(
            sources=[Path(request["source"])],
            hdl_toplevel=TOP,
            build_dir=request["directory"],
            build_args=[*WAIVERS, "-O3", "-CFLAGS", "-O2"],
            waves=request["waves"],
        )
    else:
        runner.test(
            hdl_toplevel=TOP,
            hdl_toplevel_lang="verilog",
            test_module="sim.cosim_bench",
            build_dir=request["build"],
            test_dir=request["directory"],
            waves=request["waves"],
        )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
