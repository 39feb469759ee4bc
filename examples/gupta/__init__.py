"""Sixteen neurons that learn digits on the chip (Gupta et al., arXiv:2010.01200).

The first neuron to spike in an image silences the others. It moves its weights toward the image:
up where a pixel spiked shortly before or after it, down where a pixel is dark.
"""

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.fixed import Integers
from spikeloom.golden.learning import SPIKED, Rule, Term, Trace, When
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import MAX_AGE, Factor, Gate
from spikeloom.golden.switches.constant_leak import ConstantLeak
from spikeloom.golden.switches.floor_reset import FloorReset
from spikeloom.golden.switches.refractory import Refractory
from spikeloom.golden.switches.selection import Selection

FILE = Path(__file__).parent / "gupta.npz"

CLASSES = 0, 1, 2, 3
IMAGES = 240
"""Training images of these classes, the first ones."""

SIDE, NEURONS, STEPS = 28, 16, 200
CONNECTION = "pixels->neurons"

UNIT = 80
"""The integer that stands for 1 in weights and potentials."""
LEAK = 12
"""0.15, which a potential above 0 loses in each step."""
BOUNDS = -96, 120
"""-1.2 and 1.5, between which weights lie."""
INITIAL = 32
"""0.4, the largest weight before learning."""
FLOOR = -500 * UNIT
REFRACTORY = 30
BITS = 18
"""Of potentials and sums."""

WINDOW = 2, 20
"""Steps between the spikes of a pixel and of a neuron that count, before and after."""
LEARNS = 2
"""Spikes of a neuron in an image with which it learns, the first ones."""
SEED = 1

Events = NDArray[np.bool_]


def encode(images: NDArray[np.uint8]) -> Events:
    """Spikes of pixels, (images, steps, pixels): the brighter a spot, the more of them.

    A receptive field of 5 x 5 with a dark surround filters the image. Where the result n/2040 is
    above 0, a pixel spikes every ceil(600 / f) steps, where f goes from 1 to 20 as n/2040 goes from
    -1.069 to 2.781. So the periods are 30 to 96 steps.
    """
    y, x = np.mgrid[-2:3, -2:3]
    kernel = np.vectorize({0: 8, 1: 5, 2: 1, 4: 1, 5: -1, 8: -4}.get)(y * y + x * x)
    padded = np.pad(images.reshape(-1, SIDE, SIDE).astype(np.int64), ((0, 0), (2, 2), (2, 2)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(1, 2))
    filtered = np.tensordot(windows, kernel, 2).reshape(len(images), -1)
    # 600 / f, times 2040 * 385 * 1000 / 1900 above and below so that all is whole.
    below = 4928844 + 1900 * filtered.clip(0, 5673)
    periods = (-(-471240000 // below)).astype(np.uint8)
    steps = np.arange(1, STEPS + 1, dtype=np.uint8)[:, np.newaxis]
    events: Events = (filtered > 0)[:, np.newaxis] & (steps % periods[:, np.newaxis] == 0)
    return events


def thresholds(events: Events) -> list[int]:
    """The threshold of each image: a third of the most pixels that spike in one step."""
    most = events.sum(axis=2).max(axis=1)
    return [UNIT * int(count) // 3 for count in most]


def initial_weights() -> Integers:
    """Random weights 0..`INITIAL`, the same on every machine."""
    words = np.random.PCG64(SEED).random_raw(SIDE * SIDE * NEURONS)
    return (words >> np.uint64(32)).astype(np.int64).reshape(-1, NEURONS) % (INITIAL + 1)


def rule() -> Rule:
    """The learning rule.

        w += (1.5 - w) * 0.03 exp(-d / 5)      when a neuron spikes d = 2..20 steps after a pixel
        w += (1.5 - w) * 0.08 exp(-d / 8)      20 steps after a neuron spikes, where the pixel's
                                               last spike came d = 2..20 steps after the neuron's
        w -= (1.5 - w) * 0.03                  then, where the pixel has not spiked yet

    The first with the neuron's first and second spike in an image, the others with its second.
    """
    least, most = WINDOW
    ages = np.arange(MAX_AGE + 1)
    before = np.where(
        (least <= ages) & (ages <= most), np.floor(0.03 * 4096 * np.exp(-ages / 5)), 0
    )
    after = np.where(ages <= most - least, np.floor(0.08 * 4096 * np.exp(-(most - ages) / 8)), 0)
    after[MAX_AGE] = -np.floor(0.03 * 4096)
    return Rule(
        (
            Term(
                Factor.PRE_CURVE,
                Factor.ABOVE,
                When(Gate.AGE, least, most),
                dataclasses.replace(SPIKED, now=True),
                curve=before.astype(np.int64),
                trace_window=(1, LEARNS),
            ),
            Term(
                Factor.PRE_CURVE,
                Factor.ABOVE,
                When(now=True),
                When(Gate.AGE, most, most, now=True),
                curve=after.astype(np.int64),
                trace_window=(LEARNS, LEARNS),
            ),
        ),
        BOUNDS,
        shift=12,
        rounding="floor",
        post=Trace((256,) * MAX_AGE + (0,), 1),  # counts the neuron's spikes
    )


def network(weights: Integers, threshold: int, plasticity: Rule) -> Network:
    """The network.

    Parameters
    ----------
    weights
        Shape (pixels, neurons).
    threshold
        Of all neurons, in 1/`UNIT`.
    plasticity
        `rule()`, or `table_stdp(BOUNDS)` for that of the published Verilog.
    """
    neurons = Population(
        "neurons",
        NEURONS,
        np.zeros(NEURONS, np.int64),
        threshold=threshold,
        switches=(
            ConstantLeak(LEAK, positive_only=True),
            Refractory(REFRACTORY, "hold"),
            FloorReset(FLOOR),
            Selection(losers="reset", then="silence"),
        ),
    )
    return Network(
        (Input("pixels", SIDE * SIDE),),
        (neurons,),
        (Connection("pixels", "neurons", weights, plasticity=plasticity),),
        state_bits=BITS,
        sum_bits=BITS,
    )
