"""Starts a cocotb bench in a process of its own."""

from pathlib import Path

from spikeloom.sim import toolchain


def simulate(build: Path, directory: Path, top: str, bench: str, *, waves: bool = False) -> str:
    """Run a bench in a process of its own, because cocotb's runner changes its environment.

    cocotb puts the current directory, which is then `directory`, on the module path of the bench.

    Parameters
    ----------
    build
        The directory from `spikeloom.sim.verilator.build_bench`.
    directory
        Working directory of the bench, which writes its files there. It holds no module.
    top
        Name of the top module.
    bench
        Name of the Python module with the tests.
    waves
        Write a waveform, `dump.vcd`; needs a build with `trace`.

    Returns
    -------
    The output of the bench.
    """
    arguments = [str(build), str(directory), top, bench, *(["--waves"] if waves else [])]
    return toolchain.execute(
        [*toolchain.PYTHON, "-m", "spikeloom.sim.cosim.child", *arguments],
        # Else cocotb imports pytest, which compiles every module again: half of a short run.
        {"COCOTB_REWRITE_ASSERTION_FILES": ""},
    ).stdout
