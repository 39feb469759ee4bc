"""The power-on reset, clock by clock."""

from typing import Any

import pytest
from amaranth import ClockDomain, Module
from amaranth.sim import Simulator

from spikeloom.boards.clocking import ResetHold


def resets(clocks: int, locked: list[int]) -> list[int]:
    """`reset` in each clock, for `locked` in each clock."""
    m = Module()
    m.domains.sync = ClockDomain(reset_less=True)
    m.submodules.hold = hold = ResetHold(clocks)
    seen = []

    async def drive(ctx: Any) -> None:
        for value in locked:
            ctx.set(hold.locked, value)
            seen.append(ctx.get(hold.reset))
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    return seen


@pytest.mark.parametrize("clocks", [1, 2, 20])
def test_reset_lasts_for_its_clocks_after_the_lock(clocks: int) -> None:
    assert resets(clocks, [1] * 40) == [1] * (clocks + 2) + [0] * (38 - clocks)


def test_reset_begins_at_configuration_and_waits_for_the_lock() -> None:
    seen = resets(5, [0] * 10 + [1] * 20)
    assert seen == [1] * (10 + 5 + 2) + [0] * 13


def test_a_lock_that_breaks_starts_it_again() -> None:
    locked = [1] * 4 + [0] + [1] * 20
    seen = resets(5, locked)
    assert seen == [1] * (5 + 5 + 2) + [0] * 13


def test_a_lock_that_is_lost_resets_again() -> None:
    locked = [1] * 12 + [0] * 4 + [1] * 16
    seen = resets(5, locked)
    assert seen[:7] == [1] * 7
    assert seen[7:15] == [0] * 8
    assert seen[15:] == [1] * (16 + 5 + 2 - 15) + [0] * (len(locked) - 23)
