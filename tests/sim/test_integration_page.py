"""What docs/integration.md tells to type is typed, and its benches see a wrong packet."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nir
import numpy as np
import pytest
from small_program import SMALL, small_network

import spikeloom
from spikeloom.examples import integration

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "integration.md"
EXAMPLES = Path(integration.__path__[0])


def shown(*, litex: bool) -> list[str]:
    """The commands of the section about LiteX, or those of the others, in the page's order."""
    sections = PAGE.read_text(encoding="utf-8").split("\n## ")
    chosen = [section for section in sections if section.startswith("LiteX\n") == litex]
    blocks = re.findall(r"^```console\n(.*?)^```$", "\n".join(chosen), re.M | re.S)
    text = "".join(blocks)
    commands = re.findall(r"^\$ ((?:.*\\\n)*.*)$", text, re.M)
    assert len(commands) == text.count("$ ") > 0
    return [command for command in commands if not command.startswith("pip install ")]


def spoil(path: Path) -> None:
    """Change the last packet but one: its kind stays."""
    *lines, spoilt, last = path.read_text(encoding="utf-8").splitlines()
    changed = f"{int(spoilt, 16) ^ 16:0{len(spoilt)}x}"
    path.write_text("\n".join([*lines, changed, last, ""]), encoding="utf-8")


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a trained network, its input and the examples; `spikeloom` is this one."""
    rng = np.random.default_rng(1)

    def lif(size: int) -> nir.LIF:
        values = {"tau": 4e-3, "r": 4.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0}
        return nir.LIF(**{name: np.full(size, value) for name, value in values.items()})

    nir.write(
        tmp_path / "model.nir",
        nir.NIRGraph.from_list(
            nir.Linear(rng.uniform(-0.2, 0.9, (8, 6))),
            lif(8),
            nir.Linear(rng.uniform(-0.2, 0.9, (4, 8))),
            lif(4),
        ),
    )
    np.save(tmp_path / "events.npy", rng.random((2, 6, 6)) < 0.5)
    shutil.copytree(EXAMPLES, tmp_path / "examples" / "integration")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, arguments in {"python": "", "spikeloom": "-P -m spikeloom"}.items():
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        program.chmod(0o755)
    path = [str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("MAKEFLAGS", "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0")  # compiles sooner
    return tmp_path


def play(commands: list[str], folder: Path) -> str:
    """What they print, in one shell."""
    script = "\n".join(["set -e", *commands])
    command = ["bash", "-c", script]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_commands_of_the_page(workplace: Path) -> None:
    """All of them; then the benches again, with a wrong packet to compare."""
    commands = shown(litex=False)
    output = play(commands, workplace)
    device = spikeloom.open(spikeloom.Program.load(workplace / "model.loom"), backend="golden")
    spikes = device.run(np.load(workplace / "events.npy")).spikes
    count = sum(int(raster.sum()) for raster in spikes.values())
    assert count > 0
    assert f"PASS: {count} spikes in 12 steps" in output
    assert "step 0: population" in output
    assert "FAIL=0" in output

    spoil(workplace / "words" / "host_out.hex")
    assert "FAIL: 1 packets differ" in play(["obj_dir/Vbench"], workplace / "words")
    exports = [command for command in commands if command.startswith("export ")]
    assert "FAIL=1" in play([*exports, "! python bench_axi.py"], workplace)


@pytest.mark.skipif(not importlib.util.find_spec("litex"), reason="LiteX: make litex")
def test_the_commands_about_litex(workplace: Path) -> None:
    """The SoC does what the golden model does, and its bench sees a wrong packet."""
    spikeloom.compile(small_network(), SMALL).save(workplace / "model.loom")
    exports = [command for command in shown(litex=False) if command.startswith("export ")]
    output = play([*exports, *shown(litex=True)], workplace)
    assert re.search(r"^[1-9]\d* spikes in \d+ packets$", output, re.M)
    assert "FAIL=0" in output
    spoil(workplace / "words" / "host_out.hex")
    assert "FAIL=1" in play([*exports, "! python bench_litex.py"], workplace)
