"""Commands that run a Program: sim, run, bench, compare, demo."""

import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from spikeloom.cli.options import (
    BACKEND,
    EVENTS,
    JSON,
    PROGRAM,
    RESULT,
    TRACE,
    board_options,
    read_events,
    traced,
)
from spikeloom.cli.output import bar, print_table, write_json
from spikeloom.compare import check_cycles, compare, compare_device
from spikeloom.demo import run_demo
from spikeloom.devices.backends import open, open_board
from spikeloom.devices.device import Device
from spikeloom.devices.traces import Traces
from spikeloom.files import write_arrays
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.step.run import check_inputs
from spikeloom.program import Program
from spikeloom.sim.netlist import netlist


@click.command()
@PROGRAM
@EVENTS
@BACKEND
@RESULT
@TRACE
@JSON
def sim(
    program: Path,
    events: Path,
    backend: str,
    output: Path | None,
    traces: tuple[str, ...],
    json_path: Path | None,
) -> None:
    """Run EVENTS in simulation and print a summary.

    EVENTS is a .npy file of counts (samples, steps, axons), or a .npz file with one such array per
    input.
    """
    loaded = Program.load(program)
    counts = check_inputs(loaded.network, read_events(events))
    chosen = _written_traces(traces, output)
    _run(open(loaded, backend), counts, chosen, output, json_path)


@click.command("run")
@PROGRAM
@EVENTS
@board_options(required=True)
@RESULT
@TRACE
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
    json_path: Path | None,
) -> None:
    """Run EVENTS (as for `sim`) on a board, real or virtual, and print a summary."""
    loaded = Program.load(program)
    counts = check_inputs(loaded.network, read_events(events))
    chosen = _written_traces(traces, output)
    device = open_board(loaded, board, port, stage, baud, bake)
    _run(device, counts, chosen, output, json_path)


def _written_traces(traces: tuple[str, ...], output: Path | None) -> Traces:
    """The traces to write to `output`."""
    if traces and output is None:
        raise SpikeloomError("--trace writes to the file of --output: name one")
    return traced(traces)


def _run(
    opened: Device,
    counts: Mapping[str, NDArray[np.uint8]],
    traces: Traces,
    output: Path | None,
    path: Path | None,
) -> None:
    """Run on a device, and print a summary."""
    samples, steps = next(iter(counts.values())).shape[:2]
    with opened as device, bar("running", samples) as progress:
        run = device.run(counts, progress, traces=traces)
    summary: dict[str, Any] = {
        "samples": samples,
        "steps": steps,
        "spikes": {name: int(spikes.sum()) for name, spikes in run.spikes.items()},
        "synops": run.synops,
        "cycles": None if run.cycles is None else int(run.cycles.sum()),
        "errors": run.errors,
    }
    if output is not None:
        fields = ("spikes", "states", "currents", "traces", "current_traces")
        arrays: dict[str, NDArray[Any]] = {
            f"{field}.{name}": array
            for field in fields
            for name, array in getattr(run, field).items()
        }
        write_arrays(output, arrays)
    print_table(summary)
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
    """Measure the speed of EVENTS (as for `sim`) on a backend or a board.

    Prints samples per second, clocks and synaptic operations. Building and loading are not timed.
    The clocks of a board include those in which it waits for the link.
    """
    loaded = Program.load(program)
    counts = check_inputs(loaded.network, read_events(events))
    samples, steps = next(iter(counts.values())).shape[:2]
    opened = (
        open(loaded, backend)
        if board is None
        else open_board(loaded, board, port, stage, baud, bake)
    )
    seconds = math.inf
    with opened as device, bar("running", repeat * samples) as progress:
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
    print_table(summary)
    write_json(json_path, summary)
    if run.errors:
        sys.exit(1)


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
    type=click.Path(path_type=Path),
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
@TRACE
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
    traces: tuple[str, ...],
    json_path: Path | None,
) -> None:
    """Compare hardware with the golden model: spikes, states, clocks, synaptic operations.

    With --board, compare a board, real or virtual, in all of these but clocks. Exit status 1 on any
    mismatch.
    """
    loaded = Program.load(program)
    counts = check_inputs(loaded.network, read_events(events))
    chosen = traced(traces)
    samples = len(next(iter(counts.values())))
    if verify and board is None:
        raise SpikeloomError("--verify reads the memories of a board: name one with --board")
    if board is None:
        with bar("comparing", samples) as progress:
            verilog = netlist(loaded.fabric) if backend == "netlist" else None
            result = compare(
                loaded,
                counts,
                waveform=waveform,
                verilog=verilog,
                progress=progress,
                traces=chosen,
            )
    else:
        backend, clocked = board, 0  # individual clocks of a board cannot be observed
        opened = open_board(loaded, board, port, stage, baud, bake)
        with opened as device, bar("comparing", samples) as progress:
            result = compare_device(loaded, counts, device, progress, verify=verify, traces=chosen)
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
        report = check_cycles(loaded, few, seed=seed, traces=chosen)
        summary["cycles_compared"] = report.cycles
        summary["mismatches"] += report.difference is not None
        summary["first_difference"] = report.difference and str(report.difference)
    print_table(summary)
    write_json(json_path, summary)
    if summary["mismatches"] or not summary["steps_compared"]:
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
def demo(images: int, seed: int, output: Path) -> None:
    """Run real MNIST digits on the RTL and check everything against the golden model."""
    click.echo(f"{images} MNIST images through a 784-128-10 network in RTL (seed {seed})")
    with bar("running", images) as progress:
        report = run_demo(output, images, seed, progress)
    print_table(report)
    click.echo(f"wrote {output / 'report.json'}")
    if report["mismatches"]:
        sys.exit(1)
