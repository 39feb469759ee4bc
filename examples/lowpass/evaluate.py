"""Classes of the spiking network, beside its equations in NumPy; the error of sigma-delta codes.

python -m examples.lowpass.evaluate
"""

from collections.abc import Iterator

import numpy as np

import spikeloom
from examples.lowpass import DECAY, DRIVE, FILE, FINE, SPIKE, TOP, Weights, sigma_delta
from examples.recurrent import held_out, rows
from spikeloom.compare import compare
from spikeloom.golden.fixed import Integers
from spikeloom.golden.spec import DECAY_ONE

FABRIC = {"graded_bits": 5}
"""Several spikes of a neuron in a step are one event."""
ENCODERS, STEPS, SEED = 64, 500, 1


def signals() -> Integers:
    """Random walks within -TOP..TOP, (1, STEPS, ENCODERS)."""
    steps = np.random.default_rng(SEED).integers(-3, 4, (1, STEPS, ENCODERS))
    walk = np.zeros((1, ENCODERS), np.int64)
    values = np.zeros(steps.shape, np.int64)
    for step in range(STEPS):
        walk = (walk + steps[:, step]).clip(-TOP, TOP)
        values[:, step] = walk
    return values


def decoding_error(decoded: Integers, values: Integers) -> float:
    """The largest difference of decoders and low-passed signals in any step, in spikes."""
    y = np.zeros(values[:, 0].shape)
    largest = 0.0
    for step in range(values.shape[1]):
        y = y * (1 - DECAY / DECAY_ONE) + DRIVE * values[:, step]
        largest = max(largest, float(np.abs(decoded[:, step] / (1 << FINE) - y).max()))
    return largest / SPIKE


def measure() -> Iterator[str]:
    """What all sequences show, in golden and in RTL, and the sigma-delta neurons."""
    weights = Weights.load()
    values, labels = rows()
    scores = weights.scores(values)
    with np.load(FILE) as file:
        float_accuracy = float(file["float_accuracy"])
    program = spikeloom.compile(weights.network(), FABRIC)
    tests = held_out(len(values))
    for backend in ("golden", "verilator"):
        with spikeloom.open(program, backend=backend) as device:
            run = device.run(values.astype(np.uint8))
        same = (run.states["classes"] == scores).all(axis=1)
        yield (
            f"{backend}: scores are those of the equations in integers for {same.mean():.2%} of "
            f"{len(labels):,} sequences"
        )
    right = scores.argmax(axis=1) == labels
    yield (
        f"{right[tests].mean():.2%} of {tests.sum()} held-out sequences are told, "
        f"{float_accuracy:.2%} in float; {run.cycles.mean():,.0f} clocks a sequence"
    )
    yield from _changes(weights, values, labels, scores)
    walks = signals()
    program = spikeloom.compile(sigma_delta(ENCODERS), {"traces": True})
    traces = []
    for backend in ("golden", "verilator"):
        with spikeloom.open(program, backend=backend) as device:
            run = device.run(walks, traces=["decoder"])
        traces.append(run.traces["decoder"])
    differences = int((traces[0] != traces[1]).sum())
    spikes = np.abs(run.spikes["encoder"]).mean()
    yield (
        f"{ENCODERS} sigma-delta neurons, {STEPS} steps, {spikes:.2f} spikes a step and neuron: "
        f"what is decoded differs by {decoding_error(traces[0], walks):.2f} of a spike at most "
        f"from the low-passed signal; RTL differs from golden in {differences} potentials"
    )


def _changes(
    weights: Weights, values: Integers, labels: Integers, scores: Integers
) -> Iterator[str]:
    """The network whose y is sent by sigma-delta; `scores` are those of the equations."""
    program = spikeloom.compile(weights.network_of_changes(), FABRIC)
    result = compare(program, values.astype(np.uint8))
    states, spikes = result.golden.states["classes"], result.golden.spikes["y"]
    tests = held_out(len(values))
    classes = states.argmax(axis=1)
    yield (
        f"y by sigma-delta: {(classes == labels)[tests].mean():.2%} of the held-out sequences, the "
        f"class of the equations for {(classes == scores.argmax(axis=1)).mean():.2%} of all; "
        f"{np.abs(spikes).mean():.2f} spikes a step and neuron; RTL differs from golden in "
        f"{result.mismatches} spikes, potentials and clocks"
    )


if __name__ == "__main__":
    for line in measure():
        print(line, flush=True)
