"""Neurons that learn when to spike, by SuperSpike on the chip (Zenke and Ganguli, 2018).

The input is always the same random spikes, and each neuron is to spike at five given times. The
error is a population of its own: output minus target spikes, filtered.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.fixed import Integers
from spikeloom.golden.learning import Rule, super_spike
from spikeloom.golden.network import Connection, Input, Network, Population

FILE = Path(__file__).with_name("superspike.npz")

INPUTS, NEURONS, STEPS = 1000, 8, 500
"""A step is a millisecond."""
RATE = 0.01
"""Spikes of an input in a step, on average: 10 Hz."""
TARGETS = 83, 166, 250, 333, 416
"""Steps in which every neuron is to spike."""
TAU = 10
"""Time constant in steps: of the potential, of both filters of a synapse, and of the error."""
LEAK = 390
"""4096 * (1 - exp(-1 / TAU))."""
THRESHOLD = 300
WINDOW = -2 * THRESHOLD, 32767
"""Potentials at which a neuron learns."""
ERROR = 100
"""Of an output spike where none is to be."""
LIMIT = 127
"""Of weights, in both directions."""
MEAN, SPREAD = 2, 10
"""Mean and standard deviation of the first weights."""

COURSES = 0.0075, 0.00375, 0.001875
"""Rates; each is that of a run of `TRIALS`."""
TRIALS = 100
CONNECTION = "inputs->neurons"

Spikes = NDArray[np.bool_]


@dataclass(frozen=True)
class Task:
    """What is shown in each trial, and what learning starts from.

    Parameters
    ----------
    inputs
        Spikes, (steps, inputs).
    targets
        Spikes, (steps, neurons).
    weights
        The first ones, (inputs, neurons).
    """

    inputs: Spikes
    targets: Spikes
    weights: Integers

    @classmethod
    def draw(cls, seed: int) -> "Task":
        """Random input and weights."""
        inputs = np.random.default_rng((seed, 0)).random((STEPS, INPUTS)) < RATE
        targets = np.zeros((STEPS, NEURONS), np.bool_)
        targets[list(TARGETS)] = True
        weights = np.random.default_rng((seed, 1)).normal(MEAN, SPREAD, (INPUTS, NEURONS))
        return cls(inputs, targets, np.rint(weights).clip(-LIMIT, LIMIT).astype(np.int64))

    def events(self, trials: int) -> dict[str, Spikes]:
        """The events of so many trials."""
        arrays = {"inputs": self.inputs, "targets": self.targets}
        return {name: np.repeat(array[np.newaxis], trials, 0) for name, array in arrays.items()}


def rule(rate: float) -> Rule:
    """The learning rule."""
    return super_spike("error", WINDOW, (-LIMIT, LIMIT), rate, TAU, TAU)


def network(weights: Integers, rate: float, seed: int) -> Network:
    """The network; `seed` is that of the rounding.

    Phase 0: neurons, whose potential decays and is 0 after a spike. 1: their errors.
    """
    one, nothing = np.eye(NEURONS, dtype=np.int64), np.zeros(NEURONS, np.int64)
    return Network(
        (Input("inputs", INPUTS), Input("targets", NEURONS)),
        (
            Population("neurons", NEURONS, nothing, 0, threshold=THRESHOLD, decay=LEAK),
            Population("error", NEURONS, nothing, 1, decay=LEAK, spiking=False),
        ),
        (
            Connection("inputs", "neurons", weights, plasticity=rule(rate)),
            Connection("neurons", "error", ERROR * one),
            Connection("targets", "error", -ERROR * one),
        ),
        sum_bits=18,
        seed=seed,
    )


def distances(spikes: Spikes, targets: Spikes) -> NDArray[np.float64]:
    """The van Rossum distance of each neuron, as the paper has it: a sum of squares.

    Both spike trains, (steps, neurons), are filtered with exp(-age / `TAU`).
    """
    trace = np.zeros(targets.shape[1])
    total = np.zeros_like(trace)
    for difference in spikes.astype(np.float64) - targets:
        trace = trace * np.exp(-1 / TAU) + difference
        total += trace**2
    return total


def lateness(spikes: Spikes, targets: Spikes) -> tuple[Integers, Integers]:
    """How many steps each target spike is away from an output spike, and each output spike from a
    target spike; `STEPS` where there is none.
    """
    missed, astray = [], []
    for output, target in zip(spikes.T, targets.T, strict=True):
        away = np.abs(np.subtract.outer(output.nonzero()[0], target.nonzero()[0]))
        missed.append(away.min(axis=0, initial=STEPS))
        astray.append(away.min(axis=1, initial=STEPS))
    return np.concatenate(missed), np.concatenate(astray)


def load() -> Integers:
    """The weights that were learned from `Task.draw(1)`."""
    with np.load(FILE) as file:
        weights: Integers = file["weights"].astype(np.int64)
    return weights
