"""Commands that create or show a Program: compile, info."""

import dataclasses
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
import numpy as np

from spikeloom.cli.estimates import estimated, print_estimates
from spikeloom.cli.options import (
    JSON,
    PROGRAM,
    SIZES,
    dialect_options,
    fabric_sizes,
    float_options,
    read_events,
)
from spikeloom.cli.output import percent, print_columns, print_table, say, write_json
from spikeloom.cli.paths import FileRead, FileWritten
from spikeloom.cli.remedies import as_import_options, as_options, options_in
from spikeloom.compiler import compile
from spikeloom.devices.prediction import predict_clocks
from spikeloom.events import event_counts
from spikeloom.golden.errors import SpikeloomError, SpikeloomWarning
from spikeloom.golden.network import Network
from spikeloom.golden.progress import Journal, task, watched
from spikeloom.golden.summary import counted
from spikeloom.importer.float_network import FloatNetwork
from spikeloom.importer.graph import brief
from spikeloom.importer.lava_net import load_lava_net
from spikeloom.importer.load import load_nir
from spikeloom.mapping.storage import storage
from spikeloom.program import Program, kind_of


@click.command("compile")
@click.argument("model", type=FileRead())
@click.option(
    "-o",
    "--output",
    type=FileWritten(),
    help="File to write; default: MODEL with suffix .loom.",
)
@float_options("nir")
@click.option(
    "--schedule",
    type=click.Choice(["layered", "pipelined"]),
    default="layered",
    show_default=True,
    help="Layers fire in phases of one step, or all at once with a step of delay each.",
)
@click.option("--max-count", default=1, show_default=True, help="Maximum events per axon and step.")
@click.option(
    "--weight-bits",
    type=int,
    help="2, 4, 8, or 16 (pairs of 8); default: the fabric's.",
)
@click.option(
    "--state-bits", type=int, help="8..24; default: the fabric's, or as many as weights need."
)
@click.option("--sum-bits", type=int, help="8..32; default: the fabric's, or the minimum.")
@click.option(
    "--scale",
    "scales",
    multiple=True,
    metavar="POPULATION=NUMBER",
    help="Integer units per unit of a population's float potential; repeatable.",
)
@click.option(
    "--calibration",
    type=FileRead(),
    metavar="EVENTS",
    help="Sample events (as for `sim`) on which no state may saturate.",
)
@click.option(
    "--board",
    "board_name",
    help="Compile for a board's fabric, changed by --set; default: the smallest that fits.",
)
@SIZES
@JSON
def compile_command(
    model: Path,
    output: Path | None,
    dialect: str | None,
    dt: float | None,
    reset: Any,
    compare_rule: Any,
    more: tuple[str, ...],
    schedule: Any,
    max_count: int,
    weight_bits: int | None,
    state_bits: int | None,
    sum_bits: int | None,
    scales: tuple[str, ...],
    calibration: Path | None,
    board_name: str | None,
    sizes: tuple[str, ...],
    json_path: Path | None,
) -> None:
    r"""Compile a NIR file, or a .net file of lava-dl, into a Program.

    \b
    Examples:
      spikeloom compile model.nir --dt 1e-3
      spikeloom compile model.nir --dialect snntorch --dt 1e-3 -o other.loom
      spikeloom compile model.nir --dt 1e-3 --calibration events.npy --set lanes=4
    """
    options = dialect_options(more, dt=dt, reset=reset, compare=compare_rule)
    net: FloatNetwork | Network
    journal = Journal()
    if model.suffix == ".net":
        if given := sorted(name for name, value in options.items() if value is not None):
            raise SpikeloomError(
                f"{', '.join(given)}: a .net file of lava-dl leaves no such choice; omit the option"
            )
        net = load_lava_net(model, max_count=max_count)
    else:
        with as_import_options(), watched(journal), warnings.catch_warnings():
            warnings.simplefilter("ignore", SpikeloomWarning)  # the output of `info` has them
            net = load_nir(model, dialect or "nir", **options)
    target = output or model.with_suffix(".loom")
    if target == model:
        raise SpikeloomError(f"{model} would be overwritten: name the file to write with -o")
    fabric = fabric_sizes(sizes)
    if board_name not in (None, "auto"):
        fabric["board"] = board_name
    events = None if calibration is None else read_events(calibration)
    with as_options(), watched(journal):
        program = compile(
            net,
            fabric,
            weight_bits=weight_bits,
            state_bits=state_bits,
            sum_bits=sum_bits,
            scales=_scales(scales) or None,
            schedule=schedule,
            max_count=max_count,
            calibration=events,
        )
    program.save(target)
    values = _info(program)
    write_json(json_path, values | {"seconds_by_step": journal.seconds})
    _print_network(values)
    _print_assumptions(values)
    _print_errors(values)
    _print_remarks(values)
    say(f"wrote {target}; `spikeloom info {target}` shows all choices and every number")


def _scales(given: tuple[str, ...]) -> dict[str, Fraction]:
    """Scales from POPULATION=NUMBER, a decimal number or a fraction."""
    scales = {}
    for text in given:
        name, equals, number = text.rpartition("=")
        if not equals:
            raise SpikeloomError(
                f"--scale {text}: name the population, as in --scale hidden={text}"
            )
        try:
            scales[name] = Fraction(number)
        except (ValueError, ZeroDivisionError):
            raise SpikeloomError(f"--scale {text}: {number!r} is not a number") from None
    return scales


@click.command()
@PROGRAM
@click.option(
    "--events",
    type=FileRead(),
    help="Also predict the clocks for these events (as for `sim`).",
)
@click.option(
    "--estimate",
    is_flag=True,
    help="Estimate, before synthesis, what the network takes on every board, and how fast it is.",
)
@click.option(
    "--board", "board_name", help="With --estimate: only this board, or the file of your own."
)
@JSON
def info(
    program: Path,
    events: Path | None,
    estimate: bool,
    board_name: str | None,
    json_path: Path | None,
) -> None:
    r"""Show the contents of a Program, its resources, and its quantisation.

    \b
    Examples:
      spikeloom info model.loom
      spikeloom info model.loom --events events.npy --json -
      spikeloom info model.loom --estimate
    """
    if board_name is not None and not estimate:
        raise SpikeloomError("--board names the board of an estimate: add --estimate")
    loaded = Program.load(program)
    if estimate:
        estimates = estimated(loaded, events, board_name)
        write_json(json_path, estimates)
        print_estimates(estimates)
        return
    values = _info(loaded)
    if events is not None:
        values["predicted"] = _predicted(loaded, events)
    write_json(json_path, values)
    _print_network(values)
    _print_dialect(values)
    _print_assumptions(values)
    _print_quantisation(values)
    _print_remarks(values)
    if events is not None:
        say("")
        say("predicted")
        print_table(values["predicted"])


def _info(program: Program) -> dict[str, Any]:
    """The output of `info`; entries of `about` with the same names are dropped."""
    network, fabric, report = program.network, program.fabric, program.plan.report
    values = {
        "digest": program.digest,
        "inputs": [dataclasses.asdict(node) for node in network.inputs],
        "populations": [
            {"name": p.name, "size": p.size, "phase": p.phase, "spiking": p.spiking}
            # Numbers, or lists of each neuron's.
            | {name: np.asarray(getattr(p, name)).tolist() for name in ("decay", "threshold")}
            | {"switches": [*map(str, p.switches)]}
            for p in network.populations
        ],
        "synapses": network.synapses,
        "plastic": [
            {"source": c.source, "target": c.target, "rule": str(c.plasticity)}
            for c in network.plastic
        ],
        "learned": program.learned,
        "stored": [
            {
                "source": c.source,
                "target": c.target,
                "kind": kind_of(c),
                "words": words,
                "dense_words": as_dense,
            }
            for c, words, as_dense in storage(network, fabric)
        ],
        "fabric": dataclasses.asdict(fabric),
        "used": {name: max(used[name] for used in report.used) for name in report.available},
        "mapping": dataclasses.asdict(report),
    }
    reserved = {*values, "predicted"}
    about = {name: value for name, value in program.about.items() if name not in reserved}
    return values | about


def _predicted(program: Program, events: Path) -> dict[str, Any]:
    """Clocks from the cycle-level model: those of the RTL with a host that keeps up."""
    counts = event_counts(program.network, read_events(events))
    samples = len(next(iter(counts.values())))
    with task("predicting clocks", samples) as step:
        clocks = predict_clocks(program.image, counts, progress=step.done)
    return {
        "clocks_per_sample": float(clocks.sum(axis=1).mean()),
        "clocks_per_step": float(clocks.mean()),
        "clocks_of_longest_step": int(clocks.max()),
    }


def _learning(fabric: dict[str, Any]) -> dict[str, Any]:
    """How a fabric that learns does it."""
    return {
        "lanes that learn": fabric["learn_lanes"] or fabric["lanes"],
        "ports of the weights": "two, to read and to write" if fabric["two_ports"] else "one",
    }


def _print_network(values: dict[str, Any]) -> None:
    """Print what the network is, and what it takes of the fabric."""
    used, fabric, mapping = values["used"], values["fabric"], values["mapping"]
    mesh = {}
    if links := mapping["links"]:
        busiest = max(links, key=lambda link: link["packets"])
        mesh = {
            "tiles": f"{fabric['columns']} x {fabric['rows']}; use is that of the fullest",
            "busiest link": f"{busiest['packets']:.6g} packets a step, from tile "
            f"{busiest['tile']} {busiest['port']}",
        }
    print_table(
        {
            "inputs": ", ".join(f"{n['name']} ({n['size']})" for n in values["inputs"]),
            "populations": ", ".join(f"{p['name']} ({p['size']})" for p in values["populations"]),
            **{
                f"switches of {p['name']}": ", ".join(p["switches"])
                for p in values["populations"]
                if p["switches"]
            },
            "synapses": values["synapses"],
            **{
                f"{c['source']} -> {c['target']}": f"{c['kind']}, {c['words']:,} weight words; "
                f"{c['dense_words']:,} as a matrix"
                for c in values["stored"]
            },
            **{f"{c['source']} -> {c['target']} learns": c["rule"] for c in values["plastic"]},
            "learned from": counted(values["learned"], "sample") if values["learned"] else None,
            "lanes": fabric["lanes"],
            **(_learning(fabric) if fabric["plasticity"] else {}),
            **mesh,
            **{f"{name} used": f"{used[name]} of {fabric[name]}" for name in used},
        }
    )


# What follows comes from `about`, which may hold anything; unexpected entries are skipped.


def _print_dialect(values: dict[str, Any]) -> None:
    """Print every choice of the dialect, and in what it differs."""
    dialect = _mapping(values.get("dialect"))
    if isinstance(name := dialect.get("name"), str):
        say("")
        say(f"dialect {name}")
        lists = ("name", "switches", "nodes", "differences", "unstated")
        print_table({k: v for k, v in dialect.items() if k not in lists and v is not None})
        for pair in _each(dialect.get("switches"), (list, tuple)):
            match pair:
                case [str(option), value]:
                    say(f"  {option} = {brief(value)}")
        for line in _stated(dialect.get("nodes")):
            say(f"  of node {line}")
        for difference in _each(dialect.get("differences"), str):
            say(f"  differs: {difference}")
        for feature in _each(dialect.get("unstated"), str):
            say(f"  not in a file: {feature}")


def _print_assumptions(values: dict[str, Any]) -> None:
    """Print what the file left open."""
    for assumption in _each(values.get("assumptions"), str):
        say(f"assumed: {assumption}")


def _quantised(values: dict[str, Any]) -> list[dict[str, Any]]:
    """What became of each population, by the quantiser."""
    rows = _each(_mapping(values.get("quantisation")).get("populations"), dict)
    return [row for row in rows if isinstance(row.get("population"), str)]


def _print_errors(values: dict[str, Any]) -> None:
    """Print of each population what a `QuantisationReport` has in its summary."""
    rows = _quantised(values)
    if rows:
        say("")
    print_columns(
        [
            "quantised",
            "scale",
            "exact",
            "threshold",
            "weight error",
            "decay error",
            "headroom, bits",
        ],
        [
            [
                row["population"],
                f"{row['scale']:.4g}",
                row["exact"],
                f"{row['threshold']:.4g} = {row['threshold_integer']}",
                percent(row["weight_relative_error"]),
                percent(row["decay_relative_error"]),
                row["state_headroom_bits"],
            ]
            for row in rows
        ],
    )


def _print_quantisation(values: dict[str, Any]) -> None:
    """Print every number of the quantisation."""
    for row in _quantised(values):
        say("")
        say(f"quantised {row['population']}")
        # Of gains, one per neuron, a note has the largest.
        print_table({k: v for k, v in row.items() if k not in ("population", "gains")})


def _print_remarks(values: dict[str, Any]) -> None:
    """Print notes and warnings, with the options that are their remedies."""
    quantisation = _mapping(values.get("quantisation"))
    for note in _each(quantisation.get("notes"), str):
        say(f"note: {note}")
    remarks = [values.get("warnings"), quantisation.get("warnings")]
    for warning in (text for texts in remarks for text in _each(texts, str)):
        say(f"warning: {options_in(warning)}")


def _stated(nodes: Any) -> Iterator[str]:
    """The options stated for single nodes, one line each."""
    for pair in _each(nodes, (list, tuple)):
        match pair:
            case [str(name), [*options]]:
                for option in options:
                    match option:
                        case [str(choice), value]:
                            yield f"{name!r}: {choice} = {brief(value)}"


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _each(value: Any, kind: type | tuple[type, ...]) -> list[Any]:
    """The items of this kind, if `value` is a list."""
    items = value if isinstance(value, (list, tuple)) else ()
    return [item for item in items if isinstance(item, kind)]
