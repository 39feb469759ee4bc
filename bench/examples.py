"""The convolutional and the recurrent example in RTL, on the recordings held out.

Every spike, final state and clock count is compared with golden. Speed is that of the step-level
golden model beside the PyTorch network of the example's `train.py` in floating point, one thread,
the same batch; the ratio is the median of rounds in alternation.
"""

import importlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

from threadpoolctl import threadpool_limits

from bench.figure import Figure
from examples import braille, nmnist
from golden.step import simulate
from spikeloom.compare import compare
from spikeloom.compiler import compile
from spikeloom.demo import DT
from spikeloom.nir_import import load_nir

_ROUNDS = 5
_WARM = 1
_NMNIST = {"neurons": 4096, "weight_words": 2048}
"""Sizes of the fabric that differ from the defaults; the features follow from the network."""


def measure(data: Path) -> Iterator[Figure]:
    """Run both, and compare everything."""
    yield from _example(nmnist, "nmnist", data, _NMNIST)
    yield from _example(braille, "braille", data, {})


def _example(
    example: ModuleType,
    name: str,
    data: Path,
    sizes: Mapping[str, int],
) -> Iterator[Figure]:
    events, labels = example.held_out(data)
    program = compile(load_nir(Path(example.__path__[0]) / f"{name}.nir", dt=DT), sizes)
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

    with threadpool_limits(1):
        golden, reference = [], []
        for _ in range(_ROUNDS + _WARM):
            golden.append(_seconds(lambda: simulate(program.network, events)))
            reference.append(_seconds(run_torch))
    pairs = list(zip(golden, reference, strict=True))[_WARM:]
    yield Figure(
        f"{name}.golden_samples_per_second",
        len(events) / statistics.median(ours for ours, _ in pairs),
        "samples/s",
        reference="PyTorch in floating point, same layers and batch, samples/s",
        reference_value=len(events) / statistics.median(theirs for _, theirs in pairs),
    )
    yield Figure(
        f"{name}.golden_over_torch", statistics.median(theirs / ours for ours, theirs in pairs), ""
    )


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
