"""Batches of samples that a board has run, and the run that they make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.devices.device import Run, joined_run
from spikeloom.golden.fixed import Integers
from spikeloom.golden.host import DecodedRun
from spikeloom.golden.spec import FabricConfig


@dataclass(frozen=True)
class Batch:
    """The result of a batch: decoded packets, clocks of each sample, and counts."""

    decoded: DecodedRun
    clocks: NDArray[np.int64]
    counts: Mapping[str, int]


def run_of(batches: Sequence[Batch], neurons: Mapping[str, Integers]) -> Run:
    """The run of these batches, with traces of these neurons."""

    def total(name: str) -> int:
        return sum(batch.counts.get(name, 0) for batch in batches)

    return joined_run(
        [batch.decoded for batch in batches],
        neurons,
        np.concatenate([batch.clocks for batch in batches]),
        total("synops"),
        total("errors"),
        total("updates"),
    )


def counted(
    before: Sequence[Mapping[str, int]], after: Sequence[Mapping[str, int]], fabric: FabricConfig
) -> dict[str, int]:
    """How far each counter of a tile went on, over all tiles; they wrap."""
    return {
        name: sum(
            (now[name] - then[name]) % (1 << fabric.counter_bits)
            for now, then in zip(after, before, strict=True)
        )
        for name in fabric.tile_counters
    }
