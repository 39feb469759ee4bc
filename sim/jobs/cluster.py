"""Workers that are a Dask cluster."""

import contextlib
import importlib
import logging
from collections.abc import Generator, Iterator, Mapping
from typing import Any

from spikeloom.golden.errors import SpikeloomError
from spikeloom.sim.jobs.work import Outcome, Status, do

PATIENCE = 10.0
"""Seconds until a scheduler that does not answer is given up."""

WORKERLESS = 60.0
"""Seconds until a cluster that has no worker is given up; some start one when there is work."""


def run_there(
    name: str, shared: bytes, jobs: Mapping[str, bytes], address: str
) -> Generator[tuple[str, Outcome], None, None]:
    """Run jobs on a Dask cluster; see `spikeloom.sim.jobs.run.run_jobs`.

    The scheduler keeps the bytes of every job until it has ended, so what a dead worker did or held
    is done again by another.
    """
    with _connected(address) as distributed:
        client = distributed.get_client()
        # A task, and no scattered data, which would be lost with the worker that holds them.
        common = client.submit(_same, shared, pure=False)
        futures = {
            client.submit(do, name, common, own, pure=False): job for job, own in jobs.items()
        }
        try:
            client.wait_for_workers(1, WORKERLESS)
        except distributed.TimeoutError:
            raise SpikeloomError(
                f"the cluster at {address} has no worker; start one: dask worker {address}"
            ) from None
        ended = distributed.as_completed(futures)
        for future in ended:
            job = futures.pop(future)
            try:
                outcome: Outcome = future.result()
            except distributed.KilledWorker:
                outcome = Status.LOST, b""
            except (OSError, distributed.CancelledError):
                raise SpikeloomError(
                    f"the cluster at {address} was lost; results that had come are kept, so run "
                    "the same command again"
                ) from None
            yield job, outcome


@contextlib.contextmanager
def _connected(address: str) -> Iterator[Any]:
    """The module `distributed`, with a client of the scheduler at `address`."""
    try:
        distributed: Any = importlib.import_module("distributed")  # an extra
    except ImportError:
        raise SpikeloomError(
            "a cluster needs Dask: pip install 'spikeloom[cluster]', or leave out --scheduler"
        ) from None
    # What it says of connections that fail or end is said by the errors above.
    for logger in ("distributed.client", "distributed.batched", "distributed.comm"):
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    try:
        client = distributed.Client(address, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise SpikeloomError(f"the cluster at {address} cannot be reached: {reason}") from None
    with client:
        yield distributed


def _same(data: bytes) -> bytes:
    return data
