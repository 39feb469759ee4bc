"""The distance of an integer network from the float network it was made from."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from spikeloom.evaluation.accuracy import accuracy
from spikeloom.evaluation.agreement import (
    SpikeAgreement,
    StateError,
    spike_agreement,
    state_error,
)
from spikeloom.evaluation.decoding import Decoding, choose_decoding
from spikeloom.evaluation.labels import check_labels
from spikeloom.golden.network import Network
from spikeloom.golden.step.run import Run, check_inputs, simulate
from spikeloom.importer.float_network import FloatNetwork, with_delays
from spikeloom.importer.float_simulation import FloatRun, simulate_float
from spikeloom.importer.linear_maps import Floats
from spikeloom.quantise.records import QuantisationReport


@dataclass(frozen=True)
class Comparison:
    """One population in integers and in floats, on the same input.

    Parameters
    ----------
    population
        Its name.
    spikes
        Agreement of the spikes, the reference being the floats; None for one that never spikes.
    states
        Error of the potentials after the last step, in the unit of the floats.
    """

    population: str
    spikes: SpikeAgreement | None
    states: StateError


@dataclass(frozen=True)
class Fidelity:
    """All populations compared, and the accuracy of the network.

    Parameters
    ----------
    populations
        In the order of the network.
    worst
        The population with the lowest agreement; None if none spikes.
    accuracy_float, accuracy_integer
        Fraction of the samples for which the output is the label; None without labels.
    """

    populations: tuple[Comparison, ...]
    worst: str | None
    accuracy_float: float | None
    accuracy_integer: float | None

    @property
    def loss(self) -> float:
        """Accuracy lost if there are labels, else the fraction of different spikes in `worst`."""
        if self.accuracy_float is not None and self.accuracy_integer is not None:
            return self.accuracy_float - self.accuracy_integer
        agreements = [c.spikes.fraction for c in self.populations if c.spikes is not None]
        return 1.0 - min(agreements, default=1.0)


def compare_float(
    net: FloatNetwork,
    network: Network,
    report: QuantisationReport,
    inputs: Mapping[str, ArrayLike] | ArrayLike,
    labels: ArrayLike | None = None,
    decoding: Decoding | None = None,
) -> Fidelity:
    """Run `net`, and the integer network that `quantise` made of it, on the same events.

    The float network runs with the integer one's delays, so that both are in step under either
    schedule. `inputs` and errors are those of `check_inputs`. `labels` are the right outputs of
    each sample, see `check_labels`; `decoding` says which neuron is an answer, by default as
    `choose_decoding` does.
    """
    events = check_inputs(network, inputs)
    rule = decoding
    if labels is not None and rule is None:
        rule = choose_decoding(network, [population for _, population in net.outputs])
    traced = () if rule is None else rule.traced
    in_step = with_delays(net, [row.delay for row in report.connections])
    floats = simulate_float(in_step, events, traced)
    neurons = {name: np.arange(network.size(name)) for name in traced}
    integers = simulate(network, events, traces=neurons)
    comparisons = compare_layers(
        floats, integers, {p.population: p.unit for p in report.populations}
    )
    spiking = [(c.spikes.fraction, c.population) for c in comparisons if c.spikes is not None]
    worst = min(spiking, key=lambda pair: pair[0], default=(0.0, None))[1]
    accuracies: tuple[float | None, float | None] = None, None
    if labels is not None and rule is not None:
        samples = len(next(iter(events.values())))
        right = check_labels(labels, samples, network.size(rule.population))
        accuracies = (
            accuracy(rule.answers(floats), right),
            accuracy(rule.answers(integers), right),
        )
    return Fidelity(comparisons, worst, *accuracies)


def compare_layers(
    floats: FloatRun, integers: Run, units: Mapping[str, float | Floats]
) -> tuple[Comparison, ...]:
    """Compare the populations of two runs of the same events.

    `units` has, for each population, the integer units in one unit of its float potential.
    """
    return tuple(
        Comparison(
            name,
            spike_agreement(floats.spikes[name], integers.spikes[name])
            if name in floats.spikes
            else None,
            state_error(floats.states[name], integers.states[name] / unit),
        )
        for name, unit in units.items()
    )
