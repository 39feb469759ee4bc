"""What is to be known of a board, and where the boards are found."""

import difflib
import functools
import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amaranth.build import Resource

from spikeloom.boards import catalogue
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


@functools.cache
def boards() -> Mapping[str, Board]:
    """All boards by name: each `Board` that a module of `spikeloom.boards.catalogue` holds."""
    found: dict[str, Board] = {}
    for module in pkgutil.iter_modules(catalogue.__path__):
        members = vars(importlib.import_module(f"{catalogue.__name__}.{module.name}"))
        found |= {value.name: value for value in members.values() if isinstance(value, Board)}
    return dict(sorted(found.items()))


def board(name: str) -> Board:
    """The board of this name. Raises `SpikeloomError` where there is none."""
    if name in boards():
        return boards()[name]
    close = difflib.get_close_matches(name, boards(), 1)
    hint = f", did you mean {close[0]}?" if close else ""
    raise SpikeloomError(f"there is no board {name!r}{hint}; there are {', '.join(boards())}")
