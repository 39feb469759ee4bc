"""Devices: where a Program runs. Every backend gives the same kind of `Run`."""

import itertools
import os
import pickle
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.host import DecodedRun, Words, decode_packets, host_words
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.step.neuron import Spikes
from spikeloom.golden.step.run import check_inputs, simulate
from spikeloom.program import Program
from spikeloom.sim import runner
from spikeloom.sim.netlist import netlist
from spikeloom.sim.toolchain import PYTHON

CHUNK = 500
"""Samples that run back to back on one fabric. Results must not depend on how many processors a
machine has, so chunks have this size everywhere, and each starts on a fabric fresh from reset."""

Events = Mapping[str, ArrayLike] | ArrayLike
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Run:
    """What a device did.

    Parameters
    ----------
    spikes
        For each recorded population, (samples, steps, size): bool, or, where a neuron can spike
        several times in a step, how often.
    states
        For each population read out, its membrane potentials after the last step, int64
        (samples, size).
    cycles
        Clocks of each sample, int64 (samples,): from the end of the sample before it, or for the
        first of a chunk from its first clock, to its own end. None on a device that has no clock.
    synops
        Synaptic operations over the whole run, padding not counted.
    errors
        What the hardware's error counter says; must be 0.
    """

    spikes: dict[str, Spikes]
    states: dict[str, NDArray[np.int64]]
    cycles: NDArray[np.int64] | None
    synops: int
    errors: int


class Device(Protocol):
    """Something that runs a Program."""

    def run(self, events: Events, progress: Progress | None = None) -> Run:
        """Run samples from their initial state.

        Parameters
        ----------
        events
            (samples, steps, axons) or (steps, axons), bool or small counts; for a network of
            several inputs a mapping from their names to such arrays.
        progress
            Called with the number of samples done.

        Raises
        ------
        SpikeloomError
            The events do not fit the network.
        """

    def close(self) -> None:
        """Release what the device holds."""

    def __enter__(self) -> "Device":
        """Nothing more to open."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""


class ProgramDevice:
    """What devices have in common: a Program, and that they can be closed, also by `with`.

    Parameters
    ----------
    program
        What it runs.
    """

    def __init__(self, program: Program) -> None:
        self.program = program

    def close(self) -> None:
        """See `Device.close`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class GoldenDevice(ProgramDevice):
    """The step-level golden model; it has no clock."""

    def run(self, events: Events, progress: Progress | None = None) -> Run:
        """See `Device.run`."""
        program = self.program
        senders = program.image.senders
        counts = check_inputs(program.network, events)
        run = simulate(program.network, counts)
        if progress:
            progress(len(run.synops))
        return Run(
            {node.name: run.spikes[node.name] for node in senders if node.recorded},
            {node.name: run.states[node.name] for node in senders if node.readout},
            None,
            int(run.synops.sum()),
            0,
        )


class VerilatorDevice(ProgramDevice):
    """The RTL, compiled by Verilator.

    Parameters
    ----------
    program
        Compiled (or taken from the cache) at once.
    workers
        Threads; as many as there are processors if not given.
    verilog
        Another text than the one the program's fabric has.
    """

    def __init__(
        self, program: Program, workers: int | None = None, verilog: str | None = None
    ) -> None:
        super().__init__(program)
        self.workers = workers
        self.verilog = verilog
        runner.Simulation(program.fabric, verilog=verilog).close()

    def run(self, events: Events, progress: Progress | None = None) -> Run:
        """See `Device.run`."""
        image = self.program.image
        counts = check_inputs(self.program.network, events)
        samples, steps = next(iter(counts.values())).shape[:2]
        chunks = list(chunk_words(image, counts))
        results = runner.run_batch(
            image.config,
            image,
            chunks,
            workers=self.workers,
            verilog=self.verilog,
            progress=progress and (lambda done: progress(min(done * CHUNK, samples))),
        )
        heard = [
            decode_packets(
                image, result.clocks, result.packets, min(CHUNK, samples - CHUNK * n), steps
            )
            for n, result in enumerate(results)
        ]
        return Run(
            joined([h.spikes for h in heard]),
            joined([h.states for h in heard]),
            np.concatenate([sample_clocks(h.clocks) for h in heard]),
            sum(_over_tiles(result.counters, "synops") for result in results),
            sum(_over_tiles(result.counters, "errors") for result in results),
        )


class NetlistDevice(VerilatorDevice):
    """The fabric after synthesis to iCE40 cells, compiled by Verilator.

    Parameters
    ----------
    program
        Synthesised and compiled (or taken from the cache) at once.
    """

    def __init__(self, program: Program) -> None:
        super().__init__(program, verilog=netlist(program.fabric))


def chunk_words(image: MemoryImage, counts: Mapping[str, NDArray[np.uint8]]) -> Iterator[Words]:
    """The host words of each chunk of samples."""
    samples = next(iter(counts.values())).shape[0]
    for start in range(0, samples, CHUNK):
        part = {name: events[start : start + CHUNK] for name, events in counts.items()}
        yield np.concatenate(host_words(image, part))


def sample_clocks(step_clocks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Clocks of each sample of a chunk, from the clocks (samples, steps) that ended its steps."""
    return np.diff(step_clocks[:, -1] + 1, prepend=0)


def golden_clocks(
    image: MemoryImage,
    counts: Mapping[str, NDArray[np.uint8]],
    workers: int | None = None,
    progress: Progress | None = None,
) -> NDArray[np.int64]:
    """Clocks of each sample, int64 (samples,); see `predict_clocks`."""
    clocks: NDArray[np.int64] = predict_clocks(image, counts, workers, progress).sum(axis=1)
    return clocks


def predict_clocks(
    image: MemoryImage,
    counts: Mapping[str, NDArray[np.uint8]],
    workers: int | None = None,
    progress: Progress | None = None,
) -> NDArray[np.int64]:
    """Clocks that each step takes if the host never waits and never makes the fabric wait.

    They are those of the cycle-level golden model, so the RTL takes exactly as many. Where there
    are several chunks it runs in processes of its own.

    Parameters
    ----------
    counts
        Per input, events of each axon, as `golden.step.run.check_inputs` gives; samples run back to
        back, in chunks of `CHUNK`.
    workers
        Processes; as many as there are processors if not given.
    progress
        Called with the number of samples done.

    Returns
    -------
    clocks
        int64 (samples, steps): from the end of the step before to its own, or for the first of a
        chunk from its first clock.
    """
    samples, steps = next(iter(counts.values())).shape[:2]
    jobs = [
        (image, words, min(CHUNK, samples - CHUNK * n), steps)
        for n, words in enumerate(chunk_words(image, counts))
    ]
    clocks = []
    for done, heard in enumerate(_cycle_level_runs(jobs, workers or os.cpu_count() or 1), 1):
        ends = heard.clocks.ravel() + 1
        clocks.append(np.diff(ends, prepend=0).reshape(-1, steps))
        if progress:
            progress(min(done * CHUNK, samples))
    return np.concatenate(clocks)


def _cycle_level_runs(
    jobs: Sequence[tuple[MemoryImage, Words, int, int]], workers: int
) -> Iterator[DecodedRun]:
    """What `_cycle_level` gives for each of `jobs`, in their order."""
    if min(workers, len(jobs)) == 1:
        yield from itertools.starmap(_cycle_level, jobs)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(_in_a_process, jobs)


def _in_a_process(job: tuple[MemoryImage, Words, int, int]) -> DecodedRun:
    """What `_cycle_level` gives for `job`.

    `multiprocessing` would either fork a process that has threads, such as those of BLAS, or run
    the user's script again.
    """
    child = subprocess.run(
        [*PYTHON, "-c", _CHILD], input=pickle.dumps(job), stdout=subprocess.PIPE, check=True
    )
    heard: DecodedRun = pickle.loads(child.stdout)
    return heard


_CHILD = f"""
import pickle, sys
from {__name__} import _cycle_level
pickle.dump(_cycle_level(*pickle.load(sys.stdin.buffer)), sys.stdout.buffer)
"""


def _cycle_level(image: MemoryImage, words: Words, samples: int, steps: int) -> DecodedRun:
    model = CycleModel(image.config)
    model.load(image)
    packets = model.run([int(word) for word in words])
    clock, packet = np.array(packets, np.uint64).T
    return decode_packets(image, clock, packet, samples, steps)


def _over_tiles(counters: Mapping[str, int], name: str) -> int:
    """The sum of a counter that every tile has."""
    return sum(count for key, count in counters.items() if key.partition(".")[0] == name)


def joined(parts: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, Any]:
    """For each name the arrays of all parts, one after the other along their first axis."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
