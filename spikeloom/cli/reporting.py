"""The command that writes a report page; `compare --html` writes the same."""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from spikeloom.cli.options import (
    BACKEND,
    DECODE,
    EVENTS,
    FLOAT,
    LABELS,
    PROGRAM,
    TRACE,
    read_counts,
    traced,
)
from spikeloom.cli.output import say
from spikeloom.cli.paths import Page
from spikeloom.cli.scoring import labels_and_decoding, with_floats, with_output
from spikeloom.compare import Comparison, compare
from spikeloom.devices.simulated import GoldenDevice
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.event_counts import EventCounts
from spikeloom.golden.progress import task
from spikeloom.program import Program
from spikeloom.report.builds import read_build
from spikeloom.report.gather import gather
from spikeloom.scores import Question
from spikeloom.sim.netlist import netlist

BUILD = click.option(
    "--build",
    "build_folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Show what `build` wrote to this folder: resources, timing, pins.",
)


@click.command("report")
@PROGRAM
@EVENTS
@click.option(
    "-o",
    "--output",
    type=Page(),
    default=Path("report.html"),
    show_default=True,
    help="Page to write; its figures go to a JSON file beside it.",
)
@BACKEND
@TRACE
@LABELS
@DECODE
@FLOAT
@BUILD
@click.option(
    "--learn", is_flag=True, help="Learn from the samples, and show weights before and after."
)
def report_command(
    program: Path,
    events: Path,
    output: Path,
    backend: str,
    traces: tuple[str, ...],
    labels_path: Path | None,
    decode: str | None,
    float_path: Path | None,
    dialect: str | None,
    dt: float | None,
    reset: str | None,
    compare_rule: str | None,
    more: tuple[str, ...],
    build_folder: Path | None,
    learn: bool,
) -> None:
    r"""Write a page that shows a program and what it does on EVENTS (as for `sim`).

    It opens in a browser, from disk: network, quantisation, spikes and potentials of the hardware
    over those of the golden model, clocks, mapping, and NeuroBench's metrics. Exit status 1 on any
    mismatch, which the page shows with its waveform.

    \b
    Examples:
      spikeloom report model.loom events.npy --labels labels.npy
      spikeloom report model.loom events.npy --float model.nir
      spikeloom report model.loom events.npy --backend golden -o golden.html
      spikeloom report model.loom events.npy --trace hidden:0,5 --build build/icebreaker
    """
    if learn and (labels_path is not None or float_path is not None):
        raise SpikeloomError(
            "--labels and --float are about a network that does not learn: run --learn FILE, then "
            "report FILE"
        )
    if float_path is not None and labels_path is None:
        raise SpikeloomError(
            "--float adds the accuracy in floats to the page: give --labels, too; where golden and "
            "float differ is what `compare --float` shows"
        )
    loaded = Program.load(program)
    counts = read_counts(loaded, events)
    labels, decoding = labels_and_decoding(loaded, counts, labels_path, decode, backend)
    question = Question(labels, decoding)
    options = {"dt": dt, "reset": reset, "compare": compare_rule}
    question = with_floats(question, loaded, float_path, dialect, options, more)
    chosen = with_output(traced(traces), decoding)
    report = None if build_folder is None else read_build(build_folder, loaded)
    comparison = None
    if backend != "golden":
        verilog = netlist(loaded.fabric) if backend == "netlist" else None
        waveform = output.with_suffix(".vcd")
        comparison = compare(
            loaded, counts, waveform=waveform, verilog=verilog, traces=chosen, learn=learn
        )
    learned = comparison.learned if comparison else None
    if learn and comparison is None:
        with GoldenDevice(loaded) as device:
            device.run(counts, learn=True)
            learned = device.program
    name = program.name
    write_report(
        output, loaded, counts, comparison, name, backend, question, chosen, report, learned
    )
    if comparison is not None and comparison.mismatches:
        sys.exit(1)


def write_report(
    path: Path,
    program: Program,
    counts: Mapping[str, EventCounts],
    comparison: Comparison | None,
    title: str,
    backend: str,
    question: Question,
    traces: Mapping[str, list[int] | None],
    build: Mapping[str, Any] | None = None,
    learned: Program | None = None,
) -> None:
    """Write a page and its JSON file, and say so; see `spikeloom.report.gather.gather`."""
    # Imported late, because Bokeh takes half a second, and only pages need it.
    page = importlib.import_module("spikeloom.report.page")
    with task("drawing"):
        contents = gather(
            program,
            counts,
            comparison,
            title=title,
            backend=backend,
            question=question,
            traces=traces,
            build=build,
            learned=learned,
        )
        beside = page.write_page(path, program, contents)
    say(f"wrote {path} and {beside}")
