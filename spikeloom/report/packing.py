"""Spikes and potentials as compact text that the page unpacks for the sample that is chosen."""

import base64
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.event_counts import magnitudes
from spikeloom.report.records import Contents

MAX_DATA = 3_000_000
"""Characters of samples in a page: the rest of it takes 1.5 million, of 5 million."""


def packed(contents: Contents) -> dict[str, Any]:
    """What the script of the page reads, as JSON values.

    Each sample is compressed (zlib): for each raster the golden counts, then those of the hardware
    where it sends them, as bits (first in bit 0) or, with counts above 1, bytes, steps by neurons;
    then the potentials likewise as 32-bit integers, least byte first. As many samples as fit.
    """
    samples: list[dict[str, Any]] = []
    size = 0
    for position, number in enumerate(contents.samples):
        data = b"".join(_parts(contents, position))
        text = base64.b64encode(zlib.compress(data, 9)).decode()
        size += len(text)
        if samples and size > MAX_DATA:
            break
        samples.append({"number": number, "data": text})
    rasters = contents.rasters
    return {
        "steps": rasters[0].golden.shape[1],
        "rasters": [
            {
                "name": raster.name,
                "size": raster.size,
                "bytes": raster.max_count > 1,
                "rtl": raster.rtl is not None,
                "input": raster.is_input,
            }
            for raster in rasters
        ],
        "potentials": [
            {
                "name": potentials.name,
                "neurons": potentials.neurons.tolist(),
                "thresholds": None
                if potentials.thresholds is None
                else potentials.thresholds.tolist(),
                "rtl": potentials.rtl is not None,
            }
            for potentials in contents.potentials
        ],
        "first": contents.samples[0],
        "samples": sorted(samples, key=lambda sample: sample["number"]),
        "compared": contents.verdict.backend is not None,
        "clocks": _clocks(contents.clocks),
    }


MAX_CLOCKS = 60_000
"""Numbers of clocks in a page; with more, those of single tiles are left out."""


def _clocks(clocks: NDArray[np.int64]) -> dict[str, Any]:
    """Clocks by sample, tile, part and step: of each tile, or of all tiles together."""
    single = clocks.shape[1] > 1 and clocks.size > MAX_CLOCKS
    shown = clocks.sum(axis=1, keepdims=True) if single else clocks
    return {"tiles": clocks.shape[1], "values": shown.swapaxes(2, 3).tolist()}


def _parts(contents: Contents, sample: int) -> Iterator[bytes]:
    for raster in contents.rasters:
        yield _spikes(raster.golden[sample], raster.max_count)
        if raster.rtl is not None:
            yield _spikes(raster.rtl[sample], raster.max_count)
    for potentials in contents.potentials:
        yield potentials.golden[sample].astype("<i4").tobytes()
        if potentials.rtl is not None:
            yield potentials.rtl[sample].astype("<i4").tobytes()


def _spikes(counts: NDArray[Any], max_count: int) -> bytes:
    if max_count > 1:
        return magnitudes(counts).astype(np.uint8).tobytes()
    return np.packbits(counts.astype(bool), axis=None, bitorder="little").tobytes()
