"""Two runs of the same events, layer by layer: how far they agree, and where least."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class SpikeAgreement:
    """The spikes of one population in two runs.

    Parameters
    ----------
    fraction
        Fraction of (sample, step, neuron) in which both have the same number of spikes.
    worst
        The neuron with the lowest fraction; of equals, the lowest.
    worst_fraction
        Its fraction of (sample, step).
    reference, other
        Spikes of the first and the second run.
    """

    fraction: float
    worst: int
    worst_fraction: float
    reference: int
    other: int


@dataclass(frozen=True)
class StateError:
    """The potentials of one population after the last step of two runs, other - reference.

    Parameters
    ----------
    max_error, rms_error
        Largest magnitude, and root of the mean square, in the unit of the potentials.
    relative_error
        `rms_error` over that of the reference's potentials; 0 where all of those are 0.
    worst, worst_error
        The neuron with the largest root of the mean square, and that.
    """

    max_error: float
    rms_error: float
    relative_error: float
    worst: int
    worst_error: float


def spike_agreement(reference: NDArray[Any], other: NDArray[Any]) -> SpikeAgreement:
    """The agreement of spikes or counts, both (samples, steps, size)."""
    by_neuron = (reference == other).mean(axis=(0, 1))
    worst = int(by_neuron.argmin())
    return SpikeAgreement(
        float(by_neuron.mean()),
        worst,
        float(by_neuron[worst]),
        int(reference.sum(dtype=np.int64)),
        int(other.sum(dtype=np.int64)),
    )


def state_error(reference: NDArray[Any], other: NDArray[Any]) -> StateError:
    """The error of potentials, both (samples, size) and in the same unit."""
    error = np.asarray(other, np.float64) - np.asarray(reference, np.float64)
    by_neuron = np.sqrt((error**2).mean(axis=0))
    worst = int(by_neuron.argmax())
    rms = _rms(error)
    usual = _rms(np.asarray(reference, np.float64))
    return StateError(
        float(np.abs(error).max()),
        rms,
        rms / usual if usual else 0.0,
        worst,
        float(by_neuron[worst]),
    )


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt((values**2).mean()))
