"""The interface of every device, and the result of a run: the same for every backend."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikeloom.devices.traces import Traces
from spikeloom.devices.weights import Weights
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.event_counts import magnitudes
from spikeloom.golden.fixed import Integers
from spikeloom.golden.host import DecodedRun
from spikeloom.golden.network import Parameter
from spikeloom.golden.step.neuron import Spikes
from spikeloom.golden.summary import Summarised, Summary, counted
from spikeloom.plots.activity import raster, trace
from spikeloom.plots.axes import Axes
from spikeloom.program import Program

Events = Mapping[str, ArrayLike] | ArrayLike
Progress = Callable[[int], None]


@dataclass(frozen=True, repr=False)
class Run(Summarised):
    """The result of a run.

    Parameters
    ----------
    spikes
        For each recorded population, (samples, steps, size): bool, or spike counts where a neuron
        can spike several times per step, or int8 where its spikes have a sign.
    states
        For each population read out, its membrane potentials after the last step, int64
        (samples, size).
    cycles
        Clocks of each sample, int64 (samples,), counted from the end of the sample before it; for
        the first sample of a chunk, from the chunk's first clock. None for a device without a
        clock.
    synops
        Synaptic operations of the whole run, padding not counted.
    errors
        Value of the hardware's error counter; must be 0.
    currents
        For each population read out that has a synaptic current, the currents after the last step,
        int64 (samples, size); empty for a fabric without traces.
    traces
        For each traced population, the membrane potentials of the traced neurons after every step,
        int64 (samples, steps, neurons).
    current_traces
        For each traced population that has a synaptic current, the currents likewise.
    traced
        For each traced population, the neurons whose traces these are.
    weight_updates
        Of a run that learns: how often a term of a rule applied to a synapse after a step.
    """

    spikes: dict[str, Spikes]
    states: dict[str, NDArray[np.int64]]
    cycles: NDArray[np.int64] | None
    synops: int
    errors: int
    currents: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    traces: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    current_traces: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    traced: dict[str, Integers] = field(default_factory=dict)
    weight_updates: int = 0

    def summary(self) -> Summary:
        """See `Summarised`."""
        arrays = [*self.spikes.values(), *self.states.values()]
        parts = [counted(len(arrays[0]), "sample")] if arrays else []
        parts += [counted(array.shape[1], "step") for array in [*self.spikes.values()][:1]]
        if self.cycles is not None:
            parts.append(counted(int(self.cycles.sum()), "clock"))
        parts.append(counted(self.synops, "synaptic operation"))
        if self.weight_updates:
            parts.append(counted(self.weight_updates, "weight update"))
        if self.errors:
            parts.append(f"error counter {self.errors}")
        rows = [
            (
                name,
                _total(self.spikes[name]) if name in self.spikes else "",
                _span(self.states.get(name)),
                "" if name not in self.traced else len(self.traced[name]),
            )
            for name in dict.fromkeys((*self.spikes, *self.states, *self.traces))
        ]
        headings = "population", "spikes", "final potentials", "neurons traced"
        return Summary(", ".join(parts), headings, rows)

    def plot_raster(
        self, population: str | None = None, *, sample: int = 0, ax: Axes | None = None
    ) -> Axes:
        """Draw the spikes of a sample, of one population or all; see `spikeloom.plots.activity`."""
        if population is not None and population not in self.spikes:
            raise SpikeloomError(
                f"raster: the run has no spikes of {population!r}, but of "
                f"{', '.join(self.spikes) or 'no population'}"
            )
        chosen = self.spikes if population is None else {population: self.spikes[population]}
        return raster(chosen, sample, ax)

    def plot_trace(
        self,
        population: str,
        *,
        neurons: Sequence[int] | None = None,
        sample: int = 0,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw the potentials of traced neurons, all or these; see `spikeloom.plots.activity`."""
        if population not in self.traces:
            raise SpikeloomError(
                f"trace: {population!r} was not traced; run with traces=[{population!r}]"
            )
        potentials, of = self.traces[population], self.traced[population]
        return trace(population, potentials, of, neurons, sample, self.spikes.get(population), ax)


def _total(spikes: Spikes) -> int:
    """The number of spikes, of either sign."""
    return int(magnitudes(spikes).sum(dtype=np.int64))


class Device(Protocol):
    """Something that runs a Program.

    Attributes
    ----------
    program
        The Program, with the weights that the device holds.
    """

    program: Program

    @property
    def weights(self) -> Weights:
        """The weights by connection, such as `weights["in->hidden"]`: read back, and assignable."""

    def hold(self, program: Program) -> None:
        """Take the weights of another Program, such as one learned from this one; write changes.

        Raises
        ------
        SpikeloomError
            It differs in more than weights, or the device is gone. Nothing has changed then.
        """

    def set_threshold(self, population: str, threshold: Parameter) -> None:
        """Replace the threshold of a population between runs; its row alone is written.

        Afterwards the device's `program` has it, too.

        Raises
        ------
        SpikeloomError
            There is no such population, the threshold does not fit it or the fabric, or the device
            is gone. Nothing has changed then.
        """

    def run(
        self,
        events: Events,
        progress: Progress | None = None,
        *,
        traces: Traces | None = None,
        learn: bool = False,
    ) -> Run:
        """Run samples, each from its initial state.

        Parameters
        ----------
        events
            (samples, steps, axons) or (steps, axons), bool or small counts; for a network with
            several inputs, a mapping from their names to such arrays.
        progress
            Called with the number of samples done.
        traces
            Populations whose state is returned after every step, such as ["hidden"]; or some of
            their neurons, such as {"hidden": [0, 5]}. Hardware sends the state of all neurons of a
            traced population, which takes clocks.
        learn
            The weights of plastic connections change, sample after sample. Afterwards `program` and
            `weights` have them. While it runs, `program` has those of the samples of which
            `progress` was told, and keeps them if the run ends early. The samples of all such runs
            are numbered on, and with them their random numbers: two runs of 5 are one run of 10,
            but for eligibilities and adaptations that are kept, which are 0 when a run begins.

        Raises
        ------
        SpikeloomError
            The events do not fit the network, there is no population or neuron to trace, or the
            hardware was built without traces. With `learn`: no connection is plastic, the samples
            have too many steps, or the weights of the hardware cannot be read back.

        Warns (`SpikeloomWarning`) about events that look as if their first axis were time.
        """

    def close(self) -> None:
        """Release the device's resources."""

    def __enter__(self) -> "Device":
        """The device itself, which is open already."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the device."""


class ProgramDevice:
    """Base class of the devices: holds a Program, and closes on leaving a `with` block.

    Parameters
    ----------
    program
        The program to run.
    """

    def __init__(self, program: Program) -> None:
        self.program = program

    @property
    def weights(self) -> Weights:
        """See `Device.weights`."""
        return Weights(self)

    def set_threshold(self, population: str, threshold: Parameter) -> None:
        """See `Device.set_threshold`."""
        self.take(self.program.with_threshold(population, threshold))

    def hold(self, program: Program) -> None:
        """See `Device.hold`."""
        self.program.check_same(program)
        self.take(program)

    def take(self, program: Program) -> None:
        """Hold a program that was checked."""
        self.program = program

    def connection_weights(self, number: int) -> Integers:
        """The weights of connection `number`, as the device has them."""
        return self.program.network.connections[number].weights

    def close(self) -> None:
        """See `Device.close`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _span(states: NDArray[np.int64] | None) -> str:
    return "" if states is None or not states.size else f"{states.min():,} to {states.max():,}"


def joined_run(
    parts: Sequence[DecodedRun],
    neurons: Mapping[str, Integers],
    cycles: NDArray[np.int64],
    synops: int,
    errors: int,
    weight_updates: int = 0,
) -> Run:
    """The run whose samples are those of all parts, with traces of these neurons."""

    def chosen(traces: Mapping[str, NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
        return {name: values[..., neurons[name]] for name, values in traces.items()}

    return Run(
        _joined([part.spikes for part in parts]),
        _joined([part.states for part in parts]),
        cycles,
        synops,
        errors,
        _joined([part.currents for part in parts]),
        _joined([chosen(part.traces) for part in parts]),
        _joined([chosen(part.current_traces) for part in parts]),
        dict(neurons),
        weight_updates,
    )


def _joined(parts: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, Any]:
    """For each name, the arrays of all parts concatenated along their first axis."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def joined_runs(runs: Sequence[Run]) -> Run:
    """The run whose samples are those of all runs, in order."""
    first = runs[0]
    cycles = [run.cycles for run in runs if run.cycles is not None]
    by_name = ("spikes", "states", "currents", "traces", "current_traces")
    return Run(
        cycles=np.concatenate(cycles) if cycles else None,
        synops=sum(run.synops for run in runs),
        errors=sum(run.errors for run in runs),
        traced=first.traced,
        weight_updates=sum(run.weight_updates for run in runs),
        **{name: _joined([getattr(run, name) for run in runs]) for name in by_name},
    )
