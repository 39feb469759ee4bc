"""The host's side of a run: encodes events into host words, decodes packets into spikes and states.

A word is one payload of `FabricConfig.host_in`, a packet one of `FabricConfig.host_out`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.convolution import ImageShape
from spikeloom.golden.errors import FaultyDevice
from spikeloom.golden.event_counts import EventCounts
from spikeloom.golden.memory_image import MemoryImage, Sender
from spikeloom.golden.spec import FabricConfig, Layout, PacketKind
from spikeloom.golden.step.neuron import Spikes

Words = NDArray[np.uint64]


def host_words(image: MemoryImage, counts: Mapping[str, EventCounts]) -> list[Words]:
    """Encode each sample as host words, from its first event to its last step mark.

    Parameters
    ----------
    counts
        For each input the number of events of each axon, shape (samples, steps, size), as returned
        by `check_inputs`.

    Returns
    -------
    list of array
        The words of each sample. Events of a step are in order of inputs, connections and axons;
        events that would be due after the last step are left out.
    """
    config = image.config
    samples, steps = next(iter(counts.values())).shape[:2]
    max_ahead = (1 << config.slot_width) - 1
    marks = [
        config.host_in.pack({"step": 1, "first": t == 0, "ahead": min(steps - 1 - t, max_ahead)})
        for t in range(steps)
    ]
    # Events first, then marks; a stable sort by step puts each mark after its events.
    event_steps: list[NDArray[np.int64]] = []
    words: list[Words] = []
    for entry in image.entries:
        base = config.host_in.pack(
            {"ahead": entry.delay, "route": entry.route, "connection": entry.connection}
        )
        events = counts[entry.input][:, : max(steps - entry.delay, 0)]
        sample, step, index = np.nonzero(events)
        amounts = events[sample, step, index].astype(np.int64)
        times = np.ones_like(amounts) if config.graded_bits else np.abs(amounts)
        event_steps.append(np.repeat(sample * steps + step, times))
        address = _address(config, index, entry.image or (counts[entry.input].shape[2], 1, 1))
        words.append(np.repeat(np.uint64(base) | address | _amount(config, amounts), times))
    steps_of = np.concatenate([*event_steps, np.arange(samples * steps)])
    played = np.concatenate([*words, np.tile(np.array(marks, np.uint64), samples)])
    by_step = np.argsort(steps_of, kind="stable")
    starts = np.searchsorted(steps_of[by_step], np.arange(1, samples) * steps)
    return np.split(played[by_step], starts)


def _address(config: FabricConfig, axons: NDArray[np.int64], image: ImageShape) -> Words:
    """The packed index and position of each axon."""
    coordinates = zip(("index", "y", "x"), np.unravel_index(axons, image), strict=True)
    word = np.zeros(axons.shape, np.uint64)
    for name, values in coordinates:
        if name == "index" or config.images:
            word |= values.astype(np.uint64) << np.uint64(_offset(config.host_in, name))
    return word


def _amount(config: FabricConfig, amounts: NDArray[np.int64]) -> Words:
    """The packed fields of what events count."""
    word = np.zeros(amounts.shape, np.uint64)
    values = {"negative": amounts < 0, "magnitude": np.abs(amounts)}
    for name, _ in config.amount:
        word |= values[name].astype(np.uint64) << np.uint64(_offset(config.host_in, name))
    return word


_VALUES = {PacketKind.STATE: "state", PacketKind.CURRENT: "synaptic current"}
"""The kinds of packets that carry a value, with its name."""


@dataclass(frozen=True)
class DecodedRun:
    """Packets of whole samples, decoded.

    Parameters
    ----------
    spikes
        For each recorded population, shape (samples, steps, size): bool, or uint8 counts if its
        neurons can spike several times per step, or int8 if its spikes have a sign.
    states
        For each population with readout, int64, shape (samples, size).
    clocks
        Clock in which each step was reported complete, int64, shape (samples, steps).
    currents
        For each population with readout and `currents`, its synaptic currents after the last step,
        int64, shape (samples, size).
    traces
        For each population with `trace`, its membrane potentials after every step, int64, shape
        (samples, steps, size).
    current_traces
        For each population with `trace` and `currents`, its synaptic currents likewise.
    """

    spikes: dict[str, Spikes]
    states: dict[str, NDArray[np.int64]]
    clocks: NDArray[np.int64]
    currents: dict[str, NDArray[np.int64]]
    traces: dict[str, NDArray[np.int64]]
    current_traces: dict[str, NDArray[np.int64]]


def decode_packets(
    image: MemoryImage, clocks: NDArray[np.uint64], packets: Words, samples: int, steps: int
) -> DecodedRun:
    """Decode the packets of `samples` samples of `steps` steps each.

    Raises
    ------
    FaultyDevice
        The number of complete steps is wrong, or a packet names a neuron that does not exist,
        arrives too often, or is missing: a fault of the device.
    """
    fields = _unpack(image.config.host_out, packets)
    ends = fields["kind"] == PacketKind.STEP
    if np.count_nonzero(ends) != samples * steps or (packets.size and not ends[-1]):
        raise FaultyDevice(
            f"expected {samples * steps} complete steps, got {np.count_nonzero(ends)}"
        )
    step = np.cumsum(ends) - ends
    spikes: dict[str, Spikes] = {}
    final: dict[PacketKind, dict[str, NDArray[np.int64]]] = {kind: {} for kind in _VALUES}
    traces: dict[PacketKind, dict[str, NDArray[np.int64]]] = {kind: {} for kind in _VALUES}
    expected = int(np.count_nonzero(ends))
    for number, node in enumerate(image.senders):
        own = fields["population"] == number
        if node.recorded:
            chosen = own & (fields["kind"] == PacketKind.SPIKE)
            neurons = _neurons(node, fields, chosen)
            amounts = fields["value"][chosen] if image.config.amount else np.ones_like(neurons)
            raster = _raster(node, samples * steps, step[chosen], neurons, amounts)
            spikes[node.name] = raster.reshape(samples, steps, node.size)
            expected += neurons.size
        for kind in _value_kinds(node):
            chosen = own & (fields["kind"] == kind)
            values = _values(node, kind, fields, chosen, step[chosen], samples, steps)
            expected += int(np.count_nonzero(chosen))
            if node.readout:
                final[kind][node.name] = values[:, -1]
            if node.trace:
                traces[kind][node.name] = values
    if expected != packets.size:
        raise FaultyDevice(f"{packets.size - expected} packets that no population sends")
    return DecodedRun(
        spikes,
        final[PacketKind.STATE],
        clocks[ends].astype(np.int64).reshape(samples, steps),
        final[PacketKind.CURRENT],
        traces[PacketKind.STATE],
        traces[PacketKind.CURRENT],
    )


def _raster(
    node: Sender,
    steps: int,
    step: NDArray[np.int64],
    neurons: NDArray[np.int64],
    amounts: NDArray[np.int64],
) -> Spikes:
    """The spikes of each neuron in each step, (steps, size), by what each packet counts."""
    _count(node, steps, step, neurons, node.max_spikes)
    totals = np.zeros((2, steps, node.size), np.int64)
    np.add.at(totals, ((amounts < 0).astype(np.int64), step, neurons), np.abs(amounts))
    positive, negative = totals
    if totals.max(initial=0) > node.max_spikes or (amounts == 0).any():
        raise FaultyDevice(f"population {node.name!r}: a spike counts too much or nothing")
    if ((positive > 0) & (negative > 0)).any() or (negative.any() and not node.signed):
        raise FaultyDevice(f"population {node.name!r}: a spike has the wrong sign")
    if node.signed:
        return (positive - negative).astype(np.int8)
    return positive > 0 if node.max_spikes == 1 else positive.astype(np.uint8)


def _value_kinds(node: Sender) -> list[PacketKind]:
    """The kinds of packets with a value that a population sends."""
    if not (node.readout or node.trace):
        return []
    return [PacketKind.STATE, PacketKind.CURRENT] if node.currents else [PacketKind.STATE]


def _values(
    node: Sender,
    kind: PacketKind,
    fields: Mapping[str, NDArray[np.int64]],
    chosen: NDArray[np.bool_],
    step: NDArray[np.int64],
    samples: int,
    steps: int,
) -> NDArray[np.int64]:
    """The values in the chosen packets, those of one kind, which arrived in these steps.

    The shape is (samples, steps, size) for a population that is traced, else (samples, 1, size).
    """
    neurons = _neurons(node, fields, chosen)
    counts = _count(node, samples * steps, step, neurons, 1)
    due = slice(None) if node.trace else slice(steps - 1, None, steps)
    if not (counts[due].all() and neurons.size == counts[due].size):
        period = "step" if node.trace else "sample"
        raise FaultyDevice(
            f"population {node.name!r}: not every {_VALUES[kind]} arrived once per {period}"
        )
    values = np.zeros(counts.shape, np.int64)
    values[step, neurons] = fields["value"][chosen]
    return values[due].reshape(samples, -1, node.size)


def _neurons(
    node: Sender, fields: Mapping[str, NDArray[np.int64]], chosen: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """The index in the population of the neuron that each chosen packet names."""
    image = node.image or (node.size, 1, 1)
    neurons = np.zeros(np.count_nonzero(chosen), np.int64)
    parts = "neuron" if node.image is None else "channel", "row", "column"
    for name, part, size in zip(("index", "y", "x"), parts, image, strict=True):
        # Without images there is only position (0, 0).
        values = fields[name][chosen] if name in fields else np.zeros_like(neurons)
        if values.size and values.max() >= size:
            raise FaultyDevice(f"population {node.name!r} has no {part} {values.max()}")
        neurons = neurons * size + values
    return neurons


def _count(
    node: Sender, steps: int, step: NDArray[np.int64], neurons: NDArray[np.int64], limit: int
) -> NDArray[np.int64]:
    """Number of packets of each neuron in each step, at most `limit`; shape (steps, size)."""
    counts = np.bincount(step * node.size + neurons, minlength=steps * node.size)
    if counts.size and counts.max() > limit:
        times = "twice" if limit == 1 else f"more than {limit} times"
        raise FaultyDevice(f"population {node.name!r}: a packet arrived {times}")
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
