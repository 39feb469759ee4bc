"""Norse: cells and imported nodes spike in the float network as they do there."""

from collections.abc import Callable, Iterator
from typing import Any

import nir
import numpy as np
import pytest
from nir_frameworks import check, events, need, quiet, seeded, widen

from spikeloom.importer.load import load_nir

torch = need("torch", "PyTorch")
need("nirtorch", "NIRTorch")
norse = need("norse.torch", "Norse")

Cell = Callable[[int], Any]


@pytest.fixture(autouse=True)
def fixed() -> Iterator[None]:
    with seeded(torch):
        yield


def check_cells(cells: list[Cell], **options: Any) -> None:
    """Cells with linear layers between them."""
    x = events(12)
    sizes = [*range(12, 12 - len(cells), -1), 5]
    layers = [
        layer
        for before, after, cell in zip(sizes, sizes[1:], cells, strict=False)
        for layer in (torch.nn.Linear(before, after), cell(after))
    ]
    model = norse.SequentialState(*layers)
    widen(torch, model, 3.0)
    for layer in layers[2::2]:
        layer.weight.abs_()
    with quiet():  # to_nir multiplies time constants by its dt
        graph = norse.to_nir(model, torch.from_numpy(x[0, 0]), dt=1.0)
    state, outputs = [None] * len(layers), [[] for _ in cells]
    for t in range(x.shape[1]):
        signal = torch.from_numpy(x[:, t])
        for place, layer in enumerate(layers):
            if place % 2:
                signal, state[place] = layer(signal, state[place])
                outputs[place // 2].append(signal)
            else:
                signal = layer(signal)
    rasters = {str(2 * n + 1): torch.stack(raster, 1).numpy() for n, raster in enumerate(outputs)}
    check(load_nir(graph, "norse", dt=1e-3, **options), x, rasters)


def check_imported(graph: nir.NIRGraph, name: str) -> None:
    """A graph that Norse itself imports."""
    x = events(12)
    with quiet():
        model = norse.from_nir(graph, dt=1e-3)
        state, outputs = None, []
        for t in range(x.shape[1]):
            spikes, state = model(torch.from_numpy(x[:, t]), state)
            outputs.append(spikes)
    check(load_nir(graph, "norse"), x, {name: torch.stack(outputs, 1).numpy()})


def each(size: int, **values: float) -> dict[str, Any]:
    return {name: torch.full((size,), value) for name, value in values.items()}


@pytest.mark.parametrize("size", [2, 3])
def test_lif_box_layers(size: int) -> None:
    def cell(size: int) -> Any:
        values = each(size, tau_mem_inv=100.0, v_leak=0.1, v_th=0.2)
        return norse.LIFBoxCell(norse.LIFBoxParameters(**values))

    check_cells([cell] * size)


def test_time_constants_and_thresholds_of_each_neuron() -> None:
    def cell(size: int) -> Any:
        values = {
            "tau_mem_inv": 100.0 * (1 + torch.rand(size)),
            "v_leak": torch.zeros(size),
            "v_th": 0.1 + 0.1 * torch.rand(size),
        }
        return norse.LIFBoxCell(norse.LIFBoxParameters(**values))

    check_cells([cell] * 2)


def test_integrate_and_fire() -> None:
    def cell(size: int) -> Any:
        return norse.IAFCell(norse.IAFParameters(**each(size, v_th=1.5)))

    check_cells([cell] * 2)


def test_a_lif_cell_needs_its_own_gain() -> None:
    def cell(size: int) -> Any:
        values = each(size, tau_syn_inv=200.0, tau_mem_inv=100.0, v_leak=0.0, v_th=0.5)
        return norse.LIFCell(norse.LIFParameters(**values))

    check_cells([cell] * 2, synaptic_gain="one", synaptic_leak=False)


WEIGHT = np.random.default_rng(2).normal(size=(9, 12)).astype(np.float32)
RECURRENT = np.random.default_rng(3).normal(size=(9, 9)).astype(np.float32)
ONES = np.ones(9, np.float32)


def cuba_lif() -> nir.CubaLIF:
    return nir.CubaLIF(5e-3 * ONES, 1e-2 * ONES, 2 * ONES, 0.2 * ONES, 0.5 * ONES, w_in=3 * ONES)


def test_an_imported_cuba_lif() -> None:
    graph = nir.NIRGraph(
        {
            "input": nir.Input(np.array([12])),
            "w": nir.Affine(WEIGHT, 0 * ONES),
            "lif": cuba_lif(),
            "output": nir.Output(np.array([9])),
        },
        [("input", "w"), ("w", "lif"), ("lif", "output")],
    )
    check_imported(graph, "lif")


@pytest.mark.parametrize("kind", ["CubaLIF", "LIF"])
@pytest.mark.parametrize("bias", [0.0, 0.7, -2.0])
def test_a_recurrent_bias_is_absent_in_the_first_step(kind: str, bias: float) -> None:
    lif = nir.LIF(1e-2 * ONES, ONES, 0 * ONES, 0.4 * ONES)
    recurrent = nir.Affine(RECURRENT, bias * ONES)
    inner = nir.NIRGraph(
        {
            "input": nir.Input(np.array([9])),
            "lif": cuba_lif() if kind == "CubaLIF" else lif,
            "w_rec": recurrent,
            "output": nir.Output(np.array([9])),
        },
        [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
    )
    graph = nir.NIRGraph(
        {
            "input": nir.Input(np.array([12])),
            "w": nir.Affine(3 * WEIGHT, 1 * ONES),
            "r": inner,
            "output": nir.Output(np.array([9])),
        },
        [("input", "w"), ("w", "r"), ("r", "output")],
    )
    check_imported(graph, "r.lif")
