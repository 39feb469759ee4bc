"""SuperSpike of `examples/superspike`: golden, RTL and equations; when neurons spike at the end."""

import numpy as np
import pytest
from locking import one_at_a_time

from examples.superspike import (
    COURSES,
    NEURONS,
    STEPS,
    TARGETS,
    Task,
    distances,
    equations,
    lateness,
    load,
    network,
)
from examples.superspike.evaluate import by_golden
from examples.superspike.train import learn
from spikeloom.golden.step.run import simulate

pytestmark = pytest.mark.filterwarnings(
    "ignore:events of '(inputs|targets)':spikeloom.SpikeloomWarning"
)


@pytest.mark.parametrize("course", range(len(COURSES)))
def test_golden_learns_as_the_equations_say(course: int) -> None:
    """Every spike, potential, error, weight and eligibility of two trials."""
    task = Task.draw(10 + course)
    golden = by_golden(task, task.weights, course, 2)
    exact = equations.learn(task, task.weights, course, 2)
    for ours, theirs in zip(golden, exact, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert golden.eligibilities.any()
    assert golden.errors.min() < 0 < golden.errors.max()
    assert (golden.weights != task.weights).mean() > 0.2


def test_it_learns() -> None:
    """Another task: a few trials do most of the way."""
    task = Task.draw(2)
    course = equations.learn(task, task.weights, 0, 25)
    before, after = (equations.run(task, weights) for weights in (task.weights, course.weights))
    assert distances(after, task.targets).sum() < 0.4 * distances(before, task.targets).sum()


def test_neurons_spike_in_time() -> None:
    """With what is committed: each spikes five times, within 2 ms of its targets."""
    task = Task.draw(1)
    before = equations.run(task, task.weights)
    run = simulate(network(load(), COURSES[0], 0), task.events(1))
    after = run.spikes["neurons"][0]
    np.testing.assert_array_equal(after, equations.run(task, load()))
    assert (distances(after, task.targets) <= 0.2 * distances(before, task.targets)).all()
    assert after.sum() == NEURONS * len(TARGETS)
    for away in lateness(after, task.targets):
        assert away.max() <= 2
    missed, astray = lateness(before, task.targets)
    assert (missed <= 2).sum() < NEURONS * len(TARGETS) / 2
    assert (astray > 2).sum() > NEURONS


def test_distances_and_times_of_spikes_that_are_known() -> None:
    targets, spikes = np.zeros((2, 100, 2), np.bool_)
    targets[[20, 60]] = True
    spikes[[22, 63], 0] = True
    missed, astray = lateness(spikes, targets)
    np.testing.assert_array_equal(missed, [2, 3, STEPS, STEPS])
    np.testing.assert_array_equal(astray, [2, 3])
    np.testing.assert_array_equal(lateness(targets, spikes)[0], [2, 3])
    exact, silent = distances(targets, targets), distances(np.zeros_like(targets), targets)
    assert not exact.any()
    kernel = np.exp(-np.arange(100) / 10)
    filtered = kernel[:80].copy()
    filtered[40:] += kernel[:40]
    np.testing.assert_allclose(silent, (filtered**2).sum())
    assert 0 < distances(spikes, targets)[0] < silent[0]


@pytest.mark.soak
def test_rtl_learns_as_the_equations_say() -> None:
    """Two trials: every spike, potential, error and weight."""
    task = Task.draw(1)
    exact = equations.learn(task, task.weights, 0, 2)
    with one_at_a_time("example-superspike"):
        weights, run = learn(task, task.weights, 0, 2, "verilator")
    np.testing.assert_array_equal(run.spikes["neurons"], exact.spikes)
    np.testing.assert_array_equal(run.traces["neurons"], exact.potentials)
    np.testing.assert_array_equal(run.traces["error"], exact.errors)
    np.testing.assert_array_equal(weights, exact.weights)
    assert (weights != task.weights).any()
