"""Rockpool: networks as its exporter writes them, batch dimensions included."""

from collections.abc import Iterator
from typing import Any

import pytest
from nir_frameworks import check, events, need, quiet, seeded

from spikeloom.importer.load import load_nir

torch = need("torch", "PyTorch")
need("nirtorch", "NIRTorch")
modules = need("rockpool.nn.modules", "Rockpool")
combinators = need("rockpool.nn.combinators", "Rockpool")
exporter = need("rockpool.nn.modules.torch.nir", "Rockpool")


@pytest.fixture(autouse=True)
def fixed() -> Iterator[None]:
    with seeded(torch):
        yield


@pytest.mark.parametrize("kind", ["LIFTorch", "LIFNeuronTorch"])
@pytest.mark.parametrize("layers", [1, 2])
def test_layers(kind: str, layers: int) -> None:
    sizes = (12, 9, 5)[: layers + 1]
    scales = (0.6, 0.08 if kind == "LIFTorch" else 0.6)
    parts: list[Any] = []
    for before, after, scale in zip(sizes, sizes[1:], scales, strict=False):
        linear = modules.LinearTorch((before, after), has_bias=False)
        linear.weight = torch.nn.Parameter(linear.weight.abs() * scale - scale / 12)
        times = {"tau_mem": 0.02, "dt": 1e-3}
        times |= {"tau_syn": 0.01} if kind == "LIFTorch" else {}
        parts += [linear, getattr(modules, kind)(after, **times)]
    model = combinators.Sequential(*parts)
    x = events(12)
    with quiet():
        graph = exporter.to_nir(model)
        output, _, _ = model(torch.from_numpy(x))
    network = load_nir(graph, "rockpool", dt=1e-3)
    [(_, last)] = network.outputs
    raster = output.detach().numpy()
    assert 1 < raster.max() <= 31  # what the import can do
    check(network, x, {last: raster})
