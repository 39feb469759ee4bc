"""RTL that learns, as a device and behind the link of a board: spikes, clocks and every weight."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from locking import one_at_a_time
from plastic_network import plastic_network, spikes

import spikeloom
from spikeloom import Program
from spikeloom.cli import cli
from spikeloom.compare import compare, compare_device
from spikeloom.devices import simulated
from spikeloom.devices.serial_device import SerialDevice
from spikeloom.devices.simulated import VerilatorDevice
from spikeloom.golden.link import LinkConfig
from spikeloom.golden.step.run import Run, simulate
from spikeloom.sim.virtual_board import VirtualBoard

LINK = LinkConfig("virtual", 24_000_000, 4)
FABRIC = {"lanes": 4, "neurons": 64, "weight_words": 256}
SAMPLES = 5
SYNAPSES = 12 * 10 + 10 * 9


@pytest.fixture(scope="module")
def program() -> Program:
    return spikeloom.compile(plastic_network(), FABRIC)


@pytest.fixture(scope="module")
def _built(program: Program) -> None:
    with one_at_a_time("fabric that learns"), VerilatorDevice(program):
        pass


@pytest.mark.usefixtures("_built")
def test_rtl_learns_what_the_model_learns(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clocks are those of the cycle-level model; chunk after chunk goes on with the weights."""
    monkeypatch.setattr("spikeloom.devices.chunks.CHUNK", 2)
    found = compare(program, spikes(SAMPLES), learn=True)
    assert (found.mismatches, found.first) == (0, None)
    assert (found.weights, found.clocked) == (SYNAPSES, SAMPLES)
    expected = simulate(program.network, spikes(SAMPLES), learn=True)
    assert found.rtl.weight_updates == expected.updates
    assert found.learned is not None
    np.testing.assert_array_equal(found.learned.network.connections[0].weights, expected.weights[0])


@pytest.mark.usefixtures("_built")
def test_rtl_learns_on_after_runs_that_do_not_learn(program: Program) -> None:
    expected = simulate(program.network, spikes(SAMPLES), learn=True)
    with VerilatorDevice(program) as device:
        before = device.weights["in->hidden"]
        plain = device.run(spikes(SAMPLES))
        np.testing.assert_array_equal(device.weights["in->hidden"], before)
        device.run(spikes(SAMPLES)[:2], learn=True)
        device.run(spikes(3, seed=7))
        device.run(spikes(SAMPLES)[2:], learn=True)
        for number, key in enumerate(["in->hidden", "hidden->out"]):
            np.testing.assert_array_equal(device.weights[key], expected.weights[number])
        # Input runs ahead only where nothing is learned.
        assert plain.cycles is not None
        assert plain.weight_updates == 0


@pytest.mark.usefixtures("_built")
def test_a_weight_that_differs_is_named(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: object, **options: object) -> Run:
        run = simulate(*arguments, **options)  # type: ignore[arg-type]
        run.weights[1][4, 2] ^= 1
        return dataclasses.replace(run, updates=run.updates + 1)

    monkeypatch.setattr(simulated.step, "simulate", wrong)
    found = compare(program, spikes(2), learn=True)
    assert found.mismatches == 2
    assert "weight of hidden->out[4, 2] is " in str(found.first)


def test_a_virtual_board_learns(program: Program) -> None:
    """Over the RTL of the link: it is loaded, learns, and is read back."""
    with (
        one_at_a_time("board that learns"),
        VirtualBoard(program.fabric, LINK) as board,
        SerialDevice(program, board.port, LINK.baud, board.patience) as device,
    ):
        found = compare_device(program, spikes(SAMPLES), device, verify=True, learn=True)
        assert (found.mismatches, found.first, found.weights) == (0, None, SYNAPSES)
        run = device.run(spikes(3, seed=7))
        plain = simulate(device.program.network, spikes(3, seed=7))
        np.testing.assert_array_equal(run.spikes["out"], plain.spikes["out"])


@pytest.mark.usefixtures("_built")
def test_the_command_compares_every_weight(program: Program, tmp_path: Path) -> None:
    program.save(tmp_path / "p.loom")
    np.save(tmp_path / "e.npy", spikes(3))
    arguments = [str(tmp_path / "p.loom"), str(tmp_path / "e.npy"), "--learn", "--json", "-"]
    result = CliRunner().invoke(cli, ["compare", *arguments, "--clocked", "0"])
    assert result.exit_code == 0, result.output
    values = json.loads(result.stdout)
    assert (values["mismatches"], values["weights_compared"]) == (0, SYNAPSES)
    assert values["weight_updates"] > 0
