"""Options that write a waveform of a part of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from spikeloom.cli.options import add_options
from spikeloom.cli.output import say
from spikeloom.cli.paths import FileWritten
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.event_counts import EventCounts
from spikeloom.golden.progress import task
from spikeloom.program import Program
from spikeloom.sim.netlist import netlist
from spikeloom.waves import parse_position, write_waves

WAVES = add_options(
    [
        click.option(
            "--waves",
            "waves_path",
            type=FileWritten(),
            metavar="FILE",
            help="Also write a waveform of every signal, .fst or .vcd; with .fst come save files "
            "for GTKWave (.gtkw) and Surfer (.sucl).",
        ),
        click.option(
            "--from",
            "first",
            metavar="POSITION",
            help="Where the waveform begins: SAMPLE, SAMPLE:STEP or clock=N, from 0. Default: 0.",
        ),
        click.option(
            "--to",
            "last",
            metavar="POSITION",
            help="What it shows last. Default: the sample in which it begins.",
        ),
    ]
)


def check_waves(path: Path | None, first: str | None, last: str | None, backend: str) -> None:
    """Refuse positions without a file, and a waveform of what has no signals to show."""
    if path is None and (first is not None or last is not None):
        raise SpikeloomError(
            "--from and --to choose a part of a waveform: name its file by --waves"
        )
    if path is not None and backend not in ("verilator", "netlist"):
        raise SpikeloomError(
            f"--waves records the RTL or its netlist, not {backend}: use --backend verilator"
        )
    for text in (first, last):
        if text is not None:
            parse_position(text)


def save_waves(
    program: Program,
    counts: Mapping[str, EventCounts],
    path: Path | None,
    first: str | None,
    last: str | None,
    backend: str,
    traces: Mapping[str, Any] | None,
) -> None:
    """Write the waveform that was asked for, if any, and say where it is."""
    if path is None:
        return
    with task("recording a waveform"):
        files = write_waves(
            program,
            counts,
            path,
            None if first is None else parse_position(first),
            None if last is None else parse_position(last),
            traces=traces,
            verilog=netlist(program.fabric) if backend == "netlist" else None,
        )
    say(f"wrote {', '.join(map(str, files))}")
