"""The description of a board: its part, its pins, and the fabric built for it by default."""

import importlib
from dataclasses import dataclass
from typing import Any

from amaranth.build import Resource

from spikeloom.boards.family import Family
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import FabricConfig
from spikeloom.sim.toolchain import REMEDY


@dataclass(frozen=True)
class Board:
    """A board, with the fabric and the clock that are built for it by default.

    Parameters
    ----------
    name
        By which users select it; at most 16 ASCII characters, because the link reports it.
    description
        One line: the part, and connections to be made by hand.
    platform
        The pins: module and class in `amaranth_boards`, or a platform class of Amaranth.
    family, part
        The tools, and the options of nextpnr for the part; also `--router router2`, where
        nextpnr's default router does not terminate.
    clock_mhz
        Default clock of the fabric.
    fabric
        Default sizes, which fit the part.
    loader
        The board's name in openFPGALoader.
    oscillator
        Resource of the input clock, if it is not the platform's default.
    pll_pin
        The input clock is on the PLL's own pin (iCE40).
    resources
        Resources that the platform lacks, such as a "uart" on the pins of a connector.
    led
        Resource of a spare LED, if there is one.
    baud
        Default bit rate of the serial line.
    in_luts
        Memories of a tile that are built from LUTs, because block RAM is short.
    source
        Text of the file that defines it, if that is the user's; `load_board` sets it.
    """

    name: str
    description: str
    platform: str | type[Any]
    family: Family
    part: tuple[str, ...]
    clock_mhz: float
    fabric: FabricConfig
    loader: str
    oscillator: str | None = None
    pll_pin: bool = False
    resources: tuple[Resource, ...] = ()
    led: str | None = None
    baud: int = 1_000_000
    in_luts: tuple[str, ...] = ()
    source: str = ""

    def check_ports(self, two_ports: bool) -> None:
        """Raise `SpikeloomError` if the part has no memory of `two_ports` for the weights."""
        if two_ports and "spram" in self.family.sites:
            raise SpikeloomError(
                f"{self.name}: two_ports: the part holds weights in large RAM, which has one port: "
                "leave it out, on the command line --set two_ports=false, or take a board of "
                "another family"
            )

    def make_platform(self) -> Any:
        """The Amaranth platform, extended by `resources`.

        Raises
        ------
        SpikeloomError
            The package amaranth-boards is not installed.
        """
        if isinstance(self.platform, str):
            module, _, name = self.platform.rpartition(".")
            try:
                platform = getattr(importlib.import_module(f"amaranth_boards.{module}"), name)()
            except ModuleNotFoundError:
                raise SpikeloomError(f"amaranth-boards is missing: {REMEDY}") from None
        else:
            platform = self.platform()
        platform.add_resources(self.resources)
        return platform
