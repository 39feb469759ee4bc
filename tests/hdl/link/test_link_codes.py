"""Codes to events and packets to codes, beside a decoder and an encoder of the tests' own."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator
from link_board import Listener, codes_of_words, entry_code, mark_code

from spikeloom.golden.spec import FabricConfig, PacketKind
from spikeloom.hdl.link.event_codes import EventCodes
from spikeloom.hdl.link.result_codes import ResultCodes

PLAIN = FabricConfig(slots=3, axons=700, connections=9, state_bits=18)
IMAGES = dataclasses.replace(PLAIN, extent=20, axons=50)
TRACES = dataclasses.replace(PLAIN, synaptic_current=True, traces=True)
TRACED_IMAGES = dataclasses.replace(IMAGES, synaptic_current=True, traces=True)


def decoded(config: FabricConfig, codes: bytes, pace: float = 1.0) -> tuple[list[int], int]:
    """Words of `host_in`, and the clocks that it took."""
    dut = EventCodes(config)
    rng = np.random.default_rng(7)
    words: list[int] = []
    clocks = 0

    async def bench(ctx: Any) -> None:
        nonlocal clocks
        left = list(codes)
        while left or not ctx.get(dut.idle):
            offers, takes = bool(left) and rng.random() < pace, rng.random() < pace
            ctx.set(dut.codes.valid, offers)
            ctx.set(dut.codes.payload, left[0] if offers else int(rng.integers(256)))
            ctx.set(dut.host_in.ready, takes)
            if offers and ctx.get(dut.codes.ready):
                left.pop(0)
            if takes and ctx.get(dut.host_in.valid):
                words.append(ctx.get(dut.host_in.p.as_value()))
            clocks += 1
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return words, clocks


def random_words(config: FabricConfig, seed: int, count: int) -> tuple[list[int], dict]:
    """Events of entries, rising in stretches, near and far; and marks between them."""
    print("seed", seed)
    rng = np.random.default_rng(seed)
    words: list[int] = []
    sizes = {}
    for number in range(count):
        entry = int(rng.integers(64)), number % config.connections, int(rng.integers(config.slots))
        if config.images:
            height, width = (int(n) for n in rng.integers(1, config.extent + 1, 2))
        else:
            height = width = 1
        sizes[entry] = height, width
        near = int(rng.choice([1, 3, 9, 90, 300]))
        position = int(rng.integers(near))
        while position < config.axons * height * width and rng.random() < 0.9:
            index, place = divmod(position, height * width)
            fields = {"route": entry[0], "connection": entry[1], "ahead": entry[2], "index": index}
            if config.images:
                fields |= {"y": place // width, "x": place % width}
            words.append(config.host_in.pack(fields))
            position += int(rng.integers(0 if rng.random() < 0.1 else 1, near + 1))
        if rng.random() < 0.5:
            mark = {"step": 1, "first": number % 2, "ahead": int(rng.integers(config.slots))}
            words.append(config.host_in.pack(mark))
    return words, sizes


def plain(config: FabricConfig, words: Sequence[int]) -> list[dict[str, int]]:
    """The fields that say something: of a mark, few do."""
    found = []
    for word in words:
        fields = config.host_in.unpack(word)
        names = ("step", "first", "ahead") if fields["step"] else set(fields) - {"first"}
        found.append({name: fields[name] for name in names})
    return found


@pytest.mark.parametrize("pace", [1.0, 0.5])
@pytest.mark.parametrize("config", [PLAIN, IMAGES], ids=["plain", "images"])
def test_events(config: FabricConfig, pace: float) -> None:
    words, sizes = random_words(config, 1, 12)
    assert len(words) > 50
    heard, _ = decoded(config, codes_of_words(config, words, sizes), pace)
    assert plain(config, heard) == plain(config, words)


def test_the_example_of_the_specification() -> None:
    heard, _ = decoded(PLAIN, bytes.fromhex("030000000000864230"))
    events = [PLAIN.host_in.pack({"index": index}) for index in (1, 2, 9)]
    mark = PLAIN.host_in.pack({"step": 1, "first": 1})
    assert plain(PLAIN, heard) == plain(PLAIN, [*events, mark])


def test_fields_wider_than_the_fabrics_are_cut() -> None:
    heard, _ = decoded(PLAIN, entry_code(0xFF41, 0xFF83, 0xFE) + b"\x40" + mark_code(0, 14))
    assert plain(PLAIN, heard) == [
        {"step": 0, "route": 1, "connection": 3, "ahead": 2, "index": 0},
        {"step": 1, "first": 0, "ahead": 2},
    ]


def test_a_dense_mask_takes_fewer_clocks_than_its_byte() -> None:
    """The fastest line has 40 clocks a byte."""
    _, clocks = decoded(PLAIN, entry_code(0, 0, 0) + b"\xff" * 50)
    assert clocks <= 6 + 50 * 30


# Results.


def encoded(config: FabricConfig, packets: Sequence[int], pace: float) -> tuple[bytes, list[int]]:
    """The codes, and for each packet the time in which it was taken."""
    dut = ResultCodes(config)
    rng = np.random.default_rng(8)
    codes = bytearray()
    taken: list[int] = []

    async def bench(ctx: Any) -> None:
        left = list(packets)
        clock = 0
        offers = False
        while left or not ctx.get(dut.idle):
            offers = bool(left) and (offers or rng.random() < pace)
            listens = rng.random() < pace
            ctx.set(dut.packets.valid, offers)
            ctx.set(dut.packets.p.as_value(), left[0] if offers else 0)
            ctx.set(dut.codes.ready, listens)
            ctx.set(dut.clock, 0xFFFFFF00 + clock & 0xFFFFFFFF)
            if listens and ctx.get(dut.codes.valid):
                codes.append(ctx.get(dut.codes.payload))
            if offers and ctx.get(dut.packets.ready):
                taken.append(0xFFFFFF00 + clock & 0xFFFFFFFF)
                left.pop(0)
                offers = False
            clock += 1
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return bytes(codes), taken


def random_packets(config: FabricConfig, seed: int, steps: int) -> list[int]:
    print("seed", seed)
    rng = np.random.default_rng(seed)
    packets = []
    most = (1 << config.index_width) - 1
    for _ in range(steps):
        for population in rng.integers(0, 1 << config.population_width, int(rng.integers(4))):
            near = int(rng.choice([1, 2, 9, 300]))
            index = int(rng.integers(min(near, most)))
            states = rng.random() < 0.4
            place = {name: int(rng.integers(1 << width)) for name, width in config.position}
            while index <= most and rng.random() < 0.95:
                if rng.random() < 0.2:
                    place = {name: int(rng.integers(1 << width)) for name, width in config.position}
                fields = {"population": int(population), "index": index, **place}
                if states:
                    half = 1 << (config.state_bits - 1)
                    value = int(rng.choice([-half, half - 1, int(rng.integers(-half, half))]))
                    fields |= {"kind": PacketKind.STATE, "value": value}
                    if config.traces and rng.random() < 0.7:
                        current = {"kind": PacketKind.CURRENT, "value": ~value}
                        packets.append(config.host_out.pack(fields | current))
                        if rng.random() < 0.2:  # of another tile, between the two
                            packets.append(config.host_out.pack({"index": int(rng.integers(most))}))
                packets.append(config.host_out.pack(fields))
                if rng.random() < 0.05:
                    index = int(rng.integers(index + 1))
                index += int(rng.integers(1, near + 1))
        packets.append(config.host_out.pack({"kind": PacketKind.STEP}))
    return packets


def in_order(config: FabricConfig, packets: Sequence[int]) -> list[object]:
    """Spikes that follow each other may change places."""
    found: list[object] = [[]]
    for packet in packets:
        if config.host_out.unpack(packet)["kind"] == PacketKind.SPIKE:
            found[-1] = sorted([*found[-1], packet])
        else:
            found += [packet, []]
    return found


@pytest.mark.parametrize("pace", [1.0, 0.4])
@pytest.mark.parametrize(
    "config",
    [PLAIN, IMAGES, TRACES, TRACED_IMAGES],
    ids=["plain", "images", "traces", "traced_images"],
)
def test_results(config: FabricConfig, pace: float) -> None:
    packets = random_packets(config, 2, 25)
    codes, taken = encoded(config, packets, pace)
    listener = Listener(config)
    listener.decode_packets(codes)
    heard, clocks = listener.words()
    assert in_order(config, heard) == in_order(config, packets)
    steps = [
        clock
        for clock, packet in zip(taken, packets, strict=True)
        if config.host_out.unpack(packet)["kind"] == PacketKind.STEP
    ]
    assert [clock for clock in clocks if clock] == steps


def test_results_are_short() -> None:
    """Masks where spikes are dense, a byte where they are not, no operand more than needed."""
    step = PLAIN.host_out.pack({"kind": PacketKind.STEP})

    def spikes(*indices: int) -> list[int]:
        return [PLAIN.host_out.pack({"index": index}) for index in indices]

    for packets, size in (
        (spikes(*range(70)), 10),
        (spikes(0, 6), 1),
        (spikes(0, 7), 2),
        (spikes(63), 1),
        (spikes(64), 3),
        (spikes(63, 127), 2),
        (spikes(600), 7),
        (spikes(*range(20, 700, 60)), 12),
    ):
        codes, _ = encoded(PLAIN, [*packets, step], 1.0)
        assert len(codes) == size + 5, packets
    states = [
        PLAIN.host_out.pack({"kind": PacketKind.STATE, "index": index, "value": -index})
        for index in range(10)
    ]
    codes, _ = encoded(PLAIN, states, 1.0)
    assert len(codes) == 40


def test_a_current_and_its_state_share_a_position() -> None:
    """The pair of a neuron is a code each, and the next neuron needs no other."""

    def packet(kind: PacketKind, population: int, index: int, value: int) -> int:
        fields = {"kind": kind, "population": population, "index": index, "value": value}
        return TRACES.host_out.pack(fields)

    pairs = [
        packet(kind, 0, index, value)
        for index in (0, 1)
        for kind, value in ((PacketKind.CURRENT, -2 - index), (PacketKind.STATE, 9 + index))
    ]
    codes, _ = encoded(TRACES, pairs, 1.0)
    assert codes.hex(" ") == "06 fe ff ff 05 09 00 00 06 fd ff ff 05 0a 00 00"
    other = TRACES.host_out.pack({"population": 5, "index": 1})
    codes, _ = encoded(TRACES, [pairs[0], other, pairs[1]], 1.0)
    assert codes.hex(" ") == "06 fe ff ff 03 05 00 82 03 00 00 05 09 00 00"
