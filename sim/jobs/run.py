"""Runs jobs where they are to run."""

import contextlib
import os
from collections.abc import Iterator, Mapping

from spikeloom.golden.errors import SpikeloomError
from spikeloom.sim.jobs.cluster import run_there
from spikeloom.sim.jobs.local import run_here
from spikeloom.sim.jobs.work import ATTEMPTS, Status, Work, name_of


def run_jobs(
    work: Work,
    shared: bytes,
    jobs: Mapping[str, bytes],
    *,
    scheduler: str | None = None,
    workers: int | None = None,
) -> Iterator[tuple[str, bytes]]:
    """Run jobs in parallel, and yield the name and the result of each as it ends.

    Parameters
    ----------
    work
        A function at the top of a module that the workers can import. The same arguments must give
        the same result, because a job is run again if its worker dies.
    shared
        The first argument of every job.
    jobs
        The second argument of each job, by name.
    scheduler
        Address of a Dask scheduler, such as tcp://host:8786; None for processes of this machine.
    workers
        Their number on this machine; by default one for each processor.

    Raises
    ------
    SpikeloomError
        A job raises it, the cluster cannot be reached, or `ATTEMPTS` workers died under a job.
    RuntimeError
        A job raises another exception; the message has its traceback.
    """
    name = name_of(work)
    if scheduler is None:
        outcomes = run_here(name, shared, jobs, workers or os.cpu_count() or 1)
    else:
        outcomes = run_there(name, shared, jobs, scheduler)
    with contextlib.closing(outcomes) as running:
        for job, (status, data) in running:
            match status:
                case Status.DONE:
                    yield job, data
                case Status.REFUSED:
                    raise SpikeloomError(data.decode())
                case Status.FAILED:
                    raise RuntimeError(f"job {job} failed:\n{data.decode()}")
                case Status.LOST:
                    raise SpikeloomError(
                        f"{job}: {ATTEMPTS} workers died under it; it may need more memory than "
                        "they have"
                    )
