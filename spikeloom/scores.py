"""What a network is worth in every form: as trained, in integers, and in hardware."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.devices.device import Run
from spikeloom.evaluation.accuracy import accuracy
from spikeloom.evaluation.agreement import SpikeAgreement, spike_agreement
from spikeloom.evaluation.decoding import NONE, Activity, Decoding, choose_decoding
from spikeloom.evaluation.labels import Labels
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.event_counts import EventCounts
from spikeloom.golden.network import AnyConnection, Network
from spikeloom.golden.step.run import simulate
from spikeloom.importer.float_network import AnyFloatConnection, FloatNetwork, with_delays
from spikeloom.importer.float_simulation import FloatRun, simulate_float
from spikeloom.program import Program
from spikeloom.quantise.fidelity import Comparison, compare_layers

FLOAT, GOLDEN = "float", "golden"
"""Names of the forms that are no hardware."""


@dataclass(frozen=True)
class Layer:
    """One population in all forms, on the same events.

    Parameters
    ----------
    population, size
        Its name and its number of neurons.
    rounding
        The integers compared with the floats; None without floats.
    hardware
        The spikes of the hardware compared with those of the golden model; None where the program
        does not record them.
    wrong_states
        Number of final potentials of the hardware that differ from the golden model's; None where
        the program does not read them out.
    """

    population: str
    size: int
    rounding: Comparison | None
    hardware: SpikeAgreement | None
    wrong_states: int | None


@dataclass(frozen=True)
class Scores:
    """All forms of a network, side by side.

    Parameters
    ----------
    decoding
        How an answer is read; None without labels.
    answers
        For each form the answer of each sample: "float", "golden", and the backend of the hardware.
    accuracies
        For each form the fraction of right answers; empty without labels.
    layers
        In the order of the network.
    """

    decoding: Decoding | None
    answers: dict[str, Labels]
    accuracies: dict[str, float]
    layers: tuple[Layer, ...]

    @property
    def silent(self) -> dict[str, int]:
        """For each form, the samples without a spike in the output: they are wrong."""
        return {form: int((answers == NONE).sum()) for form, answers in self.answers.items()}


@dataclass(frozen=True)
class Question:
    """What is asked about a run.

    Parameters
    ----------
    labels
        The right answer of each sample, as from `check_labels`; None to ask for agreement only.
    decoding
        How to read an answer; None for the usual way, see `choose_decoding`.
    net
        The network in floats, as from `load_nir`; None without.
    units
        For each population, integer units in a unit of its float potential.
    """

    labels: Labels | None = None
    decoding: Decoding | None = None
    net: FloatNetwork | None = None
    units: Mapping[str, float | NDArray[np.float64]] = field(default_factory=dict)


def score(
    program: Program,
    counts: Mapping[str, EventCounts],
    question: Question,
    runs: Mapping[str, Run] | None = None,
) -> Scores:
    """Run the golden model, and the float network if there is one, and score them.

    The golden model gives the activity of all populations, whatever the program records.

    Parameters
    ----------
    program, counts
        The program, and its events as from `check_inputs`.
    question
        What to look at.
    runs
        Runs of hardware on the same events, by backend.

    Raises
    ------
    SpikeloomError
        A run of hardware does not have what the decoding needs.
    """
    network, decoding = program.network, question.decoding
    hardware = dict(runs or {})
    traced = decoding.traced if decoding else ()
    neurons = {name: np.arange(network.size(name)) for name in traced}
    golden = simulate(network, counts, traces=neurons)
    forms: dict[str, Activity] = {}
    rounding: dict[str, Comparison] = {}
    if question.net is not None:
        floats = run_float(question.net, network, counts, traced)
        forms[FLOAT] = floats
        compared = compare_layers(floats, golden, question.units)
        rounding = {comparison.population: comparison for comparison in compared}
    forms |= {GOLDEN: golden, **hardware}
    answers: dict[str, Labels] = {}
    accuracies: dict[str, float] = {}
    if decoding is not None and question.labels is not None:
        for form, run in forms.items():
            answers[form] = _answers(decoding, form, run)
            accuracies[form] = accuracy(answers[form], question.labels)
    layers = []
    for population in network.populations:
        name = population.name
        spikes = next((r.spikes[name] for r in hardware.values() if name in r.spikes), None)
        states = next((r.states[name] for r in hardware.values() if name in r.states), None)
        layers.append(
            Layer(
                name,
                population.size,
                rounding.get(name),
                spike_agreement(golden.spikes[name], spikes)
                if spikes is not None and name in golden.spikes
                else None,
                None if states is None else int((states != golden.states[name]).sum()),
            )
        )
    return Scores(decoding, answers, accuracies, tuple(layers))


def check_available(program: Program, decoding: Decoding) -> None:
    """Check that hardware sends what a decoding needs, before it runs.

    Raises `SpikeloomError` with what to compile the program with.
    """
    name = decoding.population
    option, sent = {
        "final": ("readout", program.readout),
        "max": ("traces", frozenset(decoding.traced) if program.fabric.traces else frozenset()),
    }.get(decoding.method, ("record", program.record))
    if name not in sent:
        remedy = "--set traces=true" if option == "traces" else f"{option}={[name]}"
        raise SpikeloomError(
            f"--decode {name}:{decoding.method}: hardware does not send what this needs; compile "
            f"with {remedy}, or choose another decoding"
        )


def run_float(
    net: FloatNetwork,
    network: Network,
    counts: Mapping[str, EventCounts],
    traced: tuple[str, ...] = (),
) -> FloatRun:
    """The float network from which `network` was made, with its delays, on the same events.

    Raises `SpikeloomError` where it is another network.
    """
    check_origin(net, network)
    low = [connection for connection in network.connections if not connection.high]
    return simulate_float(with_delays(net, [c.delay for c in low]), counts, traced)


def check_origin(net: FloatNetwork, network: Network) -> None:
    """Raise `SpikeloomError` if `network` was plainly made of another float network."""
    low = [connection for connection in network.connections if not connection.high]
    if _shape(net, net.connections) != _shape(network, low):
        raise SpikeloomError(
            "the float network has other populations or connections than the program: give the "
            "file and the options that it was compiled from"
        )


def _shape(net: FloatNetwork | Network, connections: Any) -> object:
    """Names, sizes and connections."""
    joined: list[AnyConnection | AnyFloatConnection] = list(connections)
    nodes = [(node.name, node.size) for node in (*net.inputs, *net.populations)]
    return nodes, [(connection.source, connection.target) for connection in joined]


def units_of(program: Program) -> dict[str, float | NDArray[np.float64]]:
    """For each population, integer units in a unit of its float potential.

    They come from what the program says about its quantisation. Raises `SpikeloomError` where it
    says nothing of the kind.
    """
    report = program.about.get("quantisation")
    rows = report.get("populations") if isinstance(report, dict) else None
    units: dict[str, float | NDArray[np.float64]] = {}
    for row in rows if isinstance(rows, list) else ():
        match row:
            case {"population": str(name), "scale": float() | int() as scale} if scale:
                gains = row.get("gains")
                units[name] = scale * (np.ones(1) if gains is None else _numbers(gains))
    result = {}
    for population in program.network.populations:
        unit = units.get(population.name, np.zeros(0))
        if np.size(unit) not in (1, population.size) or not np.all(unit):
            raise SpikeloomError(
                f"the program does not say at which scale population {population.name!r} was "
                "quantised, so it cannot be compared with floats: compile it from the NIR file"
            )
        result[population.name] = unit * float(1 << population.fraction_bits)
    return result


def _numbers(values: Any) -> NDArray[np.float64]:
    try:
        return np.asarray(values, np.float64).reshape(-1)
    except (TypeError, ValueError):
        return np.zeros(0)


def usual_decoding(program: Program, asked: str | None = None) -> Decoding:
    """The decoding of a program's output, see `choose_decoding`; its outputs are what it says."""
    stated = program.about.get("outputs")
    outputs = [
        pair[1]
        for pair in (stated if isinstance(stated, list) else ())
        if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[1], str)
    ]
    return choose_decoding(program.network, outputs, asked)


def _answers(decoding: Decoding, form: str, run: Activity) -> Labels:
    try:
        return decoding.answers(run)
    except SpikeloomError as error:
        raise SpikeloomError(f"{form}: {error}") from None
