"""Commands that make hardware: verilog, build, flash."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import click

from spikeloom.boards.flash import flash
from spikeloom.boards.flow.bitstream import Build, build, build_fastest
from spikeloom.boards.flow.placement import Placed
from spikeloom.boards.registry import board as board_named
from spikeloom.boards.registry import boards
from spikeloom.boards.tools import Tools
from spikeloom.cli.options import SIZES, fabric_sizes
from spikeloom.cli.output import print_table, write_json
from spikeloom.files import write_bytes, write_text
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import FabricConfig
from spikeloom.program import Program
from spikeloom.sim.fusesoc import fusesoc_core
from spikeloom.sim.verilog import AXI_TOP, TOP, emit, emit_axi


@click.command()
@click.argument("program", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="File to write."
)
@click.option("--axi", is_flag=True, help="With AXI4-Stream and AXI4-Lite (docs/integration.md).")
@click.option(
    "--core", is_flag=True, help="Also write a FuseSoC core beside it, OUTPUT with .core."
)
@SIZES
def verilog(
    program: Path | None, output: Path, axi: bool, core: bool, sizes: tuple[str, ...]
) -> None:
    """Write the Verilog of a Program's fabric, or of one with the given sizes.

    The network is not in it: a fabric is loaded at run time.
    """
    if program is not None and sizes:
        raise SpikeloomError("--set and a Program exclude each other: a Program has its sizes")
    described = output.with_suffix(".core")
    if core and output == described:
        raise SpikeloomError(f"--core writes {described}: give the Verilog another name")
    config = (
        Program.load(program).fabric if program is not None else FabricConfig(**fabric_sizes(sizes))
    )
    write_text(output, emit_axi(config) if axi else emit(config))
    click.echo(f"wrote {output}")
    if core:
        write_text(described, fusesoc_core(output.name, AXI_TOP if axi else TOP))
        click.echo(f"wrote {described}")


@click.command("build")
@click.option("--board", "board_name", required=True, help=f"{', '.join(boards())}.")
@click.argument("program", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder to write."
)
@click.option(
    "--seeds", type=click.IntRange(1, 100), default=3, show_default=True, help="Placements to try."
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="Most that a placement may take. Default: 30, or one for every 500 cells if that is more.",
)
@click.option(
    "--clock",
    metavar="MHZ|auto",
    help="Of the fabric; auto: the fastest that is met. Default: the board's.",
)
@click.option("--baud", type=click.IntRange(min=1), help="Of the serial line.")
@click.option(
    "--bake", is_flag=True, help="Put PROGRAM into the memories that can have initial contents."
)
@click.option("--native", is_flag=True, help="Tools on the search path, not those of packages.")
@SIZES
def build_command(
    board_name: str,
    program: Path | None,
    output: Path,
    seeds: int,
    minutes: float | None,
    clock: str | None,
    baud: int | None,
    bake: bool,
    native: bool,
    sizes: tuple[str, ...],
) -> None:
    """Make a bitstream for a board.

    It is for the sizes of the board, changed by --set, or for those of PROGRAM. A board is loaded
    at run time; with --bake the network is in it, and only what the memories of the part cannot
    start with is loaded.
    """
    board = board_named(board_name)
    loaded = None if program is None else Program.load(program)
    if loaded is not None and sizes:
        raise SpikeloomError("--set and a Program exclude each other: a Program has its sizes")
    if bake and loaded is None:
        raise SpikeloomError("--bake: say which Program is to be in the bitstream")
    fabric = (
        loaded.fabric
        if loaded is not None
        else dataclasses.replace(board.fabric, **fabric_sizes(sizes))
    )
    asked: dict[str, Any] = {
        "baud": baud,
        "image": loaded.image if loaded is not None and bake else None,
        "seeds": range(1, seeds + 1),
        "minutes": minutes,
        "tools": Tools(native),
        "progress": _tell_placed,
    }
    if clock == "auto":
        made = build_fastest(board, fabric, **asked)
    else:
        made = build(board, fabric, clock_mhz=_megahertz(clock), **asked)
    _write_build(output, made)
    print_table(_build_summary(made))
    click.echo(f"wrote {output}")


@click.command("flash")
@click.option("--board", "board_name", required=True, help=f"{', '.join(boards())}.")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--permanent", is_flag=True, help="Into the flash memory of the board.")
@click.option("--native", is_flag=True, help="Tools on the search path, not those of packages.")
def flash_command(board_name: str, directory: Path, permanent: bool, native: bool) -> None:
    """Write the bitstream that `build` put into DIRECTORY to a board."""
    board = board_named(board_name)
    flash(board, directory, permanent=permanent, tools=Tools(native))
    click.echo(f"wrote {directory} to {board.description}")


def _megahertz(clock: str | None) -> float | None:
    if clock is None:
        return None
    try:
        value = float(clock)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise SpikeloomError(f"--clock {clock}: it must be megahertz, or auto")
    return value


def _tell_placed(placed: Placed) -> None:
    click.echo(f"  seed {placed.seed}: {placed.fmax_mhz:.2f} MHz")


def _write_build(output: Path, made: Build) -> None:
    board = made.design.board
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpikeloomError(f"cannot write {output}: {error.strerror}") from None
    write_bytes(output / f"{board.name}{board.family.bitstream}", made.bitstream)
    write_text(output / f"{board.name}.v", made.verilog)
    write_json(output / "report.json", made.report)


def _build_summary(made: Build) -> dict[str, Any]:
    used = {
        name: f"{count['used']} of {count['available']}" if "available" in count else count["used"]
        for name, count in made.report["resources"].items()
    }
    return {
        "board": made.design.board.description,
        "clock": f"{made.design.clock_mhz:g} MHz, {made.placed.fmax_mhz:.2f} MHz reached",
        "serial line": f"{made.design.link.baud} baud",
        "baked": ", ".join(target.name.lower() for target in made.design.link.baked) or "nothing",
        **used,
    }
