"""The command that chooses bits: the least memory that loses no more than is allowed."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from spikeloom.cli.options import (
    DECODE,
    EVENTS,
    JSON,
    LABELS,
    dialect_options,
    float_options,
    read_events,
)
from spikeloom.cli.output import percent, print_columns, print_table, say, size, write_json
from spikeloom.cli.paths import FileRead
from spikeloom.cli.remedies import as_import_options
from spikeloom.evaluation.decoding import choose_decoding
from spikeloom.evaluation.labels import read_labels
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.progress import Journal, watched
from spikeloom.importer.load import load_nir
from spikeloom.quantise.choice import choose
from spikeloom.quantise.fidelity import Fidelity


@click.command("choose")
@click.argument("model", type=FileRead())
@EVENTS
@click.option(
    "--max-loss",
    type=click.FloatRange(0, 1),
    default=0.01,
    show_default=True,
    help="Accuracy that may be lost, 0..1; without --labels the fraction of spikes that may differ "
    "in the worst population.",
)
@click.option(
    "--max-count",
    type=click.IntRange(1, 255),
    default=1,
    show_default=True,
    help="Maximum events per axon and step.",
)
@LABELS
@DECODE
@float_options("nir")
@JSON
def choose_command(
    model: Path,
    events: Path,
    max_loss: float,
    max_count: int,
    labels_path: Path | None,
    decode: str | None,
    dialect: str | None,
    dt: float | None,
    reset: str | None,
    compare_rule: str | None,
    more: tuple[str, ...],
    json_path: Path | None,
) -> None:
    r"""Choose the widths of weights and states: the least memory within a loss.

    MODEL is a NIR file. EVENTS (as for `sim`) are samples that stand for all.

    \b
    Examples:
      spikeloom choose model.nir events.npy --dt 1e-3
      spikeloom choose model.nir events.npy --dt 1e-3 --labels labels.npy --max-loss 0.02
    """
    options = dialect_options(more, dt=dt, reset=reset, compare=compare_rule)
    with as_import_options():
        net = load_nir(model, dialect or "nir", **options)
    samples = read_events(events)
    if labels_path is None and decode is not None:
        raise SpikeloomError("--decode is for --labels: give the file of the labels, too")
    labels = decoding = None
    if labels_path is not None:
        labels = read_labels(labels_path)
        decoding = choose_decoding(net, [population for _, population in net.outputs], decode)
    journal = Journal()
    with watched(journal):
        choice = choose(net, samples, labels, max_loss, max_count, decoding)
    weight_bits = choice.report.weight_bits << choice.report.weight_pairs
    values: dict[str, Any] = {
        "weight_bits": weight_bits,
        "state_bits": choice.network.state_bits,
        "sum_bits": choice.network.sum_bits,
        "memory_bits": choice.memory_bits,
        "loss": choice.fidelity.loss,
        "tried": choice.tried,
        "decoding": None if decoding is None else dataclasses.asdict(decoding),
        "fidelity": dataclasses.asdict(choice.fidelity),
        "seconds_by_step": journal.seconds,
    }
    print_table({"answer": decoding and str(decoding), "loss allowed": percent(max_loss)})
    _print_choice(values, choice.fidelity)
    widths = " ".join(
        f"--{name.replace('_', '-')} {values[name]}"
        for name in ("weight_bits", "state_bits", "sum_bits")
    )
    say("")
    say(
        f"compile with the same options of the dialect and: {widths} --max-count {max_count} "
        f"--calibration {events}"
    )
    write_json(json_path, values)


def _print_choice(values: dict[str, Any], fidelity: Fidelity) -> None:
    """Print the widths and what they lose."""
    print_table(
        {
            "loss": percent(fidelity.loss),
            "accuracy in floats": _percent(fidelity.accuracy_float),
            "accuracy in integers": _percent(fidelity.accuracy_integer),
            "weights": f"{values['weight_bits']} bits",
            "states": f"{values['state_bits']} bits",
            "sums": f"{values['sum_bits']} bits",
            "memory": size(values["memory_bits"] / 8),
            "candidates tried": values["tried"],
        }
    )
    say("")
    print_columns(
        ["layer", "integer = float", "worst neuron"],
        [
            (
                row.population,
                percent(row.spikes.fraction),
                f"{row.spikes.worst}: {percent(row.spikes.worst_fraction)}",
            )
            for row in fidelity.populations
            if row.spikes is not None
        ],
    )


def _percent(fraction: float | None) -> str | None:
    return None if fraction is None else percent(fraction)
