"""The command line, where a network learns."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from command_line import Commands
from plastic_network import plastic_network, spikes

import spikeloom
from spikeloom import Program
from spikeloom.golden.step.run import simulate

SIM = "sim", "plastic.loom", "spikes.npy", "--backend", "golden", "--learn", "out.loom"


@pytest.fixture
def learn(run: Commands) -> Commands:
    """A folder with plastic.loom and its spikes.npy."""
    spikeloom.compile(plastic_network()).save("plastic.loom")
    np.save("spikes.npy", spikes(4))
    return run


def test_sim_writes_what_was_learned(learn: Commands) -> None:
    result = learn(
        *["sim", "plastic.loom", "spikes.npy", "--backend", "golden", "--learn", "out.loom"]
    )
    assert result.status == 0, result.err
    expected = simulate(plastic_network(), spikes(4), learn=True)
    learned = Program.load("out.loom")
    for number, weights in expected.weights.items():
        np.testing.assert_array_equal(learned.network.connections[number].weights, weights)
    assert learned.learned == 4
    assert f"weight updates              {expected.updates:,}" in result.out
    assert "learned from                4 samples in all" in result.out
    assert "wrote out.loom" in result.out
    again = learn(
        *[
            "sim",
            "out.loom",
            "spikes.npy",
            "--backend",
            "golden",
            "--learn",
            "out.loom",
            "--json",
            "-",
        ]
    )
    assert json.loads(again.out)["learned_from"] == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--learn spikes.npy", "spikes.npy is given twice, as --learn and as EVENTS: write to"),
        ("-o plastic.loom", "plastic.loom is given twice, as --output and as PROGRAM: write"),
        ("-o ./new --learn new", "is given twice, as --"),
        ("--json new --learn new", "new is given twice, as --"),
        ("--labels new.npy --json new.npy", "new.npy is given twice, as --"),
    ],
)
def test_no_file_is_written_over_another(learn: Commands, options: str, message: str) -> None:
    before = {name: Path(name).read_bytes() for name in sorted(learn.files())}
    assert message in learn(*SIM[:5], *options.split()).error()
    assert {name: Path(name).read_bytes() for name in sorted(learn.files())} == before


def test_info_says_the_rules(learn: Commands) -> None:
    result = learn("info", "plastic.loom")
    rule = "PRE_TRACE * ABOVE if pre ALWAYS, post SPIKED; -POST_TRACE * BELOW if pre SPIKED"
    assert f"in -> hidden learns         {rule}" in result.out
    assert "/ 4096, stochastic; weights -60..100" in result.out
    assert "hidden -> out learns        THIRD * PRE_TRACE" in result.out
    assert "learned from" not in result.out
    values = json.loads(learn("info", "plastic.loom", "--json", "-").out)
    assert [c["target"] for c in values["plastic"]] == ["hidden", "out"]
    assert values["used"]["rules"] == 2


@pytest.mark.parametrize(
    ("options", "lanes", "ports"),
    [({}, 8, "one"), ({"two_ports": True, "learn_lanes": 4}, 4, "two, to read and to write")],
)
def test_info_says_how_a_fabric_learns(
    learn: Commands, options: dict[str, int], lanes: int, ports: str
) -> None:
    spikeloom.compile(plastic_network(), options).save("other.loom")
    result = learn("info", "other.loom")
    assert re.search(rf"^  lanes that learn +{lanes}$", result.out, re.MULTILINE)
    assert re.search(rf"^  ports of the weights +{ports}$", result.out, re.MULTILINE)


def test_a_run_that_is_interrupted_leaves_its_file(
    learn: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spikeloom.devices.chunks.CHUNK", 2)
    save = Program.save

    def interrupted(program: Program, path: Path) -> None:
        save(program, path)
        raise KeyboardInterrupt

    monkeypatch.setattr(Program, "save", interrupted)
    result = learn(
        *["sim", "plastic.loom", "spikes.npy", "--backend", "golden", "--learn", "out.loom"]
    )
    assert result.status == 130
    assert Program.load("out.loom").learned == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            "sim small.loom events.npy --backend golden --learn out.loom",
            "learn: no connection of this network is plastic; give one a rule",
        ),
        (
            "sim plastic.loom spikes.npy --learn out.loom --waves run.fst",
            "--waves shows a run that does not learn: leave out --learn",
        ),
        (
            "compare plastic.loom spikes.npy --learn --labels labels.npy",
            "--labels, --float and --waves are about a network that does not learn",
        ),
        (
            "report plastic.loom spikes.npy --learn --labels labels.npy",
            "--labels and --float are about a network that does not learn",
        ),
        ("sim plastic.loom spikes.npy --learn nowhere/out.loom", "cannot write nowhere/out.loom"),
        (
            "compile model.nir --dt 1e-3 --set plasticity=true --set lanes=3",
            "FabricConfig.lanes must be 1, 2, 4, 8 or 16 with plasticity, not 3",
        ),
    ],
)
def test_what_is_refused(learn: Commands, arguments: str, said: str) -> None:
    before = learn.files()
    result = learn(*arguments.split())
    assert result.status == 2
    assert said in result.err
    assert result.err.count("\n") == 1
    assert learn.files() == before
