"""What the host says to a fabric and what it hears: events in, packets out.

The format is the layouts `host_in` and `host_out` of `golden.spec`; a word is one payload.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.convolution import ImageShape
from spikeloom.golden.memory_image import MemoryImage, Sender
from spikeloom.golden.spec import FabricConfig, Layout, PacketKind
from spikeloom.golden.step.neuron import Spikes

Words = NDArray[np.uint64]


def host_words(image: MemoryImage, counts: Mapping[str, NDArray[np.uint8]]) -> list[Words]:
    """The words that run each sample, from its first event to its last step mark.

    Parameters
    ----------
    counts
        Per input, events of each axon, (samples, steps, size), as `check_inputs` gives.

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
    for entry in image.entries:
        base = config.host_in.pack(
            {"ahead": entry.delay, "route": entry.route, "connection": entry.connection}
        )
        events = counts[entry.input][:, : max(steps - entry.delay, 0)]
        sample, step, index = np.nonzero(events)
        times = events[sample, step, index]
        position.append(np.repeat(sample * steps + step, times))
        placed = _placed(config, index, entry.image or (counts[entry.input].shape[2], 1, 1))
        words.append(np.repeat(np.uint64(base) | placed, times))
    steps_of = np.concatenate([*position, np.arange(samples * steps)])
    played = np.concatenate([*words, np.tile(np.array(marks, np.uint64), samples)])
    by_step = np.argsort(steps_of, kind="stable")
    starts = np.searchsorted(steps_of[by_step], np.arange(1, samples) * steps)
    return np.split(played[by_step], starts)


def _placed(config: FabricConfig, axons: NDArray[np.int64], image: ImageShape) -> Words:
    """The fields of the index and the place of each axon."""
    coordinates = zip(("index", "y", "x"), np.unravel_index(axons, image), strict=True)
    word = np.zeros(axons.shape, np.uint64)
    for name, values in coordinates:
        if name == "index" or config.images:
            word |= values.astype(np.uint64) << np.uint64(_offset(config.host_in, name))
    return word


class FaultyDevice(RuntimeError):
    """What a device sent cannot be: it is broken, or not what the image was made for."""


@dataclass(frozen=True)
class DecodedRun:
    """Packets of whole samples, decoded.

    Parameters
    ----------
    spikes
        For each population that sends its spikes, of shape (samples, steps, size): bool, or, where
        a neuron can spike several times in a step, how often.
    states
        For each population that is read out, int64 (samples, size).
    clocks
        Clock in which each step was reported complete, int64 (samples, steps).
    """

    spikes: dict[str, Spikes]
    states: dict[str, NDArray[np.int64]]
    clocks: NDArray[np.int64]


def decode_packets(
    image: MemoryImage, clocks: NDArray[np.uint64], packets: Words, samples: int, steps: int
) -> DecodedRun:
    """Decode the packets of `samples` samples of `steps` steps each.

    Raises
    ------
    FaultyDevice
        The packets are not those of that many whole steps, or one names a neuron that is not
        there, comes too often, or is missing: a fault of what sent them.
    """
    fields = _unpack(image.config.host_out, packets)
    ends = fields["kind"] == PacketKind.STEP
    if np.count_nonzero(ends) != samples * steps or (packets.size and not ends[-1]):
        raise FaultyDevice(
            f"expected {samples * steps} complete steps, got {np.count_nonzero(ends)}"
        )
    step = np.cumsum(ends) - ends
    spikes: dict[str, Spikes] = {}
    states: dict[str, NDArray[np.int64]] = {}
    expected = int(np.count_nonzero(ends))
    for number, node in enumerate(image.senders):
        here = fields["population"] == number
        if node.recorded:
            chosen = here & (fields["kind"] == PacketKind.SPIKE)
            neurons = _neurons(node, fields, chosen)
            often = _count(node, samples * steps, step[chosen], neurons, node.max_spikes)
            raster = often > 0 if node.max_spikes == 1 else often.astype(np.uint8)
            spikes[node.name] = raster.reshape(samples, steps, node.size)
            expected += neurons.size
        if node.readout:
            chosen = here & (fields["kind"] == PacketKind.STATE)
            neurons = _neurons(node, fields, chosen)
            seen = _count(node, samples * steps, step[chosen], neurons, 1)
            if not (seen[steps - 1 :: steps].all() and neurons.size == samples * node.size):
                raise FaultyDevice(f"population {node.name!r}: not every state came once a sample")
            values = np.zeros(seen.shape, np.int64)
            values[step[chosen], neurons] = fields["value"][chosen]
            states[node.name] = values[steps - 1 :: steps]
            expected += neurons.size
    if expected != packets.size:
        raise FaultyDevice(f"{packets.size - expected} packets of no population that sends them")
    return DecodedRun(spikes, states, clocks[ends].astype(np.int64).reshape(samples, steps))


def _neurons(
    node: Sender, fields: Mapping[str, NDArray[np.int64]], chosen: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """The neuron, counted through the population, that each chosen packet names."""
    image = node.image or (node.size, 1, 1)
    neurons = np.zeros(np.count_nonzero(chosen), np.int64)
    parts = "neuron" if node.image is None else "channel", "row", "column"
    for name, part, size in zip(("index", "y", "x"), parts, image, strict=True):
        # Without images there is but one place.
        values = fields[name][chosen] if name in fields else np.zeros_like(neurons)
        if values.size and values.max() >= size:
            raise FaultyDevice(f"population {node.name!r} has no {part} {values.max()}")
        neurons = neurons * size + values
    return neurons


def _count(
    node: Sender, steps: int, step: NDArray[np.int64], neurons: NDArray[np.int64], most: int
) -> NDArray[np.int64]:
    """How many packets of each neuron came in each step."""
    counts = np.bincount(step * node.size + neurons, minlength=steps * node.size)
    if counts.size and counts.max() > most:
        times = "twice" if most == 1 else f"more than {most} times"
        raise FaultyDevice(f"population {node.name!r}: a packet came {times}")
    return counts.reshape(steps, node.size)


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
