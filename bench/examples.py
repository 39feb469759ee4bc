"""The convolutional and the recurrent example in RTL, on the recordings held out.

Every spike, final state and clock count is compared with golden. Speed is that of the step-level
golden model beside the PyTorch network of the example's `train.py` in floating point, one thread,
the same batch; the ratio is the median of rounds in alternation. Of the convolutional example, 100
recordings also run on the golden model and in RTL, both on as many threads as they take.
"""

import importlib
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from bench.beside import golden_beside, seconds
from bench.counted import example_program
from bench.figure import Figure
from examples import braille, nmnist
from spikeloom.compare import compare
from spikeloom.devices.backends import open

_ROUNDS = 1, 5
"""To warm up, and that count."""
_RECORDINGS = 100


def measure(data: Path) -> Iterator[Figure]:
    """Run both, and compare everything."""
    yield from _example(nmnist, "nmnist", data)
    yield _beside_rtl(data)
    yield from _example(braille, "braille", data)


def _example(example: ModuleType, name: str, data: Path) -> Iterator[Figure]:
    events, labels = example.held_out(data)
    program = example_program(example, name)
    result = compare(program, events)
    assert result.rtl.cycles is not None
    clocks = int(result.rtl.cycles.sum())
    answers = result.rtl.states[program.network.populations[-1].name].argmax(axis=1)
    yield Figure(f"{name}.mismatches", result.mismatches, "spikes, states, clocks", 0, at_most=True)
    yield Figure(
        f"{name}.accuracy", float((answers == labels).mean()), f"of {len(labels)} held out", 0.95
    )
    yield Figure(f"{name}.clocks_per_recording", clocks / len(events), "clocks")
    yield Figure(
        f"{name}.synops_per_clock_and_lane", result.rtl.synops / clocks / program.fabric.lanes, ""
    )

    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    trained = importlib.import_module(f"examples.{name}.train").Network()
    inputs = torch.from_numpy(events).float()

    def run_torch() -> None:
        with torch.no_grad():
            trained(inputs, integer=False)

    yield from golden_beside(
        (f"{name}.golden_samples_per_second", f"{name}.golden_over_torch"),
        program.network,
        events,
        run_torch,
        "PyTorch in floating point, same layers and batch",
        _ROUNDS,
        1.0,
    )


def _beside_rtl(data: Path) -> Figure:
    events, _ = nmnist.held_out(data)
    events = events[:_RECORDINGS]
    program = example_program(nmnist, "nmnist")
    with open(program, "golden") as golden, open(program, "verilator") as rtl:
        pairs = [
            (
                seconds(lambda: golden.run(events), time.perf_counter),
                seconds(lambda: rtl.run(events), time.perf_counter),
            )
            for _ in range(sum(_ROUNDS))
        ][_ROUNDS[0] :]
    return Figure(
        "nmnist.golden_over_rtl_seconds",
        statistics.median(ours / theirs for ours, theirs in pairs),
        "",
        1.0,
        at_most=True,
        reference="RTL, seconds a recording",
        reference_value=statistics.median(theirs for _, theirs in pairs) / _RECORDINGS,
    )
