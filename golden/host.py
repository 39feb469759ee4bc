"""What the host says to a fabric and what it hears: events in, packets out.

The format is the layouts `host_in` and `host_out` of `golden.spec`; a word is one payload.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden.image import Image
from golden.spec import Layout, PacketKind

Words = NDArray[np.uint64]


def host_words(image: Image, counts: Mapping[str, NDArray[np.uint8]]) -> list[Words]:
    """The words that run each sample, from its first event to its last step mark.

    Parameters
    ----------
    counts
        Per input, events of each axon, (samples, steps, size), as `golden.step.check_inputs` gives.

    Events of a step are in the order of inputs, connections and axons. Events that would be due
    after the last step are left out.
    """
    config = image.config
    samples, steps = next(iter(counts.values())).shape[:2]
    most = (1 << config.slot_width) - 1
    marks = [
        config.host_in.pack({"step": 1, "first": t == 0, "ahead": min(steps - 1 - t, most)})
        for t in range(steps)
    ]
    # A row per event, then a row per mark; a stable sort by step puts each mark after its events.
    position: list[NDArray[np.int64]] = []
    words: list[Words] = []
    shift = np.uint64(_offset(config.host_in, "index"))
    for entry in image.entries:
        base = config.host_in.pack(
            {"ahead": entry.delay, "route": entry.route, "connection": entry.connection}
        )
        events = counts[entry.input][:, : max(steps - entry.delay, 0)]
        sample, step, index = np.nonzero(events)
        times = events[sample, step, index]
        position.append(np.repeat(sample * steps + step, times))
        words.append(np.repeat(np.uint64(base) | (index.astype(np.uint64) << shift), times))
    steps_of = np.concatenate([*position, np.arange(samples * steps)])
    played = np.concatenate([*words, np.tile(np.array(marks, np.uint64), samples)])
    by_step = np.argsort(steps_of, kind="stable")
    starts = np.searchsorted(steps_of[by_step], np.arange(1, samples) * steps)
    return np.split(played[by_step], starts)


class FaultyDevice(RuntimeError):
    """What a device sent cannot be: it is broken, or not what the image was made for."""


@dataclass(frozen=True)
class Heard:
    """Packets of whole samples, decoded.

    Parameters
    ----------
    spikes
        For each population that sends its spikes, bool (samples, steps, size).
    states
        For each population that is read out, int64 (samples, size).
    clocks
        Clock in which each step was reported complete, int64 (samples, steps).
    """

    spikes: dict[str, NDArray[np.bool_]]
    states: dict[str, NDArray[np.int64]]
    clocks: NDArray[np.int64]


def hear(
    image: Image, clocks: NDArray[np.uint64], packets: Words, samples: int, steps: int
) -> Heard:
    """Decode the packets of `samples` samples of `steps` steps each.

    Raises
    ------
    FaultyDevice
        The packets are not those of that many whole steps, or one names a neuron that is not
        there, comes twice, or is missing: a fault of what sent them.
    """
    fields = _unpack(image.config.host_out, packets)
    ends = fields["kind"] == PacketKind.STEP
    if np.count_nonzero(ends) != samples * steps or (packets.size and not ends[-1]):
        raise FaultyDevice(
            f"expected {samples * steps} complete steps, got {np.count_nonzero(ends)}"
        )
    step = np.cumsum(ends) - ends
    spikes: dict[str, NDArray[np.bool_]] = {}
    states: dict[str, NDArray[np.int64]] = {}
    expected = int(np.count_nonzero(ends))
    for number, node in enumerate(image.senders):
        here = fields["population"] == number
        if node.recorded:
            raster = np.zeros((samples * steps, node.size), np.bool_)
            chosen = here & (fields["kind"] == PacketKind.SPIKE)
            _mark(node.name, raster, step[chosen], fields["index"][chosen])
            spikes[node.name] = raster.reshape(samples, steps, node.size)
            expected += int(np.count_nonzero(chosen))
        if node.readout:
            chosen = here & (fields["kind"] == PacketKind.STATE)
            seen = np.zeros((samples * steps, node.size), np.bool_)
            _mark(node.name, seen, step[chosen], fields["index"][chosen])
            if not (seen[steps - 1 :: steps].all() and chosen.sum() == samples * node.size):
                raise FaultyDevice(f"population {node.name!r}: not every state came once a sample")
            values = np.zeros(seen.shape, np.int64)
            values[step[chosen], fields["index"][chosen]] = fields["value"][chosen]
            states[node.name] = values[steps - 1 :: steps]
            expected += int(np.count_nonzero(chosen))
    if expected != packets.size:
        raise FaultyDevice(f"{packets.size - expected} packets of no population that sends them")
    return Heard(spikes, states, clocks[ends].astype(np.int64).reshape(samples, steps))


def _mark(
    name: str, raster: NDArray[np.bool_], step: NDArray[np.int64], index: NDArray[np.int64]
) -> None:
    if index.size and index.max() >= raster.shape[1]:
        raise FaultyDevice(f"population {name!r} has no neuron {index.max()}")
    raster[step, index] = True
    if np.count_nonzero(raster) != index.size:
        raise FaultyDevice(f"population {name!r}: a packet came twice")


def _offset(layout: Layout, name: str) -> int:
    names = [field.name for field in layout.fields]
    return sum(field.width for field in layout.fields[: names.index(name)])


def _unpack(layout: Layout, words: Words) -> dict[str, NDArray[np.int64]]:
    values = {}
    for field in layout.fields:
        shifted = (words >> np.uint64(_offset(layout, field.name))).astype(np.int64)
        value = shifted & ((1 << field.width) - 1)
        if field.signed:
            value -= (value >> (field.width - 1)) << field.width
        values[field.name] = value
    return values
