"""The build itself: the bitstream of the fastest placement that meets the clock."""

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeloom.boards.board import Board
from spikeloom.boards.flow.design import Design, elaborate
from spikeloom.boards.flow.placement import SEEDS, Placed, meets, place_all
from spikeloom.boards.flow.report import report
from spikeloom.boards.flow.synthesis import synthesise, verilog
from spikeloom.boards.tools import WHEELS, Tools
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.progress import task
from spikeloom.golden.spec import FabricConfig
from spikeloom.sim import cache

_TRIALS = 4
"""Attempts of `build_fastest`."""


class ClockNotMet(SpikeloomError):
    """No placement meets the clock."""


@dataclass(frozen=True)
class Build:
    """A bitstream that meets its clock, with its Verilog and its report."""

    design: Design
    placed: Placed
    bitstream: bytes
    verilog: str
    report: dict[str, Any]


def build(
    board: Board,
    fabric: FabricConfig | None = None,
    *,
    clock_mhz: float | None = None,
    baud: int | None = None,
    image: MemoryImage | None = None,
    seeds: Sequence[int] = SEEDS,
    minutes: float | None = None,
    tools: Tools = WHEELS,
) -> Build:
    """The bitstream of a board, from the fastest of several placements.

    Parameters
    ----------
    board, fabric, clock_mhz, baud, image
        As for `elaborate`.
    seeds, minutes
        Seeds and time limit of the placements, as for `place_all`.
    tools
        The tools.

    Raises
    ------
    ClockNotMet
        No placement meets the clock.
    TooLarge
        The design does not fit the part.
    SpikeloomError
        A tool is missing or fails.
    """
    design = elaborate(board, fabric, clock_mhz=clock_mhz, baud=baud, image=image)
    synthesised = synthesise(design, tools)
    placements = place_all(design, synthesised, seeds, tools, minutes)
    best = max(placements, key=lambda placed: placed.fmax_mhz)
    if not meets(design, best):
        raise ClockNotMet(
            f"{board.name}: the best of {len(placements)} placements reaches "
            f"{best.fmax_mhz:.2f} MHz, below the clock of {design.clock_mhz:g} MHz: "
            f"lower --clock, or try more --seeds"
        )
    with task("packing the bitstream"):
        bitstream = _pack(design, best, tools)
    with task("writing the Verilog"):
        text = verilog(design, tools)
    return Build(design, best, bitstream, text, report(design, synthesised, placements, tools))


def build_fastest(
    board: Board,
    fabric: FabricConfig | None = None,
    *,
    baud: int | None = None,
    image: MemoryImage | None = None,
    seeds: Sequence[int] = SEEDS,
    minutes: float | None = None,
    tools: Tools = WHEELS,
) -> Build:
    """As `build`, at the highest clock of the PLL that the placements meet.

    A different clock makes a different design with other placements. So this starts at the fmax of
    the placements for the board's own clock and goes down, until a placement meets its clock.
    """
    clock_mhz = board.clock_mhz
    design = elaborate(board, fabric, clock_mhz=clock_mhz, baud=baud, image=image)
    for _ in range(_TRIALS):
        placements = place_all(design, synthesise(design, tools), seeds, tools, minutes)
        fmax = max(placed.fmax_mhz for placed in placements)
        design = elaborate(board, fabric, clock_mhz=fmax, baud=baud, image=image)
        with contextlib.suppress(ClockNotMet):
            return build(
                board,
                fabric,
                clock_mhz=design.clock_mhz,
                baud=baud,
                image=image,
                seeds=seeds,
                minutes=minutes,
                tools=tools,
            )
    raise ClockNotMet(
        f"{board.name}: no clock was met in {_TRIALS} trials, the last {design.clock_mhz:g} MHz: "
        "give one with --clock, or try more --seeds"
    )


def _pack(design: Design, placed: Placed, tools: Tools) -> bytes:
    """The bitstream of a placement."""
    tool, *arguments = design.board.family.packer

    def make(directory: Path) -> None:
        if design.board.family.result:
            name = design.board.family.result[-1]
            shutil.copy(placed.directory / name, directory / name)
        else:
            (directory / "routed.json").write_text(placed.netlist(), encoding="utf-8")
        tools.run(tool, *arguments, directory=directory)
        for path in directory.iterdir():
            if path.name != "bitstream":
                path.unlink()

    key = cache.digest(placed.directory.name, tool, *arguments, tools.version(tool))
    return (cache.cached("bitstream", key, make) / "bitstream").read_bytes()
