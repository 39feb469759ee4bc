"""Starts a cocotb bench in a process of its own."""

from pathlib import Path

from spikeloom.sim import toolchain


def simulate(build: Path, directory: Path, top: str, bench: str, *, waves: bool = False) -> str:
    """Run a bench in a process of its own, as cocotb's runner changes its environment.

    Parameters
    ----------
    build
        What `spikeloom.sim.verilator.build_bench` gives.
    directory
        Where the bench runs, and leaves what it makes.
    top
        Name of the top module.
    bench
        Name of the Python module with the tests.
    waves
        Write a waveform; needs a build that is able to.

    Returns
    -------
    What the bench printed.
    """
    arguments = [str(build), str(directory), top, bench, *(["--waves"] if waves else [])]
    return toolchain.execute(
        [*toolchain.PYTHON, "-m", "spikeloom.sim.cosim.child", *arguments]
    ).stdout
