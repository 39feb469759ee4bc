"""Sinabs: layers of its own defaults, and every option, spike as they do there."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from nir_frameworks import SAMPLES, STEPS, check, events, need, quiet, seeded, widen

from spikeloom.importer.load import load_nir

torch = need("torch", "PyTorch")
need("nirtorch", "NIRTorch")
layers = need("sinabs.layers", "Sinabs")
activation = need("sinabs.activation", "Sinabs")


@pytest.fixture(autouse=True)
def fixed() -> Iterator[None]:
    with seeded(torch):
        yield


def check_model(named: dict[str, Any], x: Any, wide: float, **options: Any) -> dict[str, Any]:
    from sinabs.nir import to_nir  # noqa: PLC0415 - after the skip

    model = torch.nn.Sequential(*named.values())
    widen(torch, model, wide)
    flat = torch.from_numpy(x).flatten(0, 1)
    model(flat)
    with quiet():
        graph = to_nir(model, torch.from_numpy(x[:, 0]))
    rasters, signal = {}, flat
    for name, layer in named.items():
        if hasattr(layer, "reset_states"):
            layer.reset_states()
        signal = layer(signal)
        if hasattr(layer, "spike_fn"):
            rasters[name] = signal.reshape(SAMPLES, STEPS, -1).numpy()
    check(load_nir(graph, "sinabs", **options), x, rasters)
    return rasters


def leaky(**options: Any) -> Any:
    return layers.LIFSqueeze(tau_mem=10.0, batch_size=SAMPLES, **options)


def integrating(**options: Any) -> Any:
    return layers.IAFSqueeze(batch_size=SAMPLES, **options)


SINGLE = {"spike_fn": getattr(activation, "SingleSpike", None)}

CASES: dict[str, tuple[Callable[[], Any], float, dict[str, Any]]] = {
    "IAF": (integrating, 2.0, {}),
    "IAF, bound": (lambda: integrating(min_v_mem=-1.0), 2.0, {"clamp": True}),
    "IAF, number": (
        lambda: integrating(spike_threshold=2.0, min_v_mem=-1.0),
        2.0,
        {"clamp": -1.0},
    ),
    "IAF, kinds": (
        lambda: integrating(spike_threshold=2.0, min_v_mem=-0.5),
        2.0,
        {"clamp": (("IF", -0.5), "LIF")},
    ),
    "IAF, single": (lambda: integrating(**SINGLE), 4.0, {"max_spikes": 1}),
    "IAF, at most 3": (
        lambda: integrating(spike_threshold=0.2, spike_fn=activation.MaxSpike(3)),
        4.0,
        {"max_spikes": 3},
    ),
    "LIF": (leaky, 8.0, {}),
    "LIF, not normalised": (lambda: leaky(norm_input=False), 2.0, {"gain": "one"}),
    "LIF, number": (
        lambda: leaky(norm_input=False, min_v_mem=-1.0),
        2.0,
        {"gain": "one", "clamp": -1.0},
    ),
    "LIF, single": (
        lambda: leaky(norm_input=False, **SINGLE),
        4.0,
        {"gain": "one", "max_spikes": 1},
    ),
    "LIF, reset to zero": (
        lambda: leaky(reset_fn=activation.MembraneReset(), **SINGLE),
        16.0,
        {"reset": "zero", "max_spikes": 1},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_layers(case: str) -> None:
    make, wide, options = CASES[case]
    check_model({"0": torch.nn.Linear(12, 9), "1": make()}, events(12), wide, **options)


@pytest.mark.parametrize("kind", ["IAF", "LIF"])
@pytest.mark.parametrize("single", [False, True])
def test_parameters_of_each_neuron(kind: str, single: bool) -> None:
    """As learned; several spikes in a step each subtract the threshold of their neuron."""
    thresholds = 0.4 + 0.8 * torch.rand(9)
    more = {"spike_threshold": thresholds, **(SINGLE if single else {})}
    if kind == "IAF":
        layer = integrating(**more)
    else:
        layer = layers.LIFSqueeze(
            tau_mem=5 + 10 * torch.rand(9), batch_size=SAMPLES, norm_input=False, **more
        )
    options = {"max_spikes": 1} if single else {}
    options |= {"gain": "one"} if kind == "LIF" else {}
    check_model({"0": torch.nn.Linear(12, 9), "1": layer}, events(12), 4.0, **options)


def test_convolution_and_pooling() -> None:
    named = {
        "0": torch.nn.Conv2d(2, 3, 3, padding=1, bias=False),
        "1": integrating(),
        "2": layers.SumPool2d(2),
        "3": torch.nn.Flatten(),
        "4": torch.nn.Linear(48, 6),
        "5": leaky(),
    }
    rasters = check_model(named, events(2, 8, 8), 8.0)
    assert rasters["1"].max() > 1


def test_a_network_that_its_importer_made() -> None:
    """`differences` of the dialect says which options it needs."""
    from sinabs.nir import from_nir, to_nir  # noqa: PLC0415 - after the skip

    x = events(12)
    model = torch.nn.Sequential(
        torch.nn.Linear(12, 9), integrating(), torch.nn.Linear(9, 5), leaky()
    )
    widen(torch, model, 2.0)
    flat = torch.from_numpy(x).flatten(0, 1)
    model(flat)
    with quiet():
        graph = to_nir(model, torch.from_numpy(x[:, 0]))
        imported = from_nir(graph, batch_size=SAMPLES)
        signal = imported(flat)
    signal = signal[0] if isinstance(signal, tuple) else signal
    raster = signal.reshape(SAMPLES, STEPS, -1).numpy()
    network = load_nir(graph, "sinabs", clamp=("IF",), gain="one")
    check(network, x, {"3": raster})
    assert np.any(raster)
