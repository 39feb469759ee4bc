"""Clock counts from the cycle-level golden model, without a simulation of the RTL."""

import itertools
import os
import pickle
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from spikeloom.devices.chunks import chunk_sizes, chunk_words
from spikeloom.devices.device import Progress
from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.event_counts import EventCounts
from spikeloom.golden.host import DecodedRun, Words, decode_packets
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.sim.toolchain import PYTHON

_Job = tuple[MemoryImage, Words, int, int]
"""The arguments of `_run_chunk`."""


def golden_clocks(
    image: MemoryImage,
    counts: Mapping[str, EventCounts],
    workers: int | None = None,
    progress: Progress | None = None,
    images: Sequence[MemoryImage] = (),
) -> NDArray[np.int64]:
    """Clocks of each sample, int64 (samples,); see `predict_clocks`."""
    steps = predict_clocks(image, counts, workers, progress, images)
    clocks: NDArray[np.int64] = steps.sum(axis=1)
    return clocks


def predict_clocks(
    image: MemoryImage,
    counts: Mapping[str, EventCounts],
    workers: int | None = None,
    progress: Progress | None = None,
    images: Sequence[MemoryImage] = (),
) -> NDArray[np.int64]:
    """Clocks of each step with a host that never waits and never makes the fabric wait.

    They come from the cycle-level golden model, so the RTL takes exactly as many. Several chunks
    run in child processes.

    Parameters
    ----------
    counts
        Events of each axon, by input, as returned by `golden.step.run.check_inputs`. Samples run
        back to back, chunk by chunk.
    workers
        Processes; by default one per processor.
    progress
        Called with the number of samples done.
    images
        What each chunk begins with, in a run that learns; else `image` holds for all.

    Returns
    -------
    clocks
        int64 (samples, steps), counted from the end of the step before; for the first step of a
        chunk, from the chunk's first clock.
    """
    samples, steps = next(iter(counts.values())).shape[:2]
    image = images[0] if images else image
    sizes = chunk_sizes(image, samples)
    images = images or [image.from_sample(sum(sizes[:number])) for number in range(len(sizes))]
    jobs = [
        (begun, words, size, steps)
        for begun, words, size in zip(images, chunk_words(image, counts), sizes, strict=True)
    ]
    clocks = []
    for done, decoded in enumerate(_run_chunks(jobs, workers or os.cpu_count() or 1), 1):
        ends = decoded.clocks.ravel() + 1
        clocks.append(np.diff(ends, prepend=0).reshape(-1, steps))
        if progress:
            progress(sum(sizes[:done]))
    return np.concatenate(clocks)


def _run_chunks(jobs: Sequence[_Job], workers: int) -> Iterator[DecodedRun]:
    """The result of `_run_chunk` for each of `jobs`, in order."""
    if min(workers, len(jobs)) == 1:
        yield from itertools.starmap(_run_chunk, jobs)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(_run_in_child, jobs)


def _run_in_child(job: _Job) -> DecodedRun:
    """The result of `_run_chunk` for `job`, from a process of its own.

    `multiprocessing` would either fork a process that has threads, such as those of BLAS, or run
    the user's script again.
    """
    child = subprocess.run(
        [*PYTHON, "-c", _CHILD], input=pickle.dumps(job), stdout=subprocess.PIPE, check=True
    )
    decoded: DecodedRun = pickle.loads(child.stdout)
    return decoded


_CHILD = f"""
import pickle, sys
from {__name__} import _run_chunk
pickle.dump(_run_chunk(*pickle.load(sys.stdin.buffer)), sys.stdout.buffer)
"""


def _run_chunk(image: MemoryImage, words: Words, samples: int, steps: int) -> DecodedRun:
    """Run a chunk in the cycle-level model."""
    model = CycleModel(image.config)
    model.load(image)
    model.settle()
    packets = model.run([int(word) for word in words])
    clock, packet = np.array(packets, np.uint64).T
    return decode_packets(image, clock, packet, samples, steps)
