"""Commands that run a Program: sim, run, bench, demo."""

import dataclasses
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from numpy.typing import NDArray

from spikeloom.cli.fitting import board_backend
from spikeloom.cli.options import (
    BACKEND,
    DECODE,
    EVENTS,
    JSON,
    LABELS,
    LEARN,
    PROGRAM,
    RESULT,
    SCHEDULER,
    TRACE,
    board_options,
    read_counts,
    traced,
)
from spikeloom.cli.output import duration, percent, print_table, say, write_json
from spikeloom.cli.scoring import labels_and_decoding, with_output
from spikeloom.cli.waving import WAVES, check_waves, save_waves
from spikeloom.demo import run_demo
from spikeloom.devices.backends import open, open_board
from spikeloom.devices.device import Device
from spikeloom.devices.simulated import GoldenDevice
from spikeloom.evaluation.accuracy import accuracy
from spikeloom.evaluation.decoding import NONE
from spikeloom.files import write_arrays
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.event_counts import EventCounts, magnitudes
from spikeloom.golden.progress import task
from spikeloom.program import Program
from spikeloom.quantise.saturation import describe_saturations
from spikeloom.scores import Question


@click.command()
@PROGRAM
@EVENTS
@BACKEND
@RESULT
@TRACE
@LABELS
@DECODE
@WAVES
@SCHEDULER
@LEARN
@JSON
def sim(
    program: Path,
    events: Path,
    backend: str,
    output: Path | None,
    traces: tuple[str, ...],
    labels_path: Path | None,
    decode: str | None,
    waves_path: Path | None,
    first: str | None,
    last: str | None,
    scheduler: str | None,
    learned: Path | None,
    json_path: Path | None,
) -> None:
    r"""Run EVENTS in simulation and print a summary.

    EVENTS is a .npy file of counts (samples, steps, axons), or a .npz file with one such array per
    input.

    \b
    Examples:
      spikeloom sim model.loom events.npy
      spikeloom sim model.loom events.npy --labels labels.npy
      spikeloom sim model.loom events.npy --backend golden -o result.npz
      spikeloom sim model.loom events.npy --waves run.fst --from 3:0 --to 3:4
      spikeloom sim model.loom events.npy --learn learned.loom
    """
    loaded = Program.load(program)
    counts = read_counts(loaded, events)
    question = Question(*labels_and_decoding(loaded, counts, labels_path, decode, backend))
    chosen = _written_traces(traces, output)
    check_waves(waves_path, first, last, backend)
    if learned is not None and waves_path is not None:
        raise SpikeloomError("--waves shows a run that does not learn: leave out --learn")
    save_waves(loaded, counts, waves_path, first, last, backend, chosen)
    device = open(loaded, backend, scheduler=scheduler)
    _run(device, counts, chosen, question, output, json_path, learned)


@click.command("run")
@PROGRAM
@EVENTS
@board_options(required=True)
@RESULT
@TRACE
@LABELS
@DECODE
@LEARN
@JSON
def run_command(
    program: Path,
    events: Path,
    board: str,
    port: str | None,
    stage: str,
    baud: int | None,
    bake: bool,
    output: Path | None,
    traces: tuple[str, ...],
    labels_path: Path | None,
    decode: str | None,
    learned: Path | None,
    json_path: Path | None,
) -> None:
    r"""Run EVENTS (as for `sim`) on a board, real or virtual, and print a summary.

    \b
    Examples:
      spikeloom run model.loom events.npy --board icebreaker
      spikeloom run model.loom events.npy --board icebreaker --port /dev/ttyUSB1 --labels labels.npy
      spikeloom run model.loom events.npy --board icebreaker --learn learned.loom
    """
    loaded = Program.load(program)
    counts = read_counts(loaded, events)
    question = Question(*labels_and_decoding(loaded, counts, labels_path, decode, board))
    chosen = _written_traces(traces, output)
    board_backend(loaded, board, port, stage)
    device = open_board(loaded, board, port, stage, baud, bake)
    _run(device, counts, chosen, question, output, json_path, learned, link=True)


def _written_traces(traces: tuple[str, ...], output: Path | None) -> dict[str, list[int] | None]:
    """The traces to write to `output`."""
    if traces and output is None:
        raise SpikeloomError("--trace writes to the file of --output: name one")
    return traced(traces)


def _run(
    opened: Device,
    counts: Mapping[str, EventCounts],
    traces: dict[str, list[int] | None],
    question: Question,
    output: Path | None,
    path: Path | None,
    learned: Path | None,
    *,
    link: bool = False,
) -> None:
    """Run on a device, and print a summary.

    `learned` is the file for what it learns; `link`: its clocks include the serial line.
    """
    samples, steps = next(iter(counts.values())).shape[:2]
    labels, decoding = question.labels, question.decoding
    needed = with_output(traces, decoding)
    with opened as device, task("running", samples) as step:

        def done(count: int) -> None:
            step.done(count)
            if learned is not None:
                device.program.save(learned)

        run = device.run(counts, done, traces=needed, learn=learned is not None)
    summary: dict[str, Any] = {
        "samples": samples,
        "steps": steps,
        "spikes": {name: int(magnitudes(spikes).sum()) for name, spikes in run.spikes.items()},
        "synops": run.synops,
        "cycles": None if run.cycles is None else int(run.cycles.sum()),
        "errors": run.errors,
    }
    if learned is not None:
        summary["weight_updates"] = run.weight_updates
        summary["learned_from"] = opened.program.learned
    cycles = summary["cycles"]
    clocks = None if cycles is None else f"{cycles:,} clocks{' with link' if link else ''}"
    shown = {**summary, "cycles": clocks}
    if learned is not None:
        shown["learned_from"] = f"{opened.program.learned:,} samples in all"
    if decoding is not None and labels is not None:
        answers = decoding.answers(run)
        summary["accuracy"] = accuracy(answers, labels)
        summary["decoding"] = dataclasses.asdict(decoding)
        summary["silent"] = int((answers == NONE).sum())
        shown["answer"] = str(decoding)
        shown["accuracy"] = f"{percent(summary['accuracy'])} of {samples} samples"
        shown["silent, counted as wrong"] = summary["silent"] or None
    if output is not None:
        fields = ("spikes", "states", "currents", "traces", "current_traces")
        arrays: dict[str, NDArray[Any]] = {
            f"{field}.{name}": array
            for field in fields
            for name, array in getattr(run, field).items()
        }
        write_arrays(output, arrays)
    if isinstance(opened, GoldenDevice):
        summary["saturated"] = shown["saturated"] = describe_saturations(
            opened.program.network, counts
        )
    print_table(shown)
    if learned is not None:
        say(f"wrote {learned}")
    write_json(path, summary)
    if run.errors:
        sys.exit(1)


@click.command("bench")
@PROGRAM
@EVENTS
@BACKEND
@board_options(required=False)
@click.option(
    "--repeat",
    type=click.IntRange(1, 1000),
    default=3,
    show_default=True,
    help="Number of runs; the fastest counts.",
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
    bake: bool,
    repeat: int,
    json_path: Path | None,
) -> None:
    r"""Measure the speed of EVENTS (as for `sim`) on a backend or a board.

    Prints samples per second, clocks and synaptic operations. Building and loading are not timed.
    The clocks of a board include those in which it waits for the link.

    \b
    Examples:
      spikeloom bench model.loom events.npy
      spikeloom bench model.loom events.npy --backend golden --repeat 5
    """
    loaded = Program.load(program)
    counts = read_counts(loaded, events)
    samples, steps = next(iter(counts.values())).shape[:2]
    if board is None:
        opened = open(loaded, backend)
    else:
        backend = board_backend(loaded, board, port, stage)
        opened = open_board(loaded, board, port, stage, baud, bake)
    seconds = math.inf
    with opened as device, task("running", repeat * samples) as step:
        for turn in range(repeat):
            start = time.perf_counter()
            run = device.run(counts)
            seconds = min(seconds, time.perf_counter() - start)
            step.done((turn + 1) * samples)
    summary: dict[str, Any] = {
        "backend": backend,
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
    print_table(summary)
    write_json(json_path, summary)
    if run.errors:
        sys.exit(1)


@click.command()
@click.option("--images", default=1000, show_default=True, help="Number of images, 1..5000.")
@click.option("--seed", default=1, show_default=True, help="Seed of the gaps and the backpressure.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("build/demo"),
    show_default=True,
    help="Folder for the report and the intermediate files.",
)
@JSON
def demo(images: int, seed: int, output: Path, json_path: Path | None) -> None:
    r"""Run real MNIST digits on the RTL and check everything against the golden model.

    \b
    Example:
      spikeloom demo --images 100
    """
    say(f"{images} MNIST images through a 784-128-10 network in RTL (seed {seed})")
    report = run_demo(output, images, seed)
    shown = {
        **report,
        "accuracy": percent(report["accuracy"]),
        "first_differences": "; ".join(report["first_differences"]) or None,
        "seconds": duration(report["seconds"]),
        "seconds_by_step": None,
    }
    print_table(shown)
    write_json(json_path, report)
    say(f"wrote {output / 'report.json'}")
    if report["mismatches"]:
        sys.exit(1)
