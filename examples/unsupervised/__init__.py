"""Digits without labels: winners learn what they win, as in Diehl and Cook, Frontiers 9:99, 2015.

Each pixel that is bright spikes once, in the first step of a sample. A constant input then lifts
all neurons, so the first above its threshold is the one that the image exceeds most. It wins: it
silences the others in this sample, its threshold rises, and its weights move to the image.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import spikeloom
from spikeloom.golden.fixed import Integers
from spikeloom.golden.learning import SPIKED, Rule, Term, When
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import MAX_AGE, Factor, Gate
from spikeloom.golden.switches.adaptive_threshold import AdaptiveThreshold
from spikeloom.golden.switches.selection import Selection
from spikeloom.program import Program

FILE = Path(__file__).parent / "unsupervised.npz"

PIXELS, NEURONS, CLASSES = 784, 400, 10
STEPS = 16
BRIGHT = 80
"""A pixel above it spikes."""
BOUNDS = -128, 127
PIXEL = BOUNDS[1] - BOUNDS[0]
"""What a pixel more in common with the image adds to a potential."""
START, RISE = -45 * PIXEL, 4 * PIXEL
"""Of the potentials: before the first step, and what each step adds."""
STATE_BITS = 18
OUT_OF_REACH = -(1 << STATE_BITS - 1)
"""The potential of a neuron that has won; no rise brings it back in the sample."""
RUN = 1000
"""Images after which the host takes over thresholds."""


@dataclass(frozen=True)
class Course:
    """How neurons learn for some images.

    Parameters
    ----------
    images
        A multiple of `RUN`.
    rate
        The share of the way to the image that a winner's weights move, in 1/256.
    increment
        By which a win raises the threshold.
    """

    images: int
    rate: int
    increment: int


COURSES = Course(20_000, 51, 3 * PIXEL), Course(20_000, 13, PIXEL // 2)
FROZEN = Course(0, 0, 0)


def encode(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Spikes of the pixels, (n, STEPS, PIXELS)."""
    events = np.zeros((len(images), STEPS, PIXELS), np.bool_)
    events[:, 0] = images.reshape(len(images), PIXELS) > BRIGHT
    return events


def winners(spikes: NDArray[np.bool_]) -> Integers:
    """The neuron that spiked in each sample of (n, steps, neurons), or -1."""
    any_step = spikes.any(axis=1)
    return np.where(any_step.any(axis=1), any_step.argmax(axis=1), -1)


def rule(rate: int) -> Rule:
    """A winner's weights move by `rate` / 256 of the way: to the image, from bound to bound.

    So a weight settles at the share of the images that its neuron wins in which the pixel spikes.
    """
    has_spiked = When(Gate.AGE, 0, MAX_AGE - 1, now=True)
    is_silent = When(Gate.AGE, MAX_AGE, MAX_AGE, now=True)
    return Rule(
        (
            Term(Factor.CONSTANT, Factor.ABOVE, has_spiked, SPIKED, rate),
            Term(Factor.CONSTANT, Factor.BELOW, is_silent, SPIKED, rate, negative=True),
        ),
        BOUNDS,
        rounding="stochastic",
    )


@dataclass(frozen=True)
class Digits:
    """Neurons, and what they have learned.

    Parameters
    ----------
    weights, thresholds
        Shape (PIXELS, neurons), of 8 bits, and (neurons,).
    labels
        Shape (neurons,): the class of most training images that each wins; -1 if it wins none.
    """

    weights: Integers
    thresholds: Integers
    labels: Integers

    @classmethod
    def untrained(cls, seed: int, neurons: int = NEURONS) -> "Digits":
        """Small random weights, the same on every machine, and thresholds of 0."""
        words = np.random.PCG64(seed).random_raw(PIXELS * neurons) >> np.uint64(32)
        weights = (words % np.uint64(20)).astype(np.int64) - 20
        nothing = np.zeros(neurons, np.int64)
        return cls(weights.reshape(PIXELS, neurons), nothing, nothing - 1)

    @classmethod
    def load(cls) -> "Digits":
        """The trained ones."""
        with np.load(FILE) as file:
            return cls(
                *(file[name].astype(np.int64) for name in ("weights", "thresholds", "labels"))
            )

    def save(self, file: Path) -> None:
        """Write what `load` reads."""
        np.savez_compressed(
            file,
            weights=self.weights.astype(np.int8),
            thresholds=self.thresholds.astype(np.int32),
            labels=self.labels.astype(np.int8),
        )

    def network(self, course: Course, seed: int) -> Network:
        """The spiking network; `seed` is that of the rounding of weights."""
        neurons = len(self.thresholds)
        digits = Population(
            "digits",
            neurons,
            np.full(neurons, RISE),
            threshold=self.thresholds,
            v_init=START,
            v_reset=OUT_OF_REACH,
            switches=(
                AdaptiveThreshold(course.increment, 0, keep=course is not FROZEN),
                Selection(then="silence"),
            ),
        )
        synapses = Connection("pixels", "digits", self.weights, plasticity=rule(course.rate))
        return Network(
            (Input("pixels", PIXELS),),
            (digits,),
            (synapses,),
            state_bits=STATE_BITS,
            sum_bits=STATE_BITS,
            seed=seed,
        )

    def after(self, won: Integers, increment: int) -> "Digits":
        """With thresholds that have risen by `increment` for each win, of a run's `winners`.

        On average thresholds stay what they are.
        """
        wins = np.bincount(won[won >= 0], minlength=len(self.thresholds))
        rise = increment * wins - increment * len(won) // len(wins)
        return replace(self, thresholds=self.thresholds + rise)

    def labelled(self, won: Integers, classes: Integers) -> "Digits":
        """With the label of each neuron, from images of known classes and their `winners`."""
        table = np.zeros((len(self.labels), CLASSES), np.int64)
        np.add.at(table, (won[won >= 0], classes[won >= 0]), 1)
        return replace(self, labels=np.where(table.any(axis=1), table.argmax(axis=1), -1))

    def classes(self, won: Integers) -> Integers:
        """What images with these `winners` are; -1 if nobody won, or who never did in training."""
        return np.where(won >= 0, self.labels[won], -1)


class Answers(NamedTuple):
    """What a device said to images.

    Parameters
    ----------
    won
        The `winners`.
    weights
        Those of the device afterwards.
    cycles
        Clocks of each image; None for a device without a clock.
    """

    won: Integers
    weights: Integers
    cycles: Integers | None


def program(digits: Digits, course: Course, seed: int = 0) -> Program:
    """The network on a fabric that learns, the same one for every `course`."""
    neurons, lanes = len(digits.thresholds), 16
    fabric = {
        "lanes": lanes,
        "neurons": neurons,
        "weight_words": PIXELS * -(-neurons // lanes),
        "plastic_axons": PIXELS,
        "slots": 2,
        "neuron_parameters": True,
    }
    return spikeloom.compile(digits.network(course, seed), fabric, readout=())


def answer(program: Program, images: NDArray[np.uint8], backend: str, learn: bool) -> Answers:
    """Run `images`, in which weights change or not."""
    with spikeloom.open(program, backend=backend) as device:
        run = device.run(encode(images), learn=learn)
        weights = device.weights["pixels->digits"]
    return Answers(winners(run.spikes["digits"]), weights, run.cycles)
