"""The command that sweeps widths, lanes, tiles, schedules and boards."""

import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from spikeloom.boards.registry import board, boards
from spikeloom.cli.options import (
    DECODE,
    EVENTS,
    JSON,
    LABELS,
    SCHEDULER,
    dialect_options,
    float_options,
    read_counts,
)
from spikeloom.cli.output import duration, percent, print_columns, say, size, write_json
from spikeloom.cli.paths import FileRead, FileWritten
from spikeloom.cli.remedies import as_import_options
from spikeloom.cli.scoring import labels_and_decoding
from spikeloom.compiler import compile
from spikeloom.explore.evaluate import Result, Task
from spikeloom.explore.pareto import pareto
from spikeloom.explore.plot import write_plot
from spikeloom.explore.points import Space, as_json
from spikeloom.explore.sweep import sweep
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.progress import Journal, watched
from spikeloom.importer.load import load_nir

Value = TypeVar("Value")

_PLOTS = (".png", ".svg", ".pdf")


@click.command("explore")
@click.argument("model", type=FileRead())
@EVENTS
@LABELS
@DECODE
@click.option("--weight-bits", default="4,8", show_default=True, help="2, 4, 8, 16.")
@click.option(
    "--state-bits", default="auto", show_default=True, help="8..24, or auto for the quantiser's."
)
@click.option("--lanes", default="4,8,16", show_default=True, help="1..16.")
@click.option("--tiles", default="1x1", show_default=True, help="Columns x rows, up to 8x8.")
@click.option("--schedule", "schedules", default="layered", show_default=True, help="Or pipelined.")
@click.option(
    "--boards", "board_names", help="Names of boards, or all: also estimate cells and time on them."
)
@click.option(
    "--max-count",
    type=click.IntRange(1, 255),
    default=1,
    show_default=True,
    help="Maximum events per axon and step.",
)
@float_options("nir")
@SCHEDULER
@click.option(
    "--plot",
    type=FileWritten(),
    metavar="FILE",
    help="Draw accuracy against clocks into this .png, .svg or .pdf file.",
)
@JSON
def explore_command(
    model: Path,
    events: Path,
    labels_path: Path | None,
    decode: str | None,
    weight_bits: str,
    state_bits: str,
    lanes: str,
    tiles: str,
    schedules: str,
    board_names: str | None,
    max_count: int,
    dialect: str | None,
    dt: float | None,
    reset: str | None,
    compare_rule: str | None,
    more: tuple[str, ...],
    scheduler: str | None,
    plot: Path | None,
    json_path: Path | None,
) -> None:
    r"""Try a network with each combination of widths, lanes, tiles, schedules and boards.

    MODEL is a NIR file, EVENTS are as for `sim`. Options that name several values take them
    separated by commas. Prints the combinations that none beats in accuracy, clocks, memory and
    cells. A sweep that was stopped goes on where it was: results are kept in the cache.

    \b
    Examples:
      spikeloom explore model.nir events.npy --labels labels.npy --dt 1e-3
      spikeloom explore model.nir events.npy --dt 1e-3 --boards all --plot sweep.svg
      spikeloom explore model.nir events.npy --dt 1e-3 --scheduler tcp://host:8786
    """
    space = Space(
        _listed("--weight-bits", weight_bits, _one_of(2, 4, 8, 16)),
        _listed("--state-bits", state_bits, _one_of(*range(8, 25), auto=None)),
        _listed("--lanes", lanes, _one_of(*range(1, 17))),
        _listed("--tiles", tiles, _tiles),
        _listed("--schedule", schedules, _one_of("layered", "pipelined")),
        (None,) if board_names is None else _boards(board_names),
    )
    if plot is not None and plot.suffix not in _PLOTS:
        raise SpikeloomError(f"--plot {plot} must end in {', '.join(_PLOTS)}")
    options = {"dt": dt, "reset": reset, "compare": compare_rule, **dialect_options(more)}
    given = {name: value for name, value in options.items() if value is not None}
    # Says what is assumed, and finds what is wrong with the arguments before any point is tried.
    with as_import_options():
        net = load_nir(model, dialect or "nir", **given)
    program = compile(net, max_count=max_count)
    counts = read_counts(program, events)
    samples = len(next(iter(counts.values())))
    labels, _ = labels_and_decoding(program, counts, labels_path, decode, "golden")
    task = Task(model.read_bytes(), dialect or "nir", given, counts, labels, decode, max_count)
    journal = Journal()
    with watched(journal):
        results, floats = sweep(task, space.points(), scheduler=scheduler)
    best = pareto(results)
    _print(results, best, floats)
    if plot is not None:
        write_plot(plot, results, best, floats)
        say(f"wrote {plot}")
    chosen = set(map(id, best))
    values: dict[str, Any] = {
        "samples": samples,
        "accuracy_float": floats,
        "points": [
            {
                **dataclasses.asdict(result),
                "point": as_json(result.point),
                "microseconds": result.microseconds,
                "best": id(result) in chosen,
            }
            for result in results
        ],
        "seconds_by_step": journal.seconds,
    }
    write_json(json_path, values)


def _listed(option: str, text: str, parse: Callable[[str], Value]) -> list[Value]:
    """Values separated by commas; `parse` raises `ValueError` on a wrong one."""
    values = []
    for part in text.split(","):
        try:
            values.append(parse(part.strip()))
        except ValueError:
            raise SpikeloomError(
                f"{option} {text}: {part!r} is no value of it; see --help"
            ) from None
    return values


def _one_of(*values: Value, **named: Value) -> Callable[[str], Value]:
    """A parser of one of some values, or of one of some names."""
    by_text = {**{str(value): value for value in values}, **named}

    def parse(text: str) -> Value:
        if text not in by_text:
            raise ValueError(text)
        return by_text[text]

    return parse


def _tiles(text: str) -> tuple[int, int]:
    """Columns and rows, such as 4x2."""
    match = re.fullmatch(r"([1-8])x([1-8])", text)
    if match is None:
        raise ValueError(text)
    return int(match[1]), int(match[2])


def _boards(text: str) -> list[str]:
    """Names of boards."""
    return (
        list(boards()) if text == "all" else [board(name.strip()).name for name in text.split(",")]
    )


def _print(results: Sequence[Result], best: Sequence[Result], floats: float | None) -> None:
    """Print the best points, and say how many there are."""
    works = [result for result in results if result.problem is None]
    note = "" if floats is None else f"; {percent(floats)} in floats"
    say(f"{len(results)} points, {len(works)} of them work, {len(best)} are not beaten{note}")
    say("")
    print_columns(
        ["point", "accuracy", "clocks", "memory", "cells", "of", "MHz", "time of a sample"],
        [
            [
                str(result.point),
                None if result.accuracy is None else percent(result.accuracy),
                None if result.clocks is None else round(result.clocks),
                None if result.memory_bits is None else size(result.memory_bits / 8),
                result.cells,
                result.cells_available,
                result.mhz,
                None if result.microseconds is None else duration(result.microseconds / 1e6),
            ]
            for result in sorted(best, key=lambda result: result.clocks or 0)
        ],
    )
    problems = {result.problem for result in results if result.problem is not None}
    if problems and not works:
        say(f"for example: {min(problems)}")
