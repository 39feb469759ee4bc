"""Commands for integrators: what they write, and errors in one line."""

import re
from pathlib import Path

import numpy as np
import pytest
from command_line import Commands
from small_program import SMALL, small_network

import spikeloom
from spikeloom.golden.spec import PacketKind


@pytest.fixture
def run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Commands:
    monkeypatch.chdir(tmp_path)
    spikeloom.compile(small_network(), SMALL).save(tmp_path / "model.loom")
    np.save(tmp_path / "events.npy", np.random.default_rng(1).random((2, 6, 6)) < 0.5)
    return Commands(tmp_path, capsys, monkeypatch)


def test_words_vh_has_the_bits_of_every_field(run: Commands) -> None:
    assert run("words", "model.loom", "events.npy", "-o", "words").status == 0
    text = (run.folder / "words" / "words.vh").read_text(encoding="utf-8")
    ranges = {
        name: (int(high), int(low))
        for name, high, low in re.findall(r"^`define (\w+) (\d+):(\d+)$", text, re.M)
    }
    expected = {}
    for payload in ("load", "host_in", "host_out"):
        low = 0
        for field in getattr(SMALL, payload).fields:
            expected[f"{payload}_{field.name}".upper()] = (low + field.width - 1, low)
            low += field.width
        assert f"`define {payload.upper()}_WIDTH {low}\n" in text
    assert ranges == expected
    for kind in PacketKind:
        assert f"`define KIND_{kind.name} {kind.value}\n" in text


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
