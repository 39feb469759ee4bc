"""The RTL on a Dask cluster: each chunk of samples on whatever worker is free."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.devices.chunks import CHUNK
from spikeloom.devices.device import Events, ProgramDevice, Progress, Run, joined_runs
from spikeloom.devices.learning import learns
from spikeloom.devices.simulated import VerilatorDevice
from spikeloom.devices.traces import Traces, traced_neurons
from spikeloom.events import event_counts
from spikeloom.golden.errors import SpikeloomError
from spikeloom.program import Program
from spikeloom.sim.jobs.arrays import pack, unpack
from spikeloom.sim.jobs.run import run_jobs

_ARRAYS = ("spikes", "states", "currents", "traces", "current_traces")
"""Fields of `Run` that are arrays by population."""
_PROGRAM = ""
"""Name of the program among the neurons to trace, by population."""
_FIRST = ""
"""Name of the number of a chunk's first sample among its events, by input."""


class DistributedDevice(ProgramDevice):
    """The RTL, compiled by Verilator on the workers of a cluster.

    A chunk starts from reset wherever it runs, so the results are those of `VerilatorDevice`, the
    clocks among them.

    Parameters
    ----------
    program
        Sent to the workers as a file.
    scheduler
        Address of the cluster's scheduler.
    """

    def __init__(self, program: Program, scheduler: str) -> None:
        super().__init__(program)
        if program.image.sequential:
            raise SpikeloomError(
                "each sample goes on with the adaptive threshold of the one before, so a cluster "
                "cannot share them; leave out the scheduler"
            )
        self.scheduler = scheduler

    def connection_weights(self, number: int) -> NDArray[np.int64]:
        """Raises `SpikeloomError`: between runs the fabrics do not exist."""
        raise SpikeloomError(
            "weights: a cluster builds its fabrics for each run, so there is nothing to read; "
            "leave out the scheduler, or take them from the device's program"
        )

    def run(
        self,
        events: Events,
        progress: Progress | None = None,
        *,
        traces: Traces | None = None,
        learn: bool = False,
    ) -> Run:
        """See `Device.run`."""
        if learns(learn):
            raise SpikeloomError(
                "learning goes from each sample to the next, so a cluster cannot share them; leave "
                "out the scheduler"
            )
        counts = event_counts(self.program.network, events)
        neurons = traced_neurons(self.program.network, traces)
        samples = len(next(iter(counts.values())))
        chunks = {
            f"samples {start} to {min(start + CHUNK, samples) - 1}": {
                name: array[start : start + CHUNK] for name, array in counts.items()
            }
            for start in range(0, samples, CHUNK)
        }
        saved = np.frombuffer(_saved(self.program), np.uint8)
        shared = pack({_PROGRAM: saved, **neurons})
        jobs = {
            name: pack({_FIRST: np.array(CHUNK * number), **chunk})
            for number, (name, chunk) in enumerate(chunks.items())
        }
        runs: dict[str, Run] = {}
        for name, data in run_jobs(run_chunk, shared, jobs, scheduler=self.scheduler):
            runs[name] = _unpacked_run(data)
            if progress:
                progress(sum(_samples(run) for run in runs.values()))
        return joined_runs([runs[name] for name in chunks])


def run_chunk(shared: bytes, own: bytes) -> bytes:
    """Run a chunk of samples; for `spikeloom.sim.jobs`."""
    neurons = unpack(shared)
    program = _loaded(neurons.pop(_PROGRAM).tobytes())
    events = unpack(own)
    first = int(events.pop(_FIRST))
    with VerilatorDevice(program, workers=1) as device:
        run = device.run(events, traces=neurons, first=first)
    arrays = {
        f"{field}/{name}": array for field in _ARRAYS for name, array in getattr(run, field).items()
    }
    totals = np.array([run.synops, run.errors])
    assert run.cycles is not None
    return pack({"cycles": run.cycles, "totals": totals, **arrays})


def _unpacked_run(data: bytes) -> Run:
    """The run that `run_chunk` gave."""
    arrays = unpack(data)
    cycles, (synops, errors) = arrays.pop("cycles"), arrays.pop("totals")
    fields: dict[str, Any] = {field: {} for field in _ARRAYS}
    for key, array in arrays.items():
        field, _, name = key.partition("/")
        fields[field][name] = array
    return Run(cycles=cycles, synops=int(synops), errors=int(errors), **fields)


def _samples(run: Run) -> int:
    assert run.cycles is not None
    return len(run.cycles)


def _saved(program: Program) -> bytes:
    """The file of a program."""
    with tempfile.TemporaryDirectory(prefix="spikeloom-") as folder:
        path = Path(folder) / "program.loom"
        program.save(path)
        return path.read_bytes()


def _loaded(data: bytes) -> Program:
    """The program in a file."""
    with tempfile.NamedTemporaryFile(prefix="spikeloom-", suffix=".loom") as file:
        file.write(data)
        file.flush()
        return Program.load(file.name)
