"""The benches of examples/integration run, as docs/integration.md says, and see a wrong packet."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cocotb_tools.runner import get_results
from command_line import Commands
from locking import one_at_a_time
from small_program import SMALL, small_network

import spikeloom
from spikeloom.examples import integration
from spikeloom.sim import cache, toolchain
from spikeloom.sim.cosim import process
from spikeloom.sim.verilator import build_bench
from spikeloom.sim.verilog import AXI_TOP

EXAMPLES = Path(integration.__path__[0])


@pytest.fixture
def run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Commands:
    monkeypatch.chdir(tmp_path)
    spikeloom.compile(small_network(), SMALL).save(tmp_path / "model.loom")
    np.save(tmp_path / "events.npy", np.random.default_rng(1).random((2, 6, 6)) < 0.5)
    commands = Commands(tmp_path, capsys, monkeypatch)
    assert commands("words", "model.loom", "events.npy", "-o", "words").status == 0
    return commands


def spoil(path: Path) -> None:
    """Change the last packet but one: its kind stays."""
    *lines, spoilt, last = path.read_text(encoding="utf-8").splitlines()
    changed = f"{int(spoilt, 16) ^ 16:0{len(spoilt)}x}"
    path.write_text("\n".join([*lines, changed, last, ""]), encoding="utf-8")


def test_the_bench_in_verilog(run: Commands) -> None:
    folder = run.folder / "words"
    assert run("verilog", "model.loom", "-o", "words/spikeloom_fabric.v").status == 0
    shutil.copy(EXAMPLES / "bench.v", folder)
    toolchain.verilator(
        *("--binary", "--timing", "-CFLAGS", "-std=c++20", "-Wno-fatal", "--top-module", "bench"),
        *("bench.v", "spikeloom_fabric.v"),
        directory=folder,
    )

    def play() -> str:
        return subprocess.run(
            ["obj_dir/Vbench"], cwd=folder, capture_output=True, text=True, check=True
        ).stdout

    golden = spikeloom.open(spikeloom.Program.load("model.loom"), backend="golden")
    spikes = golden.run(np.load("events.npy")).spikes
    count = sum(int(raster.sum()) for raster in spikes.values())
    assert count > 0
    assert f"PASS: {count} spikes in 12 steps" in play()
    spoil(folder / "host_out.hex")
    assert "FAIL: 1 packets differ" in play()


def test_the_bench_in_cocotb(run: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("verilog", "model.loom", "--axi", "--driver", "-o", "spikeloom_axi.v").status == 0
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(run.folder), str(EXAMPLES), *sys.path]))
    verilog = (run.folder / "spikeloom_axi.v").read_text(encoding="utf-8")
    with one_at_a_time(cache.digest(verilog)):
        build = build_bench(verilog, AXI_TOP)

    def play() -> tuple[tuple[int, int], str]:
        for old in run.folder.glob("*.xml"):
            old.unlink()
        output = process.simulate(build, run.folder, AXI_TOP, "bench_axi")
        (results,) = run.folder.glob("*.xml")
        return get_results(results), output

    results, output = play()
    assert results == (1, 0), output
    assert "step 0: population" in output
    spoil(run.folder / "words" / "host_out.hex")
    assert play()[0] == (1, 1)


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
