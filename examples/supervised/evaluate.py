"""The last epoch of learning in RTL beside golden, and what it learned on MNIST's test images.

python -m examples.supervised.evaluate mnist.npz [--images N]
"""

from collections.abc import Iterator
from pathlib import Path

import spikeloom
from examples.evaluation import mnist, print_lines, samples_come_first
from examples.supervised import EPOCHS, FILE, Result, classes, events
from examples.supervised.train import learn, program

MHZ = 50
"""The clock at which images are counted."""


def measure(data: Path, count: int | None = None) -> Iterator[str]:
    """What the first `count` images of the last epoch, and test images, or all of them, show."""
    samples_come_first("image", "label")
    images, labels = mnist(data, None, "train")
    epoch = len(images) // EPOCHS
    part = slice(len(images) - epoch, None if count is None else len(images) - epoch + count)
    images, labels = images[part], labels[part]
    result = Result.load(FILE)
    golden = result.after  # the golden model trained it
    if count is not None:
        golden, _ = learn(result.before, EPOCHS, images, labels)
    learned, run = learn(result.before, EPOCHS, images, labels, "verilator")
    assert run.cycles is not None
    different = sum(int((a != b).sum()) for a, b in zip(golden, learned, strict=True))
    changed = sum(int((a != b).sum()) for a, b in zip(result.before, learned, strict=True))
    clocks = run.cycles.mean()
    told = (classes(run.spikes["output"], run.states["output"]) == labels).mean()
    yield (
        f"epoch {EPOCHS} in RTL: {len(images):,} images, {told:.2%} told before they were learned; "
        f"{changed:,} of {sum(w.size for w in learned):,} weights changed, {different} differ from "
        f"golden; error counter {run.errors}"
    )
    yield (
        f"{clocks:,.0f} clocks an image, {run.weight_updates / run.cycles.sum():.2f} weight "
        f"updates a clock: {1e6 * MHZ / clocks:,.0f} images a second are learned at {MHZ} MHz"
    )
    images, labels = mnist(data, count)
    with spikeloom.open(program(learned, EPOCHS), backend="verilator") as device:
        run = device.run(events(images))
    assert run.cycles is not None
    told = (classes(run.spikes["output"], run.states["output"]) == labels).mean()
    yield (
        f"what the RTL learned, in RTL: {told:.2%} of {len(labels):,} test images, "
        f"{run.cycles.mean():,.0f} clocks each"
    )


if __name__ == "__main__":
    print_lines(__doc__, measure)
