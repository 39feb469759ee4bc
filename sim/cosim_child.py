"""Runs the cocotb bench; started by `sim.cosim` as a process of its own."""

import argparse

from cocotb_tools.runner import get_runner

from sim.verilog import TOP


def main() -> None:
    """Run the bench that `sim.verilator.build_bench` built; a failure is an exception or exit."""
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("directory")
    parser.add_argument("--waves", action="store_true")
    arguments = parser.parse_args()
    get_runner("verilator").test(
        hdl_toplevel=TOP,
        hdl_toplevel_lang="verilog",
        test_module="sim.cosim_bench",
        build_dir=arguments.build,
        test_dir=arguments.directory,
        waves=arguments.waves,
    )


if __name__ == "__main__":
    main()
