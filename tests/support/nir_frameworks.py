"""Networks that a framework builds, runs and exports, compared with their import."""

import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spikeloom.importer.float_network import FloatNetwork
from spikeloom.importer.float_simulation import simulate_float

SAMPLES, STEPS = 4, 40

Rasters = dict[str, NDArray[Any]]


def need(module: str, framework: str) -> Any:
    """A module of a framework, or skip."""
    with quiet():
        try:
            return pytest.importorskip(module, reason=f"{framework} is not installed")
        except ImportError as error:
            pytest.skip(f"{framework} cannot be imported here: {error}")


@contextmanager
def quiet() -> Iterator[None]:
    """Frameworks warn about their own use of libraries."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def seeded(torch: Any) -> Iterator[None]:
    torch.manual_seed(3)
    random.seed(3)
    with torch.no_grad():
        yield


def events(*shape: int, rate: float = 0.4, samples: int = SAMPLES) -> NDArray[np.float32]:
    """Random spikes (samples, steps, ...)."""
    return (np.random.default_rng(4).random((samples, STEPS, *shape)) < rate).astype(np.float32)


def widen(torch: Any, model: Any, gain: float) -> None:
    """Larger weights, so that all layers spike."""
    for module in model.modules():
        if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):
            module.weight *= gain


def step_by_step(torch: Any, model: Any, x: Any, layers: dict[str, Any]) -> Rasters:
    """Outputs of some modules, (samples, steps, size)."""
    outputs: dict[str, list[Any]] = {name: [] for name in layers}

    def hook(name: str) -> Callable[..., None]:
        def keep(module: Any, arguments: Any, result: Any) -> None:
            outputs[name].append(result[0] if isinstance(result, tuple) else result)

        return keep

    handles = [module.register_forward_hook(hook(name)) for name, module in layers.items()]
    for t in range(x.shape[1]):
        model(x[:, t])
    for handle in handles:
        handle.remove()
    return {name: torch.stack(steps, 1).flatten(2).numpy() for name, steps in outputs.items()}


def check(network: FloatNetwork, x: NDArray[Any], rasters: Rasters, late: int = 0) -> None:
    """The float network spikes as the framework did, in layers that do spike.

    `late` is the number of steps by which the framework's rasters are late.
    """
    run = simulate_float(network, x.reshape(*x.shape[:2], -1))
    for name, raster in rasters.items():
        spikes = run.spikes[name]
        assert spikes.shape == raster.shape
        assert raster.sum() > 20
        assert raster.mean() < raster.max()
        differing = int((spikes[:, : STEPS - late] != raster[:, late:]).sum())
        assert differing == 0, (name, differing, raster.size)
