"""Tries all points of a sweep in parallel, and keeps every result as soon as it is there."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from spikeloom import boards, golden, hdl, sim
from spikeloom.explore.evaluate import Result, Task, baseline, evaluate, read_result
from spikeloom.explore.points import Point, as_json
from spikeloom.golden.progress import task as progress
from spikeloom.sim import cache
from spikeloom.sim.jobs.run import run_jobs
from spikeloom.sim.jobs.work import Work

_KIND = "explored"
_FILE = "result.json"

Runner = Callable[[Work, bytes, Mapping[str, bytes]], Iterator[tuple[str, bytes]]]


def sweep(
    task: Task,
    points: Sequence[Point],
    *,
    scheduler: str | None = None,
    workers: int | None = None,
) -> tuple[list[Result], float | None]:
    """Try each point once.

    What was tried before, also by a sweep that was stopped, comes from the cache.

    Parameters
    ----------
    task
        The network, and the events that it is tried on.
    points
        What to try.
    scheduler, workers
        As for `spikeloom.sim.jobs.run.run_jobs`.

    Returns
    -------
    The results in the order of the points, and the accuracy in floats if there are labels.

    Raises
    ------
    SpikeloomError
        The network cannot be read, or the cluster fails. A point that does not work says so in its
        result.
    """
    runner = partial(run_jobs, scheduler=scheduler, workers=workers)
    shared = task.pack()
    jobs = {str(point): json.dumps(as_json(point)).encode() for point in points}
    accuracy = None
    if task.labels is not None:
        with progress("running in floats"):
            ((_, data),) = _results(runner, baseline, shared, {"floats": b""})
        accuracy = float(json.loads(data))
    results = {}
    with progress("exploring", len(jobs)) as step:
        for name, data in _results(runner, evaluate, shared, jobs):
            results[name] = read_result(data)
            step.say(name)
            step.done(len(results))
    return [results[name] for name in jobs], accuracy


def _results(
    runner: Runner, work: Work, shared: bytes, jobs: Mapping[str, bytes]
) -> Iterator[tuple[str, bytes]]:
    """The results of jobs: first those in the cache, then the others as they end."""
    common = cache.digest(hashlib.sha256(shared).hexdigest(), work.__name__, _sources())
    keys = {name: cache.digest(common, own.hex()) for name, own in jobs.items()}
    missing = {}
    for name, own in jobs.items():
        entry = cache.stored(_KIND, keys[name])
        if entry is None:
            missing[name] = own
        else:
            yield name, (entry / _FILE).read_bytes()
    if missing:
        for name, data in runner(work, shared, missing):
            cache.cached(_KIND, keys[name], partial(_write, data))
            yield name, data


def _write(data: bytes, folder: Path) -> None:
    (folder / _FILE).write_bytes(data)


def _sources() -> str:
    """A hash of all code of this project, on which a result may depend."""
    total = hashlib.sha256()
    folders = [Path(package.__path__[0]) for package in (golden, hdl, sim, boards)]
    for folder in (*folders, Path(__file__).parents[1]):
        for file in sorted(folder.rglob("*.py")):
            total.update(file.read_bytes())
    return total.hexdigest()
