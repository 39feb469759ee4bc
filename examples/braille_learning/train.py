"""Let the network learn from the Braille recordings that are not held out.

    python -m examples.braille_learning.train braille_1350.npz [--backend verilator]

Writes `braille_learning.npz`. Seeded, and the same with every backend; RTL took 20 minutes on a
busy machine.
"""

import argparse
from pathlib import Path

import numpy as np

import spikeloom
from examples.braille_learning import (
    FILE,
    RATES,
    SEED,
    Recordings,
    Result,
    Weights,
    events,
    first_weights,
    letters,
    load_data,
    network,
)
from examples.evaluation import samples_come_first
from spikeloom.devices.device import Run
from spikeloom.program import Program

PLASTIC = "touch->hidden", "hidden->hidden", "hidden->output"
"""The connections whose weights are `Weights`."""


def program(weights: Weights, epoch: int) -> Program:
    """The network of an epoch on the smallest fabric, which sends what tells a letter."""
    learning = network(weights, RATES[epoch - 1], epoch)
    return spikeloom.compile(learning, record=["output"], readout=["output"])


def in_order(recordings: Recordings, epoch: int) -> Recordings:
    """The recordings in the order of an epoch."""
    return recordings[np.random.default_rng((SEED, 3, epoch)).permutation(len(recordings))]


def learn(
    weights: Weights, epoch: int, recordings: Recordings, backend: str = "golden"
) -> tuple[Weights, Run]:
    """The weights after an epoch, numbered from 1, of these recordings; and the run."""
    with spikeloom.open(program(weights, epoch), backend=backend) as device:
        run = device.run(events(recordings, taught=True), learn=True)
        learned = Weights(*(device.weights[name] for name in PLASTIC))
    return learned, run


def told(run: Run, recordings: Recordings) -> float:
    """The share of recordings whose letter a run tells."""
    right = letters(run.spikes["output"], run.states["output"]) == recordings.letters
    return float(right.mean())


def main() -> None:
    """Learn, say how many letters are told before they are learned, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--backend", default="golden", help="golden or verilator")
    arguments = parser.parse_args()
    samples_come_first("label")
    recordings, _held_out = load_data(arguments.data)
    before = after = first_weights()
    for epoch in range(1, len(RATES) + 1):
        shown = in_order(recordings, epoch)
        before = after
        after, run = learn(before, epoch, shown, arguments.backend)
        print(f"epoch {epoch}: {told(run, shown):.2%} told before they were learned", flush=True)
    Result(before, after).save(FILE)


if __name__ == "__main__":
    main()
