"""The comparison finds planted differences, counts them and says where the first one is."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from locking import one_at_a_time
from numpy.typing import NDArray

from spikeloom import compare as comparing
from spikeloom.compare import check_cycles, compare, compare_device
from spikeloom.devices import chunks, device, prediction, simulated
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Population
from spikeloom.golden.progress import Journal, watched
from spikeloom.golden.step import run as stepping
from spikeloom.golden.step.neuron import Neurons
from spikeloom.golden.step.run import Run, simulate
from spikeloom.program import Program
from spikeloom.sim.verilog import emit

pytestmark = pytest.mark.usefixtures("rtl_built")

Events = NDArray[np.uint8]


def plant(monkeypatch: pytest.MonkeyPatch, change: Callable[[Run], Run]) -> None:
    """Make the step-level model, as the comparison uses it, give something else."""
    monkeypatch.setattr(simulated.step, "simulate", lambda *a, **b: change(simulate(*a, **b)))


def flipping(*places: tuple[str, int, int, int]) -> Callable[[Run], Run]:
    def change(run: Run) -> Run:
        for name, sample, time, neuron in places:
            run.spikes[name][sample, time, neuron] ^= True
        return run

    return change


def test_equal_runs_have_no_mismatch(small: Program, small_events: Events, tmp_path: Path) -> None:
    result = compare(small, small_events, waveform=tmp_path / "no.vcd")
    assert (result.samples, result.steps, result.clocked) == (5, 30, 5)
    assert (result.mismatches, result.first, result.waveform) == (0, None, None)
    assert result.golden.cycles is not None
    assert result.rtl.cycles is not None
    assert result.golden.cycles.tolist() == result.rtl.cycles.tolist()
    assert list(tmp_path.iterdir()) == []


def test_a_single_sample(small: Program, small_events: Events) -> None:
    journal = Journal()
    with watched(journal):
        result = compare(small, small_events[0])
    assert (result.samples, result.steps, result.mismatches) == (1, 6, 0)
    assert list(journal.seconds) == ["running the golden model", "running", "predicting clocks"]


def test_chunks_change_nothing(
    small: Program, small_events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 2)
    assert compare(small, small_events).mismatches == 0


def test_a_spike_is_located(
    small: Program, small_events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = simulate(small.network, small_events).spikes["last"]
    plant(monkeypatch, flipping(("last", 3, 4, 2), ("first", 4, 0, 8), ("last", 3, 5, 1)))
    result = compare(small, small_events)
    got = int(right[3, 4, 2])
    assert result.mismatches == 3
    assert dataclasses.astuple(result.first) == (3, 4, "spike", "last[2]", 1 - got, got)  # type: ignore[arg-type]
    text = f"sample 3, step 4: spike of last[2] is {got}, expected {1 - got}"
    assert str(result.first) == text


def test_a_state_is_located(
    small: Program, small_events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = int(simulate(small.network, small_events).states["sum"][2, 1])

    def change(run: Run) -> Run:
        run.states["sum"][2:, 1] += 1
        return run

    plant(monkeypatch, change)
    result = compare(small, small_events)
    assert result.mismatches == 3
    assert str(result.first) == f"sample 2: state of sum[1] is {right}, expected {right + 1}"


def test_a_clock_is_located(
    small: Program, small_events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = prediction.golden_clocks

    def late(*arguments: Any, **_: Any) -> NDArray[np.int64]:
        return clocks(*arguments) + np.array([0, 0, 0, 1, 0])

    monkeypatch.setattr(comparing, "golden_clocks", late)
    result = compare(small, small_events)
    assert result.mismatches == 1
    assert result.rtl.cycles is not None
    got = result.rtl.cycles[3]
    assert str(result.first) == f"sample 3: clocks is {got}, expected {got + 1}"


def test_what_belongs_to_the_whole_run_comes_last(
    small: Program, small_events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    def more(run: Run) -> Run:
        return dataclasses.replace(run, synops=run.synops + 1)

    with monkeypatch.context() as patched:
        plant(patched, more)
        result = compare(small, small_events)
    assert result.mismatches == 1
    got = result.rtl.synops
    assert str(result.first) == f"whole run: synops is {got}, expected {got + 5}"
    plant(monkeypatch, lambda run: flipping(("last", 4, 5, 3))(more(run)))
    result = compare(small, small_events)
    assert result.mismatches == 2
    assert str(result.first).startswith("sample 4, step 5: spike of last[3]")


def test_the_error_counter_counts(
    small: Program, small_events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = comparing.VerilatorDevice.run

    def with_errors(*arguments: Any, **options: Any) -> device.Run:
        return dataclasses.replace(run(*arguments, **options), errors=2)

    monkeypatch.setattr(comparing.VerilatorDevice, "run", with_errors)
    result = compare(small, small_events)
    assert result.mismatches == 2
    assert str(result.first) == "whole run: error counter is 2, expected 0"


def test_a_wrong_comparison_in_the_model_is_found(
    small: Program, small_events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_threshold(population: Population, state_bits: int) -> Neurons:
        return Neurons(dataclasses.replace(population, inclusive=True), state_bits)

    # A threshold that potentials often meet exactly.
    populations = tuple(
        dataclasses.replace(p, threshold=0, decay=4096, bias=p.bias * 0)
        for p in small.network.populations
    )
    program = dataclasses.replace(
        small, network=dataclasses.replace(small.network, populations=populations)
    )
    quiet = small_events * 0
    assert compare(program, quiet).mismatches == 0
    monkeypatch.setattr(stepping, "Neurons", at_threshold)
    result = compare(program, quiet)
    # Nothing arrives in the first step, so every neuron is at its threshold of 0.
    assert str(result.first) == "sample 0, step 0: spike of first[0] is 0, expected 1"
    assert result.mismatches > 5 * 9


def test_a_waveform_shows_the_sample(
    small: Program, small_events: Events, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 2)
    plant(monkeypatch, flipping(("last", 3, 4, 2)))
    path = tmp_path / "mismatch.vcd"
    with one_at_a_time("small fabric traced"):
        result = compare(small, small_events, waveform=path)
    assert result.waveform == str(path)
    times = [int(line[1:]) for line in path.read_text().splitlines() if line.startswith("#")]
    # Sample 3 is the second of its chunk; a clock takes two units of time.
    assert result.rtl.cycles is not None
    start, length = int(result.rtl.cycles[2]), int(result.rtl.cycles[3])
    assert 2 * start <= times[0] <= 2 * start + 1
    assert 2 * (start + length) - 2 <= times[-1] < 2 * (start + length)


def test_another_rtl_is_compared(small: Program, small_events: Events) -> None:
    # The same fault as in tests/sim/test_runner.py: synaptic operations are counted down.
    text = emit(small.fabric)
    wrong = text.replace("counters[63:32] + ", "counters[63:32] - ")
    assert wrong != text
    with one_at_a_time("small fabric counting down"):
        result = compare(small, small_events, verilog=wrong)
    assert result.mismatches == 1
    assert str(result.first).startswith("whole run: synops is ")


def test_bad_events_are_refused(small: Program) -> None:
    with pytest.raises(SpikeloomError, match=r"^events of 'in' must be whole counts"):
        compare(small, np.full((1, 1, 6), 3))
    with pytest.raises(SpikeloomError, match=r"^events of 'in' hold no sample"):
        check_cycles(small, np.zeros((0, 1, 6)), seed=1)


def test_every_clock_is_compared(small: Program, small_events: Events) -> None:
    with one_at_a_time("small fabric with probe"):
        report = check_cycles(small, small_events[:2], seed=3)
    assert report.difference is None
    assert report.steps == 12
    assert report.cycles > 12
    assert report.seed == 3
    # Gaps and backpressure cost clocks, so that without them there are fewer.
    fast = check_cycles(small, small_events[:2], seed=3, gap=0, backpressure=0)
    assert fast.cycles < report.cycles


@pytest.mark.parametrize("record", [(), ("sum",)])
def test_a_comparison_of_nothing_fails(
    small: Program, small_events: Events, record: tuple[str, ...]
) -> None:
    """Population "sum" never spikes, so nothing of it is recorded."""
    silent = dataclasses.replace(small, record=frozenset(record), readout=frozenset())
    golden = simulated.GoldenDevice(silent)
    for run in (
        lambda: compare(silent, small_events),
        lambda: compare_device(silent, small_events, golden),
    ):
        with pytest.raises(SpikeloomError, match="there is nothing to compare: the pro") as error:
            run()
        assert "\n" not in str(error.value)
    assert compare_device(silent, small_events, golden, traces=["last"]).mismatches == 0
