"""The same by SpykeTorch itself: its potentials, winners, pairing of spikes, and bounds.

Its rule is in floats. What the chip rounds a change to, up or down, is given to it as the rate of
each synapse, and its stabiliser, which that has in it, is off.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

import numpy as np

from examples.spyketorch import STEPS, WEIGHT_MAX, Wave
from examples.spyketorch.equations import Winner
from examples.spyketorch_learning import RADII, SHRINK, THRESHOLDS, WINNERS, Floats
from examples.spyketorch_learning.equations import Change, Learning
from spikeloom.golden.fixed import Integers


class Library:
    """SpykeTorch, which learns. Raises `ImportError` where it cannot be imported."""

    def __init__(self) -> None:
        self.torch: Any = importlib.import_module("torch")
        self.torch.set_num_threads(1)  # an image is too small to share
        # It imports torchvision for data sets only, which are not used here.
        absent = ModuleType("torchvision")
        absent.transforms = absent.datasets = None  # type: ignore[attr-defined]
        sys.modules.setdefault("torchvision", absent)
        self.functional: Any = importlib.import_module("SpykeTorch.functional")
        self.snn: Any = importlib.import_module("SpykeTorch.snn")

    def learn(self, kernels: Integers, layer: int, seen: Wave, change: Change) -> list[Winner]:
        """Learn from a wave, as `equations.learn` does."""
        convolution, wave, level, after, won = self._winners(kernels, layer, seen)
        stdp = self.snn.STDP(convolution, (0.0, 0.0), False, 0, WEIGHT_MAX)
        result = []
        for feature, y, x in won:
            step = int(STEPS - after[:, feature, y, x].sum())
            w = kernels[feature]
            rates = (change(w, np.full(w.shape, up), feature, step) - w for up in (True, False))
            stdp.learning_rate[feature] = tuple(self.torch.from_numpy(r).double() for r in rates)
            result.append((step, feature, y, x))
        stdp(wave, level, after, won)
        kernels[:] = np.rint(convolution.weight.numpy()).astype(np.int64)
        return result

    def exactly(self, kernels: Integers, layer: int, seen: Wave, rate: float) -> Floats:
        """The kernels after its own step in floats from these."""
        convolution, wave, level, after, won = self._winners(kernels, layer, seen)
        rates = rate / WEIGHT_MAX, -SHRINK * rate / WEIGHT_MAX
        stdp = self.snn.STDP(convolution, rates, True, 0, WEIGHT_MAX).double()
        stdp(wave, level, after, won)
        weights: Floats = convolution.weight.numpy().copy()
        return weights

    def _winners(self, kernels: Integers, layer: int, seen: Wave) -> tuple[Any, ...]:
        features, channels, size, _ = kernels.shape
        convolution = self.snn.Convolution(channels, features, size).double()
        convolution.load_weight(self.torch.from_numpy(kernels).double())
        wave = self.torch.from_numpy(np.ascontiguousarray(seen)).double()
        after, level = self.functional.fire(
            convolution(wave), THRESHOLDS[layer], return_thresholded_potentials=True
        )
        won = self.functional.get_k_winners(level, WINNERS, RADII[layer], after)
        won = [tuple(map(int, winner)) for winner in won]
        return convolution, wave, level, after, won


def spyketorch() -> Learning | None:
    """How it learns, if it can be imported."""
    try:
        return Library().learn
    except ImportError:
        return None
