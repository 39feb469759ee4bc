"""What the commands that run a Program say about labels and about the float network."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikeloom.cli.options import dialect_options
from spikeloom.cli.output import percent, print_columns, say
from spikeloom.cli.remedies import as_import_options
from spikeloom.evaluation.agreement import SpikeAgreement
from spikeloom.evaluation.decoding import Decoding
from spikeloom.evaluation.labels import Labels, check_labels, read_labels
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.event_counts import EventCounts
from spikeloom.importer.dialect import Dialect
from spikeloom.importer.float_network import FloatNetwork
from spikeloom.importer.load import load_nir
from spikeloom.program import Program
from spikeloom.scores import (
    Layer,
    Question,
    Scores,
    check_available,
    check_origin,
    units_of,
    usual_decoding,
)


def labels_and_decoding(
    program: Program,
    counts: Mapping[str, EventCounts],
    path: Path | None,
    decode: str | None,
    backend: str,
) -> tuple[Labels | None, Decoding | None]:
    """The labels in a file and how to decode answers, checked before anything runs.

    Raises `SpikeloomError` also where hardware is to run and does not send what is decoded.
    """
    if path is None:
        if decode is not None:
            raise SpikeloomError("--decode is for --labels: give the file of the labels, too")
        return None, None
    decoding = usual_decoding(program, decode)
    samples, steps = next(iter(counts.values())).shape[:2]
    size = program.network.size(decoding.population)
    labels = check_labels(read_labels(path), samples, size, steps)
    if backend != "golden":
        check_available(program, decoding)
    return labels, decoding


def trained_network(
    program: Program,
    path: Path,
    dialect: str | None,
    options: Mapping[str, Any],
    more: tuple[str, ...],
) -> FloatNetwork:
    """The network in floats that a program was compiled from.

    The dialect is that of the program, with the options that are given; or the one named.
    """
    with as_import_options():
        net = load_nir(path, dialect or _dialect(program), **dialect_options(more, **options))
    check_origin(net, program.network)
    return net


def with_floats(
    question: Question,
    program: Program,
    path: Path | None,
    dialect: str | None,
    options: Mapping[str, Any],
    more: tuple[str, ...],
) -> Question:
    """The question, also about the network in floats if its file is given."""
    if path is not None:
        net = trained_network(program, path, dialect, options, more)
        return dataclasses.replace(question, net=net, units=units_of(program))
    if more or dialect or any(value is not None for value in options.values()):
        raise SpikeloomError("options of a dialect are for --float: give the NIR file, too")
    return question


def _dialect(program: Program) -> Dialect:
    """The dialect under which a program says that it was imported."""
    stated = program.about.get("dialect")
    if isinstance(stated, dict):
        known = {field.name for field in dataclasses.fields(Dialect)}
        try:
            return Dialect(**{n: v for n, v in stated.items() if n in known})
        except (TypeError, ValueError):
            pass  # no dialect, whatever it says
    raise SpikeloomError(
        "the program does not say under which dialect it was imported: give --dialect"
    )


def with_output(
    traces: Mapping[str, list[int] | None], decoding: Decoding | None
) -> dict[str, list[int] | None]:
    """The traces, and those that decoding needs."""
    return {**traces, **dict.fromkeys(decoding.traced if decoding else ())}


def print_scores(scores: Scores, backend: str) -> None:
    """Print the accuracy of every form, and the layers."""
    if scores.decoding is not None:
        say("")
        say(f"answer: {scores.decoding}")
        forms = list(scores.accuracies)
        rows: list[list[Any]] = [["accuracy", *map(percent, scores.accuracies.values())]]
        if any(scores.silent.values()):
            rows.append(["silent, counted as wrong", *scores.silent.values()])
        if len(forms) > 1:
            golden = scores.answers["golden"]
            rows.append(
                [
                    "same answer as golden",
                    *(
                        None if form == "golden" else percent(float((answers == golden).mean()))
                        for form, answers in scores.answers.items()
                    ),
                ]
            )
        print_columns(["", *forms], rows)
    compared = [(layer, layer.rounding) for layer in scores.layers if layer.rounding]
    if compared:
        say("")
        say("golden against float")
        print_columns(
            ["layer", "neurons", "spikes: float", "golden", "equal", "worst neuron"],
            [
                _spike_cells(layer, rounding.spikes, counts=True)
                for layer, rounding in compared
                if rounding.spikes
            ],
        )
        print_columns(
            ["layer", "neurons", "error of the potential", "worst neuron"],
            [
                [
                    *(layer.population, layer.size, percent(rounding.states.relative_error)),
                    f"{rounding.states.worst}: {rounding.states.worst_error:.3g}",
                ]
                for layer, rounding in compared
                if rounding.spikes is None
            ],
        )
    say("")
    say(f"{backend} against golden")
    print_columns(
        ["layer", "neurons", "spikes", "equal", "worst neuron", "potentials that differ"],
        [
            [*_spike_cells(layer, layer.hardware, counts=False), layer.wrong_states]
            for layer in scores.layers
        ],
    )
    if unsent := [layer.population for layer in scores.layers if layer.wrong_states is None]:
        say(f"not read out of the hardware: {', '.join(unsent)}")


def _spike_cells(layer: Layer, spikes: SpikeAgreement | None, counts: bool) -> list[Any]:
    """Name, size and agreement of a layer; `counts`: with the spikes of the reference, too."""
    if spikes is None:
        return [layer.population, layer.size, None, None, None]
    totals = [spikes.reference, spikes.other] if counts else [spikes.other]
    worst = f"{spikes.worst}: {percent(spikes.worst_fraction)}" if spikes.fraction < 1 else None
    return [layer.population, layer.size, *totals, percent(spikes.fraction), worst]


def scores_json(scores: Scores) -> dict[str, Any]:
    """The scores as JSON values."""
    values: dict[str, Any] = {"layers": [dataclasses.asdict(layer) for layer in scores.layers]}
    if scores.decoding is not None:
        values |= {
            "decoding": dataclasses.asdict(scores.decoding),
            "accuracy": scores.accuracies,
            "silent": scores.silent,
        }
    return values
