"""Waveforms show the samples, steps or clocks that were asked for."""

from pathlib import Path

import numpy as np
import pytest
import pywellen
from numpy.typing import NDArray

from spikeloom import waves
from spikeloom.devices.simulated import VerilatorDevice
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import PacketKind
from spikeloom.program import Program
from spikeloom.waves import Position, parse_position, write_waves

pytestmark = pytest.mark.usefixtures("rtl_built")

Events = NDArray[np.uint8]


def signals(path: Path) -> dict[str, pywellen.Signal]:
    return {
        variable.full_name: variable.signal for variable in pywellen.Waveform(str(path)).all_vars()
    }


def test_positions() -> None:
    assert parse_position("3") == Position(3)
    assert parse_position("3:12") == Position(3, 12)
    assert parse_position("clock=99") == Position(clock=99)
    for text in ("", "x", "-1", "1:", ":1", "1:2:3", "clock=", "clock=-1", "clock=x", "٣"):
        with pytest.raises(SpikeloomError, match="SAMPLE, SAMPLE:STEP or clock=N"):
            parse_position(text)


def test_a_step_of_a_sample(small: Program, small_events: Events, tmp_path: Path) -> None:
    files = write_waves(small, small_events, tmp_path / "w.fst", Position(1, 2), Position(1, 3))
    assert files == [tmp_path / "w.fst", tmp_path / "w.gtkw", tmp_path / "w.sucl"]
    assert sorted(tmp_path.iterdir()) == files
    (vcd,) = write_waves(small, small_events, tmp_path / "w.vcd", Position(1, 2), Position(1, 3))
    shown, recorded = signals(files[0]), signals(vcd)
    times = sorted({int(line[1:]) for line in vcd.read_text().splitlines() if line[:1] == "#"})
    # The same values as Verilator's own file, under the names of the source.
    for name, other in {
        "fabric.clk": "simulation.fabric.clk",
        "fabric.host_out.payload": "simulation.fabric.host_out__payload",
        "fabric.tile0.fire.fsm_state": "simulation.fabric.tile0.fire.fsm_state",
        "fabric.tile0.fire.fetch.sums.[0]": "simulation.fabric.tile0.fire.fetch__sums.[0]",
    }.items():
        values = [shown[name].value_at(time) for time in times]
        assert values == [recorded[other].value_at(time) for time in times]
        assert len(set(values)) > 1
    # Each clock is in its step: the last clock of a step is the one that reports it complete.
    valid, kind = shown["fabric.host_out.valid"], shown["fabric.host_out.payload.kind"]
    sampled = [time for time in times if time % 2]
    reports = [
        time for time in sampled if valid.value_at(time) and kind.value_at(time) == PacketKind.STEP
    ]
    assert len(reports) == 2
    assert reports[1] == times[-1]
    steps = [shown["run.step"].value_at(time) for time in sampled]
    last = sampled.index(reports[0]) + 1
    assert steps == [2] * last + [3] * (len(sampled) - last)
    assert {shown["run.sample"].value_at(time) for time in times} == {1}


def test_clocks(small: Program, small_events: Events, tmp_path: Path) -> None:
    def times(first: Position | None, last: Position | None) -> tuple[int, int]:
        (path,) = write_waves(small, small_events, tmp_path / "w.vcd", first, last)
        lines = [line for line in path.read_text().splitlines() if line.startswith("#")]
        return int(lines[0][1:]), int(lines[-1][1:])

    with VerilatorDevice(small) as device:
        cycles = device.run(small_events).cycles
    assert cycles is not None
    assert times(Position(clock=5), Position(clock=8)) == (10, 17)
    # By default, the sample around the first clock.
    assert times(None, None) == (0, 2 * cycles[0] - 1)
    assert times(Position(clock=int(cycles[0])), None) == (
        2 * cycles[0],
        2 * cycles[:2].sum() - 1,
    )
    # The last clock may be later than the end of the run.
    assert times(Position(4), Position(clock=10**9)) == (
        2 * cycles[:4].sum(),
        2 * cycles.sum() - 1,
    )


def test_errors(
    small: Program, small_events: Events, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(
        text: str, first: Position | None, last: Position | None, name: str = "w.fst"
    ) -> None:
        with pytest.raises(SpikeloomError, match=text):
            write_waves(small, small_events, tmp_path / name, first, last)
        assert list(tmp_path.iterdir()) == []

    refused(r"no sample 5: the events have 0\.\.4", Position(5), None)
    refused(r"no step 6: the events have 0\.\.5", Position(0, 6), None)
    refused("end before it begins", Position(2), Position(1))
    refused(r"clock 100000 is too late: the run takes \d+ clocks", Position(clock=100000), None)
    refused(r"must end in \.fst or \.vcd", None, None, "w.txt")
    refused("cannot write", None, None, "no/w.fst")
    monkeypatch.setattr(waves, "MAX_CLOCKS", 3)
    refused("is too long; choose at most 3", None, None)
    monkeypatch.setattr(waves, "CHUNK", 2)
    monkeypatch.setattr(waves, "chunk_of", lambda _, sample: (sample // 2, sample // 2 * 2))
    refused("over the end of a chunk of 2 samples, such as 1 to 2", Position(1), Position(2))
