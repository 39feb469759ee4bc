"""A board that learns: over a line that loses frames, cut off in the middle, and baked."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from board_model import BoardModel
from line_faults import DIRECTIONS, FaultyLine, Plan
from plastic_network import network_with_plane, plastic_network, spikes

import spikeloom
from spikeloom import Program, SpikeloomError
from spikeloom.compare import compare_device
from spikeloom.devices import serial_device
from spikeloom.devices.serial_device import SerialDevice
from spikeloom.golden.errors import SpikeloomWarning
from spikeloom.golden.link import LinkConfig
from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.golden.step.run import Run, simulate
from spikeloom.sim.terminal import Terminal

LINK = LinkConfig("model", 24_000_000, 24)
SAMPLES = 6
OPTIONS = ("plasticity", "rules", "rule_terms", "plastic_axons", "stamp_bits")


@pytest.fixture(scope="module")
def program() -> Program:
    return spikeloom.compile(plastic_network(), {"traces": True})


@pytest.fixture(scope="module")
def expected(program: Program) -> Run:
    return simulate(program.network, spikes(SAMPLES), learn=True)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few samples in a batch."""
    monkeypatch.setattr(serial_device, "BATCH", 40)


def check_weights(device: SerialDevice, expected: Run) -> None:
    for number, weights in expected.weights.items():
        np.testing.assert_array_equal(device.connection_weights(number), weights)
        np.testing.assert_array_equal(device.program.network.connections[number].weights, weights)


@pytest.mark.parametrize("fabric", [{}, {"columns": 2, "rows": 2}], ids=["tile", "mesh"])
def test_a_board_learns_what_the_model_learns(expected: Run, fabric: dict[str, int]) -> None:
    program = spikeloom.compile(plastic_network(), {"traces": True, **fabric})
    board = BoardModel(program.fabric, LINK)
    with Terminal(board) as terminal, SerialDevice(program, terminal.port, patience=5) as device:
        found = compare_device(program, spikes(SAMPLES), device, learn=True)
        assert (found.mismatches, found.first) == (0, None)
        assert found.weights == 12 * 10 + 10 * 9
        assert found.rtl.weight_updates == expected.updates
        assert device.program.learned == SAMPLES
        check_weights(device, expected)
        # Then it runs without learning, and learns on.
        run = device.run(spikes(2, seed=5))
        plain = simulate(device.program.network, spikes(2, seed=5))
        np.testing.assert_array_equal(run.spikes["out"], plain.spikes["out"])
        assert run.weight_updates == 0
        check_weights(device, expected)
        on = simulate(device.program.network, spikes(4, seed=6), learn=True, first=SAMPLES)
        told: list[int] = []
        run = device.run(spikes(4, seed=6), told.append, learn=True, traces=["out"])
        assert told[-1] == 4 > told[0], "one batch tells nothing of the next"
        check_weights(device, on)
        assert run.traces["out"].shape == (4, 6, 9)
        assert device.session.sessions == 1


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("kind", ["dropped", "flipped", "reset", "restarted"])
def test_what_a_lost_batch_has_learned_is_undone(
    program: Program, expected: Run, kind: str, direction: str
) -> None:
    """It runs again with the weights from before it: no sample teaches twice."""
    line = FaultyLine(BoardModel(program.fabric, LINK), 3)
    with Terminal(line) as terminal, SerialDevice(program, terminal.port, patience=0.1) as device:
        line.plans += [Plan(kind, direction, frames) for frames in (5, 15)]
        run = device.run(spikes(SAMPLES), learn=True)
        assert not line.plans
        assert device.session.sessions > 1 or kind in ("dropped", "flipped")
        assert run.weight_updates == expected.updates
        np.testing.assert_array_equal(run.spikes["out"], expected.spikes["out"])
        check_weights(device, expected)


def test_a_run_that_is_cut_off_keeps_what_it_has_learned(program: Program) -> None:
    """The error says after which sample; the board gets these weights again when it is back."""
    board = BoardModel(program.fabric, LINK)
    with Terminal(board) as terminal, SerialDevice(program, terminal.port, patience=5) as device:
        begin, told = device._begin, []

        def gone() -> None:
            raise serial_device.LinkLost("no answer")

        def progress(done: int) -> None:
            told.append(done)
            device._loaded = None
            device._begin = gone  # type: ignore[method-assign]

        lost = device._run_batch

        def lose(*arguments: Any) -> Any:
            if told:
                gone()
            return lost(*arguments)

        device._run_batch = lose  # type: ignore[method-assign]
        with pytest.raises(SpikeloomError, match=r"no answer.* after \d of 6 samples$") as error:
            device.run(spikes(SAMPLES), progress, learn=True)
        (done,) = told
        assert str(error.value).endswith(f"those after {done} of 6 samples")
        device._begin, device._run_batch = begin, lost  # type: ignore[method-assign]
        check_weights(device, simulate(program.network, spikes(SAMPLES)[:done], learn=True))
        device.run(spikes(SAMPLES)[done:], learn=True)
        check_weights(device, simulate(program.network, spikes(SAMPLES), learn=True))


def test_an_interrupt_leaves_the_weights_of_the_last_batch(program: Program) -> None:
    board = BoardModel(program.fabric, LINK)
    with Terminal(board) as terminal, SerialDevice(program, terminal.port, patience=5) as device:

        def interrupt(_: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            device.run(spikes(SAMPLES), interrupt, learn=True)
        done = device.program.learned
        assert 0 < done < SAMPLES
        check_weights(device, simulate(program.network, spikes(SAMPLES)[:done], learn=True))


HOST = """
import sys
from plastic_network import spikes
from spikeloom import Program
from spikeloom.devices import serial_device

serial_device.BATCH = 40
device = serial_device.SerialDevice(Program.load("plastic.loom"), sys.argv[1], patience=5)

def progress(done):
    device.program.save("learned.loom")
    print(done, flush=True)

device.run(spikes(int(sys.argv[2])), progress, learn=True)
"""


def test_a_host_that_is_killed_has_saved_what_was_learned(program: Program, tmp_path: Path) -> None:
    """Another one takes the board over in the middle of a frame, and learns on from there."""
    board = BoardModel(program.fabric, LINK)
    program.save(tmp_path / "plastic.loom")
    with Terminal(board) as terminal:
        command = [sys.executable, "-c", HOST, terminal.port, str(SAMPLES)]
        path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(command, cwd=tmp_path, env=path, stdout=subprocess.PIPE) as host:
            assert host.stdout is not None
            first = int(host.stdout.readline())
            host.kill()
        learned = Program.load(tmp_path / "learned.loom")
        done = learned.learned
        assert 0 < first <= done < SAMPLES
        with SerialDevice(learned, terminal.port, patience=5) as device:
            check_weights(device, simulate(program.network, spikes(SAMPLES)[:done], learn=True))
            device.run(spikes(SAMPLES)[done:], learn=True)
            check_weights(device, simulate(program.network, spikes(SAMPLES), learn=True))


def test_a_baked_board_forgets_its_contents(program: Program, expected: Run) -> None:
    """After it has learned it must not pass for one that holds the Program's weights."""
    baked = frozenset({LoadTarget.WEIGHT, LoadTarget.BIAS, LoadTarget.POPULATION})
    board = BoardModel(program.fabric, LINK, program.image.contents(baked))
    with Terminal(board) as terminal:
        with SerialDevice(program, terminal.port, patience=5) as device:
            with pytest.warns(SpikeloomWarning, match="learning changes weights that were built"):
                device.run(spikes(SAMPLES), learn=True)
            check_weights(device, expected)
        with SerialDevice(program, terminal.port, patience=5) as device:
            run = device.run(spikes(2))
            plain = simulate(program.network, spikes(2))
            np.testing.assert_array_equal(run.spikes["out"], plain.spikes["out"])


def test_a_board_without_a_read_port_is_refused(program: Program) -> None:
    blind = spikeloom.compile(plastic_network(), {"readable": False})
    board = BoardModel(blind.fabric, LINK)
    with (
        Terminal(board) as terminal,
        SerialDevice(blind, terminal.port, patience=5) as device,
        pytest.raises(SpikeloomError, match=r"cannot be read: build it with --set readable=true"),
    ):
        device.run(spikes(1), learn=True)


def test_a_board_without_the_option_is_refused(program: Program) -> None:
    """What it can be compiled for does not learn, so the remedy is another bitstream."""
    plain = dataclasses.replace(
        program.fabric, **{name: getattr(FabricConfig(), name) for name in OPTIONS}
    )
    with (
        Terminal(BoardModel(plain, LINK)) as terminal,
        pytest.raises(SpikeloomError) as error,
        SerialDevice(program, terminal.port, patience=5) as device,
    ):
        device.run(spikes(1), learn=True)
    assert "differ: plasticity True and False" in str(error.value)
    assert str(error.value).endswith(
        "; or build the board for it: build --board model with the program"
    )
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["", "dropped", "reset"])
def test_a_board_with_eligibilities(kind: str) -> None:
    """They go on over all samples of a run, which is one batch; the next begins with 0 again."""
    network = network_with_plane()
    program = spikeloom.compile(network)
    line = FaultyLine(BoardModel(program.fabric, LINK), 3)
    with Terminal(line) as terminal, SerialDevice(program, terminal.port, patience=0.2) as device:
        for n in range(2):
            told: list[int] = []
            line.plans = [Plan(kind, "to host", 5)] if kind else []
            expected = simulate(device.program.network, spikes(4), learn=True, first=4 * n)
            run = device.run(spikes(4), told.append, learn=True)
            assert (told, line.plans) == ([4], [])
            assert run.weight_updates == expected.updates
            np.testing.assert_array_equal(run.spikes["out"], expected.spikes["out"])
            assert (expected.weights[1] != program.network.connections[1].weights).any()
            check_weights(device, expected)
        plain = simulate(device.program.network, spikes(2))
        np.testing.assert_array_equal(device.run(spikes(2)).spikes["out"], plain.spikes["out"])
