"""The last epoch of learning in RTL beside golden, and what it learned on recordings held out.

python -m examples.braille_learning.evaluate braille_1350.npz [--images N]

N are recordings.
"""

from collections.abc import Iterator
from pathlib import Path

import spikeloom
from examples.braille_learning import RATES, Result, events, first_weights, load_data
from examples.braille_learning.train import in_order, learn, program, told
from examples.evaluation import print_lines, samples_come_first

MHZ = 50
"""The clock at which recordings are counted."""


def measure(data: Path, count: int | None = None) -> Iterator[str]:
    """What the first `count` recordings of the last epoch, and held-out ones, or all, show."""
    samples_come_first("label")
    recordings, held_out = load_data(data)
    epoch = len(RATES)
    shown, result = in_order(recordings, epoch)[:count], Result.load()
    golden, _ = learn(result.before, epoch, shown)
    learned, run = learn(result.before, epoch, shown, "verilator")
    assert run.cycles is not None
    different = sum(int((a != b).sum()) for a, b in zip(golden, learned, strict=True))
    changed = sum(int((a != b).sum()) for a, b in zip(result.before, learned, strict=True))
    yield (
        f"epoch {epoch} in RTL: {len(shown):,} recordings, {told(run, shown):.2%} told before they "
        f"were learned; {changed:,} of {sum(w.size for w in learned):,} weights changed, "
        f"{different} differ from golden; error counter {run.errors}"
    )
    clocks = run.cycles.mean()
    yield (
        f"{clocks:,.0f} clocks a recording of 39 steps: {1e6 * MHZ / clocks:,.0f} recordings of "
        f"two seconds are learned in a second at {MHZ} MHz"
    )
    tests = held_out[:count]
    for when, weights in (("before it learned", first_weights()), ("what it learned", learned)):
        with spikeloom.open(program(weights, epoch), backend="verilator") as device:
            run = device.run(events(tests))
        yield f"{when}, in RTL: {told(run, tests):.2%} of {len(tests):,} recordings held out"


if __name__ == "__main__":
    print_lines(__doc__, measure)
