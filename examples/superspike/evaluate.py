"""Learning in RTL beside the golden model and the equations, and when neurons spike afterwards.

python -m examples.superspike.evaluate [--trials N]
"""

import argparse
from collections.abc import Iterator

import numpy as np

from examples.evaluation import samples_come_first
from examples.superspike import (
    COURSES,
    NEURONS,
    STEPS,
    TRIALS,
    Task,
    distances,
    equations,
    lateness,
    load,
    network,
)
from examples.superspike.train import SEED, learn
from spikeloom.golden.fixed import Integers
from spikeloom.golden.step.run import simulate

WATCHED = 10
"""Trials of each course in which everything is compared."""
OTHERS = range(2, 9)
"""Seeds of input and first weights; nothing was chosen by these, nor by that of `train`."""
WITHIN = 2
"""Steps by which a target spike may be missed."""


def measure(trials: int = WATCHED) -> Iterator[str]:
    """Lines for so many trials of each course in RTL, and for what is learned from each seed."""
    samples_come_first("inputs", "targets")
    yield compared(trials)
    task = Task.draw(SEED)
    different = (equations.learn_all(task) != load()).sum()
    yield (
        f"{TRIALS * len(COURSES)} trials, seed {SEED}: {described(task, load())}; {different} "
        f"committed weights differ from the equations"
    )
    for seed in OTHERS:
        task = Task.draw(seed)
        yield f"seed {seed}, learned by the equations: {described(task, equations.learn_all(task))}"


def compared(trials: int) -> str:
    """In what RTL differs from golden and from the equations, over all courses."""
    task = Task.draw(SEED)
    weights = task.weights
    counts = {"golden": np.zeros(4, np.int64), "the equations": np.zeros(4, np.int64)}
    updates = clocks = eligibilities = 0
    for course in range(len(COURSES)):
        exact = equations.learn(task, weights, course, trials)
        golden = by_golden(task, weights, course, trials)
        learned, run = learn(task, weights, course, trials, "verilator")
        assert run.cycles is not None
        rtl = run.spikes["neurons"], run.traces["neurons"], run.traces["error"], learned
        for name, model in (("golden", golden), ("the equations", exact)):
            counts[name] += [int((a != b).sum()) for a, b in zip(rtl, model, strict=False)]
        eligibilities += int((golden.eligibilities != exact.eligibilities).sum())
        weights, updates = learned, updates + run.weight_updates
        clocks += int(run.cycles.sum())
    different = ", ".join(f"from {name} {' + '.join(map(str, n))}" for name, n in counts.items())
    done = trials * len(COURSES)
    return (
        f"{done} trials of {STEPS} steps in RTL, {updates:,} updates of weights and eligibilities, "
        f"{clocks / done:,.0f} clocks a trial; spikes + potentials + errors + weights in which RTL "
        f"differs: {different}; eligibilities in which golden differs from the equations: "
        f"{eligibilities}"
    )


def by_golden(task: Task, weights: Integers, course: int, trials: int) -> equations.Course:
    """A course by the golden model."""
    neurons = np.arange(NEURONS)
    traces = {"neurons": neurons, "error": neurons}
    net = network(weights, COURSES[course], course)
    run = simulate(net, task.events(trials), learn=True, traces=traces)
    potentials, errors = run.traces["neurons"], run.traces["error"]
    spikes = run.spikes["neurons"] > 0
    return equations.Course(spikes, potentials, errors, run.weights[0], run.planes[0])


def described(task: Task, weights: Integers) -> str:
    """How near the spikes are to their targets, before learning and with these weights."""
    before, after = (equations.run(task, w) for w in (task.weights, weights))
    first, last = (distances(spikes, task.targets) for spikes in (before, after))
    missed, astray = lateness(after, task.targets)
    return (
        f"van Rossum distance {first.sum():.1f}, then {last.sum():.1f}, "
        f"{last.sum() / first.sum() - 1:.1%}, and of the neuron that "
        f"learned least {(last / first).max() - 1:.1%}; {(missed <= WITHIN).sum()} of "
        f"{len(missed)} target spikes within {WITHIN} ms, the farthest {missed.max()} ms away; "
        f"{len(astray)} spikes, {(astray > WITHIN).sum()} of them elsewhere"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=WATCHED, help="of each course, in RTL")
    for line in measure(parser.parse_args().trials):
        print(line, flush=True)
