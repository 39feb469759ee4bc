"""Counts winners, and the steps until there is one: `python -m examples.winner.evaluate`."""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import spikeloom
from examples.winner import argmax, network
from spikeloom.compare import compare
from spikeloom.golden.step.run import simulate
from spikeloom.program import Program

SIZES = (4, 16, 64, 256, 1024)
SEEDS, SAMPLES = 20, 50
"""Seeds, and samples of each: every sample has coins of its own."""
STEPS, SILENT = 150, 5
"""Steps with input, and without any after them."""
IN_RTL = {64: 20}
"""Samples that the RTL runs, by the number of neurons."""


class Outcome(NamedTuple):
    """Of each sample: the step from which on the same single neuron spikes; -1 if there is none.

    Only one that has an input counts. `ended`: nobody spikes once the input has ended.
    """

    settled: NDArray[np.int64]
    ended: bool


def without_input(neurons: int, samples: int) -> NDArray[np.int64]:
    """The neuron of each sample that has no input, and so must not win."""
    return np.arange(samples) % neurons


def inputs(neurons: int, samples: int) -> dict[str, NDArray[np.uint8]]:
    """All inputs but one, another one in each sample; and then none."""
    events = np.ones((samples, STEPS + SILENT, neurons), np.uint8)
    events[np.arange(samples), :, without_input(neurons, samples)] = 0
    events[:, STEPS:] = 0
    return {"x": events}


def outcome(run: Mapping[str, NDArray[np.bool_]]) -> Outcome:
    """What the spikes of a run say."""
    spikes = run["y"][:, :STEPS]
    winner = spikes[:, -1].argmax(axis=1)
    alone = spikes.sum(axis=2) == 1
    alone &= np.take_along_axis(spikes, winner[:, np.newaxis, np.newaxis], 2)[..., 0]
    # Steps at the end in which it stays alone.
    stays = np.logical_and.accumulate(alone[:, ::-1], axis=1).sum(axis=1)
    allowed = winner != without_input(spikes.shape[2], len(spikes))
    settled = np.where(allowed & (stays > 0), STEPS - stays, -1)
    return Outcome(settled, not run["y"][:, STEPS:].any())


def golden(neurons: int) -> Outcome:
    """The outcome of all samples of all seeds, in the golden model."""
    outcomes = [
        outcome(simulate(network(neurons, seed), inputs(neurons, SAMPLES)).spikes)
        for seed in range(SEEDS)
    ]
    settled = np.concatenate([part.settled for part in outcomes])
    return Outcome(settled, all(part.ended for part in outcomes))


def argmax_found(neurons: int) -> int:
    """Of `SEEDS` * `SAMPLES` draws of potentials, those whose largest alone spikes, in one step."""
    right = 0
    for seed in range(SEEDS * SAMPLES):
        potentials = np.random.default_rng(seed).integers(1, 1 << 15, neurons)
        spikes = simulate(argmax(potentials), np.zeros((1, 1, 1), np.bool_)).spikes["y"][0, 0]
        right += spikes.nonzero()[0].tolist() == [potentials.argmax()]
    return right


def program(neurons: int) -> Program:
    """A program for the fabric of the largest network."""
    largest = spikeloom.compile(network(SIZES[-1], 0), readout=[])
    if neurons == SIZES[-1]:
        return largest
    net = network(neurons, 0)
    return spikeloom.compile(net, fabric=largest.fabric, readout=[])


def measure() -> Iterator[str]:
    """What this shows, a line for each number of neurons."""
    for neurons in SIZES:
        result = golden(neurons)
        won = int((result.settled >= 0).sum())
        mean = result.settled.mean() + 1
        line = (
            f"{neurons} neurons: one winner in {won:,} of {SEEDS * SAMPLES:,} runs, "
            f"{'none' if result.ended else 'some'} after the input; mean {mean:.1f} steps, "
            f"{mean / math.log2(neurons):.2f} log2 n, at most {result.settled.max() + 1}"
        )
        if neurons in IN_RTL:
            samples = IN_RTL[neurons]
            compared = compare(program(neurons), inputs(neurons, samples))
            line += f"; RTL, {samples} samples: {compared.mismatches} differences"
        yield line
    yield (
        f"argmax of {SIZES[-1]} potentials by a selection, in one step: the largest alone spikes "
        f"in {argmax_found(SIZES[-1]):,} of {SEEDS * SAMPLES:,} draws"
    )


if __name__ == "__main__":
    for measured in measure():
        print(measured, flush=True)
