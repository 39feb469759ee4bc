"""Devices: every backend gives the same run, however samples are cut into chunks."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import spikeloom
from spikeloom.devices import chunks
from spikeloom.devices.device import Run
from spikeloom.devices.prediction import golden_clocks
from spikeloom.devices.simulated import GoldenDevice, VerilatorDevice
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.step.run import simulate
from spikeloom.program import Program

pytestmark = pytest.mark.usefixtures("rtl_built")

Events = NDArray[np.uint8]


def equal(one: Run, other: Run) -> bool:
    return (
        one.spikes.keys() == other.spikes.keys()
        and one.states.keys() == other.states.keys()
        and all(np.array_equal(one.spikes[n], other.spikes[n]) for n in one.spikes)
        and all(np.array_equal(one.states[n], other.states[n]) for n in one.states)
        and (one.synops, one.errors) == (other.synops, other.errors)
    )


@pytest.mark.parametrize("backend", ["golden", "verilator"])
def test_a_device_runs_what_the_model_runs(
    small: Program, small_events: Events, backend: str
) -> None:
    expected = simulate(small.network, small_events)
    with spikeloom.open(small, backend) as device:
        run = device.run(small_events)
        again = device.run(small_events)
    assert run.spikes.keys() == {"first", "last"}
    assert run.states.keys() == {"first", "sum", "last"}
    for name, spikes in run.spikes.items():
        assert spikes.any()
        assert spikes.dtype == np.bool_
        assert np.array_equal(spikes, expected.spikes[name])
    for name, states in run.states.items():
        assert states.any()
        assert states.dtype == np.int64
        assert np.array_equal(states, expected.states[name])
    assert run.synops == expected.synops.sum()
    assert run.errors == 0
    assert equal(run, again)


def test_default_backend_is_golden(small: Program) -> None:
    assert isinstance(spikeloom.open(small), GoldenDevice)


def test_only_rtl_has_clocks(small: Program, small_events: Events) -> None:
    assert GoldenDevice(small).run(small_events).cycles is None
    cycles = VerilatorDevice(small).run(small_events).cycles
    assert cycles is not None
    assert cycles.shape == (5,)
    assert cycles.dtype == np.int64
    assert (cycles > 6).all()
    expected = golden_clocks(small.image, {"in": small_events}, workers=1)
    assert np.array_equal(cycles, expected)


def test_only_what_is_recorded_and_read_out_comes_back(
    small: Program, small_events: Events
) -> None:
    part = dataclasses.replace(small, record=frozenset({"last"}), readout=frozenset({"sum"}))
    runs = [spikeloom.open(part, backend).run(small_events) for backend in ("golden", "verilator")]
    assert equal(*runs)
    assert (list(runs[0].spikes), list(runs[0].states)) == (["last"], ["sum"])
    none = dataclasses.replace(small, record=frozenset(), readout=frozenset())
    runs = [spikeloom.open(none, backend).run(small_events) for backend in ("golden", "verilator")]
    assert equal(*runs)
    assert runs[0].spikes == runs[0].states == {}
    assert runs[0].synops > 0


@pytest.mark.parametrize("backend", ["golden", "verilator"])
def test_a_single_sample_may_leave_out_its_axis(
    small: Program, small_events: Events, backend: str
) -> None:
    device = spikeloom.open(small, backend)
    assert equal(device.run(small_events[0]), device.run(small_events[:1]))
    assert equal(device.run({"in": small_events[0].tolist()}), device.run(small_events[:1]))


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 100])
def test_chunks_change_nothing_but_clocks_across_samples(
    small: Program, small_events: Events, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = VerilatorDevice(small).run(small_events)
    monkeypatch.setattr(chunks, "CHUNK", chunk)
    done: list[int] = []
    run = VerilatorDevice(small, workers=1).run(small_events, done.append)
    assert equal(run, whole)
    assert done == [min(n, 5) for n in range(chunk, 5 + chunk, chunk)]
    clocks = golden_clocks(small.image, {"in": small_events}, workers=1)
    assert run.cycles is not None
    assert run.cycles.tolist() == clocks.tolist()


def test_workers_change_nothing(
    small: Program, small_events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 2)
    runs = [VerilatorDevice(small, workers=n).run(small_events) for n in (1, 4)]
    assert equal(*runs)
    assert runs[0].cycles is not None
    assert runs[1].cycles is not None
    assert runs[0].cycles.tolist() == runs[1].cycles.tolist()


def test_golden_clocks_report_their_progress(
    small: Program, small_events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 2)
    done: list[int] = []
    golden_clocks(small.image, {"in": small_events}, workers=2, progress=done.append)
    assert done == [2, 4, 5]


def test_golden_reports_its_progress(small: Program, small_events: Events) -> None:
    done: list[int] = []
    GoldenDevice(small).run(small_events, done.append)
    assert done == [5]


@pytest.mark.parametrize("thing", ["model.loom", None])
def test_only_programs_are_opened(thing: Any) -> None:
    with pytest.raises(SpikeloomError, match=r"open takes a Program, such as Program\.load"):
        spikeloom.open(thing)


@pytest.mark.parametrize(
    "backend", [None, 3, "", "gold", "net", "serial:", "virtual:@9", "golden:x"]
)
def test_unknown_backends_are_refused(small: Program, backend: Any) -> None:
    with pytest.raises(SpikeloomError) as error:
        spikeloom.open(small, backend)
    assert str(error.value).startswith(f"backend {backend!r} is unknown; use one of golden, veri")


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ("serial:/no/port", "cannot open /no/port at 1000000 baud: No such file"),
        ("serial:/no/port@9600", "cannot open /no/port at 9600 baud: No such file"),
        ("serial:/dev/null", "cannot open /dev/null"),
        ("serial:port@fast", "'fast' is no baud rate"),
        ("virtual:nowhere", "there is no board 'nowhere'"),
        ("netlist:nowhere", "there is no board 'nowhere'"),
    ],
)
def test_devices_that_are_not_there_are_refused(small: Program, backend: str, message: str) -> None:
    with pytest.raises(SpikeloomError, match=message) as error:
        spikeloom.open(small, backend)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("backend", ["golden", "verilator"])
@pytest.mark.parametrize(
    "events",
    [
        np.full((2, 6), -1),
        np.full((2, 6), 0.5),
        np.full((2, 6), 3),
        np.full((2, 6), np.nan),
        np.ones((2, 5)),
        np.ones((0, 2, 6)),
        np.ones((2, 0, 6)),
        np.ones(6),
        {"other": np.ones((2, 6))},
        {},
        "events",
        None,
    ],
)
def test_bad_events_are_refused(small: Program, backend: str, events: Any) -> None:
    with (
        spikeloom.open(small, backend) as device,
        pytest.raises(SpikeloomError, match=r"^events") as error,
    ):
        device.run(events)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("backend", ["golden", "verilator"])
def test_several_inputs_are_named(small: Program, backend: str) -> None:
    net = Network(
        (Input("left", 2), Input("right", 3)),
        (Population("a", 2, np.zeros(2, np.int64), threshold=5),),
        (
            Connection("left", "a", np.array([[9, 0], [0, 9]])),
            Connection("right", "a", np.array([[9, 9], [0, 0], [0, 9]]), 2),
        ),
    )
    program = Program(net, small.fabric, frozenset("a"), frozenset("a"))
    rng = np.random.default_rng(1)
    events = {"left": rng.random((3, 5, 2)) < 0.5, "right": rng.random((3, 5, 3)) < 0.5}
    with spikeloom.open(program, backend) as device:
        run = device.run(events)
        with pytest.raises(SpikeloomError, match="several inputs; name them: left, right"):
            device.run(events["left"])
    assert np.array_equal(run.spikes["a"], simulate(net, events).spikes["a"])


@pytest.mark.parametrize("backend", ["golden", "verilator"])
def test_a_network_without_inputs_cannot_run(small: Program, backend: str) -> None:
    net = Network((), (Population("a", 1, np.ones(1, np.int64)),), ())
    program = Program(net, small.fabric, frozenset("a"), frozenset("a"))
    with pytest.raises(SpikeloomError, match="the network has no input"):
        spikeloom.open(program, backend).run({})
