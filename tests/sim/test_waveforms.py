"""VCD files become FST files with the names of the hardware description and with enumerations."""

import sys
from pathlib import Path

import pytest
import pywellen

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import FabricConfig
from spikeloom.sim.waves.fst import write_fst
from spikeloom.sim.waves.names import enumerations, ranged
from spikeloom.sim.waves.viewers import entries, gtkwave, surfer

VCD = """\
$version any $end
$timescale 1ns $end
 $scope module $rootio $end
  $var wire 1 a clk $end
 $upscope $end
 $scope module simulation $end
  $scope module fabric $end
   $var wire 1 a clk $end
   $var wire 1 b $12 $end
   $var wire 4 c host_out__payload [3:0] $end
   $var wire 2 d host_out__payload.kind [1:0] $end
   $var wire 1 b host_out__valid $end
   $var wire 1 b host_out__valid$3 $end
   $var wire 1 b fire__valid $end
   $var wire 8 e counters.errors.0 [7:0] $end
   $scope module clear_0 $end
    $var wire 32 f cleared [31:0] $end
   $upscope $end
   $scope module fire $end
    $var wire 3 g fsm_state [2:0] $end
    $var wire 2 h reset [1:0] $end
   $upscope $end
  $upscope $end
 $upscope $end
$enddefinitions $end
#10
0a
0b
b0110 c
b10 d
b00000011 e
b0 f
b1 g
b11 h
#11
1a
b11 d
#14
0a
1b
b100 g
"""
STATES = {("fire", "fsm_state"): {0: "IDLE", 1: "LOOKUP", 4: "DRAIN"}}
MARKS = {"sample": [(10, 7)], "step": [(10, 0), (12, 1)]}


@pytest.fixture
def converted(tmp_path: Path) -> pywellen.Waveform:
    (tmp_path / "in.vcd").write_text(VCD)
    path = tmp_path / "out.fst"
    write_fst(tmp_path / "in.vcd", path, ("simulation", "fabric"), STATES, MARKS)
    return pywellen.Waveform(str(path))


def test_signals_have_the_names_of_the_source(converted: pywellen.Waveform) -> None:
    assert {(variable.full_name, variable.bitwidth) for variable in converted.all_vars()} == {
        ("fabric.clk", 1),
        ("fabric.host_out.payload", 4),
        ("fabric.host_out.payload.kind", 2),
        ("fabric.host_out.valid", 1),
        ("fabric.fire__valid", 1),
        ("fabric.counters.errors.[0]", 8),
        ("fabric.fire.fsm_state", 3),
        ("fabric.fire.reset", 2),
        ("run.sample", 32),
        ("run.step", 32),
    }


def test_values(converted: pywellen.Waveform) -> None:
    def values(name: str) -> list[object]:
        (variable,) = (v for v in converted.all_vars() if v.full_name == name)
        return [variable.signal.value_at(time) for time in (10, 11, 12, 14)]

    assert values("fabric.clk") == [0, 1, 1, 0]
    assert values("fabric.host_out.payload") == [6, 6, 6, 6]
    assert values("fabric.host_out.payload.kind") == [2, 3, 3, 3]
    assert values("fabric.host_out.valid") == values("fabric.fire__valid") == [0, 0, 0, 1]
    assert values("fabric.fire.fsm_state") == [1, 1, 1, 4]
    assert values("fabric.counters.errors.[0]") == [3, 3, 3, 3]
    assert values("run.sample") == [7, 7, 7, 7]
    assert values("run.step") == [0, 0, 1, 1]


def test_enumerations_are_in_the_file(converted: pywellen.Waveform) -> None:
    tables = {
        variable.full_name: dict(variable.enum_type[1])
        for variable in converted.all_vars()
        if variable.enum_type
    }
    assert tables == {
        "fabric.host_out.payload.kind": {
            "00": "SPIKE",
            "01": "STATE",
            "10": "STEP",
            "11": "CURRENT",
        },
        # A signal of a module is no field, whatever it is called.
        "fabric.fire.fsm_state": {"000": "IDLE", "001": "LOOKUP", "100": "DRAIN"},
    }


def test_state_machines_are_found_by_their_paths() -> None:
    states = enumerations(FabricConfig(columns=2))
    assert set(states) == {
        ("sequencer", "fsm_state"),
        ("tile0", "fire", "fsm_state"),
        ("tile1", "fire", "fsm_state"),
    }
    assert states["tile1", "fire", "fsm_state"][3] == "WALK"


def test_save_files_name_the_signals_of_the_waveform(tmp_path: Path) -> None:
    (tmp_path / "in.vcd").write_text(VCD)
    path = tmp_path / "out.fst"
    top = write_fst(tmp_path / "in.vcd", path, ("simulation", "fabric"), STATES, MARKS)
    listed = list(entries("fabric", top, STATES, tuple(MARKS)))
    waveform = pywellen.Waveform(str(path))
    widths = {variable.full_name: variable.bitwidth for variable in waveform.all_vars()}
    # Fields stand for the structure that they make up.
    del widths["fabric.host_out.payload"]
    lines = gtkwave("out.fst", 10, listed).splitlines()
    assert lines[0] == '[dumpfile] "out.fst"'
    shown = [line.replace("errors[", "errors.[") for line in lines if line[0] not in "[*@-"]
    assert sorted(shown) == sorted(ranged(name, width) for name, width in widths.items())
    for signal, flags in (("fire.fsm_state[2:0]", "@100000028"), ("fire.reset[1:0]", "@22")):
        assert lines[lines.index(f"fabric.{signal}") - 1] == flags
    titles = [line for line in lines if line.startswith("-")]
    assert titles == ["-run"] * 2 + ["-host_out"] * 2 + ["-counters"] * 2 + ["-fire"] * 2
    commands = surfer(listed).splitlines()
    added = [line.split()[1] for line in commands if line.startswith("variable_add")]
    assert sorted(added) == sorted(widths)


def test_without_pylibfst_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.vcd").write_text(VCD)
    monkeypatch.setitem(sys.modules, "pylibfst", None)
    with pytest.raises(SpikeloomError, match=r"pip install pylibfst, or write a \.vcd file"):
        write_fst(tmp_path / "in.vcd", tmp_path / "out.fst", (), {}, {})


def test_a_file_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "in.vcd").write_text(VCD)
    with pytest.raises(SpikeloomError, match="cannot write"):
        write_fst(tmp_path / "in.vcd", tmp_path / "no" / "out.fst", ("simulation",), {}, {})
