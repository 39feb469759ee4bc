"""A sweep tries every point once, wherever it runs, and picks those that none beats."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import distributed
import nir
import numpy as np
import pytest
from nir_graphs import chain, make

from spikeloom.explore import sweep as sweeping
from spikeloom.explore.evaluate import Result, Task, evaluate, read_result
from spikeloom.explore.pareto import pareto
from spikeloom.explore.plot import write_plot
from spikeloom.explore.points import Point, Space, as_json
from spikeloom.explore.sweep import sweep
from spikeloom.golden.errors import SpikeloomError
from spikeloom.sim.jobs import run as jobs

RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """9 axons, 12 neurons, 3 answers."""
    graph = chain(
        nir.Linear(RNG.normal(0.3, 0.5, (12, 9))),
        make(nir.LIF, 12),
        nir.Linear(RNG.normal(0.2, 0.5, (3, 12))),
        make(nir.LIF, 3),
        size=9,
        out=3,
    )
    path = tmp_path_factory.mktemp("model") / "model.nir"
    nir.write(path, graph)
    return path


@pytest.fixture(scope="module")
def task(model: Path) -> Task:
    events = RNG.integers(0, 2, (6, 8, 9)).astype(np.uint8)
    labels = RNG.integers(0, 3, 6)
    return Task(model.read_bytes(), "nir", {"dt": 1.0}, {"input": events}, labels)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the jobs that run, in this process."""
    names: list[str] = []

    def run(work: Any, shared: bytes, given: Mapping[str, bytes], **_: Any) -> Any:
        for name, own in given.items():
            names.append(name)
            yield name, work(shared, own)

    monkeypatch.setattr(sweeping, "run_jobs", run)
    return names


SPACE = Space(weight_bits=(4, 8), lanes=(2, 16), boards=(None, "icebreaker"))


def test_points() -> None:
    points = Space(weight_bits=(4, 8, 4), tiles=((1, 1), (2, 1)), schedules=("layered",)).points()
    assert len(points) == len(set(points)) == 2 * 3 * 2
    assert str(points[-1]) == "8 bits, 16 lanes, 2x1, layered"
    assert all(Point(**json.loads(json.dumps(as_json(point)))) == point for point in points)


def test_a_task_travels_as_bytes(task: Task) -> None:
    for sent in (task, dataclasses.replace(task, labels=None)):
        got = Task.unpack(sent.pack())
        assert (got.model, got.dialect, got.options) == (sent.model, "nir", {"dt": 1.0})
        np.testing.assert_array_equal(got.events["input"], sent.events["input"])
        assert (got.labels is None) == (sent.labels is None)


def test_results(task: Task, calls: list[str]) -> None:
    results, floats = sweep(task, SPACE.points())
    assert [result.point for result in results] == SPACE.points()
    assert floats is not None
    assert 0 <= floats <= 1
    by_point = {result.point: result for result in results}
    for point, result in by_point.items():
        assert result.problem is None
        assert result.clocks
        assert result.memory_bits
        assert (result.mhz is None) == (point.board is None)
        # Lanes and boards do not change what a network is worth.
        alike = dataclasses.replace(point, lanes=2, board=None)
        assert result.accuracy == by_point[alike].accuracy
    few, many = by_point[Point(8, lanes=2)], by_point[Point(8, lanes=16)]
    assert few.clocks > many.clocks
    board = by_point[Point(8, lanes=2, board="icebreaker")]
    assert board.cells
    assert board.microseconds == pytest.approx(board.clocks / board.mhz)


def test_what_is_in_the_cache_is_not_tried_again(task: Task, calls: list[str]) -> None:
    points = SPACE.points()
    first, _ = sweep(task, points[:3])
    assert sorted(calls) == sorted(["floats", *map(str, points[:3])])
    calls.clear()
    second, _ = sweep(task, points)
    assert sorted(calls) == sorted(map(str, points[3:]))
    assert second[:3] == first
    calls.clear()
    sweep(dataclasses.replace(task, decode="count"), points[:1])
    assert calls == ["floats", str(points[0])]


def test_a_stopped_sweep_goes_on(
    task: Task, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    points = SPACE.points()
    whole = sweeping.run_jobs

    def stopped(work: Any, shared: bytes, given: Mapping[str, bytes], **options: Any) -> Any:
        for n, result in enumerate(whole(work, shared, given, **options)):
            if n == 2:
                raise KeyboardInterrupt
            yield result

    monkeypatch.setattr(sweeping, "run_jobs", stopped)
    with pytest.raises(KeyboardInterrupt):
        sweep(task, points)
    monkeypatch.setattr(sweeping, "run_jobs", whole)
    calls.clear()
    results, _ = sweep(task, points)
    assert sorted(calls) == sorted(map(str, points[2:]))
    assert [result.point for result in results] == points


def test_the_same_here_and_on_a_cluster(task: Task, calls: list[str], tmp_path: Path) -> None:
    points = SPACE.points()[::3]
    expected = sweep(task, points)
    for place in ("processes", "cluster"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sweeping, "run_jobs", jobs.run_jobs)
            patch.setenv("SPIKELOOM_CACHE", str(tmp_path / place))
            if place == "processes":
                assert sweep(task, points, workers=2) == expected
                continue
            with distributed.LocalCluster(n_workers=1, dashboard_address=None) as cluster:
                assert sweep(task, points, scheduler=cluster.scheduler_address) == expected


def test_a_point_that_does_not_work_says_why(task: Task) -> None:
    own = json.dumps(as_json(Point(weight_bits=3))).encode()
    result = read_result(evaluate(task.pack(), own))
    assert result.problem
    assert "\n" not in result.problem
    assert (result.accuracy, result.clocks) == (None, None)


def test_a_board_that_is_too_small(model: Path, calls: list[str]) -> None:
    graph = chain(
        nir.Linear(RNG.normal(0, 0.1, (2000, 200))), make(nir.LIF, 2000), size=200, out=2000
    )
    path = model.with_name("large.nir")
    nir.write(path, graph)
    events = np.zeros((1, 2, 200), np.uint8)
    large = Task(path.read_bytes(), "nir", {"dt": 1.0}, {"input": events})
    (result,), floats = sweep(large, [Point(board="icebreaker")])
    assert floats is None
    assert result.problem is not None
    assert result.problem.startswith("too large: ")
    assert pareto([result]) == []


def result(accuracy: float, clocks: float, memory: int, cells: int = 0, **point: Any) -> Result:
    return Result(Point(**point), accuracy, clocks, memory, cells)


def test_pareto() -> None:
    best = [result(0.9, 100, 10), result(0.8, 50, 10, lanes=16), result(0.7, 100, 5)]
    beaten = [result(0.9, 101, 10), result(0.7, 50, 10), result(0.9, 100, 10, lanes=4)]
    broken = dataclasses.replace(result(1.0, 1, 1), problem="too large")
    assert pareto([*best, *beaten, broken]) == best
    # On another board the same is a choice of its own; cells count.
    there = result(0.1, 1000, 10, 5, board="icebreaker")
    assert pareto([*best, there]) == [*best, there]
    cheaper = result(0.1, 1000, 10, 4, board="icebreaker")
    assert pareto([there, cheaper]) == [cheaper]


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_plot(tmp_path: Path, suffix: str) -> None:
    results = [result(0.9, 100, 10), result(0.8, 50, 10), Result(Point(lanes=4), problem="no")]
    path = tmp_path / f"sweep{suffix}"
    write_plot(path, results, results[:1], 0.95)
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG" if suffix == ".png" else b"<?xml")


@pytest.fixture
def explore(model: Path, task: Task, tmp_path: Path) -> Callable[..., Any]:
    np.save(tmp_path / "events.npy", task.events["input"])
    np.save(tmp_path / "labels.npy", task.labels)

    def run(*options: str) -> Any:
        command = [sys.executable, "-m", "spikeloom", "explore", str(model), "events.npy"]
        return subprocess.run(
            [*command, "--dt", "1", *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_command(explore: Callable[..., Any], tmp_path: Path) -> None:
    options = ["--labels=labels.npy", "--lanes=2,8", "--weight-bits=8", "--json=sweep.json"]
    done = explore(*options, "--plot=sweep.svg")
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 points, 2 of them work" in done.stdout
    values = json.loads((tmp_path / "sweep.json").read_text())
    assert [row["point"]["lanes"] for row in values["points"]] == [2, 8]
    assert any(row["best"] for row in values["points"])
    assert (tmp_path / "sweep.svg").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--lanes=0", "--lanes 0: '0' is no value of it; see --help"),
        ("--weight-bits=8,7", "--weight-bits 8,7: '7' is no value of it"),
        ("--tiles=2", "--tiles 2: '2' is no value of it"),
        ("--boards=nowhere", "there is no board 'nowhere'"),
        ("--plot=sweep.txt", "--plot sweep.txt must end in .png, .svg, .pdf"),
        ("--labels=events.npy", "labels must be"),
        ("--scheduler=nowhere", "the cluster at nowhere cannot be reached"),
    ],
)
def test_command_errors(explore: Callable[..., Any], option: str, message: str) -> None:
    done = explore(option)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_errors_of_the_task(task: Task) -> None:
    wrong = dataclasses.replace(task, model=b"no network")
    with pytest.raises(SpikeloomError):
        sweep(wrong, SPACE.points()[:1], workers=1)
