"""The answer of each sample: the neuron of an output population that its activity points to."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from spikeloom.evaluation.labels import Labels
from spikeloom.golden.errors import SpikeloomError

Method = Literal["count", "first", "final", "max"]

MEANINGS: dict[Method, str] = {
    "count": "the neuron with most spikes",
    "first": "the neuron that spikes first",
    "final": "the neuron with the highest potential after the last step",
    "max": "the neuron with the highest potential after any step",
}
"""What each method answers; of equals, the lowest neuron."""

NONE = -1
"""The answer of a sample in which no neuron of the output spikes; it is never right."""


class Activity(Protocol):
    """A run, of whatever backend: arrays by population."""

    @property
    def spikes(self) -> Mapping[str, NDArray[Any]]:
        """(samples, steps, size)."""

    @property
    def states(self) -> Mapping[str, NDArray[Any]]:
        """Potentials after the last step, (samples, size)."""

    @property
    def traces(self) -> Mapping[str, NDArray[Any]]:
        """Potentials after every step, (samples, steps, size)."""


class Named(Protocol):
    """A population, of floats or integers."""

    @property
    def name(self) -> str:
        """Unique."""

    @property
    def spiking(self) -> bool:
        """Whether it ever spikes."""


class Joined(Protocol):
    """A connection."""

    @property
    def source(self) -> str:
        """Name of an input or population."""

    @property
    def target(self) -> str:
        """Name of a population."""


class Layers(Protocol):
    """A network, of floats or integers."""

    @property
    def populations(self) -> Sequence[Named]:
        """In the order of the network."""

    @property
    def connections(self) -> Sequence[Joined]:
        """In any order."""


@dataclass(frozen=True)
class Decoding:
    """How an output answers.

    Parameters
    ----------
    population
        The output.
    method
        See `MEANINGS`.
    """

    population: str
    method: Method

    def __str__(self) -> str:
        return f"{self.population}:{self.method}, {MEANINGS[self.method]}"

    @property
    def traced(self) -> tuple[str, ...]:
        """Populations whose potentials are needed after every step."""
        return (self.population,) if self.method == "max" else ()

    def available(self, run: Activity) -> bool:
        """Whether `run` has what this needs."""
        return self.population in self._source(run)

    def answers(self, run: Activity) -> Labels:
        """The neuron that each sample points to, int64 (samples,); `NONE` without a spike.

        Raises `SpikeloomError` if the run does not have what this needs.
        """
        if not self.available(run):
            kind = {"max": "traced", "final": "read out"}.get(self.method, "recorded")
            raise SpikeloomError(
                f"decoding {self.population}:{self.method} needs a run in which "
                f"{self.population!r} is {kind}"
            )
        values = self._source(run)[self.population]
        match self.method:
            case "final":
                return _first_of_best(values)
            case "max":
                return _first_of_best(values.max(axis=1))
            case "count":
                counts = values.sum(axis=1, dtype=np.int64)
                return np.where(counts.any(axis=1), _first_of_best(counts), NONE)
            case "first":
                spiked = values.astype(bool)
                steps = np.where(spiked.any(axis=1), spiked.argmax(axis=1), spiked.shape[1])
                return np.where(spiked.any(axis=(1, 2)), _first_of_best(-steps), NONE)

    def _source(self, run: Activity) -> Mapping[str, NDArray[Any]]:
        return {"final": run.states, "max": run.traces}.get(self.method, run.spikes)


def choose_decoding(
    network: Layers, outputs: Sequence[str] = (), asked: str | None = None
) -> Decoding:
    """The decoding that was asked for, or the usual one.

    The usual output is the first that the network names, or else the one population that feeds no
    other. Of spiking neurons it answers with "count", of others with "final".

    Parameters
    ----------
    network
        The network that runs.
    outputs
        The populations that it names as its outputs, in order.
    asked
        "POPULATION:METHOD", or one of the two; None for the usual.

    Raises
    ------
    SpikeloomError
        There is no such population or method, the method needs spikes and the population has none,
        or the network has no output, or several that might be meant.
    """
    known = {population.name: population for population in network.populations}
    name, method = _parsed(known, asked)
    population = known[name or _output(network, outputs)]
    chosen: Method = method or ("count" if population.spiking else "final")
    if chosen in ("count", "first") and not population.spiking:
        raise SpikeloomError(
            f"decoding {chosen!r}: population {population.name!r} never spikes; "
            f"use {population.name}:final or {population.name}:max"
        )
    return Decoding(population.name, chosen)


def _parsed(names: Collection[str], asked: str | None) -> tuple[str | None, Method | None]:
    """Population and method of a decoding as a user types it."""
    if asked is None:
        return None, None
    if asked in names:
        return asked, None
    name, _, text = asked.rpartition(":")
    method = next((known for known in get_args(Method) if known == text), None)
    if method is None or (name and name not in names):
        raise SpikeloomError(
            f"decoding {asked!r} must be POPULATION:METHOD or one of the two; the methods are "
            f"{', '.join(MEANINGS)}, the populations {', '.join(sorted(names))}"
        )
    return name or None, method


def _output(network: Layers, outputs: Sequence[str]) -> str:
    """The output that is meant if none is named."""
    known = [population.name for population in network.populations]
    named = [name for name in outputs if name in known]
    if named:
        return named[0]
    feeding = {c.source for c in network.connections if c.source != c.target}
    last = [name for name in known if name not in feeding]
    if len(last) != 1:
        cause = f"{', '.join(last)} feed no other" if last else "every population feeds another"
        raise SpikeloomError(
            f"the network has no output: none is named, and {cause}; "
            "choose one, such as --decode POPULATION:count"
        )
    return last[0]


def _first_of_best(values: NDArray[Any]) -> Labels:
    best: Labels = values.argmax(axis=1).astype(np.int64)
    return best
