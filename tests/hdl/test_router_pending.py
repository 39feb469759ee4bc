"""A router is pending until its packets of the slot have left through every port."""

import inspect
import types
from typing import Any

import pytest
from amaranth.sim import Simulator

from spikeloom.golden.spec import FabricConfig, LoadTarget, Port
from spikeloom.hdl.mesh import router

CONFIG = FabricConfig(columns=2, slots=4, routes=4, buffer=3)
TURNS = (Port.EAST, Port.LOCAL)
ROWS = [CONFIG.route_row.pack(dict.fromkeys(ports, 1)) for ports in ((), ("east",), ("local",))]
ROWS.append(CONFIG.route_row.pack({"east": 1, "local": 1}))
SLOT = 2


def pending(unit: Any, route: int, granted: list[int]) -> list[tuple[bool, bool]]:
    """Whether it is, in the clocks since a packet was taken, in the packet's slot and another."""
    dut = unit(CONFIG, TURNS, {LoadTarget.ROUTE: ROWS})
    answers: list[tuple[bool, bool]] = []

    async def bench(context: Any) -> None:
        context.set(dut.packet.p.route, route)
        context.set(dut.packet.p.slot, SLOT)
        context.set(dut.packet.valid, 1)
        await context.tick()
        context.set(dut.packet.valid, 0)
        for ports in granted:
            context.set(dut.granted, ports)
            context.set(dut.slot, SLOT)
            due = bool(context.get(dut.pending))
            context.set(dut.slot, SLOT + 1)
            answers.append((due, bool(context.get(dut.pending))))
            await context.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return answers


CASES = {
    "no port": (0, [0, 0], 1),
    "east": (1, [0, 0, 0, 1, 0], 4),
    "local": (2, [0, 0, 0, 2, 0], 4),
    "both at once": (3, [0, 0, 0, 3, 0], 4),
    "one after the other": (3, [0, 0, 1, 0, 2, 0], 5),
}


@pytest.mark.parametrize("name", CASES)
def test_pending_until_it_has_left(name: str) -> None:
    route, granted, clocks = CASES[name]
    expected = [(clock < clocks, False) for clock in range(len(granted))]
    assert pending(router.RouterInput, route, granted) == expected


def test_a_fault_is_found() -> None:
    """That a packet is forgotten which still has to leave through one of its ports."""
    text = inspect.getsource(router)
    right, wrong = "queue[number].wants.any()", "queue[number].wants.all()"
    assert text.count(right) == 1
    broken = types.ModuleType(router.__name__)
    exec(text.replace(right, wrong), broken.__dict__)
    route, granted, _ = CASES["one after the other"]
    assert pending(broken.RouterInput, route, granted) != pending(
        router.RouterInput, route, granted
    )
