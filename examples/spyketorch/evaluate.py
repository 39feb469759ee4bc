"""Spike times and winners of the network beside the equations, and beside SpykeTorch itself.

python -m examples.spyketorch.evaluate mnist.npz [--images N] [--rtl N]

SpykeTorch is run where it can be imported (it is on GitHub, miladmozafari/SpykeTorch).
"""

import argparse
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

import spikeloom
from examples.evaluation import mnist
from examples.spyketorch import RADIUS, SIZE, STEPS, THRESHOLDS, WINNERS, Features, Wave, encode
from examples.spyketorch.equations import Winner, first_spikes, infer
from spikeloom.compare import compare
from spikeloom.golden.errors import SpikeloomError
from spikeloom.program import Program

Inference = Callable[[Features, Wave], tuple[Wave, list[Winner]]]


def program(features: Features) -> Program:
    """The network on the smallest fabric that has what it needs."""
    return spikeloom.compile(features.network())


def measure(data: Path, count: int = 1000, rtl: int = 20) -> Iterator[str]:
    """Of the first `count` test images on the golden model, and `rtl` of them on the RTL."""
    images, _ = mnist(data, count)
    events = encode(images)
    features = Features.load()
    compiled = program(features)
    with spikeloom.open(compiled, backend="golden") as device:
        spikes = device.run(events).spikes
    most = max(int(array.sum(axis=1).max()) for array in spikes.values())
    total = int(spikes["first"].sum()), int(spikes["second"].sum())
    methods: dict[str, Inference] = {"the equations in NumPy": infer}
    if library := spyketorch():
        methods["SpykeTorch itself"] = library
    for name, method in methods.items():
        different = differences(features, events, spikes, method)
        yield (
            f"{count:,} images, {STEPS} steps, {total[0]:,} first spikes and {total[1]:,} winners: "
            f"images whose spike times or winners differ from {name}: {different}; most spikes of "
            f"a neuron: {most}"
        )
    result = compare(compiled, events[:rtl])
    yield (
        f"golden = RTL on {rtl} images, {result.rtl.cycles.mean():,.0f} clocks each; "
        f"differences: {result.mismatches}"
    )


def differences(
    features: Features,
    events: NDArray[np.bool_],
    spikes: dict[str, Any],
    method: Inference,
) -> int:
    """Images in which the spikes are not those of a method."""
    different = 0
    for number, sample in enumerate(events):
        wave, winners = method(features, sample.reshape(STEPS, 2, SIZE, SIZE))
        first = first_spikes(wave).reshape(STEPS, -1)
        second = np.zeros((STEPS, len(features.second), SIZE // 2, SIZE // 2), np.bool_)
        for step, feature, y, x in winners:
            second[step, feature, y, x] = True
        same = np.array_equal(first, spikes["first"][number]) and np.array_equal(
            second.reshape(STEPS, -1), spikes["second"][number]
        )
        different += not same
    return different


def spyketorch() -> Inference | None:
    """The same inference with the functions of SpykeTorch, if it can be imported."""
    try:
        torch: Any = importlib.import_module("torch")
        torch.set_num_threads(1)  # an image is too small to share
        # It imports torchvision for data sets only, which are not used here.
        absent = ModuleType("torchvision")
        absent.transforms = absent.datasets = None  # type: ignore[attr-defined]
        sys.modules.setdefault("torchvision", absent)
        library: Any = importlib.import_module("SpykeTorch.functional")
    except ImportError:
        return None

    def infer_with_it(features: Features, spikes: Wave) -> tuple[Wave, list[Winner]]:
        wave = torch.from_numpy(np.logical_or.accumulate(spikes, axis=0)).float()
        kernels = [torch.from_numpy(k).float() for k in (features.first, features.second)]
        potential = torch.nn.functional.conv2d(library.pad(wave, (2, 2, 2, 2)), kernels[0])
        _, level = library.fire(potential, THRESHOLDS[0], return_thresholded_potentials=True)
        first = library.pointwise_inhibition(level).sign()
        pooled = library.pad(library.pooling(first, 2, 2), (1, 1, 1, 1))
        potential = torch.nn.functional.conv2d(pooled, kernels[1])
        after, level = library.fire(potential, THRESHOLDS[1], return_thresholded_potentials=True)
        times = STEPS - after.sum(dim=0)
        chosen = [tuple(map(int, w)) for w in library.get_k_winners(level, WINNERS, RADIUS, after)]
        return first.numpy() > 0, [(int(times[f, y, x]), f, y, x) for f, y, x in chosen]

    return infer_with_it


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rtl", type=int, default=20)
    arguments = parser.parse_args()
    try:
        for line in measure(arguments.data, arguments.images, arguments.rtl):
            print(line, flush=True)
    except SpikeloomError as error:
        sys.exit(str(error))
