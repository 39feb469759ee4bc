"""What the neurons tell of MNIST's test images, and how they learned it, in RTL.

python -m examples.unsupervised.evaluate mnist.npz [--images N]
"""

from collections.abc import Iterator
from pathlib import Path

from examples.evaluation import mnist, print_lines, samples_come_first
from examples.unsupervised import COURSES, FROZEN, RUN, Digits, answer, program
from spikeloom.boards.registry import board

BOARD = "ulx3s_85f"
"""The board at whose clock images are counted."""


def measure(data: Path, count: int | None = None) -> Iterator[str]:
    """What the first `count` test images or all show, and `RUN` or `count` training images."""
    samples_come_first("pixels")
    images, classes = mnist(data, count)
    digits, clock = Digits.load(), board(BOARD).clock_mhz * 1e6
    frozen = program(digits, FROZEN)
    rtl, golden = (answer(frozen, images, name, False) for name in ("verilator", "golden"))
    assert rtl.cycles is not None
    clocks = rtl.cycles.mean()
    yield (
        f"learning off: RTL tells {(digits.classes(rtl.won) == classes).mean():.2%} of "
        f"{len(images):,} test images, by {len(digits.labels)} neurons; winners that differ from "
        f"golden: {(rtl.won != golden.won).sum()}; {clocks:,.0f} clocks an image, "
        f"{clock / clocks:,.0f} images a second at the {clock / 1e6:g} MHz of {BOARD}"
    )
    images, _ = mnist(data, min(count or RUN, RUN), "train")
    for known, before, course in (
        ("untrained", Digits.untrained(1), COURSES[0]),
        ("trained", digits, COURSES[1]),
    ):
        learning = program(before, course)
        rtl, golden = (answer(learning, images, name, True) for name in ("verilator", "golden"))
        assert rtl.cycles is not None
        yield (
            f"{len(images):,} training images, learned by {known} neurons: "
            f"{(rtl.weights != before.weights).mean():.0%} of {rtl.weights.size:,} weights changed "
            f"in RTL; weights that differ from golden: {(rtl.weights != golden.weights).sum()}, "
            f"winners: {(rtl.won != golden.won).sum()}; {rtl.cycles.mean():,.0f} clocks an image"
        )


if __name__ == "__main__":
    print_lines(__doc__, measure)
