"""Runs that learn: samples in sequence, each with the weights that the one before left."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from spikeloom.devices.device import Events, Progress, Run, joined_runs
from spikeloom.devices.traces import Traces, traced_neurons
from spikeloom.events import event_counts
from spikeloom.golden.checks import check_flag
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.event_counts import EventCounts
from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import Learnable, Network
from spikeloom.program import Program


class Lesson(NamedTuple):
    """Samples that a device has learned from.

    Parameters
    ----------
    samples
        Their number.
    run
        What they did.
    weights
        Those of the plastic connections after the last one, by their numbers.
    """

    samples: int
    run: Run
    weights: Mapping[int, Integers]


class Learner(Protocol):
    """A device that learns."""

    program: Program

    def lessons(
        self, counts: Mapping[str, EventCounts], neurons: Mapping[str, Integers]
    ) -> Iterator[Lesson]:
        """Learn from all samples in order, with traces of these neurons.

        Each time that it is asked for more, `program` has the weights of the lesson before.
        """


def plastic_numbers(network: Network) -> list[int]:
    """The numbers of the plastic connections."""
    return [
        number
        for number, connection in enumerate(network.connections)
        if isinstance(connection, Learnable) and connection.plasticity is not None
    ]


def learns(learn: bool) -> bool:
    """Whether a run learns; raises `SpikeloomError` where its option says neither."""
    check_flag("run: learn", learn)
    return learn


def learned_run(
    device: Learner, events: Events, progress: Progress | None, traces: Traces | None
) -> Run:
    """Run samples with learning on; see `Device.run`."""
    network, fabric = device.program.network, device.program.fabric
    network.check_learns()
    counts = event_counts(network, events)
    neurons = traced_neurons(network, traces)
    samples, steps = next(iter(counts.values())).shape[:2]
    if steps > 1 << fabric.stamp_bits:
        raise SpikeloomError(
            f"learn: the samples have {steps} steps, and this fabric learns from at most "
            f"{1 << fabric.stamp_bits}; use shorter samples, or compile with a higher stamp_bits, "
            "up to 16"
        )
    runs: list[Run] = []
    done = 0
    try:
        for lesson in device.lessons(counts, neurons):
            device.program = device.program.with_weights(lesson.weights, lesson.samples)
            runs.append(lesson.run)
            done += lesson.samples
            if progress:
                progress(done)
    except SpikeloomError as error:
        raise type(error)(
            f"{error}; the run ended early: weights and program are those after {done} of "
            f"{samples} samples"
        ) from None
    return joined_runs(runs)
