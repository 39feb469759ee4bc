"""The cocotb test: golden model and RTL on the same clock.

Runs in the simulator's process, in the directory where `sim.cosim.check` left `setup.json`.
"""

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.cycle.read import ReadPort
from spikeloom.golden.spec import FabricConfig, Layout, PacketKind

RESTING = 100
"""Clocks without input after the last step until the fabric is at rest."""
PAUSE = 0.1
"""Probability that the read port is released for a time, instead of reading a byte."""


@cocotb.test()
async def compare(dut: Any) -> None:
    """Play the scenario and compare the probe with the model's on every clock."""
    setup = json.loads(Path("setup.json").read_text(encoding="utf-8"))
    config = FabricConfig.from_json(setup["config"])
    scenario = setup["scenario"]
    bench = Bench(dut, config, random.Random(scenario["seed"]))
    await bench.reset()
    start = time.perf_counter()
    await bench.load(setup["load"], scenario["load_gap"])
    await bench.play(
        scenario["words"], scenario["gap"], scenario["backpressure"], scenario["limit"]
    )
    if config.readable:
        await bench.read(scenario["reads"])
    result = {
        "cycles": bench.cycles,
        "steps": bench.steps,
        "packets": bench.packets,
        "events": bench.events,
        "reads": bench.reads,
        "seconds": time.perf_counter() - start,
        "seed": scenario["seed"],
        "difference": bench.difference,
    }
    Path(setup["result"]).write_text(json.dumps(result), encoding="utf-8")


class Bench:
    """Drives the fabric and its model with the same values.

    Inputs are driven and outputs sampled on the falling edge, when everything that the rising edge
    caused has settled. The probe is registered: on a falling edge it shows the clock that ended
    with the preceding rising edge, with the inputs driven on the falling edge before that.
    """

    def __init__(self, dut: Any, config: FabricConfig, rng: random.Random) -> None:
        self.dut = dut
        self.model = CycleModel(config, trace=True)
        self.config = config
        self.probe = config.probe
        self.rng = rng
        self.cycles = self.steps = self.packets = self.events = self.reads = 0
        self.difference: dict[str, object] | None = None
        self._driven: dict[str, int] = {}
        self._format = f"0{config.probe.width}b"

    async def reset(self) -> None:
        """Start the clock, and release the reset just after a falling edge."""
        self._edge = FallingEdge(self.dut.clk)
        for name in ("host_in__valid", "host_in__payload", "host_out__ready"):
            self._drive(name, 0)
        for name in ("load__valid", "load__payload"):
            self._drive(name, 0)
        if self.config.readable:
            self._drive("read__active", 0)
        self._drive("rst", 1)
        Clock(self.dut.clk, 10, unit="ns").start(start_high=False)
        for _ in range(2):
            await self._edge
        self._drive("rst", 0)

    async def load(self, words: list[int], gap: float) -> None:
        """Write the memories through the load port, in random order."""
        for word in self.rng.sample(words, len(words)):
            while self.rng.random() < gap and self.difference is None:
                self._drive_no_load()
                await self._compare(self.model.clock(host_out_ready=False))
            if self.difference is not None:
                return
            self._drive("load__valid", 1)
            self._drive("load__payload", word)
            await self._compare(self.model.clock(load=word, host_out_ready=False))
        self._drive_no_load()

    async def play(self, words: list[int], gap: float, backpressure: float, limit: int) -> None:
        """Offer `words` until all steps are complete."""
        rng = self.rng.random
        model = self.model
        source: Iterator[int] = iter(words)
        marks = sum(word & 1 for word in words)
        word = None
        silent = 0
        while self.steps < marks and self.difference is None:
            if word is None and rng() >= gap:
                word = next(source, None)
            ready = rng() >= backpressure
            self._drive("host_in__valid", word is not None)
            if word is not None:
                self._drive("host_in__payload", word)
            self._drive("host_out__ready", ready)
            expected = model.clock(word, ready)
            silent += 1
            if model.host_in_taken:
                self._drive_no_load()
                word = None
                self.events += 1
                silent = 0
            if model.host_out is not None:
                self.packets += 1
                silent = 0
            await self._compare(expected)
            if model.host_out is not None and model.host_out & 3 == PacketKind.STEP:
                self.steps += 1
            if silent > limit:
                raise RuntimeError(f"no transfer at the host ports for {limit} clocks")

    async def read(self, count: int) -> None:
        """Read `count` bytes of the memories when the fabric is at rest."""
        config, rng = self.config, self.rng
        self._drive("host_in__valid", 0)
        for _ in range(RESTING):
            await self._compare(self.model.clock())
        port = ReadPort(self.model)
        memories = list(config.readable_memories.items())
        while self.reads < count and self.difference is None:
            target, (row, rows) = rng.choice(memories)
            fields = {
                "tile": rng.randrange(config.tiles),
                "target": target,
                "address": rng.randrange(rows),
                "byte": rng.randrange(-(-row.width // 8)),
            }
            word = None if rng.random() < PAUSE else config.read.pack(fields)
            for _ in range(config.read_clocks + rng.randrange(1, 4)):
                # Depends on registers alone, so it is valid before the word of this clock.
                self._compare_read(port.clock(word), fields)
                self._drive("read__active", word is not None)
                if word is not None:
                    self._drive("read__word", word)
                await self._compare(self.model.clock())
            self.reads += word is not None

    def _drive_no_load(self) -> None:
        """`load.valid` is 0, and the payload is random: it must have no effect."""
        self._drive("load__valid", 0)
        self._drive("load__payload", self.rng.getrandbits(self.config.load.width))

    def _drive(self, name: str, value: int) -> None:
        if self._driven.get(name) != value:
            self._driven[name] = value
            getattr(self.dut, name).value = int(value)

    def _compare_read(self, expected: int | None, fields: dict[str, int]) -> None:
        """Compare the byte at the read port, before this clock's word is driven."""
        got = int(self.dut.read__data.value)
        if expected not in (None, got) and self.difference is None:
            self.difference = {"signal": f"read {fields}", "expected": expected, "got": got}
            self.difference |= {"step": self.steps, "cycle": self.cycles}

    async def _compare(self, expected: int) -> None:
        await self._edge
        if not int(self.dut.load__ready.value) and self.difference is None:
            self.difference = {"signal": "load.ready", "expected": 1, "got": 0}
            self.difference |= {"step": self.steps, "cycle": self.cycles}
        got = str(self.dut.probe.value)
        if got != format(expected, self._format):
            self.difference = first_difference(self.probe, expected, int(got, 2))
            self.difference |= {"step": self.steps, "cycle": self.cycles}
        self.cycles += 1


def first_difference(probe: Layout, expected: int, got: int) -> dict[str, object]:
    """The first field in which two probe words differ."""
    wanted, seen = probe.unpack(expected), probe.unpack(got)
    for name, value in wanted.items():
        if seen[name] != value:
            return {"signal": name, "expected": value, "got": seen[name]}
    raise ValueError("the words do not differ")
