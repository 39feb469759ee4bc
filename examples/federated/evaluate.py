"""What two devices tell alone and together, their last round over links, and rounds of all sizes.

python -m examples.federated.evaluate mnist.npz [--images N]
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import spikeloom
from examples.evaluation import mnist, print_lines, samples_come_first
from examples.federated import (
    DEVICES,
    IMAGES,
    ROUND,
    Images,
    Result,
    average,
    held,
    program,
    share,
    told,
)
from examples.federated.train import together
from examples.supervised import CLASSES, Weights, events
from spikeloom.devices.device import Device
from spikeloom.devices.serial_device import SerialDevice
from spikeloom.golden.link import LinkConfig
from spikeloom.program import Program
from spikeloom.sim.virtual_board import VirtualBoard

LINK = LinkConfig("virtual", 24_000_000, 4)
PATIENCE = 5.0
"""Seconds without an answer: so many that a busy machine does not count as a broken line."""
SIZES = 2000, 1000, 500, 250, 100, 50


def measure(data: Path, count: int | None = None) -> Iterator[str]:
    """What the first `count` test images or all show; with a count, rounds of one size only."""
    samples_come_first("image", "label")
    result, (images, labels) = Result.load(), mnist(data, count)
    of_each = labels * DEVICES // CLASSES
    alone = [told(weights, images, labels) for weights in result.alone]
    both = told(result.after, images, labels)
    parts = ", ".join(
        f"device {number} {right.mean():.2%} ({right[of_each == number].mean():.2%} of its own "
        "classes)"
        for number, right in enumerate(alone)
    )
    least = both.mean() - max(right.mean() for right in alone)
    yield (
        f"{IMAGES:,} images each, of half the classes: of {len(labels):,} test images of all "
        f"classes, {parts}, and the average after each {ROUND} images {both.mean():.2%}: "
        f"{100 * least:.1f} points more"
    )
    shares = [share(*mnist(data, None, "train"), number, IMAGES) for number in range(DEVICES)]
    last = [(images[-ROUND:][:count], labels[-ROUND:][:count]) for images, labels in shares]
    yield over_links(result.before, last)
    curve = []
    for size in SIZES if count is None else SIZES[:1]:
        _, weights = together(data, size)
        rate = told(weights, images, labels).mean()
        curve.append(f"{IMAGES // size} times {rate:.2%}")
    yield f"averaged {', '.join(curve)}"


@contextmanager
def boards(programs: Sequence[Program]) -> Iterator[list[SerialDevice]]:
    """Simulated boards of the same hardware, each of them behind its link."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(SerialDevice(program, board.port, LINK.baud, PATIENCE))
            for program in programs
            for board in [stack.enter_context(VirtualBoard(program.fabric, LINK))]
        ]


def over_links(before: Weights, shares: list[Images]) -> str:
    """A round of two boards, beside that of the golden model."""
    programs = [program(before, number) for number in range(DEVICES)]
    with ExitStack() as stack:
        golden = [stack.enter_context(spikeloom.open(program)) for program in programs]
        devices = stack.enter_context(boards(programs))
        different, updates = 0, 0
        for device, model, (images, labels) in zip(devices, golden, shares, strict=True):
            shown = events(images, labels)
            model.run(shown, learn=True)
            updates += device.run(shown, learn=True).weight_updates
            different += differences(device, model)
        changed = average(devices)
        average(golden)
        means = sum(map(differences, devices, golden))
    return (
        f"the last round over the links of two virtual boards, {len(shares[0][0])} images each, "
        f"{updates:,} weight updates: weights that differ from golden {different} after learning, "
        f"and {means} after their mean, of {changed:,} weights, is written to both"
    )


def differences(device: Device, model: Device) -> int:
    """How many weights of two devices differ."""
    return sum(
        int((ours != theirs).sum()) for ours, theirs in zip(held(device), held(model), strict=True)
    )


if __name__ == "__main__":
    print_lines(__doc__, measure)
