"""The distance of an integer network from the float network it was made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Network
from spikeloom.golden.step.run import check_inputs, simulate
from spikeloom.importer.float_network import FloatNetwork, with_delays
from spikeloom.importer.float_simulation import Spikes, simulate_float
from spikeloom.quantise.records import QuantisationReport


@dataclass(frozen=True)
class Comparison:
    """One population in integers and in floats, on the same input.

    Parameters
    ----------
    population
        Its name.
    agreement
        Fraction of (sample, step, neuron) with the same spikes; None for one that never spikes.
    spikes_float, spikes_integer
        Total number of spikes.
    state_max_error, state_rms_error
        Of the potentials after the last step, integer - float, in the unit of the floats.
    """

    population: str
    agreement: float | None
    spikes_float: int
    spikes_integer: int
    state_max_error: float
    state_rms_error: float


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
        agreements = [c.agreement for c in self.populations if c.agreement is not None]
        return 1.0 - min(agreements, default=1.0)


def compare_float(
    net: FloatNetwork,
    network: Network,
    report: QuantisationReport,
    inputs: Mapping[str, ArrayLike] | ArrayLike,
    labels: ArrayLike | None = None,
) -> Fidelity:
    """Run `net`, and the integer network that `quantise` made of it, on the same events.

    The float network runs with the integer one's delays, so that both are in step under either
    schedule. `inputs` and errors are those of `check_inputs`. `labels` are the right
    outputs of each sample: the number of the neuron in the first output population with most
    spikes, or, where that never spikes, with the highest potential in the end.
    """
    events = check_inputs(network, inputs)
    in_step = with_delays(net, [row.delay for row in report.connections])
    floats, integers = simulate_float(in_step, events), simulate(network, events)
    comparisons = []
    for row in report.populations:
        name = row.population
        error = row.potentials(integers.states[name]) - floats.states[name]
        spikes, trained = integers.spikes.get(name), floats.spikes.get(name)
        comparisons.append(
            Comparison(
                name,
                None if spikes is None else float((spikes == trained).mean()),
                0 if trained is None else int(trained.sum()),
                0 if spikes is None else int(spikes.sum()),
                float(np.abs(error).max()),
                float(np.sqrt((error**2).mean())),
            )
        )
    spiking = [c for c in comparisons if c.agreement is not None]
    worst = min(spiking, key=lambda c: c.agreement or 0.0, default=None)
    accuracies: tuple[float | None, float | None] = None, None
    if labels is not None:
        right = _check_labels(labels, len(next(iter(events.values()))))
        accuracies = (
            float((_answers(net, floats.spikes, floats.states) == right).mean()),
            float((_answers(net, integers.spikes, integers.states) == right).mean()),
        )
    named = None if worst is None else worst.population
    return Fidelity(tuple(comparisons), named, *accuracies)


def _check_labels(labels: ArrayLike, samples: int) -> NDArray[np.int64]:
    right = np.asarray(labels)
    if right.shape != (samples,) or right.dtype.kind not in "iu":
        raise SpikeloomError(f"labels must be {samples} integers, one for each sample")
    return right.astype(np.int64)


def _answers(
    net: FloatNetwork, spikes: Mapping[str, Spikes], states: Mapping[str, NDArray[Any]]
) -> NDArray[np.int64]:
    """The neuron that each sample chose in the first output."""
    name = net.outputs[0][1] if net.outputs else net.populations[-1].name
    if name not in spikes:
        potentials: NDArray[np.int64] = states[name].argmax(axis=1)
        return potentials
    counts: NDArray[np.int64] = spikes[name].sum(axis=1, dtype=np.int64).argmax(axis=1)
    return counts
