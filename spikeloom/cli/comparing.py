"""The command that compares hardware with the golden model, and both with floats and labels."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from spikeloom.cli.fitting import board_backend
from spikeloom.cli.options import (
    DECODE,
    EVENTS,
    FLOAT,
    JSON,
    LABELS,
    PROGRAM,
    TRACE,
    board_options,
    read_counts,
    traced,
)
from spikeloom.cli.output import print_table, write_json
from spikeloom.cli.paths import FileWritten, Page
from spikeloom.cli.reporting import write_report
from spikeloom.cli.scoring import (
    labels_and_decoding,
    print_scores,
    scores_json,
    with_floats,
    with_output,
)
from spikeloom.cli.waving import WAVES, check_waves, save_waves
from spikeloom.compare import Comparison, check_cycles, compare, compare_device
from spikeloom.devices.backends import open_board
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.event_counts import EventCounts
from spikeloom.golden.progress import Journal, watched
from spikeloom.program import Program
from spikeloom.quantise.saturation import describe_saturations
from spikeloom.scores import Question, score
from spikeloom.sim.netlist import netlist


@click.command("compare")
@PROGRAM
@EVENTS
@click.option(
    "--backend",
    type=click.Choice(["verilator", "netlist"]),
    default="verilator",
    show_default=True,
    help="The RTL, or the netlist after synthesis; only the RTL can be checked on every clock.",
)
@click.option(
    "--clocked",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Number of samples to check on every clock, with gaps and backpressure.",
)
@click.option("--seed", default=1, show_default=True, help="Seed of the gaps and the backpressure.")
@click.option(
    "--waveform",
    type=FileWritten(maybe=True),
    default=Path("mismatch.vcd"),
    show_default=True,
    help="Waveform to write on a mismatch.",
)
@board_options(required=False)
@click.option(
    "--verify",
    is_flag=True,
    help="Also read back a board's memories: tables, and the last sample's membrane potentials.",
)
@click.option(
    "--learn", is_flag=True, help="Learn from the samples; compare every weight afterwards, too."
)
@TRACE
@LABELS
@DECODE
@FLOAT
@WAVES
@click.option(
    "--html",
    "page",
    type=Page(),
    metavar="FILE",
    help="Also write a page that shows it all, and a JSON file beside it; as `report` does.",
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
    bake: bool,
    verify: bool,
    learn: bool,
    traces: tuple[str, ...],
    labels_path: Path | None,
    decode: str | None,
    float_path: Path | None,
    dialect: str | None,
    dt: float | None,
    reset: str | None,
    compare_rule: str | None,
    more: tuple[str, ...],
    waves_path: Path | None,
    first: str | None,
    last: str | None,
    page: Path | None,
    json_path: Path | None,
) -> None:
    r"""Compare hardware with the golden model: spikes, states, clocks, synaptic operations.

    With --board, compare a board, real or virtual, in all of these but clocks. With --labels and
    --float, also the accuracy of the network in floating point, in integers and in hardware, and
    where they agree least. Exit status 1 on any mismatch between hardware and golden model.

    \b
    Examples:
      spikeloom compare model.loom events.npy
      spikeloom compare model.loom events.npy --labels labels.npy --float model.nir
      spikeloom compare model.loom events.npy --backend netlist
      spikeloom compare model.loom events.npy --board icebreaker
      spikeloom compare model.loom events.npy --learn
    """
    _check_choices(verify and board is None, learn and (labels_path or float_path or waves_path))
    loaded = Program.load(program)
    counts = read_counts(loaded, events)
    question = Question(*labels_and_decoding(loaded, counts, labels_path, decode, backend))
    options = {"dt": dt, "reset": reset, "compare": compare_rule}
    question = with_floats(question, loaded, float_path, dialect, options, more)
    chosen = with_output(traced(traces), question.decoding)
    how: dict[str, Any] = {"traces": chosen, "learn": learn}
    check_waves(waves_path, first, last, board or backend)
    journal = Journal()
    with watched(journal):
        save_waves(loaded, counts, waves_path, first, last, backend, chosen)
        if board is None:
            verilog = netlist(loaded.fabric) if backend == "netlist" else None
            result = compare(loaded, counts, waveform=waveform, verilog=verilog, **how)
        else:
            # Individual clocks of a board cannot be observed.
            backend, clocked = board_backend(loaded, board, port, stage), 0
            with open_board(loaded, board, port, stage, baud, bake) as device:
                result = compare_device(loaded, counts, device, verify=verify, **how)
        summary = _summary(result, backend, seed, describe_saturations(loaded.network, counts))
        if clocked and backend == "verilator":
            _add_cycles(summary, loaded, counts, clocked, chosen, learn)
        print_table(_shown(summary, board is not None))
        if labels_path is not None or float_path is not None:
            summary |= _scored(loaded, counts, question, backend, result)
        if page is not None:
            of = page, loaded, counts, result, program.name, backend, question, chosen
            write_report(*of, learned=result.learned)
    summary["seconds_by_step"] = journal.seconds
    write_json(json_path, summary)
    if summary["mismatches"] or not summary["steps_compared"]:
        sys.exit(1)


def _shown(summary: dict[str, Any], link: bool) -> dict[str, Any]:
    """A summary for people; `link`: clocks are those of a board, with its serial line."""
    names = {"seed": "seed of gaps"}
    if link:
        names["clocks_per_sample"] = "clocks per sample with link"
    return {names.get(name, name): value for name, value in summary.items()}


def _check_choices(verify_nothing: bool, learn_and_more: object) -> None:
    """Refuse options that exclude each other."""
    if verify_nothing:
        raise SpikeloomError("--verify reads the memories of a board: name one with --board")
    if learn_and_more:
        raise SpikeloomError(
            "--labels, --float and --waves are about a network that does not learn: run --learn "
            "FILE, then compare FILE with them"
        )


def _scored(
    program: Program,
    counts: Mapping[str, EventCounts],
    question: Question,
    backend: str,
    result: Comparison,
) -> dict[str, Any]:
    """Print the scores, and return them as JSON values."""
    scores = score(program, counts, question, {backend: result.rtl})
    print_scores(scores, backend)
    return scores_json(scores)


def _add_cycles(
    summary: dict[str, Any],
    program: Program,
    counts: Mapping[str, EventCounts],
    clocked: int,
    traces: Mapping[str, list[int] | None],
    learn: bool,
) -> None:
    """Check the first samples on every clock, and add what that found to a summary."""
    few = {name: array[:clocked] for name, array in counts.items()}
    report = check_cycles(program, few, seed=summary["seed"], traces=traces, learn=learn)
    summary["cycles_compared"] = report.cycles
    summary["mismatches"] += report.difference is not None
    summary["first_difference"] = report.difference and str(report.difference)


def _summary(result: Comparison, backend: str, seed: int, saturated: Any) -> dict[str, Any]:
    """What was compared, as JSON values; None where there is nothing to say."""
    clocks = result.rtl.cycles
    return {
        "backend": backend,
        "samples": result.samples,
        "steps_compared": result.steps,
        "rows_verified": result.rows or None,
        "weights_compared": result.weights or None,
        "weight_updates": result.rtl.weight_updates or None,
        "clocks_per_sample": None if clocks is None else float(clocks.mean()),
        "mismatches": result.mismatches,
        "first_mismatch": result.first and str(result.first),
        "waveform": result.waveform,
        "cycles_compared": 0,
        "seed": seed,
        "saturated": saturated,
    }
