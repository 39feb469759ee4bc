"""The interface of every device, and the result of a run: the same for every backend."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikeloom.golden.step.neuron import Spikes
from spikeloom.program import Program

Events = Mapping[str, ArrayLike] | ArrayLike
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Run:
    """The result of a run.

    Parameters
    ----------
    spikes
        For each recorded population, (samples, steps, size): bool, or spike counts where a neuron
        can spike several times per step.
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
    """

    spikes: dict[str, Spikes]
    states: dict[str, NDArray[np.int64]]
    cycles: NDArray[np.int64] | None
    synops: int
    errors: int


class Device(Protocol):
    """Something that runs a Program."""

    def run(self, events: Events, progress: Progress | None = None) -> Run:
        """Run samples, each from its initial state.

        Parameters
        ----------
        events
            (samples, steps, axons) or (steps, axons), bool or small counts; for a network with
            several inputs, a mapping from their names to such arrays.
        progress
            Called with the number of samples done.

        Raises
        ------
        SpikeloomError
            The events do not fit the network.

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

    def close(self) -> None:
        """See `Device.close`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def joined(parts: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, Any]:
    """For each name, the arrays of all parts concatenated along their first axis."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
