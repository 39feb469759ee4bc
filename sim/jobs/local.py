"""Workers that are processes of this machine."""

import contextlib
import queue
import subprocess
import threading
from collections.abc import Generator, Mapping
from typing import IO

from spikeloom.sim import toolchain
from spikeloom.sim.jobs.child import receive, send
from spikeloom.sim.jobs.work import ATTEMPTS, Outcome, Status

_COMMAND = [*toolchain.PYTHON, "-m", "spikeloom.sim.jobs.child"]


def run_here(
    name: str, shared: bytes, jobs: Mapping[str, bytes], workers: int
) -> Generator[tuple[str, Outcome], None, None]:
    """Run jobs in up to `workers` processes; see `spikeloom.sim.jobs.run.run_jobs`.

    Children of `subprocess` start anywhere, also in a notebook, and cannot be sent code.
    """
    pool = _Pool(name, shared, jobs)
    try:
        pool.start(min(workers, len(jobs)))
        for _ in jobs:
            yield pool.ended.get()
    finally:
        pool.stop()


class _Pool:
    """A thread for each worker, which gives it jobs and starts another when it dies."""

    def __init__(self, name: str, shared: bytes, jobs: Mapping[str, bytes]) -> None:
        self.ended: queue.SimpleQueue[tuple[str, Outcome]] = queue.SimpleQueue()
        self._name, self._shared, self._jobs = name, shared, jobs
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        for job in jobs:
            self._waiting.put(job)
        self._threads: list[threading.Thread] = []
        self._children: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()
        self._stopped = False

    def start(self, workers: int) -> None:
        """Start the workers."""
        self._threads = [threading.Thread(target=self._serve) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the workers, whatever they do."""
        with self._lock:
            self._stopped = True
            for child in self._children:
                child.kill()
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        """Do jobs until there is none, and then wait to be stopped."""
        child: subprocess.Popen[bytes] | None = None
        while (job := self._waiting.get()) is not None:
            outcome: Outcome | None = None
            for _ in range(ATTEMPTS):
                child = child or self._worker()
                if child is None or (outcome := self._ask(child, self._jobs[job])) is not None:
                    break
                self._end(child)
                child = None
            self.ended.put((job, outcome or (Status.LOST, b"")))
        if child is not None:
            self._end(child)

    def _worker(self) -> subprocess.Popen[bytes] | None:
        """A new worker; None if the pool is stopped."""
        with self._lock:
            if self._stopped:
                return None
            child = subprocess.Popen(_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self._children.append(child)
        with contextlib.suppress(OSError):  # it died; the first job will tell
            for data in (self._name.encode(), self._shared):
                send(_stream(child.stdin), data)
        return child

    @staticmethod
    def _ask(child: subprocess.Popen[bytes], own: bytes) -> Outcome | None:
        """The outcome of a job; None if the worker died."""
        try:
            send(_stream(child.stdin), own)
        except OSError:
            return None
        answers = _stream(child.stdout)
        status = answers.read(1)
        data = receive(answers)
        return None if data is None else (Status(status[0]), data)

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        """End a worker, and forget it."""
        with self._lock:
            self._children.remove(child)
        child.kill()
        with contextlib.suppress(OSError):  # it may not have read all that was written
            _stream(child.stdin).close()
        _stream(child.stdout).close()
        child.wait()


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    """A stream of a child that has one."""
    assert stream is not None
    return stream
