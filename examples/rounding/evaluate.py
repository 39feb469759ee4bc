"""What neurons learn in RTL whose changes are drawn or rounded, beside floats.

python -m examples.rounding.evaluate mnist.npz [--images N]
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from examples.evaluation import mnist, print_lines
from examples.rounding import (
    KNOWN,
    LEARNED,
    RATES,
    TESTED,
    WEIGHT_MAX,
    answers,
    encode,
    first,
    learn,
    learn_exactly,
    right,
    untrained,
)
from examples.unsupervised.train import order

ROUNDINGS = "stochastic", "nearest"


def measure(data: Path, count: int | None = None) -> Iterator[str]:
    """What `count` training images or `LEARNED` of them teach in RTL, golden, and floats."""
    images, classes = mnist(data, None, "train")
    shuffled = order(len(images), 1)
    count = count or LEARNED
    events = encode(images[shuffled[:count]])
    chosen = shuffled[LEARNED : LEARNED + KNOWN]
    known = encode(images[chosen])
    images, test_classes = mnist(data, TESTED)
    tests = encode(images)
    before = untrained(1)
    rates = "{} and {}".format(*RATES)
    for rounding in ROUNDINGS:
        (rtl, won), (golden, expected) = (
            learn(before, rounding, events, backend) for backend in ("verilator", "golden")
        )
        told = right(
            rtl,
            (answers(rtl, known, "verilator"), classes[chosen]),
            (answers(rtl, tests, "verilator"), test_classes),
        )
        yield (
            f"rates {rates}, 8 bits, {rounding} rounding: {count:,} images learned in RTL by "
            f"{len(rtl.labels)} neurons, {(rtl.weights != before.weights).mean():.0%} of "
            f"{rtl.weights.size:,} weights changed, their mean from "
            f"{before.weights.mean() / WEIGHT_MAX:.2f} to {rtl.weights.mean() / WEIGHT_MAX:.2f}; "
            f"{told:.1%} of {len(tests):,} test images told in RTL; weights that differ from "
            f"golden: {(rtl.weights != golden.weights).sum()}, winners: {(won != expected).sum()}"
        )
    weights, thresholds = learn_exactly(before, events)
    won, answered = (
        np.array([first(sample, weights, thresholds)[0] for sample in samples])
        for samples in (known, tests)
    )
    told = right(before, (won, classes[chosen]), (answered, test_classes))
    yield (
        f"the same in floats: mean weight {weights.mean() / WEIGHT_MAX:.2f}, {told:.1%} of "
        f"{len(tests):,} test images told"
    )


if __name__ == "__main__":
    print_lines(__doc__, measure)
