"""What cocotbext-axi drives at the ports of a fabric with AXI, and what it sees there."""

import functools
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import test_axi
import test_axi_accesses
import test_axi_busy
import test_axi_counters
from amaranth import Value
from amaranth.lib.wiring import Component
from amaranth.sim import Simulator
from designs import Port, separator
from recordings import Recording, Values

from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.sim.cosim import process
from spikeloom.sim.verilog import emit_axi

PAYLOADS = {
    "s_axi_bresp": "s_axi_bvalid",
    "s_axi_rdata": "s_axi_rvalid",
    "s_axi_rresp": "s_axi_rvalid",
    "m_axis_packets_tdata": "m_axis_packets_tvalid",
    "m_axis_packets_tlast": "m_axis_packets_tvalid",
    "bus_bresp": "bus_bvalid",
    "bus_rdata": "bus_rvalid",
    "bus_rresp": "bus_rvalid",
    "data": "valid",
    "reason": "refused",
}
"""Outputs that mean something only while another is 1."""


def of_axi(
    config: FabricConfig, inputs: Sequence[Port], outputs: Sequence[Port]
) -> list[Recording]:
    """The one recording of all tests."""
    image, _, words = test_axi.mapped(config)
    names = [name for name, _ in (*inputs, *outputs) if name != "rst"]
    simulate = process.simulate
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        (directory / "ports.json").write_text(json.dumps(names), encoding="utf-8")

        def recorded(build: Path, directory: Path, top: str, bench: str) -> str:
            return simulate(build, directory, top, "axi_recording")

        found = {"PYTHONPATH": os.pathsep.join(sys.path)}
        with patch.object(process, "simulate", recorded), patch.dict(os.environ, found):
            tests, failed, output = test_axi.play(image, words, directory, emit_axi(config))
        assert (tests, failed) == (test_axi.TESTS, 0), output
        lines = (directory / "ports.txt").read_text(encoding="utf-8").splitlines()
    rows: list[tuple[Values, Values]] = []
    for line in lines:
        bits = dict(zip(names, line.split(), strict=True))
        driven = {name: int(bits[name].replace("X", "0"), 2) for name, _ in inputs if name != "rst"}
        seen = {
            name: int(bits[name], 2)
            for name, _ in outputs
            if name not in PAYLOADS or int(bits[PAYLOADS[name]], 2)
        }
        rows.append((driven, seen))
    return [Recording.of(inputs, outputs, rows)]


def of_busy(
    config: FabricConfig, inputs: Sequence[Port], outputs: Sequence[Port]
) -> list[Recording]:
    """What the tests of loads beside events drive, one recording for each fabric of theirs.

    With images those of events that are looked up.
    """
    busy, accesses = test_axi_busy, test_axi_accesses
    tick = busy.Host.tick
    recorded: list[tuple[busy.Host, list[tuple[Values, Values]]]] = []

    async def ticked(host: busy.Host, clocks: int = 1) -> None:
        if not recorded or recorded[-1][0] is not host:
            recorded.append((host, []))
        for _ in range(clocks):
            recorded[-1][1].append(_ports(host.ctx, host.dut, inputs, outputs))
            await tick(host)

    with (
        patch.object(busy.Host, "tick", ticked),
        patch.multiple(busy, CONFIG=config, GROUPS=config.groups),
        patch.object(accesses, "CONFIG", config),
    ):
        if config.images:
            busy.test_no_load_under_events_that_are_looked_up()
        else:
            _of_one_tile(config)
    return [Recording.of(inputs, outputs, rows) for _, rows in recorded]


def _of_one_tile(config: FabricConfig) -> None:
    """The tests of loads beside events, with a dense matrix."""
    busy, accesses = test_axi_busy, test_axi_accesses
    for ahead in range(config.slots):
        busy.test_no_load_between_an_event_and_its_step(ahead)
    busy.test_a_reset_ends_the_wait_for_a_step()
    busy.test_a_nearer_event_does_not_end_the_wait_for_a_farther_one()
    for late in range(4):
        busy.test_no_load_under_events_that_outlive_their_step(
            config.columns, config.rows, config.tree_depth, late
        )
    busy.test_an_event_beside_a_load_word(config.columns, LoadTarget.WEIGHT)
    accesses.test_no_load_in_reset_or_of_a_part()
    accesses.test_a_write_waits_for_the_answer_before()
    accesses.test_a_write_that_waits_in_reset_is_carried_out_once()


def of_registers(inputs: Sequence[Port], outputs: Sequence[Port]) -> list[Recording]:
    """What the test of the counters drives."""
    test = test_axi_counters.test_the_upper_word_is_kept_when_the_lower_one_is_read
    return [Recording.of(inputs, outputs, simulated(test_axi_counters, test, inputs, outputs))]


def simulated(
    module: ModuleType,
    test: Callable[[], None],
    inputs: Sequence[Port],
    outputs: Sequence[Port],
) -> list[tuple[Values, Values]]:
    """What a test of a module drives and sees in its one simulation, in every clock."""
    ((_, rows),) = simulations(module, test, inputs, outputs)
    return rows


def simulations(
    module: ModuleType,
    test: Callable[[], None],
    inputs: Sequence[Port],
    outputs: Sequence[Port],
) -> list[tuple[Component, list[tuple[Values, Values]]]]:
    """What a test of a module drives and sees in every clock, for each of its simulations."""
    recorded: list[tuple[Component, list[tuple[Values, Values]]]] = []

    class Recorder(Simulator):
        """A simulator that records every clock."""

        def __init__(self, dut: Component) -> None:
            super().__init__(dut)
            recorded.append((dut, []))

        async def _record(self, context: Any) -> None:
            dut, rows = recorded[-1]
            while True:
                rows.append(_ports(context, dut, inputs, outputs))
                await context.tick()

        def run(self) -> None:
            # After the test, so that what is driven in a clock is recorded in it.
            self.add_testbench(self._record, background=True)
            super().run()

    with patch.object(module, "Simulator", Recorder):
        test()
    return recorded


def _ports(
    context: Any, dut: Component, inputs: Sequence[Port], outputs: Sequence[Port]
) -> tuple[Values, Values]:
    """What is driven and seen now."""
    values = {
        name: context.get(value) & all_ones for name, (value, all_ones) in _members(dut).items()
    }
    driven = {name: values.get(name, 0) for name, _ in inputs}
    return driven, {
        name: values[name] for name, _ in outputs if name in values and values.get(_valid(name), 1)
    }


@functools.lru_cache(maxsize=1)
def _members(dut: Component) -> dict[str, tuple[Value, int]]:
    """The ports of a component, by name, and 1 in every bit of each."""
    ports = {
        separator(dut).join(map(str, path)): Value.cast(value)
        for path, _, value in dut.signature.flatten(dut)
    }
    return {name: (value, (1 << len(value)) - 1) for name, value in ports.items()}


@functools.cache
def _valid(payload: str) -> str:
    """The output that says whether another one means something."""
    stream, _, member = payload.rpartition("__")
    return f"{stream}__valid" if member == "payload" else PAYLOADS.get(payload, "")
