"""Runs a cocotb bench; `sim.cosim.process.simulate` starts it as a process of its own."""

import argparse

from cocotb_tools.runner import get_runner


def main() -> None:
    """Run a bench that `build_bench` built; raises or exits if it fails."""
    parser = argparse.ArgumentParser()
    for name in ("build", "directory", "top", "bench"):
        parser.add_argument(name)
    parser.add_argument("--waves", action="store_true")
    arguments = parser.parse_args()
    get_runner("verilator").test(
        hdl_toplevel=arguments.top,
        hdl_toplevel_lang="verilog",
        test_module=arguments.bench,
        build_dir=arguments.build,
        test_dir=arguments.directory,
        waves=arguments.waves,
    )


if __name__ == "__main__":
    main()
