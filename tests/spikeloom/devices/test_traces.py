"""Traces of a run: every backend beside plain integers; only where the fabric has them."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from board_model import BoardModel
from click.testing import CliRunner
from line_faults import DIRECTIONS, FaultyLine, Plan
from locking import one_at_a_time
from traced_network import plain_states, traced_events, traced_network

import spikeloom
from spikeloom.cli import cli
from spikeloom.compare import compare_device
from spikeloom.devices import serial_device
from spikeloom.devices.device import Run
from spikeloom.devices.prediction import golden_clocks
from spikeloom.devices.serial_device import SerialDevice
from spikeloom.devices.session import LinkLost
from spikeloom.devices.simulated import GoldenDevice, VerilatorDevice
from spikeloom.golden.errors import SpikeloomError, SpikeloomWarning
from spikeloom.golden.link import LinkConfig
from spikeloom.golden.spec import LoadTarget
from spikeloom.program import Program
from spikeloom.sim.runner import Simulation
from spikeloom.sim.terminal import Terminal
from spikeloom.sim.virtual_board import VirtualBoard

LINK = LinkConfig("model", 24_000_000, 24)
FAST = LinkConfig("virtual", 24_000_000, 4)
FABRIC = {"synaptic_current": True, "traces": True, "lanes": 2}


def traced_program(**fabric: Any) -> Program:
    return spikeloom.compile(traced_network(), FABRIC | fabric)


@pytest.fixture(scope="module")
def program() -> Program:
    return traced_program()


EXPECTED = plain_states(traced_network(), traced_events())


def check_all_traced(run: Run) -> None:
    """The run is that of plain integers, in every step."""
    assert run.traces.keys() == {"hidden", "sum"}
    assert run.current_traces.keys() == run.currents.keys() == {"hidden"}
    assert np.array_equal(run.traces["hidden"], EXPECTED["hidden"])
    assert np.array_equal(run.traces["sum"], EXPECTED["sum"])
    assert np.array_equal(run.current_traces["hidden"], EXPECTED["current"])
    assert np.array_equal(run.currents["hidden"], EXPECTED["current"][:, -1])
    for name, states in run.states.items():
        assert np.array_equal(states, EXPECTED[name][:, -1])


def test_golden_traces(program: Program) -> None:
    run = GoldenDevice(program).run(traced_events(), traces=["hidden", "sum"])
    check_all_traced(run)


def test_chosen_neurons(program: Program) -> None:
    run = GoldenDevice(program).run(traced_events(), traces={"hidden": [5, 0], "sum": None})
    assert np.array_equal(run.traces["hidden"], EXPECTED["hidden"][..., [5, 0]])
    assert np.array_equal(run.current_traces["hidden"], EXPECTED["current"][..., [5, 0]])
    assert np.array_equal(run.traces["sum"], EXPECTED["sum"])


def test_a_run_without_traces_has_none(program: Program) -> None:
    run = GoldenDevice(program).run(traced_events())
    assert run.traces == run.current_traces == {}
    assert np.array_equal(run.currents["hidden"], EXPECTED["current"][:, -1])


def test_the_golden_model_traces_for_any_fabric() -> None:
    """The results without traces are those that this fabric sends: no currents."""
    run = GoldenDevice(traced_program(traces=False)).run(traced_events(), traces=["hidden"])
    assert np.array_equal(run.traces["hidden"], EXPECTED["hidden"])
    assert np.array_equal(run.current_traces["hidden"], EXPECTED["current"])
    assert run.currents == {}


def test_currents_are_those_of_populations_read_out() -> None:
    program = spikeloom.compile(traced_network(), FABRIC, readout=["sum"])
    run = GoldenDevice(program).run(traced_events(), traces=["hidden"])
    assert (list(run.states), run.currents) == (["sum"], {})
    assert np.array_equal(run.current_traces["hidden"], EXPECTED["current"])


@pytest.mark.parametrize(
    ("traces", "message"),
    [
        (["hiden"], "traces: there is no population 'hiden'; there are hidden, sum"),
        (["in"], "traces: there is no population 'in'; there are hidden, sum"),
        ("hidden", "traces must be names of populations, such as ['hidden'], not 'hidden'"),
        (3, "traces must be names of populations, such as ['hidden'], not 3"),
        ([["sum"]], "traces must be names of populations, such as ['hidden'], not [['sum']]"),
        ({"sum": [0, 3]}, "traces of 'sum': neurons must be 0..2, not [0, 3]"),
        ({"sum": [-1]}, "traces of 'sum': neurons must be 0..2, not [-1]"),
        ({"sum": []}, "traces of 'sum': neurons must be a list of integers such as [0, 5], not []"),
        ({"sum": [0.5]}, "neurons must be a list of integers such as [0, 5], not [0.5]"),
        ({"sum": 1}, "neurons must be a list of integers such as [0, 5], not 1"),
        ({"sum": [[1], [1, 2]]}, "neurons must be a list of integers such as [0, 5], not [[1"),
    ],
)
def test_traces_of_nothing_are_refused(program: Program, traces: Any, message: str) -> None:
    with pytest.raises(SpikeloomError) as error:
        GoldenDevice(program).run(traced_events(), traces=traces)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_fabric_without_traces_refuses_with_the_remedy(small: Program, rtl_built: None) -> None:
    with pytest.raises(SpikeloomError) as error:
        VerilatorDevice(small).run(np.ones((2, 6)), traces=["sum", "first"])
    assert str(error.value) == (
        'traces of first, sum: the fabric was built without traces; compile with fabric={"traces": '
        "True}, on the command line --set traces=true"
    )


def test_what_is_not_traced_takes_the_clocks_of_a_fabric_without_traces(small: Program) -> None:
    """Without synaptic currents, which are sent before every potential."""
    events = {"in": np.ones((2, 6, 6), np.uint8)}
    fabric = dataclasses.replace(small.fabric, traces=True)
    image = dataclasses.replace(small, fabric=fabric).image
    clocks = golden_clocks(image, events, workers=1)
    assert np.array_equal(clocks, golden_clocks(small.image, events, workers=1))
    assert (golden_clocks(image.with_traces({"first"}), events, workers=1) > clocks).all()


# Boards.

MESH = {"columns": 2, "neurons": 8}
"""On which "hidden" lies in both tiles, so that packets of the two interleave."""


def population_rows(board: BoardModel) -> dict[tuple[int, int, int], int]:
    return {at: row for at, row in board.memory.items() if at[0] == LoadTarget.POPULATION}


@pytest.mark.parametrize("fabric", [{}, MESH], ids=["tile", "mesh"])
def test_a_board_traces_and_gets_its_rows_back(fabric: dict[str, int]) -> None:
    program = traced_program(**fabric)
    tiles = [len(tile.populations) for tile in program.image.tiles]
    assert tiles == ([2, 2] if fabric else [2])
    board = BoardModel(program.fabric, LINK)
    with Terminal(board) as terminal, SerialDevice(program, terminal.port, patience=5) as device:
        rows, loads = population_rows(board), board.loads
        run = device.run(traced_events())
        assert (run.traces, board.loads) == ({}, loads)  # nothing is loaded for it
        check_all_traced(device.run(traced_events(), traces=["hidden", "sum"]))
        run = device.run(traced_events(), traces={"hidden": [8, 1]})
        assert np.array_equal(run.traces["hidden"], EXPECTED["hidden"][..., [8, 1]])
        assert population_rows(board) == rows
        assert board.loads < loads + 20  # rows of populations, no weights
        run = device.run(traced_events())
        assert (run.traces, population_rows(board)) == ({}, rows)
        assert np.array_equal(run.states["sum"], EXPECTED["sum"][:, -1])
        assert device.session.sessions == 1


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("frames", range(4))
@pytest.mark.parametrize("kind", ["dropped", "reset", "restarted"])
def test_faults_while_trace_bits_are_loaded(
    program: Program, kind: str, direction: str, frames: int
) -> None:
    """The frames around the LOADs before and after a run: every result is whole and right."""
    line = FaultyLine(BoardModel(program.fabric, LINK), 3)
    with Terminal(line) as terminal, SerialDevice(program, terminal.port, patience=0.1) as device:
        line.plans.append(Plan(kind, direction, frames))
        check_all_traced(device.run(traced_events(), traces=["hidden", "sum"]))
        line.plans.append(Plan(kind, direction, frames))
        run = device.run(traced_events())
        assert run.traces == {}
        assert np.array_equal(run.states["sum"], EXPECTED["sum"][:, -1])


def test_results_stay_when_the_rows_cannot_be_restored(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next use says that the board is lost, or restores them."""
    begin = SerialDevice._begin
    load = serial_device.load
    is_lost = False

    def lost(*arguments: Any, **options: Any) -> None:
        if is_lost:
            raise LinkLost("no answer")
        (begin if len(arguments) == 1 else load)(*arguments, **options)

    def finished(_: int) -> None:
        nonlocal is_lost
        is_lost = True

    monkeypatch.setattr(serial_device, "load", lost)
    monkeypatch.setattr(SerialDevice, "_begin", lost)
    board = BoardModel(program.fabric, LINK)
    with Terminal(board) as terminal, SerialDevice(program, terminal.port, patience=5) as device:
        rows = population_rows(board)
        check_all_traced(device.run(traced_events(), finished, traces=["hidden", "sum"]))
        assert population_rows(board) != rows
        with pytest.raises(SpikeloomError, match="no board keeps up the link .*no answer"):
            device.run(traced_events())
        is_lost = False
        run = device.run(traced_events())
        assert np.array_equal(run.states["sum"], EXPECTED["sum"][:, -1])
        assert population_rows(board) == rows


def test_traces_on_a_baked_board_say_that_they_overwrite_it(program: Program) -> None:
    contents = program.image.contents(frozenset(LoadTarget))
    board = BoardModel(program.fabric, LINK, contents)
    with Terminal(board) as terminal:
        with SerialDevice(program, terminal.port, patience=5) as device:
            assert board.loads == 0
            with pytest.warns(SpikeloomWarning, match="population rows that were built into"):
                check_all_traced(device.run(traced_events(), traces=["hidden", "sum"]))
            run = device.run(traced_events())
            assert np.array_equal(run.states["sum"], EXPECTED["sum"][:, -1])
        loads = board.loads
        with SerialDevice(program, terminal.port, patience=5) as device:
            assert board.loads > loads
            check_all_traced(device.run(traced_events(), traces=["hidden", "sum"]))


# Comparison.


class Wrong(GoldenDevice):
    """Changes some of what it returns."""

    def __init__(self, program: Program, wrong: list[tuple[str, str, tuple[int, ...]]]) -> None:
        super().__init__(program)
        self.wrong = wrong

    def run(self, *arguments: Any, **options: Any) -> Run:
        run = super().run(*arguments, **options)
        for quantity, name, at in self.wrong:
            getattr(run, quantity)[name][at] += 1
        return run


@pytest.mark.parametrize(
    ("wrong", "first"),
    [
        ([("traces", "sum", (1, 4, 0))], "sample 1, step 4: state of sum[2] is"),
        (
            [("traces", "sum", (2, 0, 0)), ("current_traces", "hidden", (1, 3, 7))],
            "sample 1, step 3: synaptic current of hidden[7] is",
        ),
        ([("currents", "hidden", (1, 7))], "sample 1: synaptic current of hidden[7] is"),
    ],
)
def test_compare_names_the_first_step_and_neuron(
    program: Program, wrong: list[tuple[str, str, tuple[int, ...]]], first: str
) -> None:
    traces = {"sum": [2, 0], "hidden": None}
    device = Wrong(program, wrong)
    result = compare_device(program, traced_events(), device, traces=traces)
    assert result.mismatches == len(wrong)
    assert str(result.first).startswith(first)
    result = compare_device(program, traced_events(), GoldenDevice(program), traces=traces)
    assert (result.mismatches, result.first) == (0, None)


# The command line.


@pytest.fixture
def files(program: Program, tmp_path: Path) -> tuple[str, str]:
    program.save(tmp_path / "traced.loom")
    np.save(tmp_path / "events.npy", traced_events())
    return str(tmp_path / "traced.loom"), str(tmp_path / "events.npy")


def test_traces_are_written(files: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    options = ["--backend", "golden", "--trace", "hidden:0,5", "--trace", "sum", "-o", str(out)]
    done = CliRunner().invoke(cli, ["sim", *files, *options])
    assert done.exit_code == 0, done.output
    with np.load(out) as arrays:
        assert np.array_equal(arrays["traces.hidden"], EXPECTED["hidden"][..., [0, 5]])
        assert np.array_equal(arrays["current_traces.hidden"], EXPECTED["current"][..., [0, 5]])
        assert np.array_equal(arrays["traces.sum"], EXPECTED["sum"])
        assert np.array_equal(arrays["currents.hidden"], EXPECTED["current"][:, -1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--trace", "sum"], "--trace writes to the file of --output: name one"),
        (["--trace", "sum:x", "-o", "x"], "--trace sum:x: 'x' are no neurons, such as 0,5"),
        (["--trace", "sum:", "-o", "x"], "--trace sum:: '' are no neurons, such as 0,5"),
        (["--trace", "sum", "--trace", "sum:1", "-o", "x"], "'sum' is traced twice"),
        (["--trace", "s", "-o", "x"], "traces: there is no population 's'; there are hidden, sum"),
    ],
)
def test_trace_options_of_nothing_are_refused(
    files: tuple[str, str], options: list[str], message: str
) -> None:
    done = CliRunner().invoke(cli, ["sim", *files, "--backend", "golden", *options])
    assert isinstance(done.exception, SpikeloomError)
    assert message in str(done.exception)


# The RTL.


@pytest.fixture(scope="module", params=[{}, MESH], ids=["tile", "mesh"])
def built(request: pytest.FixtureRequest) -> Program:
    """A program on fabrics whose RTL is in the cache."""
    made = traced_program(**request.param)
    with one_at_a_time("traced fabric"), Simulation(made.fabric):
        pass
    return made


def test_the_rtl_traces_every_step(built: Program) -> None:
    """And takes the clocks of the cycle-level model, with and without traces."""
    device = VerilatorDevice(built)
    for traces in (["hidden", "sum"], ["sum"], []):
        run = device.run(traced_events(), traces=traces)
        if len(traces) == 2:
            check_all_traced(run)
        assert run.traces.keys() == set(traces)
        assert run.errors == 0
        image = built.image.with_traces(traces)
        clocks = golden_clocks(image, {"in": traced_events()}, workers=1)
        assert np.array_equal(run.cycles, clocks)


def test_a_virtual_board_traces_every_step() -> None:
    """Through the hardware's codes, in a mesh, where packets of the tiles interleave."""
    program = traced_program(**MESH)
    with (
        one_at_a_time("traced board"),
        VirtualBoard(program.fabric, FAST) as virtual,
        SerialDevice(program, virtual.port, patience=virtual.patience) as device,
    ):
        check_all_traced(device.run(traced_events(), traces=["hidden", "sum"]))
        result = compare_device(program, traced_events(), device, traces={"hidden": [3]})
        assert (result.mismatches, result.golden.traces.keys()) == (0, {"hidden"})
        result = compare_device(program, traced_events(), device)
        assert (result.mismatches, result.rtl.traces) == (0, {})
        assert device.session.sessions == 1
