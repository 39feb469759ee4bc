"""The equations of the experiment in plain integers, trial by trial: neurons, traces, updates.

It shares nothing with the golden model, its random numbers included: they are written down from
docs/hardware.md.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from examples.superspike import (
    COURSES,
    ERROR,
    INPUTS,
    LEAK,
    LIMIT,
    NEURONS,
    STEPS,
    TAU,
    THRESHOLD,
    TRIALS,
    WINDOW,
    Spikes,
    Task,
)

Integers = NDArray[np.int64]
Words = NDArray[np.uint32]

AMOUNTS, GAINS = (61, 62, 61), (12, 6, 3)
"""Of each course: what a spike adds to the trace of its input, and that goes to eligibilities."""
FILTER = 24
"""256 * (1 - exp(-1 / TAU)): the share of an eligibility that is replaced in a step."""

AGES = np.arange(64)
KEPT = np.where(AGES < 63, np.rint(256 * np.exp(-AGES / TAU)), 0).astype(np.int64)
"""What is left of a trace after each age, in 1/256."""

BETWEEN_SAMPLES = 0x9E3779B9
BITS = 0xFFFFFFFF


class Trial(NamedTuple):
    """What a trial did.

    Parameters
    ----------
    spikes, potentials, errors
        After each step, (steps, neurons).
    weights, eligibilities
        After the trial, (inputs, neurons).
    """

    spikes: Spikes
    potentials: Integers
    errors: Integers
    weights: Integers
    eligibilities: Integers


class Course(NamedTuple):
    """What the trials of a course did.

    Parameters
    ----------
    spikes, potentials, errors
        After each step, (trials, steps, neurons).
    weights, eligibilities
        After the last trial, (inputs, neurons).
    """

    spikes: Spikes
    potentials: Integers
    errors: Integers
    weights: Integers
    eligibilities: Integers


def learn(task: Task, weights: Integers, course: int, trials: int = TRIALS) -> Course:
    """Learn from some trials; `course` numbers the rate, and seeds the rounding."""
    eligibilities = np.zeros_like(weights)
    done = []
    for number in range(trials):
        done.append(trial(task, weights, eligibilities, course, number))
        weights, eligibilities = done[-1].weights, done[-1].eligibilities
    spikes, potentials, errors = (np.array(array) for array in list(zip(*done, strict=True))[:3])
    return Course(spikes, potentials, errors, weights, eligibilities)


def learn_all(task: Task) -> Integers:
    """The weights after all courses."""
    weights = task.weights
    for course in range(len(COURSES)):
        weights = learn(task, weights, course).weights
    return weights


def trial(task: Task, w: Integers, e: Integers, course: int, number: int) -> Trial:
    """The trial with this number of its course, with learning."""
    states = _states(course, number)
    for_weights = _randoms(states, 0, 12)
    for_eligibilities = _randoms(states, 31, 8)
    v, error = np.zeros(NEURONS, np.int64), np.zeros(NEURONS, np.int64)
    last, age = np.zeros(INPUTS, np.int64), np.full(INPUTS, 63)
    spikes, potentials, errors = [], [], []
    for t in range(STEPS):
        spiking = task.inputs[t]
        u = _decayed(v) + w[spiking].sum(axis=0)
        fired = u > THRESHOLD
        v = np.where(fired, 0, u)
        error = _decayed(error) + ERROR * (fired.astype(np.int64) - task.targets[t])
        age = np.minimum(age + 1, 63)
        x = last * KEPT[age] >> 8
        x[spiking] = np.minimum(x[spiking] + AMOUNTS[course], 255)
        last[spiking], age[spiking] = x[spiking], 0
        open_to = (u >= WINDOW[0]) & (u <= WINDOW[1])
        goal = GAINS[course] * np.outer(x, open_to)
        e = (e + (goal - FILTER * e + for_eligibilities[t] >> 8)).clip(0, 127)
        third = error.clip(-256, 255)
        w = (w + (for_weights[t] - e * third >> 12)).clip(-LIMIT, LIMIT)
        spikes.append(fired)
        potentials.append(v)
        errors.append(error)
    return Trial(np.array(spikes), np.array(potentials), np.array(errors), w, e)


def run(task: Task, weights: Integers) -> Spikes:
    """The spikes of a trial without learning, (steps, neurons)."""
    v, spikes = np.zeros(NEURONS, np.int64), []
    for spiking in task.inputs:
        u = _decayed(v) + weights[spiking].sum(axis=0)
        spikes.append(u > THRESHOLD)
        v = np.where(spikes[-1], 0, u)
    return np.array(spikes)


def _decayed(values: Integers) -> Integers:
    return np.sign(values) * (np.abs(values) * (4096 - LEAK) >> 12)


def _mixed(x: Words) -> Words:
    shift = np.arange(32, dtype=np.uint32)
    x = x + (x << shift[7])
    x = x ^ (x >> shift[9])
    x = x + (x << shift[10])
    x = x ^ (x >> shift[15])
    x = x + (x << shift[5])
    return x ^ (x >> shift[8]) ^ (x >> shift[16]) ^ (x >> shift[24])


def _states(seed: int, sample: int) -> Words:
    """The number of each step, from which those of synapses come."""
    start = int(_mixed(np.array([seed + BETWEEN_SAMPLES & BITS], np.uint32))[0])
    state = start + sample * BETWEEN_SAMPLES & BITS | 1 << 31
    states = []
    for _ in range(STEPS):
        states.append(state)
        state = state >> 1 ^ 0x80200003 * (state & 1)
    return np.array(states, np.uint32)


def _randoms(states: Words, rule: int, bits: int) -> Integers:
    """Random numbers of `bits` bits of all synapses in each step, (steps, inputs, neurons)."""
    key = np.arange(INPUTS, dtype=np.uint32) | np.uint32((rule << 26) % 2**31)
    of_inputs = _mixed(states[:, np.newaxis] ^ key).astype(np.int64)[..., np.newaxis]
    randoms: Integers = of_inputs + np.arange(NEURONS) * 2 ** (bits - 4) & 2**bits - 1
    return randoms
