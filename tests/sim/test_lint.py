"""Third-party tools accept the emitted Verilog without a warning."""

import shutil
import subprocess
from pathlib import Path

import pytest
from soaked import all_but

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import FabricConfig
from spikeloom.sim import toolchain
from spikeloom.sim.field_names import with_field_names
from spikeloom.sim.verilog import AXI_TOP, TOP, emit, emit_axi

SMALL = {"lanes": 2, "neurons": 8, "weight_words": 32, "axons": 8, "queue": 2}
OPTIONS = {
    "synaptic_current": True,
    "weight_pairs": True,
    "delayed_reset": True,
    "lower_clamp": True,
    "max_spikes": 3,
    "extent": 4,
    "coordinates": 16,
    "counter_bits": 40,
    "readable": True,
    "multipliers": False,
    "sparse_words": 16,
    "one_to_one": True,
    "plasticity": True,
    "rules": 3,
    "quadratic_bounds": True,
    "eligibility": True,
    "plastic_kernels": True,
    "two_ports": True,
}
LEARNING = {"plasticity": True, "rules": 1, "rule_terms": 1, "plastic_axons": 1}
LEAST = {
    **{"lanes": 1, "neurons": 1, "weight_words": 1, "slots": 1, "axons": 1, "queue": 1},
    **{"populations": 1, "connections": 1, "targets": 1},
}
FABRICS = {
    "one tile": FabricConfig(**SMALL),
    "least": FabricConfig(**LEAST),
    "least that learns": FabricConfig(**LEAST, **LEARNING),
    "all options": FabricConfig(**SMALL, **OPTIONS),
    "mesh": FabricConfig(columns=2, rows=2, routes=4, **SMALL),
    "mesh with options": FabricConfig(
        columns=2, rows=2, routes=4, learn_lanes=1, **SMALL, **OPTIONS
    ),
}


KINDS = [f"{name}{kind}" for name in FABRICS for kind in ("", ", AXI")]
WITHIN = {"all options", "mesh with options"}
"""Whose modules are all in the same with AXI."""


@pytest.fixture(params=all_but({*KINDS} - WITHIN, KINDS))
def source(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """A file of Verilog as the command line writes it, and the name of its top module."""
    name, axi, _ = request.param.partition(", AXI")
    path = tmp_path / "fabric.v"
    config = FABRICS[name]
    text = emit_axi(config) if axi else emit(config)
    path.write_text(with_field_names(text), encoding="utf-8")
    return path, AXI_TOP if axi else TOP


def lint(path: Path, top: str) -> None:
    toolchain.verilator("--lint-only", "-Wall", "--top-module", top, str(path))


def test_verilator_has_nothing_to_say(source: tuple[Path, str]) -> None:
    lint(*source)


def test_every_waiver_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "fabric.v"
    text = emit(FABRICS["mesh"])
    waivers = [line for line in text.splitlines() if "lint_off" in line]
    assert 0 < len(waivers) <= 6
    for waiver in waivers:
        assert waiver.partition("*/")[2].strip().startswith("// "), "no reason"
        path.write_text(text.replace(waiver, ""), encoding="utf-8")
        with pytest.raises(SpikeloomError, match="failed: %Warning"):
            lint(path, TOP)


def test_waivers_end_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "fabric.v"
    path.write_text(emit(FABRICS["least"]) + "wire [2:0] wide = 4'd3;\n", encoding="utf-8")
    with pytest.raises(SpikeloomError, match="WIDTHTRUNC"):
        lint(path, TOP)


def test_yosys_takes_it(source: tuple[Path, str]) -> None:
    path, top = source
    script = f"read_verilog {path.name}; hierarchy -check -top {top}; proc; check -assert"
    done = subprocess.run(
        [toolchain.wheel_program(toolchain.YOSYS, toolchain.YOSYS), "-q", "-p", script],
        cwd=path.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("iverilog"), reason="iverilog is not installed")
def test_icarus_takes_it(source: tuple[Path, str]) -> None:
    path, top = source
    done = subprocess.run(
        ["iverilog", "-g2005", "-Wall", "-t", "null", "-s", top, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr == ""
