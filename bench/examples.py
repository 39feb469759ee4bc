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
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bench.figure import Figure
from golden.step import simulate
from spikeloom.compare import compare
from spikeloom.compiler import compile
from spikeloom.demo import DT
from spikeloom.examples import braille, nmnist
from spikeloom.nir_import import load_nir

_ROUNDS = 5
_WARM = 1
_NMNIST = {"neurons": 4096, "weight_words": 2048}
"""Sizes of the fabric that differ from the defaults; the features follow from the network."""
_BRAILLE = {"neurons": 256}


def measure(data: Path) -> Iterator[Figure]:
    """Run both, and compare everything."""
    yield from _example(nmnist, "nmnist", _nmnist(data), _NMNIST)
    yield from _example(braille, "braille", _braille(data), _BRAILLE)


def _nmnist(data: Path) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    """Input spikes of the recordings held out, and their labels."""
    with np.load(data / "nmnist_1000.npz", allow_pickle=False) as archive:
        events = [archive[name] for name in ("x", "y", "p", "t_us")]
        offsets, labels = archive["offsets"], archive["labels"]
    recordings = [
        nmnist.encode(*(values[offsets[k] : offsets[k + 1]] for values in events))
        for k in nmnist.HELD_OUT
    ]
    return np.stack(recordings), labels[nmnist.HELD_OUT]


def _braille(data: Path) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    """Input spikes of the recordings held out, and their labels."""
    with np.load(data / "braille_1350.npz", allow_pickle=False) as archive:
        frames, labels = archive["frames"], archive["labels"]
    return braille.encode(frames[braille.HELD_OUT]), labels[braille.HELD_OUT]


def _example(
    example: ModuleType,
    name: str,
    recordings: tuple[NDArray[np.bool_], NDArray[Any]],
    sizes: Mapping[str, int],
) -> Iterator[Figure]:
    events, labels = recordings
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
