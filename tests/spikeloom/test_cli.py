"""The command line: exit statuses, one-line errors, no leftovers, JSON beside the human output."""

import dataclasses
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from command_line import Commands, Outcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from locking import one_at_a_time
from small_program import SMALL

from spikeloom import cli
from spikeloom.boards.registry import board as board_named
from spikeloom.cli.commands import COMMANDS as COMMAND_TABLE
from spikeloom.cli.scoring import trained_network
from spikeloom.compiler import compile
from spikeloom.devices import simulated
from spikeloom.devices.device import Run
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.progress import task
from spikeloom.golden.spec import FabricConfig, Reset
from spikeloom.golden.step.run import simulate
from spikeloom.golden.switches.adaptive_threshold import AdaptiveThreshold
from spikeloom.program import Program
from spikeloom.sim.field_names import with_field_names
from spikeloom.sim.fusesoc import fusesoc_core
from spikeloom.sim.verilog import emit_axi

COMMANDS = ["compile", "info", "choose", "verilog", "sim", "run", "bench"]
COMMANDS += ["compare", "build", "flash", "demo", "cache", "completion", "report", "explore"]
COMMANDS += ["words"]


def read_json(name: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(Path(name).read_text())
    return values


def command_of(name: str) -> click.Command:
    command = cli.cli.get_command(click.Context(cli.cli), name)
    assert command is not None
    return command


# Help.


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(run: Commands, command: str, flag: str) -> None:
    outcome = run(command, flag)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith(f"Usage: spikeloom {command} ")
    assert "--help" in outcome.out
    assert "\\b" not in outcome.out


def test_every_option_says_what_it_is_for(run: Commands) -> None:
    for name in COMMANDS:
        command = command_of(name)
        assert command.help, name
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert getattr(parameter, "help", None), f"{name} {parameter.opts}"


def test_help_lists_every_command(run: Commands) -> None:
    out = run("--help").out
    assert list(COMMAND_TABLE) == sorted(COMMANDS)
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\w", out, re.M), command
        assert command_of(command).get_short_help_str(200) == COMMAND_TABLE[command][1]


def test_version(run: Commands) -> None:
    assert re.fullmatch(r"spikeloom, version \d+\.\d+\.\d+\n", run("--version").out)


@pytest.mark.parametrize("arguments", [["nothing"], ["info"], ["info", "a", "b"], ["sim", "--x"]])
def test_wrong_usage(run: Commands, arguments: list[str]) -> None:
    outcome = run(*arguments)
    assert outcome.status == 2
    assert "Traceback" not in outcome.err
    assert "Error: " in outcome.err


def test_without_a_command_there_is_the_help(run: Commands) -> None:
    outcome = run()
    assert outcome.status == 2
    assert "\nCommands:\n" in outcome.out + outcome.err


def test_a_mistyped_command_is_asked_about(run: Commands) -> None:
    assert "Error: No such command 'comapre', did you mean compare?\n" in run("comapre", "x").err
    assert "Error: No such command 'xyz'.\n" in run("xyz").err


# compile, info, verilog.


def test_compile(run: Commands) -> None:
    before = run.files()
    outcome = run("compile", "model.nir", "--dt=1e-3", "--json=report.json")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.endswith(
        "wrote model.loom; `spikeloom info model.loom` shows all choices and every number\n"
    )
    assert re.search(r"^  neurons +[\d.]+ +no  +1 = \d+ +\d\.\d\d % ", outcome.out, re.MULTILINE)
    assert outcome.out.count("\n") <= 30
    details = run("info", "model.loom").out
    assert "quantised neurons" in details
    assert details.count("\n") > 60
    assert run.files() - before == {"model.loom", "report.json"}
    program = Program.load("model.loom")
    assert program.fabric.neurons == 8
    report = read_json("report.json")
    assert report["digest"] == program.digest
    assert report["synapses"] == 12
    assert report["quantisation"]["populations"][0]["population"] == "neurons"


def test_compile_with_every_option(run: Commands) -> None:
    options = "--dialect nir --dt 1e-3 --reset subtract --compare >= --schedule pipelined"
    outcome = run(
        *f"compile model.nir {options} --max-count 3 --set lanes=3 --set slots=2".split(),
        "--set=lower_clamp=true",
        "-o",
        "other",
    )
    assert (outcome.status, outcome.err) == (0, "")
    program = Program.load("other")
    fabric = program.fabric
    assert (fabric.lanes, fabric.slots, fabric.lower_clamp) == (3, 2, True)
    (population,) = program.network.populations
    assert population.inclusive
    assert population.reset == 1
    assert program.network.connections[0].delay == 1
    assert program.network.inputs[0].max_count == 3


def test_compile_to_other_widths(run: Commands) -> None:
    widths = ["--weight-bits=16", "--state-bits=24", "--set=sum_bits=24"]
    assert run("compile", "model.nir", "--dt=1e-3", *widths).status == 0
    program = Program.load("model.loom")
    assert (program.fabric.weight_bits, program.fabric.state_bits) == (8, 24)
    assert [c.high for c in program.network.connections] == [False, True]
    assert run("compile", "model.nir", "--dt=1e-3", "--weight-bits=4").status == 0
    assert Program.load("model.loom").fabric.weight_bits == 4
    command = ["compile", "model.nir", "--dt=1e-3", "--sum-bits=20", "--scale=neurons=25/2"]
    assert run(*command, "--board=auto", "--json=report.json").status == 0
    assert Program.load("model.loom").fabric.sum_bits == 20
    (row,) = read_json("report.json")["quantisation"]["populations"]
    assert (row["scale"], row["scale_origin"]) == (12.5, "given")


def test_compile_prints_warnings_and_notes(run: Commands) -> None:
    outcome = run("compile", "model.nir", "--dt=1e-3", "--scale=neurons=5")
    assert outcome.status == 0
    assert "\nwarning: population 'neurons': a threshold of 1 became 5 steps of" in outcome.out


def test_compile_with_calibration(run: Commands) -> None:
    np.save("strong.npy", np.ones((2, 50, 4), np.uint8))
    command = ["compile", "model.nir", "--dt=1e-3", "--state-bits=8", "--json=report.json"]
    assert "neurons" in run(*command).error()
    assert run(*command, "--calibration=strong.npy").status == 0
    (row,) = read_json("report.json")["quantisation"]["populations"]
    assert row["saturations"] == 0
    assert row["weight_limit"] < 1


def test_an_option_of_pairs(run: Commands) -> None:
    option = '--option=fixed=[["r",1]]'
    assert run("compile", "model.nir", "--dt=1e-3", option).status == 0
    assert Program.load("model.loom").about["dialect"]["fixed"] == [["r", 1]]


def test_compile_is_repeatable(run: Commands) -> None:
    for name in ("one", "other"):
        assert run("compile", "model.nir", "--dt=1e-3", "-o", name).status == 0
    assert Path("one").read_bytes() == Path("other").read_bytes()


def test_info(run: Commands, small: Program) -> None:
    outcome = run("info", "small.loom", "--json", "info.json")
    assert (outcome.status, outcome.err) == (0, "")
    assert re.search(r"inputs +in \(6\)", outcome.out)
    assert re.search(r"neurons used +\d+ of 40", outcome.out)
    values = read_json("info.json")
    assert values["digest"] == small.digest
    assert values["made"] == "by hand"
    assert [p["name"] for p in values["populations"]] == ["first", "sum", "last"]
    # Groups of 2: 9 neurons take 5 groups, 3 take 2, 4 take 2: the last ends at row 18.
    assert values["used"]["neurons"] == 18


def test_info_lists_the_parameters_of_each_neuron(run: Commands, small: Program) -> None:
    first, *others = small.network.populations
    first = dataclasses.replace(first, threshold=np.arange(1, 10))
    network = dataclasses.replace(small.network, populations=(first, *others))
    fabric = dataclasses.replace(small.fabric, neuron_parameters=True)
    dataclasses.replace(small, network=network, fabric=fabric).save("own.loom")
    assert run("info", "own.loom", "--json", "info.json").status == 0
    first, *others = read_json("info.json")["populations"]
    assert (first["decay"], first["threshold"]) == (600, [1, 2, 3, 4, 5, 6, 7, 8, 9])
    assert [p["threshold"] for p in others] == [0, 25]


@pytest.mark.usefixtures("rtl_built")
def test_info_predicts_the_clocks_of_events(run: Commands) -> None:
    outcome = run("info", "small.loom", "--events", "events.npy", "--json", "info.json")
    assert (outcome.status, outcome.err) == (0, "")
    predicted = read_json("info.json")["predicted"]
    assert f"clocks per sample           {predicted['clocks_per_sample']:.6g}" in outcome.out
    assert run("sim", "small.loom", "events.npy", "--json", "sim.json").status == 0
    taken = read_json("sim.json")
    samples, steps = taken["samples"], taken["steps"]
    assert predicted["clocks_per_sample"] * samples == pytest.approx(taken["cycles"])
    assert predicted["clocks_per_step"] * samples * steps == pytest.approx(taken["cycles"])
    assert predicted["clocks_of_longest_step"] > predicted["clocks_per_step"]


def test_info_shows_the_dialect_and_what_differs(run: Commands) -> None:
    network = ["compile", "model.nir", "--dialect", "norse", "--dt", "1e-3"]
    assert run(*network, "--option", "recurrent_delay=2", "--option", "start=zero").status == 0
    outcome = run("info", "model.loom")
    assert "dialect norse" in outcome.out
    assert re.search(r"recurrent delay +2", outcome.out)
    assert re.search(r"start +zero", outcome.out)
    assert "differs: to_nir multiplies time constants" in outcome.out
    assert "not in a file: reset_method: reset='value'" in outcome.out
    message = run(*network, "--option", "recurrence=2").error()
    assert message.startswith("recurrence: no such option of a dialect; there are ")


def test_an_option_of_one_node(run: Commands) -> None:
    compiled = ["compile", "model.nir", "--dt=1e-3", "--reset=zero"]
    outcome = run(*compiled, "--option=neurons:reset=subtract", "--option", "neurons:clamp=-1.0")
    assert outcome.status == 0
    details = run("info", "model.loom").out
    assert "  of node 'neurons': reset = 'subtract'" in details
    assert "  of node 'neurons': clamp = -1.0" in details
    [population] = Program.load(Path("model.loom")).network.populations
    assert population.reset is Reset.SUBTRACT
    assert "no neuron node 'weights'" in run(*compiled, "--option=weights:reset=zero").error()
    assert "reset must be" in run(*compiled, "--option=neurons:reset=half").error()
    assert run(*compiled, "--option=neurons:leak=1").error().startswith("leak: no such option")


def test_a_parameter_of_one_node(run: Commands) -> None:
    compiled = ["compile", "model.nir", "--dt=1e-3", "-o"]
    assert run(*compiled, "plain.loom").status == 0
    outcome = run(*compiled, "stated.loom", "--option=neurons:threshold=0.5")
    assert outcome.status == 0
    assert "  of node 'neurons': threshold = 0.5" in run("info", "stated.loom").out
    plain, stated = (Program.load(Path(f"{name}.loom")) for name in ("plain", "stated"))
    rows = [program.about["quantisation"]["populations"][0] for program in (plain, stated)]
    assert rows[0]["threshold"] != rows[1]["threshold"] == 0.5
    assert re.search(r"threshold +0\.5", run("info", "stated.loom").out)
    message = run(*compiled, "other.loom", "--option=neurons:tau_syn=0.1").error()
    assert "tau_syn: node 'neurons' has no tau_syn" in message
    # The float network of `compare --float` has it, too.
    again = trained_network(stated, Path("model.nir"), None, {}, ())
    assert again.population("neurons").threshold == 0.5


def test_compile_prints_a_warning_once_and_a_calibration_with_time_first(run: Commands) -> None:
    outcome = run("compile", "model.nir", "--dt=1.99e-3")
    assert (outcome.out + outcome.err).count("is no longer than dt") == 1
    rates = np.random.default_rng(4).choice([0.05, 0.9], (12, 1, 4))
    events = np.random.default_rng(5).random((12, 30, 4)) < rates
    np.save("right.npy", events)
    np.save("wrong.npy", events.transpose(1, 0, 2))
    compiled = ["compile", "model.nir", "--dt=1e-3", "--calibration"]
    assert "looks like 30 steps x 12 samples" not in run(*compiled, "right.npy").err
    assert "warning: events of 'in': shape (30, 12, 4)" in run(*compiled, "wrong.npy").err


def test_compile_names_every_assumption_and_the_option_that_changes_it(run: Commands) -> None:
    stated = ["--option", "reset_delay=false", "--reset", "zero"]
    outcome = run("compile", "model.nir", "--dialect", "snntorch", "--dt", "1e-3", *stated)
    assert outcome.status == 0
    lines = [line for line in outcome.out.splitlines() if line.startswith("assumed: ")]
    assert lines[-2:] == [
        "assumed: compare = '>': a neuron spikes where its potential is this to the threshold; "
        "to change it: compare= or --compare",
        "assumed: clamp = False: lower bound of potentials; "
        "to change it: clamp= or --option clamp=",
    ]
    assert not any(f"assumed: {name} " in outcome.out for name in ("dt", "reset", "reset_delay"))
    assert run("info", "model.loom").out.count("assumed: ") == len(lines)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
"""Any text may be in it, also line ends, escapes and halves of surrogate pairs."""


def close_to(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with some of these fields, of this form or of any."""
    return JSON | st.fixed_dictionaries({}, optional={n: f | JSON for n, f in fields.items()})


NAMES = st.lists(st.text(st.characters()) | JSON, max_size=2)
ABOUT = st.fixed_dictionaries(
    {},
    optional={
        "dialect": close_to(name=st.text(st.characters()), dt=JSON, differences=NAMES),
        "quantisation": close_to(
            populations=st.lists(close_to(population=st.text(), scale=JSON)), warnings=NAMES
        ),
        **dict.fromkeys(["digest", "inputs", "populations", "synapses", "fabric", "used"], JSON),
        **dict.fromkeys(["mapping", "predicted", "outputs", "schedule", "\x1b[2J"], JSON),
    },
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(about=ABOUT)
def test_info_whatever_a_file_says_about_itself(
    run: Commands, small: Program, about: dict[str, Any]
) -> None:
    dataclasses.replace(small, about={}).save("plain.loom")
    plain = run("info", "plain.loom", "--json", "plain.json")
    dataclasses.replace(small, about=about).save("odd.loom")
    outcome = run("info", "odd.loom", "--json", "odd.json")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith(plain.out)
    found = read_json("odd.json")
    assert {name: found.get(name) for name in read_json("plain.json")} == read_json("plain.json")
    assert "predicted" not in found


@pytest.mark.parametrize(
    "about",
    [
        {"dialect": 5},
        {"dialect": {"name": "x", "differences": 5}},
        {"dialect": {"dt": 1}},
        {"quantisation": []},
        {"quantisation": {"populations": [1, {}, {"population": 1}], "warnings": "none"}},
        {"used": 1, "fabric": {}, "mapping": None, "digest": "0"},
    ],
)
def test_info_shows_only_what_has_the_form_of_a_report(
    run: Commands, small: Program, about: dict[str, Any]
) -> None:
    dataclasses.replace(small, about=about).save("odd.loom")
    outcome = run("info", "odd.loom", "--json", "odd.json")
    assert (outcome.status, outcome.err) == (0, "")
    assert read_json("odd.json")["digest"] == small.digest
    shown = outcome.out.removeprefix(run("info", "small.loom").out)
    assert shown in ("", "\ndialect x\n")


def test_texts_of_a_file_cannot_write_lines_or_escapes(run: Commands, small: Program) -> None:
    about = {"quantisation": {"warnings": ["a\nb \x1b[2J \ud800 \u00fc"]}}
    dataclasses.replace(small, about=about).save("odd.loom")
    assert run("info", "odd.loom").out.endswith("warning: a\\nb \\x1b[2J \\ud800 \u00fc\n")


def test_a_file_nested_beyond_reason_is_no_program(run: Commands, small: Program) -> None:
    for depth in (60, 70, 500):
        value: Any = 1
        for _ in range(depth):
            value = [value]
        dataclasses.replace(small, about={"dialect": {"name": "x", "a": value}}).save("deep.loom")
        outcome = run("info", "deep.loom", "--json", "deep.json")
        if depth == 60:
            assert outcome.status == 0
        else:
            assert outcome.error().startswith("deep.loom is not a complete Spikeloom program")


@pytest.mark.parametrize("option", ["--events=narrow.npy", "--json=no/info.json"])
def test_info_prints_nothing_before_an_error(run: Commands, option: str) -> None:
    bad_files()
    outcome = run("info", "small.loom", option)
    assert outcome.error()
    assert outcome.out == ""


def test_verilog_of_a_program_and_of_its_sizes_is_the_same(run: Commands) -> None:
    assert run("verilog", "small.loom", "-o", "one.v").out == "wrote one.v\n"
    changed = {n: v for n, v in vars(SMALL).items() if v != vars(FabricConfig())[n]}
    sizes = [f"--set={name}={value}" for name, value in changed.items()]
    assert run("verilog", *sizes, "-o", "other.v").status == 0
    assert "module spikeloom_fabric(" in Path("one.v").read_text()
    assert Path("one.v").read_bytes() == Path("other.v").read_bytes()


def test_verilog_with_axi_and_a_core(run: Commands) -> None:
    outcome = run("verilog", "small.loom", "-o", "small.v", "--axi", "--core")
    assert outcome.out == "wrote small.v\nwrote small.core\n"
    assert Path("small.v").read_text() == with_field_names(emit_axi(SMALL))
    assert Path("small.core").read_text() == fusesoc_core("small.v", "spikeloom_axi")
    run("verilog", "small.loom", "-o", "small.v", "--core")
    assert "module spikeloom_fabric(" in Path("small.v").read_text()
    assert Path("small.core").read_text() == fusesoc_core("small.v", "spikeloom_fabric")


# sim, compare.


@pytest.mark.usefixtures("rtl_built")
@pytest.mark.parametrize("backend", ["golden", "verilator"])
def test_sim(run: Commands, backend: str, small: Program, small_events: Any) -> None:
    options = ["--backend", backend, "-o", "result", "--json", "sim.json"]
    outcome = run("sim", "small.loom", "events.npy", *options)
    assert (outcome.status, outcome.err) == (0, "")
    expected = simulate(small.network, small_events)
    summary = read_json("sim.json")
    assert (summary["samples"], summary["steps"], summary["errors"]) == (5, 6, 0)
    assert summary["synops"] == expected.synops.sum()
    assert (summary["cycles"] is None) == (backend == "golden")
    assert re.search(rf"^  synops +{summary['synops']:,}$", outcome.out, re.M)
    # The name is used as it was given.
    with np.load("result") as arrays:
        assert set(arrays) == {"spikes.first", "spikes.last"} | {
            f"states.{name}" for name in ("first", "sum", "last")
        }
        for name in ("first", "last"):
            assert np.array_equal(arrays[f"spikes.{name}"], expected.spikes[name])
            assert summary["spikes"][name] == expected.spikes[name].sum()
        assert np.array_equal(arrays["states.sum"], expected.states["sum"])


@pytest.mark.usefixtures("rtl_built")
@pytest.mark.parametrize("backend", ["golden", "verilator"])
def test_bench(run: Commands, backend: str, small: Program, small_events: Any) -> None:
    outcome = run("bench", "small.loom", "events.npy", "--backend", backend, "--json=bench.json")
    assert (outcome.status, outcome.err) == (0, "")
    values = read_json("bench.json")
    synops = simulate(small.network, small_events).synops.sum()
    assert (values["backend"], values["samples"], values["steps"]) == (backend, 5, 6)
    ratio = values["operations_per_second"] / values["samples_per_second"]
    assert ratio == pytest.approx(synops / 5, rel=0.01)
    if backend == "verilator":
        clocks = 5 * values["clocks_per_sample"]
        rate = values["operations_per_clock_and_lane"]
        assert rate == pytest.approx(synops / clocks / small.fabric.lanes, abs=0.001)
    else:
        assert "clocks_per_sample" not in values


def test_events_of_named_inputs(run: Commands, small_events: Any) -> None:
    np.savez("events.npz", **{"in": small_events})
    assert run("sim", "small.loom", "events.npz", "--backend=golden").status == 0
    np.savez("events.npz", other=small_events)
    outcome = run("sim", "small.loom", "events.npz", "--backend=golden")
    assert outcome.error() == "events: expected inputs ['in'], got ['other']"


@pytest.mark.usefixtures("rtl_built")
def test_compare(run: Commands) -> None:
    before = run.files()
    with one_at_a_time("small fabric with probe"):
        outcome = run("compare", "small.loom", "events.npy", "--seed=5", "--json=compare.json")
    assert (outcome.status, outcome.err) == (0, "")
    assert re.search(r"mismatches +0\n", outcome.out)
    assert run.files() - before == {"compare.json"}
    values = read_json("compare.json")
    assert (values["samples"], values["steps_compared"], values["mismatches"]) == (5, 30, 0)
    assert values["cycles_compared"] > 100
    assert values["seed"] == 5
    assert re.search(r"seed of gaps +5\n", outcome.out)


@pytest.mark.usefixtures("rtl_built")
def test_clocks_of_a_board_are_said_to_include_the_link(
    run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The board is stood in for by the RTL without a link."""

    def opened(program: Program, *_: object) -> simulated.VerilatorDevice:
        return simulated.VerilatorDevice(program)

    arguments = ("small.loom", "events.npy", "--board=icebreaker")
    monkeypatch.setattr("spikeloom.cli.comparing.open_board", opened)
    assert re.search(r"clocks per sample with link +\d", run("compare", *arguments).out)
    monkeypatch.setattr("spikeloom.cli.runs.open_board", opened)
    assert re.search(r"cycles +[\d,]+ clocks with link\n", run("run", *arguments).out)


@pytest.mark.usefixtures("rtl_built")
def test_a_mismatch_has_exit_status_1(run: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: Any, **options: Any) -> Any:
        result = simulate(*arguments, **options)
        result.states["sum"][4, 2] += 1
        return result

    monkeypatch.setattr(simulated.step, "simulate", wrong)
    with one_at_a_time("small fabric traced"):
        options = ["--clocked=0", "--waveform=w.vcd", "--json=j.json"]
        outcome = run("compare", "small.loom", "events.npy", *options)
    assert (outcome.status, outcome.err) == (1, "")
    assert "sample 4: state of sum[2] is " in outcome.out
    values = read_json("j.json")
    assert (values["mismatches"], values["cycles_compared"]) == (1, 0)
    assert values["waveform"] == "w.vcd"
    assert Path("w.vcd").stat().st_size > 1000


@pytest.mark.usefixtures("rtl_built")
@pytest.mark.parametrize("command", ["sim", "compare"])
def test_waves(run: Commands, command: str) -> None:
    options = ["--waves=w.fst", "--from=2:1", "--to=2:3"]
    with one_at_a_time("small fabric traced"):
        outcome = run(command, "small.loom", "events.npy", *options)
    assert (outcome.status, outcome.err) == (0, "")
    assert "wrote w.fst, w.gtkw, w.sucl" in outcome.out
    assert Path("w.fst").stat().st_size > 1000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--from=1"], "--from and --to choose a part of a waveform: name its file by --waves"),
        (["--waves=w.fst", "--to=x"], "'x' must be SAMPLE, SAMPLE:STEP or clock=N"),
        (["--waves=w.fst", "--backend=golden"], "not golden: use --backend verilator"),
        (["--waves=no/w.fst"], "no/w.fst"),
    ],
)
def test_waves_errors(run: Commands, options: list[str], message: str) -> None:
    outcome = run("sim", "small.loom", "events.npy", *options)
    assert (outcome.status, outcome.out) == (2, "")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.usefixtures("rtl_built")
def test_errors_of_the_hardware_have_exit_status_1(
    run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = simulated.GoldenDevice.run

    def with_error(*arguments: Any, **options: Any) -> Run:
        result = right(*arguments, **options)
        return Run(result.spikes, result.states, None, result.synops, 1)

    monkeypatch.setattr(simulated.GoldenDevice, "run", with_error)
    assert run("sim", "small.loom", "events.npy", "--backend=golden").status == 1


# Errors.


def bad_files() -> None:
    Path("empty").write_bytes(b"")
    Path("text").write_text("hello\n")
    Path("cut.npy").write_bytes(Path("events.npy").read_bytes()[:90])
    Path("cut.loom").write_bytes(Path("small.loom").read_bytes()[:-30])
    np.savez_compressed("whole.npz", **{"in": np.zeros((2, 6))})
    whole = Path("whole.npz").read_bytes()
    Path("cut.npz").write_bytes(whole[: len(whole) // 2])
    flipped = bytearray(whole)
    flipped[60] ^= 255
    Path("flipped.npz").write_bytes(flipped)
    Path("pickle.npy").write_bytes(pickle.dumps([1]))
    np.save("objects.npy", np.array([None]), allow_pickle=True)
    np.savez("objects.npz", allow_pickle=True, **{"in": np.array([None])})
    np.save("text.npy", np.array([["a"] * 6]))
    np.save("high.npy", np.full((1, 6), 3))
    np.save("nan.npy", np.full((1, 6), np.nan))
    np.save("none.npy", np.zeros((0, 3, 6)))
    np.save("narrow.npy", np.zeros((1, 5)))
    Path("folder").mkdir()
    Path("model").write_bytes(Path("model.nir").read_bytes()[:500])


COMPILE = "compile model.nir --dt 1e-3"
BAD = {
    "compile missing.nir --dt 1": "missing.nir",
    "compile model --dt 1": "model",
    "compile text --dt 1": "text",
    "compile folder --dt 1": "folder",
    "compile model.nir": "dt",
    f"{COMPILE} --dialect klingon": "klingon",
    f"{COMPILE} --dt nan": "dt",
    f"{COMPILE} --dt -1": "dt",
    f"{COMPILE} --option dialect=x": "dialect: no such option of a dialect; there are ",
    f"{COMPILE} --option source=x": "source: no such option of a dialect; there are ",
    f"{COMPILE} --option fixed=1": "fixed must be a tuple of pairs",
    f'{COMPILE} --option fixed=["a"]': "fixed must be a tuple of pairs",
    f'{COMPILE} --option reset_delay=[["a"]]': "reset_delay must be True, False or a tuple",
    f'{COMPILE} --option reset={{"a":1}}': "reset must be 'value' or",
    f"{COMPILE} --weight-bits 3": "weight_bits must be 2, 4 or 8 (or 16: pairs), not 3",
    f"{COMPILE} --state-bits 7": "state_bits must be 8..24, not 7",
    f"{COMPILE} --state-bits 20 --set state_bits=12": "state_bits: 20 was asked for, the fabric",
    f"{COMPILE} --calibration missing.npy": "cannot read missing.npy: No such file or directory",
    f"{COMPILE} --calibration cut.npy": "cut.npy is not a complete .npy or .npz file of numbers",
    f"{COMPILE} --calibration narrow.npy": "'in'",
    f"{COMPILE} --max-count 0": "max_count must be 1..255, not 0",
    f"{COMPILE} --set lanes": "--set lanes: '' is not an integer",
    f"{COMPILE} --set lanes=x": "--set lanes=x: 'x' is not an integer",
    f"{COMPILE} --set lnaes=4": "--set lnaes=4: no such size, did you mean lanes?; choose from ad",
    f"{COMPILE} --set colour=1": "--set colour=1: no such size; choose from adaptive_thres",
    f"{COMPILE} --set lanes=17": "FabricConfig.lanes must be 1..16, not 17",
    f"{COMPILE} --set delayed_reset=1": "--set delayed_reset=1: '1' is neither true nor false",
    f"{COMPILE} --set neurons=2": "neurons 3 of 2 (short by 1)",
    f"{COMPILE} --scale neurons=x": "--scale neurons=x: 'x' is not a number",
    f"{COMPILE} --scale other=1": "scales: no population is called 'other'; there are neurons",
    f"{COMPILE} -o folder": "cannot write folder: Is a directory",
    f"{COMPILE} -o no/model.loom": "cannot write no/model.loom: No such file or directory",
    "info missing.loom": "cannot read missing.loom: No such file or directory",
    "info folder": "cannot read folder: Is a directory",
    "info model.nir": "model.nir is a NIR file, not a program: give what `spikeloom compile` made",
    "compile small.loom": "file 'small.loom' is an archive, such as a compiled program; give the",
    "info empty": "empty is not a complete Spikeloom program; compile it again",
    "info text": "text is not a complete Spikeloom program; compile it again",
    "info cut.loom": "cut.loom is not a complete Spikeloom program; compile it again",
    "info events.npy": "events.npy is not a complete Spikeloom program; compile it again",
    "info whole.npz": "whole.npz is not a complete Spikeloom program; compile it again",
    "info small.loom --json no/info.json": "cannot write no/info.json: No such file or directory",
    "verilog cut.loom -o out.v": "cut.loom is not a complete Spikeloom program",
    "verilog small.loom --set lanes=2 -o out.v": "--set cannot be combined with a Program",
    "verilog --set lanes=0 -o out.v": "FabricConfig.lanes must be 1..16, not 0",
    "verilog small.loom -o no/out.v": "cannot write no/out.v: No such file or directory",
    "sim cut.loom events.npy": "cut.loom is not a complete Spikeloom program",
    "sim small.loom missing.npy": "cannot read missing.npy: No such file or directory",
    "sim small.loom folder": "cannot read folder: Is a directory",
    **{
        f"sim small.loom {name}": f"{name} is not a complete .npy or .npz file of numbers: write "
        "it with numpy.save"
        for name in (
            *("empty", "text", "cut.npy", "cut.npz", "flipped.npz"),
            *("pickle.npy", "objects.npy", "objects.npz"),
        )
    },
    "sim small.loom text.npy": "events of 'in' must be bool or counts",
    "sim small.loom high.npy": "events of 'in' must be whole counts 0..2",
    "sim small.loom nan.npy": "events of 'in' must be whole counts 0..2",
    "sim small.loom none.npy": "events of 'in' hold no sample",
    "sim small.loom narrow.npy": "events of 'in' must have shape",
    "sim small.loom events.npy --backend golden -o no/out": "cannot write no/out: No such file",
    "verilog small.loom --core -o small.core": "--core writes small.core too: give the Verilog",
    "compare small.loom none.npy": "events of 'in' hold no sample",
    "compare small.loom cut.npz": "cut.npz is not a complete .npy or .npz file of numbers",
    "build --board icebreaker small.loom -o text": "cannot write text: Not a directory",
    "build --board icebreaker small.loom -o text/more": "cannot write text/more: Not a directory",
    f"build --board icebreaker small.loom -o {'x' * 256}": ": File name too long",
    "build --board icebreaker -o out --minutes nan": "--minutes nan: must be a finite number",
    "build --board icebreaker -o out --minutes inf": "--minutes inf: must be a finite number",
    f"sim small.loom events.npy -o {'x' * 256}": ": File name too long",
    "sim small.loom events.npy -o folder": "cannot write folder: Is a directory",
    "sim small.loom events.npy --json=/dev/full": "cannot write /dev/full: No space left on device",
    "cache --limit much": "--limit much: must be a size, such as 500MB or 2GB",
    "cache --limit 2GB --clear": "--clear cannot be combined with --limit",
    "demo --images 0": "images must be 1..5000, not 0",
    "demo --images 5001": "images must be 1..5000, not 5001",
    "demo --images 1 --output text": "cannot create the folder text: File exists",
}


def test_warnings_are_one_line_on_standard_error(run: Commands) -> None:
    np.save("time_first.npy", np.ones((25, 1, 6), np.uint8))
    outcome = run("compare", "small.loom", "time_first.npy")
    assert outcome.status == 0
    [line] = outcome.err.splitlines()  # though two devices ran the events
    assert line.startswith("warning: events of 'in': shape (25, 1, 6) means 25 samples x 1 steps, ")
    assert line.endswith("; if so, use events.transpose(1, 0, 2)")


@pytest.mark.parametrize("command", [["info", ""], ["build", "--board", ""], ["compile", "--dt="]])
def test_an_empty_value_is_refused_by_name(run: Commands, command: list[str]) -> None:
    name = {"info": "an argument", "build": "--board", "compile": "--dt"}[command[0]]
    assert run(*command).error() == f"{name} is empty: give it a value or leave it out"


@pytest.mark.parametrize("bits", [8, 16])
def test_states_that_saturate_are_said(run: Commands, bits: int) -> None:
    weights = np.full((1, 2), 100)
    neurons = Population("out", 2, bias=np.zeros(2, np.int64), threshold=(1 << bits - 1) - 1)
    network = Network(
        (Input("in", 1),), (neurons,), (Connection("in", "out", weights),), state_bits=bits
    )
    compile(network).save(run.folder / "full.loom")
    np.save(run.folder / "ones.npy", np.ones((1, 3, 1), np.uint8))
    out = run("sim", "full.loom", "ones.npy", "--backend=golden").out
    # 100, 200 and 300 do not fit into 8 bits, but for the first.
    assert ("out 4 of 6 updates in the first 1 samples are cut off" in out) == (bits == 8)


@pytest.mark.parametrize("keep", [False, True])
def test_thresholds_that_adapt_no_further_are_said(run: Commands, keep: bool) -> None:
    """A spike in each of 3 steps, 50 each: 150 is more than 127. With `keep` 6 spikes add up."""
    neurons = Population(
        "out",
        1,
        bias=np.zeros(1, np.int64),
        threshold=-100,
        decay=4096,
        switches=(AdaptiveThreshold(50 if not keep else 30, 0, keep=keep),),
    )
    connections = (Connection("in", "out", np.full((1, 1), 100)),)
    network = Network((Input("in", 1),), (neurons,), connections, state_bits=8)
    compile(network).save(run.folder / "tired.loom")
    np.save(run.folder / "ones.npy", np.ones((2, 3, 1), np.uint8))
    out = run("sim", "tired.loom", "ones.npy", "--backend=golden").out
    # Of samples apart the third step of each; of one after the other the fifth and the sixth.
    assert "out 2 of 6 updates in the first 2 samples are cut off" in out


def test_arguments_in_messages_are_on_one_line(run: Commands) -> None:
    assert run("info", "--", "small.loom", "a\nb").err.splitlines()[-1] == (
        r"Error: Got unexpected extra argument (a\nb)"
    )


@pytest.mark.parametrize("folder", [".", "/"])
def test_a_page_is_no_folder(run: Commands, folder: str) -> None:
    for option in ("--html", "--output"):
        command = ["compare" if option == "--html" else "report", "small.loom", "events.npy"]
        assert "Is a directory" in run(*command, option, folder).error()


def test_an_unwritable_output_is_found_before_any_work(
    run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*_: Any, **__: Any) -> None:
        raise AssertionError

    for module, name in (
        *(("hardware", "emit"), ("hardware", "build"), ("programs", "load_nir"), ("runs", "open")),
    ):
        monkeypatch.setattr(f"spikeloom.cli.{module}.{name}", work)
    for command in (
        *("verilog -o no/out.v", "build --board icebreaker -o events.npy/out"),
        *("compile model.nir --dt 1 -o no/out", "sim small.loom events.npy --json no/out"),
        "sim small.loom events.npy -o no/out",
    ):
        assert run(*command.split()).error().startswith("cannot write ")


def test_verilog_of_a_part_of_an_option_has_all_of_it(run: Commands) -> None:
    sizes = "--set two_ports=true --set neurons=8 --set weight_words=64"
    assert run(*f"verilog -o part.v {sizes} --json=part.json".split()).status == 0
    fabric = read_json("part.json")["fabric"]
    assert (fabric["two_ports"], fabric["plasticity"]) == (True, True)
    refused = run(*f"verilog -o none.v {sizes} --set plasticity=false".split())
    assert refused.error() == "FabricConfig.two_ports needs plasticity=True"


def test_verilog_takes_a_name_and_the_sizes_of_a_board(
    run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stand_in(config: FabricConfig, *, name: str) -> str:
        return f"{name} {config.to_json()}"

    monkeypatch.setattr("spikeloom.cli.hardware.emit", stand_in)
    board = "--board=icebreaker"
    done = run("verilog", "--name=my_net", board, "--set=lanes=4", "--core", "-o", "a.v")
    assert done.status == 0
    name, _, config = Path("a.v").read_text().partition(" ")
    expected = dataclasses.replace(board_named("icebreaker").fabric, lanes=4)
    assert (name, FabricConfig.from_json(config)) == ("my_net", expected)
    assert '"toplevel": "my_net"' in Path("a.core").read_text()
    message = "--board cannot be combined with a Program, which fixes the sizes"
    assert run("verilog", "small.loom", board, "-o", "a.v").error() == message


@pytest.mark.parametrize("command", ["verilog", "build", "compile"])
def test_help_names_every_size_with_its_default_and_range(run: Commands, command: str) -> None:
    text = " ".join(run(command, "--help").out.split())
    for field in dataclasses.fields(FabricConfig):
        assert re.search(rf"\b{field.name}={json.dumps(field.default)} \(\S", text), field.name
    assert "lanes=8 (1..16)" in text
    assert "weight_bits=8 (2, 4, 8)" in text
    assert "traces=false (true or false)" in text


def test_ctrl_c_is_one_line_and_not_the_status_of_a_mismatch(
    run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("spikeloom.cli.runs.open", interrupt)
    outcome = run("sim", "small.loom", "events.npy")
    assert (outcome.status, outcome.out) == (130, "")
    assert outcome.err.strip() == "interrupted"


@pytest.mark.parametrize("module", ["click", "rich", "numpy", "h5py"])
def test_ctrl_c_during_imports_is_one_line(run: Commands, module: str) -> None:
    """Even where a module turns the exception into another, as extension modules do."""
    (run.folder / f"{module}.py").write_text(
        "import os, signal, time\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(20)\nexcept KeyboardInterrupt:\n    raise ImportError('half') from None\n"
    )
    path = os.pathsep.join([str(run.folder), *sys.path])
    # A job in the background ignores Ctrl-C, and so would its children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "spikeloom", "info", "small.loom"],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_help_imports_no_library_of_numbers_or_hardware() -> None:
    code = (
        "import sys\nfrom spikeloom.cli import cli\ntry:\n    cli(['--help'])\n"
        "except SystemExit:\n    print(*sys.modules)"
    )
    command = [sys.executable, "-c", code]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "click" in text.split()
    assert not {"numpy", "amaranth", "nir", "h5py", "cocotb"} & set(text.split())


def test_the_cache_is_shown_bounded_and_cleared(
    run: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "cache"))
    assert run("cache").out == f"{tmp_path / 'cache'}: 0 bytes\n"
    for name in "abc":
        folder = tmp_path / "cache" / "model" / name
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(bytes(2000))
    (tmp_path / "cache" / "waveforms").mkdir()
    (tmp_path / "cache" / "waveforms" / "w.vcd").write_bytes(bytes(500))
    lines = run("cache").out.splitlines()
    assert [line.split() for line in lines[:-1]] == [
        ["kind", "entries", "size"],
        ["model", "3", "6", "kB"],
        ["waveforms", "1", "500", "bytes"],
    ]
    assert lines[-1].endswith("cache: 6.5 kB")
    out = run("cache", "--limit", "4.6kB").out
    assert out.startswith("removed 1 entries, 2 kB\n")
    assert out.endswith("cache: 4.5 kB\n")
    assert run("cache", "--clear").out.endswith("cache: 0 bytes\n")
    assert list((tmp_path / "cache" / "model").iterdir()) == []


@pytest.mark.parametrize("command", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(run: Commands, command: str) -> None:
    bad_files()
    before = run.files()
    assert BAD[command] in run(*command.split()).error()
    assert run.files() == before


# In processes of their own.


def in_process(arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "spikeloom", *arguments.split()],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_python_m_does_the_same_as_the_script(run: Commands) -> None:
    done = in_process("info small.loom")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run("info", "small.loom").out
    done = in_process("info missing.loom")
    message = "error: cannot read missing.loom: No such file or directory\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


def test_a_full_disk_behind_standard_output_is_one_line(run: Commands) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "spikeloom", "info", "small.loom"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (2, "error: [Errno 28] No space left on device\n")


@pytest.mark.parametrize(
    ("remedy", "compiler"),
    [
        ("install g++ (apt install g++) or set CXX", None),
        ("the C++ compiler /nonexistent of the variable CXX is missing", "/nonexistent"),
    ],
)
def test_a_missing_compiler_is_named_with_the_remedy(
    run: Commands, remedy: str, compiler: str | None
) -> None:
    cache = run.folder / "cache"
    environment = {"SPIKELOOM_CACHE": str(cache)}
    if compiler is None:
        tools = run.folder / "bin"
        tools.mkdir()
        for tool in ("perl", "make"):
            found = shutil.which(tool)
            assert found
            (tools / tool).symlink_to(found)
        environment |= {"PATH": str(tools), "CXX": ""}
    else:
        environment |= {"CXX": compiler}
    done = in_process("sim small.loom events.npy -o out.npz --json out.json", **environment)
    outcome = Outcome(done.returncode, done.stdout, done.stderr)
    assert remedy in outcome.error()
    assert not {"out.npz", "out.json"} & run.files()
    assert not (cache / "model").exists()


@pytest.mark.parametrize("quiet", [False, True])
def test_in_a_pipe_long_work_says_what_it_is_at(
    run: Commands, monkeypatch: pytest.MonkeyPatch, quiet: bool
) -> None:
    """Here the work lasts until it has been said, or could have been."""
    said = threading.Event()

    def echo(line: str, **where: bool) -> None:
        if line == "at work: comparing, 0 of 2; waiting, 7 of 1,000" and where["err"]:
            said.set()

    def work(*_: Any, **__: Any) -> None:
        with task("comparing", 2), task("waiting", 1000) as step:
            step.done(7)
            assert said.wait(0.3 if quiet else 60) != quiet
        raise SpikeloomError("enough")

    monkeypatch.setattr("spikeloom.cli.output.PATIENCE", 0.01)
    monkeypatch.setattr("spikeloom.cli.output.click.echo", echo)
    monkeypatch.setattr("spikeloom.cli.comparing.compare", work)
    run("compare", "small.loom", "events.npy", *["--quiet"][: int(quiet)])
    assert said.is_set() != quiet


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
def test_progress_is_shown_on_a_terminal_only(run: Commands) -> None:
    arguments = "sim small.loom events.npy --backend golden"
    assert in_process(arguments).stderr == ""
    keyboard, terminal = os.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "spikeloom", *arguments.split()],
            stdout=subprocess.PIPE,
            stderr=terminal,
            check=True,
        )
        shown = os.read(keyboard, 10000).decode()
    finally:
        os.close(terminal)
        os.close(keyboard)
    assert "running" in shown
    assert "100%" in shown
    assert b"running" not in done.stdout
