"""Jobs give the same results on every kind of worker, whatever dies meanwhile."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dask
import distributed
import pytest
import trial_jobs

from spikeloom.golden.errors import SpikeloomError
from spikeloom.sim.jobs import cluster as cluster_module
from spikeloom.sim.jobs.run import run_jobs

HERE, THERE = "processes", "cluster"
JOBS = {str(n): f"{n};".encode() for n in range(9)}


@pytest.fixture(scope="module", autouse=True)
def importable() -> Iterator[None]:
    """The workers find the functions of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        yield


@pytest.fixture(scope="module")
def cluster(importable: None) -> Iterator[distributed.LocalCluster]:
    """Two workers, each a process that is started again when it dies."""
    with (
        # A worker waits this long for one that was killed; 30 s by default.
        dask.config.set({"distributed.comm.timeouts.connect": "3s"}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=0
        ) as started,
    ):
        yield started


@pytest.fixture(params=[HERE, THERE])
def address(request: pytest.FixtureRequest) -> str | None:
    if request.param == HERE:
        return None
    address: str = request.getfixturevalue("cluster").scheduler_address
    return address


def test_results(address: str | None) -> None:
    results = list(run_jobs(trial_jobs.joined, b"all ", JOBS, scheduler=address, workers=2))
    assert sorted(results) == [(job, b"all " + own) for job, own in JOBS.items()]


def test_no_jobs(address: str | None) -> None:
    assert list(run_jobs(trial_jobs.joined, b"", {}, scheduler=address)) == []


def test_large_arguments(address: str | None) -> None:
    shared, own = os.urandom(1 << 21), os.urandom(1 << 21)
    results = run_jobs(trial_jobs.joined, shared, {"a": own, "b": own}, scheduler=address)
    assert dict(results) == {"a": shared + own, "b": shared + own}


def test_a_worker_is_killed(address: str | None, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill_one() -> None:
        # A file is there before what is written to it.
        while not (begun := [w for f in tmp_path.iterdir() for w in f.read_text().split()]):
            time.sleep(0.01)
        killed.append(int(begun[0]))
        os.kill(killed[0], signal.SIGKILL)

    thread = threading.Thread(target=kill_one)
    thread.start()
    folder = str(tmp_path).encode()
    results = list(run_jobs(trial_jobs.noted, folder, JOBS, scheduler=address, workers=2))
    thread.join()
    # Nothing is lost and nothing comes twice, though a job began twice.
    assert sorted(results) == [(job, own * 2) for job, own in JOBS.items()]
    begins = [line for file in tmp_path.iterdir() for line in file.read_text().split()]
    assert len(begins) > len(JOBS)
    assert str(killed[0]) in begins


def test_a_job_that_kills_its_workers(address: str | None) -> None:
    with pytest.raises(SpikeloomError, match="bad: 3 workers died under it"):
        list(run_jobs(trial_jobs.dying, b"", {"bad": b""}, scheduler=address, workers=1))


def test_exceptions(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpikeloomError, match="^it does not fit$"):
        list(run_jobs(trial_jobs.refusing, b"", {"a": b"it"}, scheduler=address))
    monkeypatch.setattr(trial_jobs.joined, "__qualname__", "missing")
    with pytest.raises(RuntimeError, match="has no attribute 'missing'"):
        list(run_jobs(trial_jobs.joined, b"", {"a": b"it"}, scheduler=address))
    with pytest.raises(RuntimeError, match=r"(?s)job a failed:\n.*in failing.*KeyError: 'it'"):
        list(run_jobs(trial_jobs.failing, b"", {"a": b"it"}, scheduler=address))


def test_what_a_job_prints_is_no_result(address: str | None) -> None:
    results = dict(run_jobs(trial_jobs.talking, b"", JOBS, scheduler=address))
    assert results == JOBS


def test_stopping_early_ends_the_workers(tmp_path: Path) -> None:
    folder = str(tmp_path).encode()
    running = run_jobs(trial_jobs.noted, folder, JOBS, workers=2)
    next(running)
    running.close()
    begun = {int(line) for file in tmp_path.iterdir() for line in file.read_text().split()}
    for process in begun:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "PATIENCE", 0.5)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{closed.getsockname()[1]}"
    for wrong in (address, "nowhere"):
        with pytest.raises(
            SpikeloomError, match=f"cluster at {wrong} cannot be reached: "
        ) as error:
            list(run_jobs(trial_jobs.joined, b"", JOBS, scheduler=wrong))
        assert "\n" not in str(error.value)


def test_a_cluster_without_workers(importable: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "WORKERLESS", 0.5)
    with distributed.LocalCluster(n_workers=0, dashboard_address=":0") as empty:
        address = empty.scheduler_address
        remedy = f"^the cluster at {address} has no worker; start one: dask worker {address}$"
        with pytest.raises(SpikeloomError, match=remedy):
            list(run_jobs(trial_jobs.joined, b"", JOBS, scheduler=address))


def test_workers_that_come_late(importable: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job may take longer than the wait for a worker, and a worker may come after its job."""
    with distributed.LocalCluster(n_workers=0, dashboard_address=":0") as growing:
        timer = threading.Timer(1, growing.scale, [1])
        timer.start()
        results = dict(run_jobs(trial_jobs.joined, b"", JOBS, scheduler=growing.scheduler_address))
        timer.join()
    assert results == JOBS


def test_without_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SpikeloomError, match=r"pip install 'spikeloom\[cluster\]'"):
        list(run_jobs(trial_jobs.joined, b"", JOBS, scheduler="tcp://127.0.0.1:1"))
