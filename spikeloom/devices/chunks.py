"""Chunks: samples that run back to back on one fabric, starting from reset."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.event_counts import EventCounts
from spikeloom.golden.host import Words, host_words
from spikeloom.golden.memory_image import MemoryImage

CHUNK = 500
"""Samples per chunk. It is the same on every machine, because results must not depend on how many
processors a machine has."""


def chunk_words(image: MemoryImage, counts: Mapping[str, EventCounts]) -> Iterator[Words]:
    """The host words of each chunk of samples."""
    for part in chunks(image, counts):
        yield np.concatenate(host_words(image, part))


def chunks(
    image: MemoryImage, counts: Mapping[str, EventCounts]
) -> Iterator[dict[str, EventCounts]]:
    """The events of each chunk of samples."""
    start = 0
    for size in chunk_sizes(image, len(next(iter(counts.values())))):
        yield {name: events[start : start + size] for name, events in counts.items()}
        start += size


def chunk_sizes(image: MemoryImage, samples: int) -> list[int]:
    """The number of samples in each chunk; all, where a sample goes on from the one before."""
    if image.sequential:
        return [samples]
    return [min(CHUNK, samples - start) for start in range(0, samples, CHUNK)]


def chunk_of(image: MemoryImage, sample: int) -> tuple[int, int]:
    """The number of the chunk that holds a sample, and the first sample of that chunk."""
    if image.sequential:
        return 0, 0
    number = sample // CHUNK
    return number, number * CHUNK


def sample_clocks(step_ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Clocks of each sample of a chunk, from the clocks (samples, steps) at which its steps end."""
    return np.diff(step_ends[:, -1] + 1, prepend=0)
