"""The equations of both layers in NumPy, in floats or with the chip's integers and rounding.

Integer weights make integer potentials, whose decay is truncated as docs/hardware.md has it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples.hierarchical import (
    COURSE,
    COURSES,
    HALF,
    LEAKS,
    RADIUS,
    RATES,
    RISE,
    RUN,
    START,
    STEPS,
    THRESHOLD,
    WIDE,
    WINNERS,
    encode,
)
from examples.spyketorch import Wave
from examples.spyketorch.equations import (
    Winner,
    first_spikes,
    pointwise,
    pooled,
    potentials,
)
from examples.spyketorch.equations import winners as best
from examples.spyketorch_learning import Floats, Spikes
from examples.spyketorch_learning.equations import Change, exactly
from examples.unsupervised import BOUNDS, Digits
from spikeloom.golden.fixed import Integers
from spikeloom.golden.random_numbers import mixed, random_states

Values = NDArray[Any]

Move = Callable[[Values, NDArray[np.bool_], int, int], Values]
"""What becomes of a digit's weights: of them, where the feature has spiked, the digit, the step."""


def leaky(inputs: Values, leak: int, start: int = 0) -> Values:
    """Potentials in each step, (steps, ...), of neurons that lose leak / 4096 of them in each."""
    result = np.empty_like(inputs)
    v = np.full_like(inputs[0], start)
    for step, x in enumerate(inputs):
        if inputs.dtype.kind == "f":
            v = v * (1 - leak / 4096) + x
        else:
            v = np.sign(v) * (np.abs(v) * (4096 - leak) >> 12) + x
        result[step] = v
    return result


def held(potential: Values, threshold: int) -> Values:
    """The potential with which each first exceeds the threshold, from that step on; 0 before it."""
    above = potential > threshold
    first = np.where(above.any(axis=0), above.argmax(axis=0), STEPS)
    at = np.take_along_axis(potential, np.minimum(first, STEPS - 1)[np.newaxis], axis=0)
    steps = np.arange(STEPS).reshape(-1, *[1] * first.ndim)
    return np.where(steps >= first, at, 0)


def wave_of(sample: Spikes) -> Wave:
    """That of an image's spikes, (steps, size)."""
    return np.logical_or.accumulate(sample.reshape(STEPS, 2, WIDE, WIDE), axis=0)


def of_kernels(kernels: Values, wave: Wave) -> Values:
    """What features are above the threshold with."""
    return held(leaky(potentials(first_spikes(wave), kernels, 0), LEAKS[0]), THRESHOLD)


def learn_kernels(kernels: Values, sample: Spikes, change: Change) -> list[Winner]:
    """Learn in place from an image: the winners, whose kernels have changed."""
    rows, columns = kernels.shape[2:]
    wave = wave_of(sample)
    won = best(of_kernels(kernels, wave), WINNERS, RADIUS)
    for step, feature, y, x in won:
        early = wave[step, :, y : y + rows, x : x + columns]
        kernels[feature] = change(kernels[feature], early, feature, step)
    return won


def features(kernels: Values, sample: Spikes) -> Wave:
    """The wave of the pooled features of an image, (steps, size)."""
    wave = pooled(pointwise(of_kernels(kernels, wave_of(sample))) > 0)
    return wave.reshape(STEPS, len(kernels) * HALF * HALF)


def winner(weights: Values, thresholds: Values, wave: Wave) -> tuple[int, int]:
    """Which digit spikes in which step; -1 if none does."""
    spikes = first_spikes(wave).astype(weights.dtype)
    level = leaky(spikes @ weights + RISE, LEAKS[1], START)
    above = level > thresholds
    if not above.any():
        return -1, STEPS
    step = int(above.any(axis=1).argmax())
    return int(np.where(above[step], level[step], level[step].min() - 1).argmax()), step


def learn_digits(
    weights: Values, thresholds: Values, wave: Wave, move: Move, increment: int
) -> tuple[int, int]:
    """Learn in place from the features of an image: the winner and its step."""
    won, step = winner(weights, thresholds, wave)
    if won >= 0:
        weights[:, won] = move(weights[:, won], wave[step], won, step)
        thresholds[won] += increment
    return won, step


def exact_move(rate: int) -> Move:
    """By rate / 256 of the way to a bound."""

    def move(w: Values, heard: NDArray[np.bool_], _digit: int, _step: int) -> Values:
        moved: Values = w + rate / 256 * (np.where(heard, BOUNDS[1], BOUNDS[0]) - w)
        return moved

    return move


def rounded_move(rate: int, seed: int, sample: int) -> Move:
    """The same with the chip's draws, as docs/hardware.md has them."""
    states = random_states(seed, sample, 1, STEPS)[:, 0]

    def move(w: Values, heard: NDArray[np.bool_], digit: int, step: int) -> Values:
        taps = np.arange(len(w), dtype=np.uint32).reshape(HALF * HALF, -1).T.ravel()
        keys = taps | np.uint32(digit // 16 << 16)
        draw = mixed(keys ^ states[step]).astype(np.int64) + (digit % 16 << 4) & 255
        way = np.where(heard, BOUNDS[1] - w, BOUNDS[0] - w)
        return (w + (rate * way + draw >> 8)).clip(*BOUNDS)

    return move


def learned(kernels: Integers, digits: Digits, images: NDArray[np.uint8]) -> tuple[Floats, Digits]:
    """Both layers in floats after all courses, from the images that the chip learns from."""
    of_floats, done = kernels.astype(np.float64), COURSE * len(RATES)
    for number, sample in enumerate(encode(images[:done])):
        learn_kernels(of_floats, sample, exactly(RATES[number // COURSE]))
    digits = replace(digits, weights=digits.weights.astype(np.float64))
    for course in COURSES:
        move = exact_move(course.rate)
        for _ in range(course.images // RUN):
            thresholds, won = digits.thresholds.copy(), []
            for sample in encode(images[done : done + RUN]):
                wave = features(of_floats, sample)
                won += learn_digits(digits.weights, thresholds, wave, move, course.increment)[:1]
            digits = digits.after(np.array(won), course.increment)
            done += RUN
    return of_floats, digits


def answers(kernels: Floats, digits: Digits, images: NDArray[np.uint8]) -> Integers:
    """Who wins each image, with learning off."""
    parts = range(0, len(images), RUN)
    samples = (sample for start in parts for sample in encode(images[start : start + RUN]))
    won = [winner(digits.weights, digits.thresholds, features(kernels, s))[0] for s in samples]
    return np.array(won)
