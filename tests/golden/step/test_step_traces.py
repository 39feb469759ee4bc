"""Traces of the step-level model beside plain integers."""

import numpy as np
import pytest
from traced_network import plain_states, traced_events, traced_network

from spikeloom.golden.step import run as step
from spikeloom.golden.step.run import simulate


@pytest.mark.parametrize(("workers", "neurons"), [(1, 1 << 17), (3, 9)])
def test_states_of_every_step(monkeypatch: pytest.MonkeyPatch, workers: int, neurons: int) -> None:
    """All samples at once, and each in a batch of its own."""
    monkeypatch.setattr(step, "NEURONS", (neurons, neurons))
    monkeypatch.setattr(step, "THREADED", 0)
    monkeypatch.setattr(step, "SHARED", (0, 0))
    network, events = traced_network(), traced_events()
    expected = plain_states(network, events)
    chosen = {"hidden": np.array([7, 0]), "sum": np.arange(3)}
    run = simulate(network, events, workers, chosen)
    assert run.spikes["hidden"].any()
    assert np.array_equal(run.traces["hidden"], expected["hidden"][..., [7, 0]])
    assert np.array_equal(run.traces["sum"], expected["sum"])
    assert run.current_traces.keys() == run.currents.keys() == {"hidden"}
    assert np.array_equal(run.current_traces["hidden"], expected["current"][..., [7, 0]])
    assert np.array_equal(run.currents["hidden"], expected["current"][:, -1])
    assert np.array_equal(run.states["hidden"], expected["hidden"][:, -1])
    assert run.traces["hidden"].dtype == run.current_traces["hidden"].dtype == np.int64


def test_nothing_is_traced_unless_asked_for() -> None:
    run = simulate(traced_network(), traced_events())
    assert run.traces == run.current_traces == {}
