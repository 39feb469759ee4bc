"""Commands that make hardware: verilog, build, flash."""

import contextlib
import dataclasses
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from spikeloom.boards.flash import flash
from spikeloom.boards.flow.bitstream import Build, build, build_fastest
from spikeloom.boards.registry import board as board_named
from spikeloom.boards.registry import boards
from spikeloom.boards.tools import Tools
from spikeloom.cli.fitting import check_memory, for_program
from spikeloom.cli.options import JSON, SCHEDULER, SIZES, fabric_sizes
from spikeloom.cli.output import duration, print_columns, print_table, say, write_json
from spikeloom.cli.paths import FileRead, FileWritten
from spikeloom.files import check_folder, write_bytes, write_files, write_text
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.progress import Journal, task, watched
from spikeloom.golden.spec import FabricConfig
from spikeloom.program import Program
from spikeloom.sim.drivers.write import c_header, python_driver
from spikeloom.sim.field_names import with_field_names
from spikeloom.sim.fusesoc import fusesoc_core
from spikeloom.sim.verilog import AXI_TOP, TOP, emit, emit_axi


@click.command()
@click.argument("program", type=FileRead(), required=False)
@click.option(
    "-o",
    "--output",
    type=FileWritten(),
    required=True,
    help="File to write.",
)
@click.option(
    "--axi", is_flag=True, help="Use AXI4-Stream and AXI4-Lite ports (docs/integration.md)."
)
@click.option(
    "--core",
    is_flag=True,
    help="Also write a FuseSoC core file, named as OUTPUT with suffix .core.",
)
@click.option(
    "--driver",
    is_flag=True,
    help="With --axi: also write a C header and a Python module with the registers, named as "
    "OUTPUT with suffixes .h and .py.",
)
@click.option(
    "--name",
    help=f"Name of the top module, with which the names of all others begin, so that several "
    f"fabrics can be in one design; default: {TOP}, or {AXI_TOP} with --axi.",
)
@click.option("--board", "board_name", help="Start from the sizes of this board, not the defaults.")
@SIZES
@JSON
def verilog(
    program: Path | None,
    output: Path,
    axi: bool,
    core: bool,
    driver: bool,
    name: str | None,
    board_name: str | None,
    sizes: tuple[str, ...],
    json_path: Path | None,
) -> None:
    r"""Write the Verilog of a Program's fabric, or of a fabric with the given sizes.

    It does not contain the network, which is loaded at run time.

    \b
    Examples:
      spikeloom verilog model.loom -o fabric.v
      spikeloom verilog --set lanes=4 -o small.v
      spikeloom verilog model.loom -o spikeloom_axi.v --axi --core --driver
    """
    if program is not None and (sizes or board_name):
        option = "--set" if sizes else "--board"
        raise SpikeloomError(f"{option} cannot be combined with a Program, which fixes the sizes")
    if driver and not axi:
        raise SpikeloomError("--driver is for the registers of AXI: add --axi")
    suffixes = [*([".core"] if core else []), *([".h", ".py"] if driver else [])]
    if output.suffix in suffixes:
        option = "--core" if core and output.suffix == ".core" else "--driver"
        raise SpikeloomError(f"{option} writes {output} too: give the Verilog another name")
    usual = FabricConfig() if board_name is None else board_named(board_name).fabric
    config = (
        Program.load(program).fabric
        if program is not None
        else dataclasses.replace(usual, **fabric_sizes(sizes))
    )
    top = name or (AXI_TOP if axi else TOP)
    verilog = emit_axi(config, top) if axi else emit(config, name=top)
    texts = {output: with_field_names(verilog)}
    for suffix in suffixes:
        other = output.with_suffix(suffix)
        if suffix == ".core":
            texts[other] = fusesoc_core(output.name, top)
        else:
            texts[other] = c_header(config, top) if suffix == ".h" else python_driver(config, top)
    write_files({path: text.encode() for path, text in texts.items()})
    for path in texts:
        say(f"wrote {path}")
    files = [str(path) for path in texts]
    write_json(json_path, {"top": top, "files": files, "fabric": dataclasses.asdict(config)})


@click.command("build")
@click.option(
    "--board",
    "board_name",
    required=True,
    help=f"One of {', '.join(boards())}, or the file of your own (docs/your_board.md).",
)
@click.argument("program", type=FileRead(), required=False)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder to write."
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="Number of placements to try.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="Time limit per placement; default: 30, or one per 500 cells if that is more.",
)
@click.option(
    "--clock",
    metavar="MHZ|auto",
    help="Clock of the fabric; auto: the fastest that meets timing; default: the board's.",
)
@click.option(
    "--baud", type=click.IntRange(min=1), help="Rate of the serial line; default: the board's."
)
@click.option(
    "--bake", is_flag=True, help="Put PROGRAM into the memories that can have initial contents."
)
@click.option(
    "--native",
    is_flag=True,
    help="Use the tools on the search path, not those from Python packages.",
)
@SIZES
@SCHEDULER
@JSON
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
    scheduler: str | None,
    json_path: Path | None,
) -> None:
    r"""Build a bitstream for a board.

    The fabric has the sizes of the board, changed by --set, or those of PROGRAM. The network is
    loaded at run time; with --bake it is part of the bitstream, and only memories that the part
    cannot initialise are loaded. OUTPUT gets the bitstream, its Verilog, report.json with the time
    of every step, and the logs of the tools.

    \b
    Examples:
      spikeloom build --board icebreaker -o build/icebreaker
      spikeloom build --board ulx3s_12f model.loom --bake -o build/baked --clock auto
      spikeloom build --board orangecrab -o build/orangecrab --seeds 20 --scheduler tcp://host:8786
    """
    board = board_named(board_name)
    if minutes is not None and not math.isfinite(minutes):
        raise SpikeloomError(f"--minutes {minutes:g}: must be a finite number")
    loaded = None if program is None else Program.load(program)
    if loaded is not None and sizes:
        raise SpikeloomError("--set cannot be combined with a Program, which fixes the sizes")
    if bake and loaded is None:
        raise SpikeloomError("--bake needs a PROGRAM to put into the bitstream")
    fabric = (
        loaded.fabric
        if loaded is not None
        else dataclasses.replace(board.fabric, **fabric_sizes(sizes))
    )
    options: dict[str, Any] = {
        "baud": baud,
        "image": loaded.image if loaded is not None and bake else None,
        "seeds": range(1, seeds + 1),
        "minutes": minutes,
        "tools": Tools(native, scheduler),
    }
    check_folder(output)
    journal = Journal()
    with watched(journal), for_program(board, loaded):
        check_memory(board, fabric)
        if clock == "auto":
            result = build_fastest(board, fabric, **options)
        else:
            result = build(board, fabric, clock_mhz=_megahertz(clock), **options)
    report = result.report | {"seconds_by_step": journal.seconds}
    _write_build(output, result, report, journal.logs)
    print_table(_build_summary(result))
    say("")
    print_columns(
        ["step", "time"], [(step, duration(time)) for step, time in journal.seconds.items()]
    )
    write_json(json_path, report)
    say(f"wrote {output}")


@click.command("flash")
@click.option(
    "--board",
    "board_name",
    required=True,
    help=f"One of {', '.join(boards())}, or the file of your own (docs/your_board.md).",
)
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--permanent",
    is_flag=True,
    help="Write to the board's flash memory, so that it survives power-off.",
)
@click.option(
    "--native",
    is_flag=True,
    help="Use the tools on the search path, not those from Python packages.",
)
@JSON
def flash_command(
    board_name: str, directory: Path, permanent: bool, native: bool, json_path: Path | None
) -> None:
    r"""Write the bitstream in DIRECTORY, made by `build`, to a board.

    \b
    Example:
      spikeloom flash --board icebreaker build/icebreaker
    """
    board = board_named(board_name)
    with task("writing to the board"):
        flash(board, directory, permanent=permanent, tools=Tools(native))
    write_json(json_path, {"board": board.name, "directory": str(directory)})
    say(f"wrote {directory} to {board.description}")


def _megahertz(clock: str | None) -> float | None:
    if clock is None:
        return None
    try:
        value = float(clock)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise SpikeloomError(f"--clock {clock}: must be a number of megahertz, or auto")
    return value


def _write_build(
    output: Path, result: Build, report: dict[str, Any], logs: Mapping[str, Path]
) -> None:
    """Write the results, and in logs/ what the tools said, as far as the cache still has it."""
    board = result.design.board
    try:
        (output / "logs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpikeloomError(f"cannot write {output}: {error.strerror}") from None
    write_bytes(output / f"{board.name}{board.family.bitstream}", result.bitstream)
    write_text(output / f"{board.name}.v", result.verilog)
    for step, log in logs.items():
        with contextlib.suppress(FileNotFoundError):
            name = re.sub(r"[^a-z0-9]+", "-", step.lower())
            write_bytes(output / "logs" / f"{name}.log", log.read_bytes())
    write_json(output / "report.json", report)


def _build_summary(result: Build) -> dict[str, Any]:
    used = {
        name: f"{count['used']} of {count['available']}" if "available" in count else count["used"]
        for name, count in result.report["resources"].items()
    }
    return {
        "board": result.design.board.description,
        "clock": f"{result.design.clock_mhz:g} MHz, {result.placed.fmax_mhz:.2f} MHz reached",
        "placements": ", ".join(
            f"seed {seed} {fmax:.2f} MHz"
            for seed, fmax in result.report["fmax_mhz"]["seeds"].items()
        ),
        "serial line": f"{result.design.link.baud} baud",
        "baked": ", ".join(target.name.lower() for target in result.design.link.baked) or "nothing",
        **used,
    }
