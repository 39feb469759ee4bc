"""Emit walks the fan-out of a spike as often as the neuron spiked, with its position."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from spikeloom.golden.spec import FabricConfig, LoadTarget, PacketKind
from spikeloom.hdl.core.emit import Emit

CONFIG = FabricConfig(
    lanes=2, slots=4, targets=8, connections=8, queue=6, extent=6, max_spikes=7, populations=4
)
TRACED = dataclasses.replace(CONFIG, traces=True, synaptic_current=True)
AMOUNTS = dataclasses.replace(CONFIG, signed_spikes=True, graded_bits=3)
CONFIGS = pytest.mark.parametrize(
    "config", [CONFIG, TRACED, AMOUNTS], ids=["plain", "traced", "amounts"]
)
TARGETS = [
    {"host": 1},
    {"route": 5, "connection": 3, "delay": 1},
    {"route": 9, "connection": 7, "delay": 3},
    {"host": 1, "delay": 3},
    {"route": 1, "connection": 2, "delay": 0},
]
SLOT, AHEAD = 2, 2

Packet = tuple[str, int]


def rounds(spike: Mapping[str, int], config: FabricConfig) -> int:
    """How often the fan-out is walked: a graded event counts all spikes."""
    return min(spike["spiked"], 1) if config.graded_bits else spike["spiked"]


def packets(spike: Mapping[str, int], config: FabricConfig) -> Iterator[Packet | None]:
    """One for each beat; None where the event would be due after the sample's end."""
    who = {name: spike[name] for name in ("index", "y", "x")}
    amount = {}
    if config.graded_bits:
        amount = {"negative": spike["negative"], "magnitude": spike["spiked"]}
    for _ in range(rounds(spike, config)):
        for beat in range(spike["fan_out"]):
            target = TARGETS[spike["target_base"] + beat]
            if target.get("host"):
                word = {"kind": PacketKind.SPIKE, "population": spike["population"], **who}
                if config.graded_bits:
                    word["value"] = spike["spiked"] * (-1 if spike["negative"] else 1)
                yield "host", config.host_out.pack(word)
            elif target["delay"] > AHEAD:
                yield None
            else:
                slot = (SLOT + target["delay"]) % CONFIG.slots
                names = "route", "connection"
                word = {**{name: target[name] for name in names}, **who, **amount, "slot": slot}
                yield "event", config.event.pack(word)
    if spike["readout"] and spike.get("currents"):
        word = {"kind": PacketKind.CURRENT, "population": spike["population"], **who}
        yield "host", config.host_out.pack({**word, "value": spike["current"]})
    if spike["readout"]:
        word = {"kind": PacketKind.STATE, "population": spike["population"], **who}
        yield "host", config.host_out.pack({**word, "value": spike["value"]})


def random_spikes(
    rng: np.random.Generator, count: int, config: FabricConfig = CONFIG
) -> list[dict[str, int]]:
    """Such as fire sends: each becomes a packet at least."""
    spikes = []
    while len(spikes) < count:
        target_base = int(rng.integers(len(TARGETS)))
        spike = {
            "population": int(rng.integers(4)),
            "index": int(rng.integers(200)),
            "y": int(rng.integers(6)),
            "x": int(rng.integers(6)),
            "spiked": int(rng.integers(8)),
            "target_base": target_base,
            "fan_out": int(rng.integers(len(TARGETS) - target_base + 1)),
            "readout": int(rng.integers(2)),
            "value": int(rng.integers(-99, 100)),
        }
        if config.signed_spikes:
            spike["negative"] = int(rng.integers(2))
        if config.traces:
            spike["currents"] = int(rng.integers(2))
            spike["current"] = int(rng.integers(-99, 100))
        if spike["readout"] or (spike["spiked"] and spike["fan_out"]):
            spikes.append(spike)
    return spikes


def emitted(
    spikes: Sequence[Mapping[str, int]], ready: float, seed: int, config: FabricConfig = CONFIG
) -> tuple[list[tuple[int, Packet]], list[int]]:
    """Packets with their clocks, and the clocks in which the queue gives up a spike."""
    dut = Emit(config)
    rng = np.random.default_rng(seed)
    seen: list[tuple[int, Packet]] = []
    pops: list[int] = []

    async def bench(ctx: Any) -> None:
        ctx.set(dut.load.valid, 1)
        for address, row in enumerate(TARGETS):
            data = CONFIG.target_row.pack(row)
            word = {"target": LoadTarget.TARGET, "address": address, "data": data}
            ctx.set(dut.load.word.as_value(), CONFIG.load.pack(word))
            await ctx.tick()
        ctx.set(dut.load.valid, 0)
        ctx.set(dut.slot, SLOT)
        ctx.set(dut.ahead, AHEAD)
        left = list(spikes)
        inside = 0
        for clock in range(20_000):
            push = bool(left) and inside < CONFIG.queue
            ctx.set(dut.spike_valid, push)
            if push:
                spike = left.pop(0)
                rows = spike["fan_out"] if spike["spiked"] else 0
                ctx.set(dut.spike.as_value(), config.spike.pack(spike))
                ctx.set(dut.routed, rows > 0)
                ctx.set(dut.short, spike["fan_out"] == 1)
                readout = spike["readout"] * (1 + spike.get("currents", 0))
                ctx.set(dut.single, rows * rounds(spike, config) + readout == 1)
            for name, port in (("event", dut.event), ("host", dut.host)):
                takes = rng.random() < ready
                ctx.set(port.ready, takes)
                if takes and ctx.get(port.valid):
                    seen.append((clock, (name, ctx.get(port.p.as_value()))))
            if ctx.get(dut.popped):
                pops.append(clock)
            inside += push - ctx.get(dut.popped)
            if not left and not inside and ctx.get(dut.idle):
                return
            await ctx.tick()
        raise AssertionError("emit does not end")

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen, pops


@CONFIGS
@pytest.mark.parametrize("ready", [1.0, 0.4])
def test_every_packet_of_every_spike(ready: float, config: FabricConfig) -> None:
    spikes = random_spikes(np.random.default_rng(1), 120, config)
    expected = [packet for spike in spikes for packet in packets(spike, config) if packet]
    seen, pops = emitted(spikes, ready, 5, config)
    assert [packet for _, packet in seen] == expected
    assert len(pops) == len(spikes)


@CONFIGS
def test_a_beat_in_every_clock(config: FabricConfig) -> None:
    """Rounds, spikes, currents and states follow each other without a pause."""
    spikes = random_spikes(np.random.default_rng(2), 60, config)
    seen, pops = emitted(spikes, 1.0, 5, config)
    # Pushed in clock 0, at the head in 2, in B in 3, and out in 4.
    clock, expected, popped = 4, [], []
    for spike in spikes:
        for packet in packets(spike, config):
            if packet:
                expected.append((clock, packet))
            clock += 1
        popped.append(clock - 3)
    assert seen == expected
    assert pops == popped
