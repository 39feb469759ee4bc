"""A rate too small for 8 bits: what becomes of STDP if changes of weights are rounded.

Each bright pixel spikes once, the brighter the earlier. The first neuron above its threshold wins,
silences the others in this sample, and learns as in Kheradpisheh et al., arXiv:1611.01421, at the
rate with which they begin. A change is an eighth of a unit of 8 bits then, at most.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

import spikeloom
from examples.unsupervised import PIXELS, Digits, winners
from spikeloom.golden.fixed import Integers
from spikeloom.golden.learning import first_spike_stdp
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import Reset
from spikeloom.golden.switches.adaptive_threshold import AdaptiveThreshold
from spikeloom.golden.switches.selection import Selection
from spikeloom.golden.switches.spike_once import SpikeOnce
from spikeloom.program import Program

NEURONS, STEPS = 64, 16
DARK = 16
"""A pixel below it does not spike."""
WEIGHT_MAX = 127
RATES = 0.004, 0.003
"""Of growing and of shrinking weights."""
THRESHOLD, INCREMENT = 40 * WEIGHT_MAX, 2 * WEIGHT_MAX
"""Of untrained neurons, and by how much a win raises it."""
BITS = 18
"""Of potentials and sums."""
RUN = 1000
"""Images after which the host takes over thresholds."""
LEARNED, KNOWN, TESTED = 10_000, 3_000, 2_000
"""Images that are learned, the training images after these that give labels, and test images."""

Floats = NDArray[np.float64]
Spikes = NDArray[np.bool_]


def encode(images: NDArray[np.uint8]) -> Spikes:
    """Spikes of the pixels, (n, STEPS, PIXELS)."""
    pixels = images.reshape(len(images), 1, PIXELS)
    steps = np.arange(STEPS)[:, np.newaxis]
    return ((255 - pixels) // (256 // STEPS) == steps) & (pixels >= DARK)


def untrained(seed: int, neurons: int = NEURONS) -> Digits:
    """Weights around 0.8, as in SpykeTorch."""
    drawn = np.random.default_rng(seed).normal(0.8, 0.05, (PIXELS, neurons)).clip(0, 1)
    weights = np.rint(drawn * WEIGHT_MAX).astype(np.int64)
    thresholds = np.full(neurons, THRESHOLD)
    return Digits(weights, thresholds, np.full(neurons, -1))


def network(digits: Digits, rounding: str, increment: int = INCREMENT, seed: int = 1) -> Network:
    """The network; `rounding` is that of a `Rule`, and `increment` what a win adds."""
    neurons = len(digits.thresholds)
    population = Population(
        "digits",
        neurons,
        np.zeros(neurons, np.int64),
        threshold=digits.thresholds,
        reset=Reset.NONE,
        switches=(
            AdaptiveThreshold(increment, 0, keep=increment > 0),
            Selection(then="silence"),
            SpikeOnce(),
        ),
    )
    rule = first_spike_stdp((0, WEIGHT_MAX), *RATES, rounding)
    return Network(
        (Input("pixels", PIXELS),),
        (population,),
        (Connection("pixels", "digits", digits.weights, plasticity=rule),),
        state_bits=BITS,
        sum_bits=BITS,
        seed=seed,
    )


def program(built: Network) -> Program:
    """The network on a fabric that learns, the same one whether it does or not."""
    fabric = {"lanes": 16, "slots": 2, "neuron_parameters": True}
    return spikeloom.compile(built, fabric, readout=())


def learn(digits: Digits, rounding: str, events: Spikes, backend: str) -> tuple[Digits, Integers]:
    """What becomes of neurons, and who won each image."""
    won = []
    with spikeloom.open(program(network(digits, rounding)), backend=backend) as device:
        for start in range(0, len(events), RUN):
            run = device.run(events[start : start + RUN], learn=True)
            won.append(winners(run.spikes["digits"]))
            digits = digits.after(won[-1], INCREMENT)
            device.set_threshold("digits", digits.thresholds)
        weights = device.weights["pixels->digits"]
    return replace(digits, weights=weights), np.concatenate(won)


def answers(digits: Digits, events: Spikes, backend: str) -> Integers:
    """Who wins each image, with learning off."""
    with spikeloom.open(program(network(digits, "nearest", 0)), backend=backend) as device:
        return winners(device.run(events).spikes["digits"])


def learn_exactly(digits: Digits, events: Spikes) -> tuple[Floats, Integers]:
    """Weights in floats, and thresholds, after the same rule without any rounding."""
    weights, thresholds = digits.weights.astype(np.float64), digits.thresholds
    for start in range(0, len(events), RUN):
        part = events[start : start + RUN]
        wins = np.zeros(len(thresholds), np.int64)
        for sample in part:
            winner, step = first(sample, weights, thresholds + INCREMENT * wins)
            if winner >= 0:
                w = weights[:, winner]
                rates = np.where(sample[: step + 1].any(axis=0), RATES[0], -RATES[1])
                weights[:, winner] = w + rates * w * (WEIGHT_MAX - w) / WEIGHT_MAX
                wins[winner] += 1
        thresholds = thresholds + INCREMENT * wins - INCREMENT * len(part) // len(wins)
    return weights, thresholds


def first(sample: Spikes, weights: NDArray[np.float64], thresholds: Integers) -> tuple[int, int]:
    """The neuron that wins a sample, -1 for none, and in which step."""
    potentials = np.cumsum(sample.astype(np.float64) @ weights, axis=0)
    above = potentials > thresholds
    if not above.any():
        return -1, 0
    step = int(above.any(axis=1).argmax())
    return int(np.where(above[step], potentials[step], -1).argmax()), step


def right(
    digits: Digits, known: tuple[Integers, Integers], tests: tuple[Integers, Integers]
) -> float:
    """The part of test samples told, of their winners and classes, by labels from `known` ones."""
    labelled = digits.labelled(*known)
    return float((labelled.classes(tests[0]) == tests[1]).mean())
