"""Codes of events and results: conversion between arrays and the bytes of docs/link.md."""

from collections.abc import Mapping, Sequence

import numpy as np

from spikeloom.golden.event_counts import EventCounts
from spikeloom.golden.host import Words
from spikeloom.golden.link import (
    MASK,
    MASK_POSITIONS,
    SINGLE,
    SINGLE_REACH,
    EventCode,
    ResultCode,
    whole_bytes,
)
from spikeloom.golden.memory_image import Entry, MemoryImage
from spikeloom.golden.spec import FabricConfig, PacketKind

_SKIP_REACH = 256


def event_codes(image: MemoryImage, counts: Mapping[str, EventCounts], sample: int) -> bytes:
    """The codes that run one sample, independent of the codes sent before.

    Parameters
    ----------
    image
        The memory image loaded into the fabric.
    counts
        Events of each axon, (samples, steps, size), by input, as returned by `check_inputs`.
    sample
        Index of the sample.

    Events due after the last step are left out.
    """
    config = image.config
    max_ahead = (1 << config.slot_width) - 1
    axons = {
        name: [_by_amount(config, row) for row in events[sample]] for name, events in counts.items()
    }
    steps = len(next(iter(axons.values())))
    codes = bytearray()
    current = b""
    for step in range(steps):
        for entry in image.entries:
            if step + entry.delay >= steps:
                continue
            for amount, positions in axons[entry.input][step]:
                code = _entry(config, entry) + amount
                codes += bytes([EventCode.AGAIN]) if code == current else code
                current = code
                _append_positions(codes, positions)
        codes.append(EventCode.MARK | (step == 0) << 4 | min(steps - 1 - step, max_ahead))
    return bytes(codes)


def _by_amount(config: FabricConfig, events: EventCounts) -> list[tuple[bytes, list[int]]]:
    """The events of a step: what each counts, as an entry says it, and the axons that have it.

    Without graded events the axons with at least one event come first, then those with at least
    two, and so on.
    """
    parts = []
    wide = events.astype(np.int32)  # has the negative of every number
    for negative in range(1 + config.signed_spikes):
        row = -wide if negative else wide
        sign = bytes([negative]) if config.signed_spikes else b""
        if config.graded_bits:
            amounts = [(sign + bytes([n]), row == n) for n in np.unique(row[row > 0])]
        else:
            amounts = [(sign, row > count) for count in range(int(row.max(initial=0)))]
        parts += [(code, np.flatnonzero(chosen).tolist()) for code, chosen in amounts]
    return parts


def _entry(config: FabricConfig, entry: Entry) -> bytes:
    code = bytes([EventCode.ENTRY])
    code += entry.route.to_bytes(2, "little") + entry.connection.to_bytes(2, "little")
    code += bytes([entry.delay])
    if config.images:
        _, height, width = entry.image or (0, 1, 1)
        code += bytes([height - 1, width - 1])
    return code


def _append_positions(codes: bytearray, positions: Sequence[int]) -> None:
    """Append rising positions, starting at cursor 0; a mask where it covers at least two."""
    cursor = at = 0
    while at < len(positions):
        mask, end = 0, at
        while end < len(positions) and positions[end] < cursor + MASK_POSITIONS:
            mask |= 1 << (positions[end] - cursor)
            end += 1
        distance = positions[at] - cursor
        if end - at > 1:
            codes.append(MASK | mask)
            cursor += MASK_POSITIONS
            at = end
        elif distance <= SINGLE_REACH:
            codes.append(SINGLE | distance)
            cursor += distance + 1
            at += 1
        else:
            skipped = min(distance, _SKIP_REACH)
            codes += bytes([EventCode.SKIP, skipped - 1])
            cursor += skipped


class InvalidCode(ValueError):
    """Bytes that are no code of RESULTS, or a value that the fabric cannot send."""


class ResultCodes:
    """Decodes the codes of RESULTS of a session into packets of the layout `host_out`.

    Parameters
    ----------
    config
        The fabric that sends the codes.
    """

    def __init__(self, config: FabricConfig) -> None:
        self._config = config
        layout = config.host_out
        self._unit = {field.name: layout.pack({field.name: 1}) for field in layout.fields[1:-1]}
        self._limit = {field.name: 1 << field.width for field in layout.fields}
        self._step = layout.pack({"kind": PacketKind.STEP})
        self._state = layout.pack({"kind": PacketKind.STATE})
        self._current = layout.pack({"kind": PacketKind.CURRENT})
        self._single = layout.pack({"value": 1}) if config.amount else 0
        self._value_bytes = whole_bytes(config.state_bits)
        self._lengths: dict[int, int] = {
            ResultCode.STEP: 5,
            ResultCode.SKIP: 2,
            ResultCode.POPULATION: 3,
            ResultCode.STATE: 1 + self._value_bytes,
        }
        if config.images:
            self._lengths[ResultCode.PLACE] = 3
        if config.traces and config.synaptic_current:
            self._lengths[ResultCode.CURRENT] = 1 + self._value_bytes
        if config.amount:
            self._lengths[ResultCode.SPIKE] = 2
        self._population = 0
        self._base = 0  # the fields of the current population and position
        self._cursor = 0
        self._rest = b""
        self._packets: list[int] = []
        self._clocks: list[int] = []

    @property
    def steps(self) -> int:
        """STEP packets since the last `take`."""
        return len(self._clocks)

    def take(self) -> tuple[Words, Words]:
        """Remove and return the packets, as for `decode_packets`: their clocks, and the words."""
        packets = np.array(self._packets, np.uint64)
        clocks = np.zeros_like(packets)
        clocks[packets == self._step] = self._clocks
        self._packets, self._clocks = [], []
        return clocks, packets

    def feed(self, codes: bytes) -> None:
        """Decode the body of the next frame; raises `InvalidCode`."""
        data = self._rest + codes
        packets, unit, limit = self._packets, self._unit["index"], self._limit["index"]
        base, cursor, single = self._base, self._cursor, self._single
        at = 0
        while at < len(data):
            code = data[at]
            if code & MASK:
                if cursor + (code & ~MASK).bit_length() > limit:
                    raise InvalidCode(f"a spike of neuron {cursor} or above, but there are {limit}")
                for _ in range(MASK_POSITIONS):
                    if code & 1:
                        packets.append(base | cursor * unit | single)
                    code >>= 1
                    cursor += 1
                at += 1
                continue
            if code & SINGLE:
                cursor += code & SINGLE_REACH
                if cursor >= limit:
                    raise InvalidCode(f"a spike of neuron {cursor}, but there are {limit}")
                packets.append(base | cursor * unit | single)
                cursor += 1
                at += 1
                continue
            length = self._lengths.get(code)
            if length is None:
                raise InvalidCode(f"unknown code {code:#04x}")
            if at + length > len(data):
                break
            body = data[at + 1 : at + length]
            at += length
            match code:
                case ResultCode.STEP:
                    self._clocks.append(int.from_bytes(body, "little"))
                    packets.append(self._step)
                case ResultCode.SKIP:
                    cursor += body[0] + 1
                case ResultCode.POPULATION:
                    self._population = self._field("population", int.from_bytes(body, "little"))
                    base, cursor = self._population, 0
                case ResultCode.PLACE:
                    base = self._population | self._field("y", body[0]) | self._field("x", body[1])
                    cursor = 0
                case ResultCode.STATE:
                    packets.append(self._state | self._value_packet(base, cursor, body))
                    cursor += 1
                case ResultCode.CURRENT:
                    packets.append(self._current | self._value_packet(base, cursor, body))
                case ResultCode.SPIKE:
                    packets.append(self._value_packet(base, cursor, body))
                    cursor += 1
        self._rest = data[at:]
        self._base, self._cursor = base, cursor

    def _value_packet(self, base: int, cursor: int, body: bytes) -> int:
        """The packet, but for its kind, of the neuron at `cursor` with the value in `body`."""
        value = int.from_bytes(body, "little", signed=True)
        bound = self._limit["value"] >> 1
        if not -bound <= value < bound:
            bits = self._config.state_bits
            raise InvalidCode(f"a value of {value}, but states and currents have {bits} bits")
        value = self._config.host_out.pack({"value": value})
        return base | self._field("index", cursor) | value

    def _field(self, name: str, value: int) -> int:
        """The packet in which this field has this value and all others are 0."""
        if value >= self._limit[name]:
            raise InvalidCode(f"{name} {value}, but there are {self._limit[name]}")
        return value * self._unit[name]
