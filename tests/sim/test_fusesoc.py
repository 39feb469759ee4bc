"""FuseSoC accepts the core file."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spikeloom.golden.spec import FabricConfig
from spikeloom.sim import toolchain
from spikeloom.sim.fusesoc import fusesoc_core
from spikeloom.sim.verilog import TOP, emit

SMALL = FabricConfig(lanes=1, neurons=4, weight_words=8, queue=1)


def test_a_core_names_the_file_and_its_module() -> None:
    first, *rest = fusesoc_core('a "file".v', "some_top").splitlines()
    assert first == "CAPI=2:"
    values = {name: json.loads(value) for name, _, value in (line.partition(": ") for line in rest)}
    assert values["name"].startswith("spikeloom:fabric:some_top:")
    assert values["filesets"] == {"rtl": {"files": ['a "file".v'], "file_type": "verilogSource"}}
    targets = values["targets"]
    assert targets.keys() == {"default", "lint"}
    for target in targets.values():
        assert target["filesets"] == ["rtl"]
        assert target["toplevel"] == "some_top"
    assert targets["lint"]["flow_options"]["verilator_options"] == ["-Wall"]


@pytest.mark.skipif(not importlib.util.find_spec("fusesoc"), reason="FuseSoC is not installed")
@pytest.mark.parametrize("good", [True, False])
def test_fusesoc_lints_it(good: bool, tmp_path: Path) -> None:
    (tmp_path / "fabric.v").write_text(emit(SMALL) if good else emit(SMALL) + "wire [2:0] x = 9;")
    (tmp_path / "fabric.core").write_text(fusesoc_core("fabric.v", TOP), encoding="utf-8")
    root = toolchain.verilator_root()
    path = f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}"
    name = f"spikeloom:fabric:{TOP}"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "fusesoc.main",
            "--cores-root",
            ".",
            "run",
            "--target",
            "lint",
            name,
        ],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "VERILATOR_ROOT": str(root)},
        check=False,
    )
    assert (done.returncode == 0) == good
