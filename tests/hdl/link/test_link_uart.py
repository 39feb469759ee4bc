"""Bytes over the serial line: what is sent is received, and nothing else."""

from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator
from link_board import Levels, serial
from numpy.typing import NDArray

from spikeloom.hdl.link.uart import Receiver, Transmitter

CLOCKS = (4, 5, 8, 17)


def octets(seed: int, count: int) -> bytes:
    print("seed", seed)
    return np.random.default_rng(seed).integers(0, 256, count, np.uint8).tobytes()


def received(clocks_per_bit: int, levels: Levels) -> bytes:
    dut = Receiver(clocks_per_bit)
    heard = bytearray()

    async def bench(ctx: Any) -> None:
        for level in levels.tolist() + [1] * 2 * clocks_per_bit:
            ctx.set(dut.rx, level)
            await ctx.tick()
            if ctx.get(dut.valid):
                heard.append(ctx.get(dut.data))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return bytes(heard)


def stretched(levels: Levels, by: float) -> Levels:
    """As a sender whose clock is slower by a part `by` gives them."""
    return levels[(np.arange(int(len(levels) * (1 + by))) / (1 + by)).astype(int)]


def ones(count: int) -> NDArray[np.uint8]:
    return np.ones(count, np.uint8)


@pytest.mark.parametrize("clocks_per_bit", CLOCKS)
def test_received_without_and_with_pauses(clocks_per_bit: int) -> None:
    data = octets(1, 60)
    assert received(clocks_per_bit, serial(data, clocks_per_bit)) == data
    rng = np.random.default_rng(2)
    parts = []
    for number in range(60):
        parts += [serial(data[number : number + 1], clocks_per_bit), ones(int(rng.integers(40)))]
    assert received(clocks_per_bit, np.concatenate(parts)) == data


@pytest.mark.parametrize("by", [-0.02, 0.02])
def test_received_from_another_clock(by: float) -> None:
    data = octets(3, 60)
    assert received(16, stretched(serial(data, 16), by)) == data


def test_a_byte_without_its_stop_bit_is_dropped() -> None:
    levels = serial(b"\x55\x0f\xf0", 8)
    levels[(10 + 9) * 8 : (10 + 10) * 8] = 0
    # What follows is read only after the line was idle; here the 0 is the third's start bit too.
    heard = received(8, np.concatenate([levels[: 20 * 8], ones(8), levels[20 * 8 :]]))
    assert heard == b"\x55\xf0"


def test_a_break_is_no_byte() -> None:
    zeros = np.zeros(8 * 57, np.uint8)
    assert received(8, np.concatenate([ones(9), zeros, ones(9), serial(b"A", 8)])) == b"A"


def test_a_short_pulse_is_no_start_bit() -> None:
    for width in range(1, 4):
        levels = np.concatenate([ones(5), np.zeros(width, np.uint8), ones(30), serial(b"z", 8)])
        assert received(8, levels) == b"z"


@pytest.mark.parametrize("clocks_per_bit", CLOCKS)
@pytest.mark.parametrize("pause", [0.0, 0.97])
def test_sent(clocks_per_bit: int, pause: float) -> None:
    data = octets(4, 30)
    dut = Transmitter(clocks_per_bit)
    rng = np.random.default_rng(5)
    levels: list[int] = []
    starts: list[int] = []

    async def bench(ctx: Any) -> None:
        left = list(data)
        offered = False
        while left or len(levels) < starts[-1] + 10 * clocks_per_bit + 20:
            offered = offered or rng.random() >= pause
            ctx.set(dut.bytes.valid, bool(left) and offered)
            ctx.set(dut.bytes.payload, left[0] if left else 0)
            levels.append(ctx.get(dut.tx))
            if left and offered and ctx.get(dut.bytes.ready):
                starts.append(len(levels))
                left.pop(0)
                offered = False
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()

    expected = ones(len(levels))
    for start, byte in zip(starts, data, strict=True):
        expected[start : start + 10 * clocks_per_bit] = serial(bytes([byte]), clocks_per_bit)
    assert levels == expected.tolist()
    if pause == 0:
        assert set(np.diff(starts)) == {10 * clocks_per_bit}
