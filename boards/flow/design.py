"""Elaborates a board: RTLIL and the pin constraints, as Amaranth writes them."""

import dataclasses
import importlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from spikeloom import hdl
from spikeloom.boards import board as board_module
from spikeloom.boards import clocking, pll, top
from spikeloom.boards.board import Board
from spikeloom.boards.pll import MHZ, Setting
from spikeloom.golden import contents as contents_specification
from spikeloom.golden import link as link_specification
from spikeloom.golden import spec as specification
from spikeloom.golden.contents import NOTHING, Contents
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.link import LinkConfig
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.spec import FabricConfig
from spikeloom.sim import cache


@dataclass(frozen=True)
class Design:
    """An elaborated board: the input of synthesis.

    Parameters
    ----------
    board, fabric, link, setting
        The board, its fabric sizes, the identity and bit rate of its link, the PLL setting.
    source
        RTLIL of the module `top`.
    constraints
        The pin constraints, for nextpnr.
    pins
        The ports of `top` for "clk", "rx" and "tx".
    contents
        Initial contents of the memories.
    """

    board: Board
    fabric: FabricConfig
    link: LinkConfig
    setting: Setting
    source: str
    constraints: str
    pins: Mapping[str, str]
    contents: Contents

    @property
    def clock_mhz(self) -> float:
        """Clock of the fabric, in MHz."""
        return float(self.setting.frequency) / MHZ


def elaborate(
    board: Board,
    fabric: FabricConfig | None = None,
    *,
    clock_mhz: float | None = None,
    baud: int | None = None,
    image: MemoryImage | None = None,
) -> Design:
    """Elaborate a board.

    Parameters
    ----------
    board
        The board.
    fabric
        Sizes; default: the board's.
    clock_mhz
        Upper limit of the fabric's clock; the PLL makes the highest frequency up to it. Default:
        the board's.
    baud
        Bit rate of the serial line, rounded to the nearest divisor of the clock. Default: the
        board's.
    image
        Initial contents, for those memories of the part that can have any.

    Raises
    ------
    SpikeloomError
        The PLL cannot make the clock, the clock is too slow for the baud rate, the part has no
        memory of two ports, the image is for other sizes or the part can hold none of it, or the
        package amaranth-boards is missing.
    """
    fabric = fabric or board.fabric
    board.check_ports(fabric.two_ports)
    contents = NOTHING if image is None else _contents(board, fabric, image)
    amaranth_platform = board.make_platform()
    oscillator = board.oscillator or amaranth_platform.default_clk
    source = round(amaranth_platform.lookup(oscillator).clock.frequency)
    wanted = round((clock_mhz or board.clock_mhz) * MHZ)
    setting = pll.setting(board.family.name, source, wanted)
    clocks_per_bit = round(setting.frequency / (baud or board.baud))
    link = LinkConfig(board.name, round(setting.frequency), clocks_per_bit)
    link = link.with_contents(contents, fabric)
    key = cache.digest(repr(board), repr(fabric), repr(link), repr(setting), *_inputs())
    link = dataclasses.replace(link, build=key)
    pins = board.family.pins[-1].rpartition("=")[2]

    def make(directory: Path) -> None:
        plan = amaranth_platform.prepare(top.Top(board, fabric, link, setting, contents), "top")
        for name in ("top.il", pins):
            text = plan.files[name]
            (directory / name).write_bytes(text.encode() if isinstance(text, str) else text)

    files = cache.cached("design", key, make)
    return Design(
        board,
        fabric,
        link,
        setting,
        (files / "top.il").read_text(encoding="utf-8"),
        (files / pins).read_text(encoding="utf-8"),
        {"clk": f"{oscillator}_0__io", "rx": "uart_0__rx__io", "tx": "uart_0__tx__io"},
        contents,
    )


def _contents(board: Board, fabric: FabricConfig, image: MemoryImage) -> Contents:
    """The part of `image` that a bitstream can hold."""
    image.check_fits(fabric, board.name)
    if not board.family.baked:
        raise SpikeloomError(
            f"{board.name}: no Program can be baked into a part of {board.family.name}: "
            "leave out --bake, and the board is loaded when it runs"
        )
    return image.contents(board.family.baked)


def _inputs() -> list[str]:
    """Everything else that a design depends on: versions, and the text of modules.

    Amaranth takes the names of signals from Python's byte code, so they differ between versions of
    Python. `amaranth_boards` has the pins.
    """
    specifications = (specification, contents_specification, link_specification)
    platforms = importlib.import_module("amaranth_boards")
    modules = (hdl, *specifications, board_module, pll, clocking, top, platforms)
    files = [path for module in modules for path in _files(module)]
    texts = (path.read_text(encoding="utf-8") for path in files)
    return [platform.python_version(), version("amaranth"), *texts]


def _files(module: ModuleType) -> list[Path]:
    """The files of a module, or of a package with everything in it."""
    if hasattr(module, "__path__"):
        return sorted(Path(module.__path__[0]).rglob("*.py"))
    return [Path(str(module.__file__))]
