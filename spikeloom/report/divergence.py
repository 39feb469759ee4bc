"""The first clock in which hardware and golden model differ, and the waveform around it."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pywellen

from spikeloom.devices.chunks import chunk_of, chunk_words
from spikeloom.golden.cycle.model import STEP_PACKET, CycleModel
from spikeloom.golden.event_counts import EventCounts
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.spec import PacketKind
from spikeloom.report.records import Divergence, Packet, Signal

BEFORE, AFTER = 20, 12
"""Clocks shown before the first difference, and from it on."""

SIGNALS = {
    "host_in.valid": "simulation.host_in__valid",
    "host_in.ready": "simulation.host_in__ready",
    "fire.valid": "simulation.fabric.fire__valid",
    "tile 0 event.valid": "simulation.fabric.event__valid",
    "tile 0 emit_event.valid": "simulation.fabric.emit_event__valid",
    "host_out.valid": "simulation.host_out__valid",
}
"""Signals to show where the waveform has them, with their names in it."""


def divergence(
    image: MemoryImage,
    counts: Mapping[str, EventCounts],
    sample: int,
    step: int | None,
    waveform: Path,
) -> Divergence:
    """Find the first packet of a sample that differs, in the waveform of the sample.

    Parameters
    ----------
    image
        What ran, traces included.
    counts
        Events of each input, all samples.
    sample, step
        Where a result differs; the whole sample if `step` is None.
    waveform
        The file that `spikeloom.compare.compare` wrote for this sample.
    """
    variables = pywellen.Waveform(str(waveform)).all_vars()
    signals = {variable.full_name: variable.signal for variable in variables}
    chunk, first = chunk_of(image, sample)
    steps = next(iter(counts.values())).shape[1]
    words = next(itertools.islice(chunk_words(image, counts), chunk, None))
    model = CycleModel(image.config)
    model.load(image.from_sample(first))
    model.settle()
    packets = dict(model.run([int(word) for word in words], (sample - first + 1) * steps))
    ends = [-1, *(clock for clock, packet in packets.items() if packet == STEP_PACKET)]
    start, stop = ends[-1 - steps] + 1, ends[-1] + 1
    valid, payload = (signals[f"simulation.host_out__{part}"] for part in ("valid", "payload"))
    got = {clock: _at(payload, clock) for clock in range(start, stop) if _at(valid, clock)}
    differing = next((c for c in range(start, stop) if packets.get(c) != got.get(c)), None)
    centre = differing
    if centre is None:
        centre = ends[-1] if step is None else ends[step - steps]
    window = range(max(start, centre - BEFORE), min(stop, centre + AFTER))
    return Divergence(
        differing,
        window.start,
        tuple(
            Signal(name, tuple(_at(signals[path], clock) for clock in window))
            for name, path in SIGNALS.items()
            if path in signals
        ),
        tuple(
            Packet(clock, _text(image, packets.get(clock)), _text(image, got.get(clock)))
            for clock in window
            if clock in packets or clock in got
        ),
    )


def _at(signal: Any, clock: int) -> int:
    """The value of a signal in a clock, which begins at twice its number with the rising edge."""
    return int(signal.value_at(2 * clock + 1))


def _text(image: MemoryImage, packet: int | None) -> str:
    """A packet to the host in words, such as "STATE output[3] = -12"; empty for none."""
    if packet is None:
        return ""
    fields = image.config.host_out.unpack(packet)
    kind = PacketKind(fields["kind"]).name
    if packet == STEP_PACKET:
        return kind
    number = fields["population"]
    node = image.senders[number] if number < len(image.senders) else None
    neuron = fields["index"]
    if node is not None and node.image is not None:
        _, height, width = node.image
        neuron = (neuron * height + fields["y"]) * width + fields["x"]
    text = f"{kind} {node.name if node else f'population {number}'}[{neuron}]"
    return text if kind == PacketKind.SPIKE.name else f"{text} = {fields['value']}"
