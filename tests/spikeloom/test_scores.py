"""Accuracy and agreement on the command line: floats, integers and RTL side by side."""

import json
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from command_line import Commands
from locking import one_at_a_time
from numpy.typing import NDArray

from spikeloom import cli
from spikeloom.cli.commands import COMMANDS
from spikeloom.compiler import compile
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.step.run import check_inputs, simulate
from spikeloom.importer.dialect import Dialect
from spikeloom.importer.float_network import (
    FloatConnection,
    FloatInput,
    FloatNetwork,
    FloatPopulation,
)
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.importer.load import load_nir
from spikeloom.importer.switches.noise import FloatNoise
from spikeloom.program import Program
from spikeloom.quantise.integers import Schedule
from spikeloom.scores import Question, run_float, score, units_of


def read_json(name: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(Path(name).read_text())
    return values


@pytest.fixture
def trained(run: Commands) -> Commands:
    """Also model.loom, of model.nir, its events many.npy, and answers.npy: those of the floats."""
    events = (np.random.default_rng(3).random((40, 20, 4)) < 0.5).astype(np.uint8)
    np.save("many.npy", events)
    counts = simulate_float(load_nir("model.nir", dt=1e-3), events).spikes["neurons"].sum(axis=1)
    np.save("answers.npy", counts.argmax(axis=1))
    command = ["compile", "model.nir", "--dt=1e-3", "--weight-bits=2", "--json=-"]
    report = json.loads(run(*command).out)
    assert report["synapses"] == 12
    assert list(report["seconds_by_step"])[:2] == ["importing", "quantising"]
    return run


@pytest.mark.parametrize("schedule", ["layered", "pipelined"])
def test_floats_draw_the_noise_of_the_integers(schedule: Schedule) -> None:
    """Late layers of a pipeline draw in later steps, and so do those of its float network."""
    rng = np.random.default_rng(4)
    noise = (FloatNoise("uniform", 0.75),)
    connections = tuple(
        FloatConnection(source, target, rng.integers(-40, 60, (12, 12)) / 64)
        for source, target in (("in", "a"), ("a", "b"))
    )

    def network(seed: int) -> FloatNetwork:
        populations = tuple(
            FloatPopulation(name, 12, np.zeros(12), decay=0.125, switches=noise) for name in "ab"
        )
        dialect = Dialect("of the test", seed=seed)
        return FloatNetwork((FloatInput("in", 12),), populations, connections, dialect=dialect)

    integers = compile(network(3), schedule=schedule).network
    counts = check_inputs(integers, rng.random((10, 40, 12)) < 0.3)
    golden = simulate(integers, counts)
    for name, spikes in run_float(network(3), integers, counts).spikes.items():
        assert (spikes != golden.spikes[name]).mean() < 0.01
    for name, spikes in run_float(network(4), integers, counts).spikes.items():
        assert (spikes != golden.spikes[name]).mean() > 0.1, "the noise has no effect"


def labels_of(events: NDArray[np.uint8], program: Program) -> NDArray[np.int64]:
    labels: NDArray[np.int64] = (
        simulate(program.network, events).spikes["last"].sum(axis=1).argmax(axis=1)
    )
    return labels


@pytest.mark.usefixtures("rtl_built")
@pytest.mark.parametrize("backend", ["golden", "verilator"])
def test_sim_with_labels(
    run: Commands, backend: str, small: Program, small_events: NDArray[np.uint8]
) -> None:
    labels = labels_of(small_events, small)
    labels[0] = (labels[0] + 1) % 4
    np.savez("y.npz", y=labels)
    options = ["--labels=y.npz", "--decode=last", f"--backend={backend}", "--json=sim.json"]
    outcome = run("sim", "small.loom", "events.npy", *options)
    assert (outcome.status, outcome.err) == (0, "")
    assert "answer                      last:count, the neuron with most spikes" in outcome.out
    assert "accuracy                    80.00 % of 5 samples" in outcome.out
    values = read_json("sim.json")
    assert values["accuracy"] == 0.8
    assert values["decoding"] == {"population": "last", "method": "count"}


@pytest.mark.usefixtures("rtl_built")
def test_compare_has_golden_and_rtl_side_by_side(
    run: Commands, small: Program, small_events: NDArray[np.uint8]
) -> None:
    labels = labels_of(small_events, small)
    labels[3] = (labels[3] + 1) % 4
    np.save("y.npy", labels)
    options = ["--clocked=0", "--labels=y.npy", "--decode=last:count", "--json=compare.json"]
    outcome = run("compare", "small.loom", "events.npy", *options)
    assert (outcome.status, outcome.err) == (0, "")
    assert re.search(r"^ +golden +verilator$", outcome.out, re.M)
    assert re.search(r"^  accuracy +80.00 % +80.00 %$", outcome.out, re.M)
    assert re.search(r"^  first +9 +177 +100.00 % +0$", outcome.out, re.M)
    values = read_json("compare.json")
    assert values["accuracy"] == {"golden": 0.8, "verilator": 0.8}
    assert [layer["wrong_states"] for layer in values["layers"]] == [0, 0, 0]
    assert values["clocks_per_sample"] > 100
    assert {"running", "predicting clocks"} <= values["seconds_by_step"].keys()


def test_floats_beside_integers(trained: Commands) -> None:
    """Two bits are too few, so that both differ somewhere."""
    program = Program.load("model.loom")
    events, answers = np.load("many.npy"), np.load("answers.npy")
    net = load_nir("model.nir", dt=1e-3)
    with one_at_a_time("fabric of the trained network"):
        options = ["--clocked=0", "--labels=answers.npy", "--float=model.nir", "--json=c.json"]
        outcome = trained("compare", "model.loom", "many.npy", *options)
    assert (outcome.status, outcome.err) == (0, "")
    values = read_json("c.json")
    floats, golden = simulate_float(net, events), simulate(program.network, events)
    expected = golden.spikes["neurons"].sum(axis=1)
    right = (expected.argmax(axis=1) == answers) & expected.any(axis=1)
    assert values["accuracy"]["golden"] == values["accuracy"]["verilator"] == right.mean()
    assert right.mean() < values["accuracy"]["float"] <= 1
    (layer,) = values["layers"]
    equal = (floats.spikes["neurons"] == golden.spikes["neurons"]).mean(axis=(0, 1))
    assert layer["rounding"]["spikes"]["fraction"] == pytest.approx(equal.mean())
    assert layer["rounding"]["spikes"]["worst"] == equal.argmin()
    assert equal.min() < 1
    shown = f"{equal.argmin()}: {100 * equal.min():.2f} %"
    assert re.search(rf"^  neurons .* {re.escape(shown)}$", outcome.out, re.M)
    unit = units_of(program)["neurons"]
    error = golden.states["neurons"] / unit - floats.states["neurons"]
    assert layer["rounding"]["states"]["max_error"] == pytest.approx(np.abs(error).max())


def test_the_float_network_must_be_that_of_the_program(trained: Commands) -> None:
    command = ["compare", "small.loom", "events.npy", "--float=model.nir"]
    assert "does not say under which dialect" in trained(*command).error()
    message = trained(*command, "--dialect=nir", "--dt=1e-3").error()
    assert message.startswith("the float network has other populations or connections than the pro")
    events = np.zeros((1, 2, 4), np.uint8)
    program, net = Program.load("model.loom"), load_nir("model.nir", dt=1e-3)
    other = Program.load("small.loom")
    with pytest.raises(SpikeloomError, match="does not say at which scale population 'first' was"):
        units_of(other)
    with pytest.raises(SpikeloomError, match="other populations or connections"):
        score(other, {"in": np.zeros((1, 2, 6), np.uint8)}, Question(net=net))
    assert len(score(program, {"in": events}, Question(net=net)).layers) == 1
    message = trained("compare", "model.loom", "many.npy", "--dt=1e-3").error()
    assert message == "options of a dialect are for --float: give the NIR file, too"


@pytest.mark.parametrize(
    "dialect", [5, {}, {"name": 5}, {"name": "x", "dt": []}, {"name": "x", "fixed": 5}]
)
def test_whatever_a_program_says_about_its_dialect(trained: Commands, dialect: Any) -> None:
    program = Program.load("model.loom")
    program.about["dialect"] = dialect
    program.save("odd.loom")
    assert trained("compare", "odd.loom", "many.npy", "--float=model.nir").error()


def test_potentials_after_any_step_need_traces(trained: Commands) -> None:
    options = ["--labels=answers.npy", "--decode=max"]
    message = trained("sim", "model.loom", "many.npy", *options).error()
    assert message.startswith("--decode neurons:max: hardware does not send what this needs; ")
    assert "--set traces=true" in message
    assert trained("sim", "model.loom", "many.npy", *options, "--backend=golden").status == 0


def test_choose(trained: Commands) -> None:
    options = ["--dt=1e-3", "--labels=answers.npy", "--max-loss=0.03", "--json=choice.json"]
    outcome = trained("choose", "model.nir", "many.npy", *options)
    assert (outcome.status, outcome.err) == (0, "")
    values = read_json("choice.json")
    assert values["loss"] <= 0.03
    assert values["tried"] > 1
    widths = (
        f"--weight-bits {values['weight_bits']} --state-bits {values['state_bits']} "
        f"--sum-bits {values['sum_bits']}"
    )
    assert widths in outcome.out
    command = ["compile", "model.nir", "--dt=1e-3", *widths.split(), "--calibration=many.npy"]
    assert trained(*command).status == 0
    sim = ["sim", "model.loom", "many.npy", "--backend=golden", "--labels=answers.npy"]
    assert trained(*sim, "--json=sim.json").status == 0
    assert read_json("sim.json")["accuracy"] == values["fidelity"]["accuracy_integer"]


# Bad input.


def bad_files() -> None:
    np.save("short.npy", np.zeros(4, int))
    np.save("steps.npy", np.zeros(6, int))
    np.save("high.npy", np.full(5, 4))
    np.save("floats.npy", np.zeros(5))
    np.save("hot.npy", np.zeros((5, 4), int))
    np.savez("two.npz", a=np.zeros(5, int), b=np.zeros(5, int))
    np.savez("none.npz")
    np.save("right.npy", np.zeros(5, int))
    np.save("silent.npy", np.zeros((5, 6, 4), np.uint8))
    np.save("last.npy", np.zeros((5, 6, 6), np.uint8).swapaxes(1, 2)[:, :, :3])
    Path("text").write_text("hello\n")


SIM = "sim small.loom events.npy"
BAD: dict[str, str] = {
    f"{SIM} --labels gone.npy --decode last": "cannot read gone.npy: No such file or directory",
    f"{SIM} --labels text --decode last": "text is not a complete .npy or .npz file of labels",
    f"{SIM} --labels short.npy --decode last": "labels must be 5 integers, one for each sample",
    f"{SIM} --labels steps.npy --decode last": "first axis is time; use events.swapaxes(0, 1)",
    f"{SIM} --labels high.npy --decode last": "labels must be 0..3, the neurons of the output, not",
    f"{SIM} --labels floats.npy --decode last": "not float64: use labels.astype(int)",
    f"{SIM} --labels hot.npy --decode last": "use labels.argmax(axis=1)",
    f"{SIM} --labels two.npz --decode last": "two.npz holds 'a', 'b': call the labels 'labels'",
    f"{SIM} --labels none.npz --decode last": "none.npz holds no array",
    f"{SIM} --labels right.npy": "the network has no output: none is named, and sum, last feed no",
    f"{SIM} --labels right.npy --decode sum:first": "population 'sum' never spikes",
    f"{SIM} --labels right.npy --decode loudest": "must be POPULATION:METHOD",
    f"{SIM} --decode last": "--decode is for --labels: give the file of the labels, too",
    "compare small.loom events.npy --labels short.npy --decode last": "labels must be 5 integers",
    "sim model.loom silent.npy": "silent.npy holds no spike, and without one nothing happens",
    "compare model.loom silent.npy": "silent.npy holds no spike",
    "choose model.nir many.npy --dt 1e-3 --labels short.npy": "labels must be 40 integers",
    "choose model.nir many.npy --dt 1e-3 --decode neurons": "--decode is for --labels",
    "sim small.loom last.npy": "must have shape (samples, steps, 6) or (steps, 6), not (5, 6, 3): "
    "use np.moveaxis(events, 1, -1)",
}


@pytest.mark.parametrize("command", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(trained: Commands, command: str) -> None:
    bad_files()
    before = trained.files()
    assert BAD[command] in trained(*command.split()).error()
    assert trained.files() == before


# How much is said.


def in_process(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "spikeloom", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, **options)


def test_in_a_pipe_there_are_plain_lines_only(trained: Commands) -> None:
    arguments = ("choose", "model.nir", "many.npy", "--dt=1e-3")
    done = in_process(*arguments, stderr=subprocess.PIPE)
    out, err = done.communicate()
    assert (done.returncode, err) == (0, b"")
    assert all(line.isprintable() and line == line.rstrip() for line in out.decode().split("\n"))


def test_bars_move_on_a_terminal(trained: Commands) -> None:
    keyboard, terminal = pty.openpty()
    done = in_process("choose", "model.nir", "many.npy", "--dt=1e-3", stderr=terminal)
    os.close(terminal)
    shown = b""
    while select.select([keyboard], [], [], 60)[0]:
        try:
            shown += os.read(keyboard, 1 << 16)
        except OSError:  # the other side is closed
            break
    os.close(keyboard)
    out, _ = done.communicate()
    assert done.returncode == 0
    assert b"\x1b" not in out
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    percents = [int(n) for n in re.findall(r"choosing widths .*?(\d+)%", text)]
    assert len(set(percents)) > 2
    assert "running the float network" in text
    assert re.search(r"weights of \d+ bits, states of \d+", text)
    # The cursor is back, and the bars are gone.
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")


def test_quiet_verbose_and_json_in_place_of_tables(trained: Commands) -> None:
    sim = ("sim", "model.loom", "many.npy", "--backend=golden")
    for quiet in ("-q", "--quiet"):
        outcome = trained(*sim, quiet, "--json=sim.json")
        assert (outcome.status, outcome.out, outcome.err) == (0, "", "")
    outcome = trained(*sim, "--verbose")
    assert re.search(r"^running the golden model: [\d.]+ (us|ms|s)$", outcome.err, re.M)
    assert outcome.out == trained(*sim).out
    for options in (["--json=-"], ["--json=-", "--verbose"], ["-q", "--json=-"]):
        assert json.loads(trained(*sim, *options).out) == read_json("sim.json")


def test_no_row_says_none(trained: Commands) -> None:
    for command in ("info model.loom", "sim model.loom many.npy --backend golden", "cache"):
        assert not re.search(r"\bNone\b|\[\]|\(\)", trained(*command.split()).out), command


def test_the_help_says_what_an_exit_status_means_and_gives_examples(run: Commands) -> None:
    out = run("--help").out
    for status in ("0    ", "1    ", "2    ", "130  "):
        assert f"\n    {status}" in out
    for name in COMMANDS:
        assert re.search(rf"Examples?:\n    ( *spikeloom {name}\b.*\n)+", run(name, "--help").out)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run: Commands, shell: str) -> None:
    outcome = run("completion", shell)
    assert (outcome.status, outcome.err) == (0, "")
    assert "_SPIKELOOM_COMPLETE" in outcome.out
    words = {"COMP_WORDS": "spikeloom comp", "COMP_CWORD": "1"}
    environment = {"_SPIKELOOM_COMPLETE": "bash_complete", **words}
    completed = CliRunner().invoke(cli.cli, [], prog_name="spikeloom", env=environment)
    assert completed.output.split() == ["plain,compare", "plain,compile", "plain,completion"]
