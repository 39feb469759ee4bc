"""Let neurons learn when to spike: python -m examples.superspike.train.

Writes `superspike.npz`. Seeded, and the same with --backend verilator; two minutes in the golden
model.
"""

import argparse

import numpy as np

import spikeloom
from examples.evaluation import samples_come_first
from examples.superspike import (
    CONNECTION,
    COURSES,
    FILE,
    TRIALS,
    Task,
    distances,
    lateness,
    network,
)
from spikeloom.devices.device import Run
from spikeloom.golden.fixed import Integers
from spikeloom.program import Program

SEED = 1


def program(weights: Integers, course: int) -> Program:
    """The network on the smallest fabric that can trace its potentials."""
    return spikeloom.compile(network(weights, COURSES[course], course), {"traces": True})


def learn(
    task: Task, weights: Integers, course: int, trials: int = TRIALS, backend: str = "golden"
) -> tuple[Integers, Run]:
    """The weights after a course, and all potentials and errors of its trials."""
    with spikeloom.open(program(weights, course), backend=backend) as device:
        run = device.run(task.events(trials), learn=True, traces=["neurons", "error"])
        return device.weights[CONNECTION], run


def main() -> None:
    """Learn, say how far the spikes are from their targets, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="golden", help="golden or verilator")
    backend = parser.parse_args().backend
    samples_come_first("inputs", "targets")
    task = Task.draw(SEED)
    weights = task.weights
    for course in range(len(COURSES)):
        weights, run = learn(task, weights, course, backend=backend)
        for number in (0, -1):
            spikes = run.spikes["neurons"][number]
            distance = distances(spikes, task.targets).sum()
            missed, astray = lateness(spikes, task.targets)
            print(
                f"course {course}: distance {distance:.1f}, target spikes missed by "
                f"{missed.max()} ms at most, spikes astray by {astray.max()} ms"
            )
    np.savez_compressed(FILE, weights=weights.astype(np.int8))


if __name__ == "__main__":
    main()
