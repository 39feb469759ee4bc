"""`spikeloom report`: what it writes, and that it leaves nothing half-written."""

import dataclasses
import errno
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from mesh_program import mesh_program

import spikeloom
from spikeloom import cli, files
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.program import Program
from spikeloom.report.gather import gather


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a program and its events."""
    monkeypatch.chdir(tmp_path)
    mesh_program().save("mesh.loom")
    np.save("events.npy", (np.random.default_rng(1).random((2, 6, 8)) < 0.5).astype(np.uint8))
    np.save("labels.npy", np.array([1, 2]))
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["spikeloom", "report", *arguments])
    with pytest.raises(SystemExit) as exit_status:
        cli.main()
    assert isinstance(exit_status.value.code, int)
    return exit_status.value.code


def test_a_page_of_the_golden_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ("mesh.loom", "events.npy", "--backend", "golden", "--labels", "labels.npy")
    assert run(monkeypatch, *given) == 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Golden model only." in page
    assert "Confusion matrix" in page
    values = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert values["backend"] is None
    assert 0 <= values["neurobench"]["classification_accuracy"] <= 1


def test_a_page_has_the_accuracy_in_floats(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nir.write(
        "model.nir",
        nir.NIRGraph(
            nodes={
                "in": nir.Input(np.array([8])),
                "weights": nir.Affine(np.random.default_rng(2).random((3, 8)), np.zeros(3)),
                "out": nir.IF(r=np.ones(3), v_threshold=np.ones(3)),
                "output": nir.Output(np.array([3])),
            },
            edges=[("in", "weights"), ("weights", "out"), ("out", "output")],
        ),
    )
    spikeloom.compile(spikeloom.load_nir("model.nir", dt=1.0)).save("model.loom")
    given = "model.loom", "events.npy", "--backend", "golden", "--float", "model.nir"
    assert run(monkeypatch, *given) == 2
    assert "give --labels, too" in one_line(capsys)
    assert run(monkeypatch, *given, "--learn") == 2
    assert "--float are about a network that does not learn" in one_line(capsys)
    assert run(monkeypatch, *given, "--labels", "labels.npy") == 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert re.search(r"<th scope=row>float</th><td class=\"number\">\d+\.\d\d%</td>", page)
    assert run(monkeypatch, *given[:4], "--dt", "1") == 2
    assert "options of a dialect are for --float" in one_line(capsys)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    return lines[0]


def test_a_comparison_of_nothing_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = mesh_program()
    Program(program.network, program.fabric, frozenset(), frozenset()).save("silent.loom")
    assert run(monkeypatch, "silent.loom", "events.npy") == 2
    assert "nothing to compare" in one_line(capsys)
    np.save("none.npy", np.zeros((0, 6, 8), np.uint8))
    assert run(monkeypatch, "mesh.loom", "none.npy", "--backend", "golden") == 2
    assert "no sample" in one_line(capsys)
    np.save("quiet.npy", np.zeros((2, 6, 8), np.uint8))
    assert run(monkeypatch, "mesh.loom", "quiet.npy", "--backend", "golden") == 2
    assert "no spike" in one_line(capsys)
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize("written", [0, 1])
def test_a_full_disk_leaves_nothing_half_written(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    written: int,
) -> None:
    """The disk is full at the first, or at the second of the two files."""
    (folder / "report.html").write_text("of yesterday")
    begun = 0

    def fdopen(handle: int, *options: Any) -> Any:
        nonlocal begun
        begun += 1
        if begun > written:
            os.close(handle)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.fdopen(handle, *options)

    class Disk:
        """`os`, with a disk that is full after so many files."""

        def __getattr__(self, name: str) -> Any:
            return fdopen if name == "fdopen" else getattr(os, name)

    monkeypatch.setattr(files, "os", Disk())
    assert run(monkeypatch, "mesh.loom", "events.npy", "--backend", "golden") == 2
    assert "No space left" in one_line(capsys)
    assert (folder / "report.html").read_text() == "of yesterday"
    names = {path.name for path in folder.iterdir()}
    assert names == {"mesh.loom", "events.npy", "labels.npy", "report.html"}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot read"),
        ("{}", "no report of a build"),
        ("[" * 10_000, "no report of a build"),
        ('{"board": 3}', "no report of a build"),
    ],
)
def test_what_is_no_build_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str | None,
    message: str,
) -> None:
    if text is not None:
        Path("build").mkdir()
        Path("build/report.json").write_text(text)
    given = ("mesh.loom", "events.npy", "--backend", "golden", "--build", "build")
    assert run(monkeypatch, *given) == 2
    assert message in one_line(capsys)


@pytest.mark.usefixtures("folder")
def test_a_build_of_another_fabric_says_what_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fabric = dataclasses.replace(mesh_program().fabric, sum_bits=24)
    report = {
        "board": "icebreaker",
        "clock_mhz": 24,
        "fmax_mhz": {"best": 25, "median": 25, "seeds": {"1": 25}},
        "resources": {},
        "tools": {},
        "fabric": dataclasses.asdict(fabric),
    }
    Path("build").mkdir()
    Path("build/report.json").write_text(json.dumps(report))
    given = ("mesh.loom", "events.npy", "--backend", "golden", "--build", "build")
    assert run(monkeypatch, *given) == 2
    said = one_line(capsys)
    assert said.startswith("error: the program and the build in build differ: sum_bits ")
    assert ": compile --board icebreaker --set sum_bits=24, or in Python " in said


def test_about_may_be_anything() -> None:
    from spikeloom.report.page import page  # noqa: PLC0415 - takes Bokeh half a second

    rows = [{"population": "a", "scale": [1]}, 3]
    about: dict[str, Any] = {"assumptions": 3, "warnings": [1, "w"], "outputs": "x"}
    about["quantisation"] = {"populations": rows, "notes": None, "warnings": {}}
    network = Network(
        (Input("in", 1),),
        (Population("n", 2, np.zeros(2, np.int64), threshold=1),),
        (Connection("in", "n", np.ones((1, 2), np.int64)),),
    )
    program = Program(network, mesh_program().fabric, frozenset(), frozenset(), about)
    written = page(program, gather(program, np.ones((1, 2, 1), np.uint8)))
    assert "<li>w</li>" in written
