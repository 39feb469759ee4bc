"""Commands for integrators: what is wrong with their input is one line."""

from pathlib import Path

import numpy as np
import pytest
from command_line import Commands
from small_program import SMALL, small_network

import spikeloom


@pytest.fixture
def run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Commands:
    monkeypatch.chdir(tmp_path)
    spikeloom.compile(small_network(), SMALL).save(tmp_path / "model.loom")
    np.save(tmp_path / "events.npy", np.random.default_rng(1).random((2, 6, 6)) < 0.5)
    return Commands(tmp_path, capsys, monkeypatch)


BAD = {
    "words no.loom events.npy -o out": "no.loom: No such file or directory",
    "words model.loom no.npy -o out": "no.npy",
    "words model.loom events.npy -o model.loom": "cannot write model.loom",
    "verilog model.loom --driver -o a.v": "--driver is for the registers of AXI: add --axi",
    "verilog model.loom --axi --driver -o a.h": "--driver writes a.h too: give the Verilog another",
}


@pytest.mark.parametrize("command", BAD)
def test_what_is_wrong_is_one_line_and_nothing_is_written(run: Commands, command: str) -> None:
    before = run.files()
    assert BAD[command] in run(*command.split()).error()
    assert run.files() == before
