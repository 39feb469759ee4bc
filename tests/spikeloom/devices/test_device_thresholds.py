"""Thresholds between runs, replaced in every kind of device."""

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest
from board_model import BoardModel
from small_program import SMALL, small_network

from spikeloom.devices.device import Device
from spikeloom.devices.serial_device import SerialDevice
from spikeloom.devices.simulated import GoldenDevice, VerilatorDevice
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.link import LinkConfig
from spikeloom.golden.step.run import simulate
from spikeloom.program import Program
from spikeloom.sim.terminal import Terminal

LINK = LinkConfig("model", 24_000_000, 24)


def small_program() -> Program:
    return Program(small_network(), SMALL, frozenset({"first"}), frozenset({"first"}))


@contextlib.contextmanager
def device_of(kind: str) -> Iterator[tuple[Device, BoardModel | None]]:
    program = small_program()
    if kind == "board":
        board = BoardModel(program.fabric, LINK)
        with (
            Terminal(board) as terminal,
            SerialDevice(program, terminal.port, patience=5) as opened,
        ):
            yield opened, board
        return
    with {"golden": GoldenDevice, "verilator": VerilatorDevice}[kind](program) as simulated:
        yield simulated, None


@pytest.mark.parametrize("kind", ["golden", "verilator", "board"])
def test_a_threshold_is_replaced(kind: str) -> None:
    """Runs are those of a program that was made with it; weights that were replaced stay."""
    events = np.random.default_rng(1).integers(0, 3, (3, 8, 6)).astype(np.uint8)
    with device_of(kind) as (device, board):
        device.weights["in->first"] = weights = device.program.network.connections[0].weights - 3
        totals = []
        for threshold in (40, 5, 60):
            before = board.loads if board else 0
            device.set_threshold("first", threshold)
            assert device.program.network.population("first").threshold == threshold
            assert board is None or board.loads - before == (threshold != 40)
            run = device.run(events)
            expected = simulate(device.program.network, {"in": events})
            assert np.array_equal(run.spikes["first"], expected.spikes["first"])
            assert np.array_equal(run.states["first"], expected.states["first"])
            totals.append(int(run.spikes["first"].sum()))
        assert totals[1] > totals[0] > totals[2] > 0
        assert np.array_equal(device.program.network.connections[0].weights, weights)


@pytest.mark.parametrize(
    ("name", "threshold", "message"),
    [
        ("in", 3, "there is no population 'in'; there are first, sum, last"),
        ("first", 1 << 20, "threshold must be -32768..32767"),
        ("first", np.arange(9), "neuron_parameters"),
    ],
)
def test_a_threshold_that_does_not_fit_changes_nothing(
    name: str, threshold: int, message: str
) -> None:
    program = small_program()
    with GoldenDevice(program) as device:
        with pytest.raises(SpikeloomError, match=message):
            device.set_threshold(name, threshold)
        assert device.program is program
