"""What instances lose and get back in the loop; the loop with the RTL as its forward pass.

python -m examples.loop.evaluate
"""

from collections.abc import Iterator

import numpy as np

import spikeloom
from examples.loop import LIMIT, Digits, digits, program, trained
from examples.loop.train import accuracy, fit
from spikeloom.golden.network import Network
from spikeloom.mismatch import Mismatch
from spikeloom.training import InTheLoop

DESIGNS, INSTANCES = 5, 4
"""Designs, and instances of each."""
DEVIATIONS = 0.1, 0.2
ITERATIONS, BATCH, RATE = 50, 200, 1.0
"""Of a loop; the last two are the best of those that `validate.py` tried."""
IN_HARDWARE = 4
"""The instance of the first design whose loop runs in the RTL too."""


def instance(
    network: Network,
    mismatch: Mismatch,
    images: Digits,
    tests: Digits,
    backend: str = "golden",
    batch: int = BATCH,
    rate: float = RATE,
) -> tuple[float, float, list[float], list[np.ndarray]]:
    """Accuracy of an instance before and after its loop, losses, and the weights it ends with."""
    with spikeloom.open(program(mismatch.planted(network)), backend) as device:
        loop = InTheLoop(device, network, gains=mismatch.gains(network), limit=LIMIT)
        before = accuracy(loop, tests)
        losses = list(fit(loop, images, ITERATIONS, batch, mismatch.seed, rate))
        weights = [device.program.network.connections[n].weights for n in range(2)]
        return before, accuracy(loop, tests), losses, weights


def measure() -> Iterator[str]:
    """A line for the designs, for each deviation, and for the RTL."""
    images, tests = digits()
    networks = [trained(number) for number in range(DESIGNS)]
    each = []
    for network in networks:
        with spikeloom.open(program(network)) as device:
            each.append(accuracy(InTheLoop(device, limit=LIMIT), tests))
    designed = np.mean(each)
    yield (
        f"{DESIGNS} designs, weights of 6 bits: {designed:.2%} of {len(tests.labels)} test images "
        f"({min(each):.2%} to {max(each):.2%})"
    )
    golden = {}
    for deviation in DEVIATIONS:
        for number in range(DESIGNS * INSTANCES):
            mismatch = Mismatch(deviation, deviation, deviation, number + 1)
            design = networks[number // INSTANCES]
            golden[deviation, number + 1] = instance(design, mismatch, images, tests)
        before, after = np.array([golden[deviation, n + 1][:2] for n in range(number + 1)]).T
        lost = designed - before.mean()
        # Deviations of a design's four instances are not independent: of means over designs.
        left = (np.repeat(each, INSTANCES) - after).reshape(DESIGNS, INSTANCES).mean(axis=1)
        error = left.std(ddof=1) / np.sqrt(DESIGNS)
        yield (
            f"{len(before)} instances, {deviation:.0%} mismatch: {before.mean():.2%} (worst "
            f"{before.min():.2%}); after {ITERATIONS} iterations of {BATCH} images in the loop "
            f"{after.mean():.2%} (worst {after.min():.2%}), {1 - left.mean() / lost:.0%} of what "
            f"was lost (standard error {error / lost:.0%})"
        )
    deviation = DEVIATIONS[-1]
    network = networks[0]
    expected = golden[deviation, IN_HARDWARE]
    mismatch = Mismatch(deviation, deviation, deviation, IN_HARDWARE)
    before, after, losses, weights = instance(network, mismatch, images, tests, "verilator")
    same = losses == expected[2] and all(map(np.array_equal, weights, expected[3]))
    yield (
        f"the same loop with the RTL as forward pass, instance {IN_HARDWARE}: {before:.2%}, then "
        f"{after:.2%}; every loss and weight as with golden: {'yes' if same else 'NO'}"
    )


if __name__ == "__main__":
    for line in measure():
        print(line, flush=True)
