"""Traces of a run: every backend beside plain integers; only where the fabric has them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from traced_network import plain_states, traced_events, traced_network

import spikeloom
from spikeloom.cli import cli
from spikeloom.compare import compare_device
from spikeloom.devices.device import Run
from spikeloom.devices.simulated import GoldenDevice, VerilatorDevice
from spikeloom.golden.errors import SpikeloomError
from spikeloom.program import Program

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
        "True}"
    )


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
