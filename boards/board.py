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
    """A board, and what is built for it unless something else is asked for.

    Parameters
    ----------
    name
        As it is asked for; at most 16 ASCII characters, because the link tells it.
    description
        One line: the part, and what has to be connected by hand.
    platform
        Module and class of `amaranth_boards` with the pins.
    family, part
        The tools, and the options of nextpnr for the part; also `--router router2`, where the
        router that nextpnr takes by itself finds no end.
    clock_mhz
        Clock of the fabric that it is built for.
    fabric
        Sizes that fit the part.
    loader
        Its name in openFPGALoader.
    oscillator
        Resource with the clock that comes in, where it is not the platform's default.
    pll_pin
        The clock comes in on the PLL's own pin (iCE40).
    resources
        What the platform lacks, such as a "uart" on the pins of a connector.
    led
        Resource of a light, if there is one to spare.
    baud
        Of the serial line.
    in_luts
        Memories of a tile that are made of LUTs, where the part can and block RAM is short.
    """

    name: str
    description: str
    platform: str
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

    def make_platform(self) -> Any:
        """The platform of Amaranth, with `resources`.

        Raises
        ------
        SpikeloomError
            The package amaranth-boards is not installed.
        """
        module, _, name = self.platform.rpartition(".")
        try:
            platform = getattr(importlib.import_module(f"amaranth_boards.{module}"), name)()
        except ModuleNotFoundError:
            raise SpikeloomError(f"amaranth-boards is missing: {REMEDY}") from None
        platform.add_resources(self.resources)
        return platform
