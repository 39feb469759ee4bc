"""Arguments and options that several commands share, and their parsing."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from spikeloom.bounded import read_arrays
from spikeloom.cli.paths import FileRead, FileWritten, JsonFile
from spikeloom.devices.backends import STAGES
from spikeloom.devices.device import Events
from spikeloom.golden.errors import SpikeloomError, meant
from spikeloom.golden.event_counts import EventCounts
from spikeloom.golden.spec import FabricConfig
from spikeloom.golden.spec.numbers import SPIKES_PER_STEP, WEIGHT_BITS
from spikeloom.golden.spec.sizes import RANGES, wholes
from spikeloom.golden.step.run import check_inputs, simulate
from spikeloom.importer.dialects import DIALECTS, EVERY_OTHER, check_options
from spikeloom.program import Program

PROGRAM = click.argument("program", type=FileRead())
EVENTS = click.argument("events", type=FileRead())
JSON = click.option(
    "--json",
    "json_path",
    type=JsonFile(),
    help="Also write the result to this file, as JSON; - prints it in place of the tables.",
)
BACKEND = click.option(
    "--backend",
    type=click.Choice(["golden", "verilator", "netlist"]),
    default="verilator",
    show_default=True,
    help="The step-level model, the RTL, or the netlist after synthesis.",
)
RESULT = click.option(
    "-o",
    "--output",
    type=FileWritten(),
    help="Write spikes, states and traces to this .npz file.",
)
TRACE = click.option(
    "--trace",
    "traces",
    multiple=True,
    metavar="NAME[:N,...]",
    help="Send the state of this population, or of these of its neurons, after every step; "
    "repeatable. The fabric needs --set traces=true.",
)
LABELS = click.option(
    "--labels",
    "labels_path",
    type=FileRead(),
    metavar="FILE",
    help="The right answers, a .npy or .npz file with an integer for each sample: also print the "
    "accuracy.",
)
DECODE = click.option(
    "--decode",
    metavar="[POPULATION:]METHOD",
    help="How the network answers: count (most spikes), first (spikes first), final or max "
    "(highest potential, after the last or any step). Default: of the first output, count if it "
    "spikes, else final.",
)
LEARN = click.option(
    "--learn",
    "learned",
    type=FileWritten(),
    metavar="FILE",
    help="Learn from the samples, one after the other, and write PROGRAM with the learned weights "
    "to this file; also meanwhile, so that a run that ends early leaves what it has learned.",
)
SCHEDULER = click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Run on the Dask cluster with this scheduler, such as tcp://host:8786; default: in "
    "processes of this machine.",
)


def _sizes_help() -> str:
    """Every size and option of a fabric with its default and its range."""
    choices = {"weight_bits": WEIGHT_BITS, "max_spikes": SPIKES_PER_STEP}
    parts = []
    for field in dataclasses.fields(FabricConfig):
        if field.name in RANGES:
            allowed = "{}..{}".format(*RANGES[field.name])
        elif field.name in choices:
            allowed = ", ".join(map(str, choices[field.name]))
        else:
            allowed = "true or false"
        parts.append(f"{field.name}={json.dumps(field.default)} ({allowed})")
    return "; ".join(parts)


SIZES = click.option(
    "--set",
    "sizes",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a size or option of the fabric, such as lanes=4 or delayed_reset=true; repeatable. "
    f"Names, defaults and ranges: {_sizes_help()}.",
)


def board_options(required: bool) -> Callable[[Any], Any]:
    """The options that select a board, real or virtual."""
    options = (
        click.option("--board", required=required, metavar="NAME", help="Run on this board."),
        click.option("--port", help="Serial port of the board; default: a virtual board."),
        click.option(
            "--stage",
            type=click.Choice(STAGES),
            default=STAGES[0],
            show_default=True,
            help="Run a virtual board's RTL, or its netlist after synthesis or routing.",
        ),
        click.option(
            "--baud",
            type=click.IntRange(min=1),
            help="Rate of the serial line; default: the board's.",
        ),
        click.option(
            "--bake", is_flag=True, help="Build the virtual board with PROGRAM in its memories."
        ),
    )
    return add_options(options)


def float_options(default: str) -> Callable[[Any], Any]:
    """The options with which a float network is imported; `default` says which dialect is."""
    options = (
        click.option("--dialect", help=f"{', '.join(DIALECTS)}; default: {default}."),
        click.option(
            "--dt", type=float, help="Time step, in the unit of the file's time constants."
        ),
        click.option(
            "--reset",
            type=click.Choice(["value", "zero", "subtract", "none"]),
            help="Effect of a spike on the membrane potential; default: the dialect's.",
        ),
        click.option(
            "--compare",
            "compare_rule",
            type=click.Choice([">", ">="]),
            help="Spike above the threshold, or also at it; default: the dialect's.",
        ),
        click.option(
            "--option",
            "more",
            multiple=True,
            metavar="[NODE:]NAME=VALUE",
            help="Another option of the dialect, such as reset_delay=true, or one of a single "
            "neuron node, such as lif1:reset=zero; repeatable.",
        ),
    )
    return add_options(options)


def FLOAT(command: Any) -> Any:
    """The options with which the network in floats runs beside a PROGRAM."""
    given = click.option(
        "--float",
        "float_path",
        type=FileRead(),
        metavar="FILE",
        help="Also run the NIR file that PROGRAM was compiled from, in floating point.",
    )
    return add_options([given, float_options("that of PROGRAM; for --float")])(command)


def add_options(options: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """The decorator that adds all options, the first one first in the help."""

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def dialect_options(given: tuple[str, ...], **options: Any) -> dict[str, Any]:
    """Options of a dialect, from NAME=VALUE and, of one node, NODE:NAME=VALUE, added to `options`.

    Values that are JSON, such as numbers, true, false and lists, are parsed; the rest is text.
    """
    of_nodes: dict[str, dict[str, Any]] = {}
    for option in given:
        full, _, text = option.partition("=")
        node, _, name = full.rpartition(":")
        check_options([name])
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = text
        if node:
            of_nodes.setdefault(name, {})[node] = value
        else:
            options[name] = value
    for name, stated in of_nodes.items():
        others = options.get(name)
        options[name] = stated if others is None else {EVERY_OTHER: others} | stated
    return options


def fabric_sizes(sizes: tuple[str, ...]) -> dict[str, Any]:
    """Fields of `FabricConfig` from NAME=VALUE, with the options that they are a part of."""
    defaults = {field.name: field.default for field in dataclasses.fields(FabricConfig)}
    values: dict[str, Any] = {}
    for size in sizes:
        name, _, value = size.partition("=")
        if name not in defaults:
            raise SpikeloomError(
                f"--set {size}: no such size{meant(name, defaults)}; choose from "
                f"{', '.join(sorted(defaults))}"
            )
        if isinstance(defaults[name], bool):
            if value not in ("true", "false"):
                raise SpikeloomError(f"--set {size}: {value!r} is neither true nor false")
            values[name] = value == "true"
            continue
        try:
            values[name] = int(value)
        except ValueError:
            raise SpikeloomError(f"--set {size}: {value!r} is not an integer") from None
    return values | wholes(values)


def traced(given: tuple[str, ...]) -> dict[str, list[int] | None]:
    """Traces from NAME or NAME:N,...; None stands for all neurons."""
    traces: dict[str, list[int] | None] = {}
    for trace in given:
        name, colon, text = trace.rpartition(":")
        if not colon:
            name = text
        if name in traces:
            raise SpikeloomError(f"--trace {trace}: {name!r} is traced twice; list all its neurons")
        try:
            traces[name] = [int(number) for number in text.split(",")] if colon else None
        except ValueError:
            raise SpikeloomError(f"--trace {trace}: {text!r} are no neurons, such as 0,5") from None
    return traces


def read_counts(program: Program, path: Path) -> dict[str, EventCounts]:
    """Events from a file, checked for a program, as (samples, steps, axons) of each input.

    Raises `SpikeloomError` also where they are empty and nothing happens without them.
    """
    counts = check_inputs(program.network, read_events(path))
    if not any(array.any() for array in counts.values()):
        idle = simulate(program.network, {name: array[:1] for name, array in counts.items()})
        if not any(array.any() for array in (*idle.spikes.values(), *idle.states.values())):
            raise SpikeloomError(
                f"{path} holds no spike, and without one nothing happens in this network; "
                "look at what was saved"
            )
    return counts


def read_events(path: Path) -> Events:
    """Events from a file: one array, or one per input."""
    try:
        return read_arrays(path)
    except SpikeloomError:
        raise
    except Exception:
        # As in `Program.load`, the readers may raise almost anything.
        raise SpikeloomError(
            f"{path} is not a complete .npy or .npz file of numbers: write it with numpy.save, a "
            "tensor as tensor.numpy()"
        ) from None
