"""The command line. Exit status: 0 the promise held, 1 it did not, 2 what was given is unusable."""

import dataclasses
import io
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from boards.board import board as board_named
from boards.board import boards
from boards.build import Build, Placed, build, build_fastest
from boards.flash import flash
from boards.tools import Tools
from golden.errors import SpikeloomError
from golden.host import FaultyDevice
from golden.spec import FabricConfig
from golden.step import check_inputs
from sim.fusesoc import fusesoc_core
from sim.netlist import netlist
from sim.verilog import AXI_TOP, TOP, emit, emit_axi
from spikeloom.backends import STAGES, open, open_board
from spikeloom.compare import (
    check_cycles,
    compare,
    compare_device,
)
from spikeloom.compiler import compile
from spikeloom.demo import run_demo
from spikeloom.devices import Device, Events, Progress, predict_clocks
from spikeloom.dialect import DIALECTS, check_options
from spikeloom.files import write_arrays, write_bytes, write_text
from spikeloom.nir_import import load_nir
from spikeloom.program import Program

PROGRAM = click.argument("program", type=click.Path(path_type=Path))
EVENTS = click.argument("events", type=click.Path(path_type=Path))
JSON = click.option(
    "--json", "json_path", type=click.Path(path_type=Path), help="Also write the result as JSON."
)
BACKEND = click.option(
    "--backend",
    type=click.Choice(["golden", "verilator", "netlist"]),
    default="verilator",
    show_default=True,
    help="The step-level model, the RTL, or what synthesis makes of it.",
)
RESULT = click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write spikes and states (.npz)."
)
SIZES = click.option(
    "--set",
    "sizes",
    multiple=True,
    metavar="NAME=VALUE",
    help="A size of the fabric, such as lanes=4 or delayed_reset=true; may be repeated.",
)


def _board_options(required: bool) -> Callable[[Any], Any]:
    """The options that say on which board, or what stands in for it."""
    options = (
        click.option("--board", required=required, metavar="NAME", help="Run on this board."),
        click.option("--port", help="Serial port of the board; without, it is a virtual one."),
        click.option(
            "--stage",
            type=click.Choice(STAGES),
            default=STAGES[0],
            show_default=True,
            help="Of a virtual board: its RTL, or its netlist after synthesis or routing.",
        ),
        click.option("--baud", type=click.IntRange(min=1), help="Default: the board's."),
    )

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="spikeloom")
def cli() -> None:
    """Spiking networks from NIR to RTL that is proved equal to its golden model."""


@cli.command("compile")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Default: MODEL with .loom.")
@click.option("--dialect", default="nir", show_default=True, help=f"{', '.join(DIALECTS)}.")
@click.option("--dt", type=float, help="Time step, in the unit of the file's time constants.")
@click.option(
    "--reset",
    type=click.Choice(["value", "subtract", "none"]),
    help="What a spike makes of the potential; default: the dialect's.",
)
@click.option(
    "--compare",
    "compare_rule",
    type=click.Choice([">", ">="]),
    help="When a potential spikes at the threshold; default: the dialect's.",
)
@click.option(
    "--option",
    "more",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another option of the dialect, such as reset_delay=true; may be repeated.",
)
@click.option(
    "--schedule",
    type=click.Choice(["layered", "pipelined"]),
    default="layered",
    show_default=True,
    help="Each layer its own phase, or all in one and each a step later.",
)
@click.option(
    "--max-count", default=1, show_default=True, help="Most events that an axon has in one step."
)
@click.option("--weight-bits", type=int, help="2, 4, 8 or 16 (pairs of 8); default: the fabric's.")
@click.option("--state-bits", type=int, help="8..24; default: the fabric's.")
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    metavar="EVENTS",
    help="Events (as for `sim`) on which no state is to saturate.",
)
@click.option("--board", "board_name", help="Sizes of a board's fabric, changed by --set.")
@SIZES
@JSON
def compile_command(
    model: Path,
    output: Path | None,
    dialect: str,
    dt: float | None,
    reset: Any,
    compare_rule: Any,
    more: tuple[str, ...],
    schedule: Any,
    max_count: int,
    weight_bits: int | None,
    state_bits: int | None,
    calibration: Path | None,
    board_name: str | None,
    sizes: tuple[str, ...],
    json_path: Path | None,
) -> None:
    """Turn a NIR file into a Program."""
    options = {"dt": dt, "reset": reset, "compare": compare_rule} | _options(more)
    net = load_nir(model, dialect, **options)
    fabric = (
        _sizes(sizes)
        if board_name is None
        else dataclasses.replace(board_named(board_name).fabric, **_sizes(sizes))
    )
    program = compile(
        net,
        fabric,
        weight_bits=weight_bits,
        state_bits=state_bits,
        schedule=schedule,
        max_count=max_count,
        calibration=None if calibration is None else _events(calibration),
    )
    target = output or model.with_suffix(".loom")
    program.save(target)
    values = _info(program)
    _write_json(json_path, values)
    _print_info(values)
    click.echo(f"wrote {target}")


@cli.command()
@PROGRAM
@click.option(
    "--events",
    type=click.Path(path_type=Path),
    help="Predict the clocks that these events take (as for `sim`).",
)
@JSON
def info(program: Path, events: Path | None, json_path: Path | None) -> None:
    """Show what a Program holds, what it needs and what quantisation changed."""
    loaded = Program.load(program)
    values = _info(loaded)
    if events is not None:
        values["predicted"] = _predicted(loaded, events)
    _write_json(json_path, values)
    _print_info(values)
    if events is not None:
        click.echo("\npredicted")
        _print_table(values["predicted"])


@cli.command()
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
    config = Program.load(program).fabric if program is not None else FabricConfig(**_sizes(sizes))
    write_text(output, emit_axi(config) if axi else emit(config))
    click.echo(f"wrote {output}")
    if core:
        write_text(described, fusesoc_core(output.name, AXI_TOP if axi else TOP))
        click.echo(f"wrote {described}")


@cli.command()
@PROGRAM
@EVENTS
@BACKEND
@RESULT
@JSON
def sim(
    program: Path, events: Path, backend: str, output: Path | None, json_path: Path | None
) -> None:
    """Run EVENTS (.npy or .npz of counts: samples, steps, axons) and summarise."""
    loaded = Program.load(program)
    counts = check_inputs(loaded.network, _events(events))
    _run(open(loaded, backend), counts, output, json_path)


@cli.command("run")
@PROGRAM
@EVENTS
@_board_options(required=True)
@RESULT
@JSON
def run_command(
    program: Path,
    events: Path,
    board: str,
    port: str | None,
    stage: str,
    baud: int | None,
    output: Path | None,
    json_path: Path | None,
) -> None:
    """Run EVENTS on a board, real or virtual, and summarise as `sim` does."""
    loaded = Program.load(program)
    counts = check_inputs(loaded.network, _events(events))
    _run(open_board(loaded, board, port, stage, baud), counts, output, json_path)


def _run(
    opened: Device, counts: Mapping[str, NDArray[np.uint8]], output: Path | None, path: Path | None
) -> None:
    """Run on a device, and say what it did."""
    samples, steps = next(iter(counts.values())).shape[:2]
    with opened as device, _bar("running", samples) as progress:
        run = device.run(counts, progress)
    summary: dict[str, Any] = {
        "samples": samples,
        "steps": steps,
        "spikes": {name: int(spikes.sum()) for name, spikes in run.spikes.items()},
        "synops": run.synops,
        "cycles": None if run.cycles is None else int(run.cycles.sum()),
        "errors": run.errors,
    }
    if output is not None:
        arrays: dict[str, NDArray[Any]] = {f"spikes.{n}": a for n, a in run.spikes.items()}
        arrays |= {f"states.{name}": array for name, array in run.states.items()}
        write_arrays(output, arrays)
    _print_table(summary)
    _write_json(path, summary)
    if run.errors:
        sys.exit(1)


@cli.command("bench")
@PROGRAM
@EVENTS
@BACKEND
@_board_options(required=False)
@click.option(
    "--repeat",
    type=click.IntRange(1, 1000),
    default=3,
    show_default=True,
    help="Runs, of which the fastest counts.",
)
@JSON
def bench_command(
    program: Path,
    events: Path,
    backend: str,
    board: str | None,
    port: str | None,
    stage: str,
    baud: int | None,
    repeat: int,
    json_path: Path | None,
) -> None:
    """Time EVENTS on a backend or a board: samples a second, clocks and operations.

    Opening, with whatever is built and loaded, is not timed. Clocks of a board include those in
    which it waits for the link.
    """
    loaded = Program.load(program)
    counts = check_inputs(loaded.network, _events(events))
    samples, steps = next(iter(counts.values())).shape[:2]
    opened = (
        open(loaded, backend) if board is None else open_board(loaded, board, port, stage, baud)
    )
    seconds = math.inf
    with opened as device, _bar("running", repeat * samples) as progress:
        for turn in range(repeat):
            start = time.perf_counter()
            run = device.run(counts)
            seconds = min(seconds, time.perf_counter() - start)
            progress((turn + 1) * samples)
    summary: dict[str, Any] = {
        "backend": board or backend,
        "samples": samples,
        "steps": steps,
        "samples_per_second": round(samples / seconds, 1),
        "operations_per_second": round(run.synops / seconds),
    }
    if run.cycles is not None:
        lanes = loaded.fabric.lanes * loaded.fabric.tiles
        clocks = int(run.cycles.sum())
        summary |= {
            "clocks_per_sample": round(clocks / samples, 1),
            "operations_per_clock_and_lane": round(run.synops / clocks / lanes, 3),
        }
    _print_table(summary)
    _write_json(json_path, summary)
    if run.errors:
        sys.exit(1)


@cli.command("compare")
@PROGRAM
@EVENTS
@click.option(
    "--backend",
    type=click.Choice(["verilator", "netlist"]),
    default="verilator",
    show_default=True,
    help="The RTL, or what synthesis makes of it; only the RTL can be checked in every clock.",
)
@click.option(
    "--clocked",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Samples to check in every clock, with gaps.",
)
@click.option("--seed", default=1, show_default=True, help="Of the gaps and the backpressure.")
@click.option(
    "--waveform",
    type=click.Path(path_type=Path),
    default=Path("mismatch.vcd"),
    show_default=True,
    help="Written where there is a mismatch.",
)
@_board_options(required=False)
@click.option(
    "--verify",
    is_flag=True,
    help="Also read a board's memories: tables as loaded, and the potentials that a sample leaves.",
)
@JSON
def compare_command(
    program: Path,
    events: Path,
    backend: str,
    clocked: int,
    seed: int,
    waveform: Path,
    board: str | None,
    port: str | None,
    stage: str,
    baud: int | None,
    verify: bool,
    json_path: Path | None,
) -> None:
    """Compare the hardware with the golden model: spikes, states and clocks.

    With --board, compare a board, real or virtual: spikes, states and synaptic operations. Exit
    status 1 on any mismatch.
    """
    loaded = Program.load(program)
    counts = check_inputs(loaded.network, _events(events))
    samples = len(next(iter(counts.values())))
    if verify and board is None:
        raise SpikeloomError("--verify reads the memories of a board: say which with --board")
    if board is None:
        with _bar("comparing", samples) as progress:
            verilog = netlist(loaded.fabric) if backend == "netlist" else None
            result = compare(loaded, counts, waveform=waveform, verilog=verilog, progress=progress)
    else:
        backend, clocked = board, 0  # a board is not seen from clock to clock
        opened = open_board(loaded, board, port, stage, baud)
        with opened as device, _bar("comparing", samples) as progress:
            result = compare_device(loaded, counts, device, progress, verify=verify)
    summary: dict[str, Any] = {
        "backend": backend,
        "samples": result.samples,
        "steps_compared": result.steps,
        "rows_verified": result.rows,
        "mismatches": result.mismatches,
        "first_mismatch": result.first and str(result.first),
        "waveform": result.waveform,
        "cycles_compared": 0,
        "seed": seed,
    }
    if clocked and backend == "verilator":
        few = {name: array[:clocked] for name, array in counts.items()}
        report = check_cycles(loaded, few, seed=seed)
        summary["cycles_compared"] = report.cycles
        summary["mismatches"] += report.difference is not None
        summary["first_difference"] = report.difference and str(report.difference)
    _print_table(summary)
    _write_json(json_path, summary)
    if summary["mismatches"] or not summary["steps_compared"]:
        sys.exit(1)


@cli.command("build")
@click.option("--board", "board_name", required=True, help=f"{', '.join(boards())}.")
@click.argument("program", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder to write."
)
@click.option(
    "--seeds", type=click.IntRange(1, 100), default=3, show_default=True, help="Placements to try."
)
@click.option(
    "--clock",
    metavar="MHZ|auto",
    help="Of the fabric; auto: the fastest that is met. Default: the board's.",
)
@click.option("--baud", type=click.IntRange(min=1), help="Of the serial line.")
@click.option("--native", is_flag=True, help="Tools on the search path, not those of packages.")
@SIZES
def build_command(
    board_name: str,
    program: Path | None,
    output: Path,
    seeds: int,
    clock: str | None,
    baud: int | None,
    native: bool,
    sizes: tuple[str, ...],
) -> None:
    """Make a bitstream for a board.

    It is for the sizes of the board, changed by --set, or for those of PROGRAM. The network is not
    in it: a board is loaded at run time.
    """
    board = board_named(board_name)
    if program is not None and sizes:
        raise SpikeloomError("--set and a Program exclude each other: a Program has its sizes")
    fabric = (
        Program.load(program).fabric
        if program is not None
        else dataclasses.replace(board.fabric, **_sizes(sizes))
    )
    asked: dict[str, Any] = {
        "baud": baud,
        "seeds": range(1, seeds + 1),
        "use": Tools(native),
        "progress": _tell_placed,
    }
    if clock == "auto":
        made = build_fastest(board, fabric, **asked)
    else:
        made = build(board, fabric, clock_mhz=_megahertz(clock), **asked)
    _write_build(output, made)
    _print_table(_build_summary(made))
    click.echo(f"wrote {output}")


@cli.command("flash")
@click.option("--board", "board_name", required=True, help=f"{', '.join(boards())}.")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--permanent", is_flag=True, help="Into the flash memory of the board.")
@click.option("--native", is_flag=True, help="Tools on the search path, not those of packages.")
def flash_command(board_name: str, directory: Path, permanent: bool, native: bool) -> None:
    """Write the bitstream that `build` put into DIRECTORY to a board."""
    board = board_named(board_name)
    flash(board, directory, permanent=permanent, use=Tools(native))
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
    _write_json(output / "report.json", made.report)


def _build_summary(made: Build) -> dict[str, Any]:
    used = {
        name: f"{count['used']} of {count['available']}" if "available" in count else count["used"]
        for name, count in made.report["resources"].items()
    }
    return {
        "board": made.design.board.description,
        "clock": f"{made.design.clock_mhz:g} MHz, {made.placed.fmax_mhz:.2f} MHz reached",
        "serial line": f"{made.design.link.baud} baud",
        **used,
    }


@cli.command()
@click.option("--images", default=1000, show_default=True, help="1..5000.")
@click.option("--seed", default=1, show_default=True, help="Of the gaps and the backpressure.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("build/demo"),
    show_default=True,
    help="Folder for the report and what was made on the way.",
)
def demo(images: int, seed: int, output: Path) -> None:
    """Run real MNIST digits through the RTL and check everything against the golden model."""
    click.echo(f"{images} MNIST images through a 784-128-10 network in RTL (seed {seed})")
    with _bar("running", images) as progress:
        report = run_demo(output, images, seed, progress)
    _print_table(report)
    click.echo(f"wrote {output / 'report.json'}")
    if report["mismatches"]:
        sys.exit(1)


def main() -> None:
    """Entry point: errors are one line on standard error.

    Exit status 2 for a `SpikeloomError`, 1 for a `FaultyDevice`.
    """
    try:
        cli()
    except (SpikeloomError, FaultyDevice) as error:
        click.echo(f"error: {_plain(str(error))}", err=True)
        sys.exit(2 if isinstance(error, SpikeloomError) else 1)


def _options(given: tuple[str, ...]) -> dict[str, Any]:
    """Options of a dialect: numbers, true, false, lists as in JSON; anything else is text."""
    options = {}
    for option in given:
        name, _, text = option.partition("=")
        check_options([name])
        try:
            options[name] = _with_tuples(json.loads(text))
        except (ValueError, RecursionError):
            options[name] = text
    return options


def _with_tuples(value: Any) -> Any:
    """The value with tuples for lists, so that it can be part of a record."""
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def _sizes(sizes: tuple[str, ...]) -> dict[str, Any]:
    """Fields of `FabricConfig` from NAME=VALUE."""
    defaults = {field.name: field.default for field in dataclasses.fields(FabricConfig)}
    values: dict[str, Any] = {}
    for size in sizes:
        name, _, value = size.partition("=")
        if name not in defaults:
            raise SpikeloomError(f"--set {size}: the sizes are {', '.join(sorted(defaults))}")
        if isinstance(defaults[name], bool):
            if value not in ("true", "false"):
                raise SpikeloomError(f"--set {size}: {value!r} is neither true nor false")
            values[name] = value == "true"
            continue
        try:
            values[name] = int(value)
        except ValueError:
            raise SpikeloomError(f"--set {size}: {value!r} is not an integer") from None
    return values


def _events(path: Path) -> Events:
    """Events from a file: one array, or one for each input."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SpikeloomError(f"cannot read {path}: {error.strerror}") from None
    try:
        loaded = np.load(io.BytesIO(data), allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            return {name: np.asarray(loaded[name]) for name in loaded.files}
    except Exception:
        # See `Program.load`: the readers raise almost anything.
        raise SpikeloomError(f"{path} is no whole .npy or .npz file of numbers") from None


@contextmanager
def _bar(label: str, length: int) -> Iterator[Progress]:
    """A progress bar on a terminal, nothing elsewhere; takes the number done so far."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=length, label=label, file=sys.stderr, hidden=hidden) as bar:
        yield lambda done: bar.update(done - bar.pos)


def _info(program: Program) -> dict[str, Any]:
    """What `info` says; what `about` calls by the same names does not count."""
    network, fabric, report = program.network, program.fabric, program.plan.report
    values = {
        "digest": program.digest,
        "inputs": [dataclasses.asdict(node) for node in network.inputs],
        "populations": [
            {"name": p.name, "size": p.size, "phase": p.phase, "decay": p.decay}
            | {"threshold": p.threshold, "spiking": p.spiking}
            for p in network.populations
        ],
        "synapses": network.synapses,
        "fabric": dataclasses.asdict(fabric),
        "used": {name: max(used[name] for used in report.used) for name in report.available},
        "mapping": dataclasses.asdict(report),
    }
    ours = {*values, "predicted"}
    return values | {name: told for name, told in program.about.items() if name not in ours}


def _predicted(program: Program, events: Path) -> dict[str, Any]:
    """Clocks by the cycle-level model: what the RTL takes, if the host keeps up."""
    counts = check_inputs(program.network, _events(events))
    samples = len(next(iter(counts.values())))
    with _bar("predicting", samples) as progress:
        clocks = predict_clocks(program.image, counts, progress=progress)
    return {
        "clocks_per_sample": float(clocks.sum(axis=1).mean()),
        "clocks_per_step": float(clocks.mean()),
        "clocks_of_longest_step": int(clocks.max()),
    }


def _print_info(values: dict[str, Any]) -> None:
    used, fabric, mapping = values["used"], values["fabric"], values["mapping"]
    mesh = {}
    if links := mapping["links"]:
        busiest = max(links, key=lambda link: link["packets"])
        mesh = {
            "tiles": f"{fabric['columns']} x {fabric['rows']}; use is that of the fullest",
            "busiest link": f"{busiest['packets']:.6g} packets a step, from tile "
            f"{busiest['tile']} {busiest['port']}",
        }
    _print_table(
        {
            "inputs": ", ".join(f"{n['name']} ({n['size']})" for n in values["inputs"]),
            "populations": ", ".join(f"{p['name']} ({p['size']})" for p in values["populations"]),
            "synapses": values["synapses"],
            "lanes": fabric["lanes"],
            **mesh,
            **{f"{name} used": f"{used[name]} of {fabric[name]}" for name in used},
        }
    )
    # The rest is from `about`, which may hold anything: what has another form is not shown.
    dialect = _mapping(values.get("dialect"))
    if isinstance(name := dialect.get("name"), str):
        click.echo(f"\ndialect {_plain(name)}")
        _print_table({k: v for k, v in dialect.items() if k not in ("name", "differences")})
        for difference in _each(dialect.get("differences"), str):
            click.echo(f"  differs: {_plain(difference)}")
    quantisation = _mapping(values.get("quantisation"))
    for row in _each(quantisation.get("populations"), dict):
        if isinstance(name := row.get("population"), str):
            click.echo(f"\nquantised {_plain(name)}")
            _print_table({k: v for k, v in row.items() if k != "population"})
    for warning in _each(quantisation.get("warnings"), str):
        click.echo(f"warning: {_plain(warning)}")


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _each(value: Any, kind: type) -> list[Any]:
    """The items of this kind, if it is a list of any."""
    items = value if isinstance(value, (list, tuple)) else ()
    return [item for item in items if isinstance(item, kind)]


def _plain(text: str) -> str:
    """The text with what is not printable, such as line ends or escapes, in backslash form."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _print_table(values: dict[str, Any]) -> None:
    for name, value in values.items():
        shown = f"{value:.6g}" if isinstance(value, float) else str(value)
        click.echo(f"  {_plain(name.replace('_', ' ')):<28}{_plain(shown)}")


def _write_json(path: Path | None, values: dict[str, Any]) -> None:
    if path is not None:
        write_text(path, json.dumps(values, indent=2) + "\n")
