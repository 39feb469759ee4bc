"""What a report page shows, as plain values: `gather` fills these in, `page` draws them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.fixed import Integers


@dataclass(frozen=True)
class Raster:
    """The events of an input, or the spikes of a population.

    Parameters
    ----------
    name, size
        The input or population, and its number of axons or neurons.
    max_count
        Maximum events of one of them in a step.
    golden, rtl
        Counts, (samples, steps, size); `rtl` is None where the hardware does not send them.
    is_input
        Whether it is an input, which both have from the host.
    """

    name: str
    size: int
    max_count: int
    golden: NDArray[Any]
    rtl: NDArray[Any] | None
    is_input: bool = False


@dataclass(frozen=True)
class Potentials:
    """Membrane potentials after every step of some neurons of a population.

    Parameters
    ----------
    name, neurons
        The population, and the neurons.
    thresholds
        Threshold of each of them; None for a population that never spikes.
    golden, rtl
        int64 (samples, steps, neurons); `rtl` is None where the hardware was not traced.
    """

    name: str
    neurons: Integers
    thresholds: Integers | None
    golden: Integers
    rtl: Integers | None


@dataclass(frozen=True)
class Packet:
    """What was transferred to the host in one clock, by the golden model and by the RTL.

    Both are text, such as "SPIKE hidden[3]"; empty where there was no packet.
    """

    clock: int
    golden: str
    rtl: str


@dataclass(frozen=True)
class Signal:
    """A signal of one bit, and its value in each clock of a window."""

    name: str
    values: tuple[int, ...]


@dataclass(frozen=True)
class Divergence:
    """The waveform around the first clock in which hardware and golden model differ.

    Parameters
    ----------
    clock
        The first packet to the host that differs, in clocks from the first of its chunk; None if
        every packet is equal, and the difference lies elsewhere, such as in a counter.
    start
        First clock of the window.
    signals
        Signals of the RTL in each clock of the window.
    packets
        The packets in the window.
    """

    clock: int | None
    start: int
    signals: tuple[Signal, ...]
    packets: tuple[Packet, ...]


@dataclass(frozen=True)
class Answers:
    """The answers of the output, against labels.

    Parameters
    ----------
    decoding
        How they are read, in words.
    accuracies
        Fraction of right answers, by what gave them: "golden", "float", or a backend.
    confusion
        How often each label (row) got each answer; the last column is no answer.
    """

    decoding: str
    accuracies: Mapping[str, float]
    confusion: Integers


@dataclass(frozen=True)
class LearnedWeights:
    """The weights of a plastic connection before and after a run.

    Parameters
    ----------
    name
        The connection, as "in->hidden".
    before, after
        int64 (sources, targets); of a convolution (weights of a kernel, channels of the target).
    bounds
        Lowest and highest weight that its rule allows.
    shape
        Rows and columns of the source's image, or of a kernel, those of all channels one below the
        other; None without an image.
    """

    name: str
    before: Integers
    after: Integers
    bounds: tuple[int, int]
    shape: tuple[int, int] | None = None


@dataclass(frozen=True)
class Verdict:
    """What was compared, and what differed.

    Parameters
    ----------
    backend
        What ran beside the golden model; None if nothing did.
    samples, steps
        Number of samples, and of steps over all of them.
    mismatches, first
        Number of differences, and the first in words.
    clocks
        Clocks of all samples; None if unknown.
    clocked
        Whether they were compared too.
    waveform
        File with the waveform of the first difference, if one was written.
    """

    backend: str | None
    samples: int
    steps: int
    mismatches: int = 0
    first: str | None = None
    clocks: int | None = None
    clocked: bool = False
    waveform: str | None = None


@dataclass(frozen=True)
class Contents:
    """Everything on a page.

    Parameters
    ----------
    title
        Usually the name of the program's file.
    verdict, answers, divergence
        See there; the last two may be missing.
    samples
        Numbers of the samples that `rasters` and `potentials` show.
    clocks
        Clocks by sample, tile, step and part (`spikeloom.golden.cycle.split.PARTS`), of the first
        samples.
    metrics
        NeuroBench's.
    build
        `report.json` of a board's build, checked; None without one.
    learning
        The plastic connections of a run that learned.
    """

    title: str
    verdict: Verdict
    answers: Answers | None
    samples: Sequence[int]
    rasters: Sequence[Raster]
    potentials: Sequence[Potentials]
    clocks: NDArray[np.int64]
    divergence: Divergence | None
    metrics: Mapping[str, Any]
    build: Mapping[str, Any] | None
    learning: Sequence[LearnedWeights] = ()
