"""Classes of the spiking network, of the discretised network and of the digits.

python -m examples.recurrent.evaluate
"""

from collections.abc import Iterator

import numpy as np

import spikeloom
from examples.recurrent import FILE, HIDDEN, INPUTS, Weights, encode, held_out, rows


def measure() -> Iterator[str]:
    """What all sequences show, in golden and in RTL."""
    weights = Weights.load()
    values, labels = rows()
    scores = weights.scores(values)
    with np.load(FILE) as file:
        float_accuracy = float(file["float_accuracy"])
    program = spikeloom.compile(weights.network())
    events, tests = encode(values), held_out(len(values))
    for backend in ("golden", "verilator"):
        with spikeloom.open(program, backend=backend) as device:
            run = device.run(events)
        spiking = run.states["classes"]
        same = (spiking.argmax(axis=1) == scores.argmax(axis=1)).mean()
        yield (
            f"{backend}: same class as the discretised network for {same:.2%} of {len(labels):,} "
            f"sequences, same scores for {(spiking == scores).all(axis=1).mean():.2%}"
        )
    right = scores.argmax(axis=1) == labels
    yield (
        f"{right[tests].mean():.2%} of {tests.sum()} held-out sequences are told, "
        f"{float_accuracy:.2%} in float; {INPUTS + HIDDEN} inputs a neuron, "
        f"{run.cycles.mean():,.0f} clocks a sequence"
    )


if __name__ == "__main__":
    for line in measure():
        print(line, flush=True)
