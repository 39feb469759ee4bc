"""A data set that runs on a cluster gives what it gives here."""

import dataclasses

import distributed as dask
import numpy as np
import pytest
from numpy.typing import NDArray

import spikeloom
from spikeloom.devices import chunks, distributed
from spikeloom.devices.distributed import DistributedDevice, run_chunk
from spikeloom.devices.simulated import VerilatorDevice
from spikeloom.golden.errors import SpikeloomError
from spikeloom.program import Program

pytestmark = pytest.mark.usefixtures("rtl_built")

Events = NDArray[np.uint8]


def test_the_same_as_on_this_machine(
    small: Program, small_events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 2)
    monkeypatch.setattr(distributed, "CHUNK", 2)
    with VerilatorDevice(small) as device:
        expected = device.run(small_events)
    done: list[int] = []
    with (
        dask.LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster,
        spikeloom.open(small, "verilator", scheduler=cluster.scheduler_address) as device,
    ):
        assert isinstance(device, DistributedDevice)
        run = device.run(small_events, done.append)
    assert (sorted(done)[-1], len(done)) == (5, 3)
    assert (run.synops, run.errors) == (expected.synops, expected.errors)
    assert run.cycles is not None
    assert expected.cycles is not None
    assert run.cycles.tolist() == expected.cycles.tolist()
    for field in ("spikes", "states", "currents"):
        got, wanted = getattr(run, field), getattr(expected, field)
        assert list(got) == list(wanted)
        for name, array in wanted.items():
            assert got[name].dtype == array.dtype
            np.testing.assert_array_equal(got[name], array)


def test_names_may_be_any_text(small: Program, small_events: Events) -> None:
    """A name with a slash, or the name that the program has in a job."""
    names = {"first": "a/b", "sum": "spikes/sum", "last": "program"}
    network = dataclasses.replace(
        small.network,
        populations=tuple(
            dataclasses.replace(p, name=names[p.name]) for p in small.network.populations
        ),
        connections=tuple(
            dataclasses.replace(
                c, source=names.get(c.source, c.source), target=names.get(c.target, c.target)
            )
            for c in small.network.connections
        ),
    )
    every = frozenset(names.values())
    renamed = Program(network, small.fabric, every, every)
    shared = distributed.pack(
        {distributed._PROGRAM: np.frombuffer(distributed._saved(renamed), np.uint8)}
    )
    events = {node.name: small_events for node in network.inputs}
    own = distributed.pack({distributed._FIRST: np.array(0), **events})
    run = distributed._unpacked_run(run_chunk(shared, own))
    with VerilatorDevice(renamed) as device:
        expected = device.run(small_events)
    assert set(run.states) == every
    for name in every:
        np.testing.assert_array_equal(run.states[name], expected.states[name])
    assert set(run.spikes) == set(expected.spikes)


def test_only_the_rtl(small: Program) -> None:
    with pytest.raises(SpikeloomError, match="a cluster runs the RTL, not golden"):
        spikeloom.open(small, "golden", scheduler="tcp://127.0.0.1:1")
