"""Networks built in a framework and exported by it: the float reference spikes alike."""

import random
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spikeloom.importer.float_network import FloatNetwork
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.importer.load import load_nir

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

SAMPLES, STEPS = 4, 40

Rasters = dict[str, NDArray[Any]]


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    torch.manual_seed(3)
    random.seed(3)
    with torch.no_grad():
        yield


def events(*shape: int) -> Any:
    """Random spikes, float32 (samples, steps, ...)."""
    spikes = np.random.default_rng(4).random((SAMPLES, STEPS, *shape)) < 0.4
    return torch.from_numpy(spikes.astype(np.float32))


def widen(model: Any, gain: float) -> None:
    """Larger weights, so that all layers spike."""
    for module in model.modules():
        if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):
            module.weight *= gain


def step_by_step(model: Any, x: Any, layers: dict[str, Any]) -> Rasters:
    """What each of some modules put out, (samples, steps, size)."""
    seen: dict[str, list[Any]] = {name: [] for name in layers}

    def hook(name: str) -> Callable[..., None]:
        def keep(module: Any, arguments: Any, result: Any) -> None:
            seen[name].append(result[0] if isinstance(result, tuple) else result)

        return keep

    handles = [module.register_forward_hook(hook(name)) for name, module in layers.items()]
    for t in range(x.shape[1]):
        model(x[:, t])
    for handle in handles:
        handle.remove()
    return {n: torch.stack(r, 1).flatten(2).numpy() for n, r in seen.items()}


def check(network: FloatNetwork, x: Any, rasters: Rasters) -> None:
    """The float reference spikes as the framework did, in layers that do spike."""
    run = simulate_float(network, x.flatten(2).numpy())
    for name, raster in rasters.items():
        found = run.spikes[name]
        assert found.shape == raster.shape
        assert raster.sum() > 20
        assert int((found != raster).sum()) == 0, name


# snnTorch.


@pytest.fixture
def snn() -> Any:
    pytest.importorskip("nirtorch", reason="NIRTorch is not installed")
    return pytest.importorskip("snntorch", reason="snnTorch is not installed")


def snntorch_graph(model: Any, sample: Any) -> Any:
    from snntorch.export_nir import export_to_nir  # noqa: PLC0415 - after the skip

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own use of NIRTorch
        return export_to_nir(model, sample, ignore_dims=[0])


RESETS = [
    ("subtract", True, {"reset": "subtract", "reset_delay": True}),
    ("zero", False, {}),
    ("none", True, {"reset": "none"}),
]


def snntorch_neuron(snn: Any, kind: str, shape: tuple[int, ...], **options: Any) -> Any:
    """A neuron whose parameters have the shape of the layer: its exporter needs that."""
    decays = {"alpha": 0.8, "beta": 0.7} if "Synaptic" in kind else {"beta": 0.9}
    each = {name: torch.full(shape, value) for name, value in decays.items()}
    threshold = torch.full(shape, 0.8)
    return getattr(snn, kind)(**each, threshold=threshold, init_hidden=True, **options)


def check_snntorch(model: Any, x: Any, layers: dict[str, Any], **options: Any) -> None:
    graph = snntorch_graph(model, x[:, 0])
    for module in layers.values():
        module.reset_mem()
    rasters = step_by_step(model, x, layers)
    check(load_nir(graph, "snntorch", **options), x, rasters)


@pytest.mark.parametrize(("mechanism", "delay", "options"), RESETS)
@pytest.mark.parametrize("kind", ["Leaky", "Synaptic"])
def test_snntorch_layers(snn: Any, kind: str, mechanism: str, delay: bool, options: Any) -> None:
    reset = {"reset_mechanism": mechanism, "reset_delay": delay}
    first, second = (snntorch_neuron(snn, kind, (size,), **reset) for size in (9, 5))
    model = torch.nn.Sequential(
        torch.nn.Linear(12, 9), first, torch.nn.Linear(9, 5, bias=False), second
    )
    widen(model, 2.0)
    check_snntorch(model, events(12), {"1": first, "3": second}, **options)


def test_snntorch_leaky_with_delayed_zero_spikes_as_without_delay(snn: Any) -> None:
    neuron = snntorch_neuron(snn, "Leaky", (9,), reset_mechanism="zero", reset_delay=True)
    model = torch.nn.Sequential(torch.nn.Linear(12, 9), neuron)
    check_snntorch(model, events(12), {"1": neuron})


@pytest.mark.parametrize(
    ("mechanism", "options"),
    [("subtract", RESETS[0][2]), ("zero", {"reset_delay": True}), ("none", {"reset": "none"})],
)
@pytest.mark.parametrize("kind", ["RLeaky", "RSynaptic"])
@pytest.mark.parametrize("all_to_all", [True, False])
def test_snntorch_recurrent_layers(
    snn: Any, kind: str, mechanism: str, options: Any, all_to_all: bool
) -> None:
    def neuron(size: int) -> Any:
        how = {"linear_features": size} if all_to_all else {"V": torch.rand(size) - 0.5}
        return snntorch_neuron(
            snn, kind, (size,), reset_mechanism=mechanism, all_to_all=all_to_all, **how
        )

    first, second = neuron(9), neuron(5)
    model = torch.nn.Sequential(torch.nn.Linear(12, 9), first, torch.nn.Linear(9, 5), second)
    widen(model, 1.5)
    check_snntorch(model, events(12), {"1.lif": first, "3.lif": second}, **options)


def test_snntorch_convolution_and_pooling(snn: Any) -> None:
    reset = {"reset_mechanism": "zero", "reset_delay": False}
    first = snntorch_neuron(snn, "Leaky", (3, 5, 7), **reset)
    second = snntorch_neuron(snn, "Leaky", (4, 2, 3), **reset)
    last = snntorch_neuron(snn, "Leaky", (6,), **reset)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 3, padding=(1, 0), stride=(2, 1)),
        first,
        torch.nn.AvgPool2d(2),
        torch.nn.Conv2d(3, 4, 3, padding=1, bias=False),
        second,
        torch.nn.Flatten(),
        torch.nn.Linear(24, 6),
        last,
    )
    widen(model, 5.0)
    check_snntorch(model, events(2, 9, 9), {"1": first, "4": second, "7": last})


# Norse.


@pytest.fixture
def norse() -> Any:
    pytest.importorskip("nirtorch", reason="NIRTorch is not installed")
    return pytest.importorskip("norse.torch", reason="Norse is not installed")


def check_norse(norse: Any, cells: list[Any], x: Any, **options: Any) -> None:
    """Cells with linear layers between them."""
    sizes = [*range(12, 12 - len(cells), -1), 5]
    layers = [
        layer
        for before, after, cell in zip(sizes, sizes[1:], cells, strict=False)
        for layer in (torch.nn.Linear(before, after), cell(after))
    ]
    model = norse.SequentialState(*layers)
    widen(model, 3.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # It multiplies time constants by its dt.
        graph = norse.to_nir(model, x[0, 0], dt=1.0)
    state, seen = None, [[] for _ in cells]
    for t in range(x.shape[1]):
        signal, states = x[:, t], [None] * len(layers) if state is None else state
        state = []
        for place, (layer, before) in enumerate(zip(layers, states, strict=True)):
            if place % 2:
                signal, after = layer(signal, before)
                seen[place // 2].append(signal)
                state.append(after)
            else:
                signal = layer(signal)
                state.append(None)
    rasters = {str(2 * n + 1): torch.stack(raster, 1).numpy() for n, raster in enumerate(seen)}
    check(load_nir(graph, "norse", dt=1e-3, **options), x, rasters)


def lif_box(norse: Any, size: int, **options: Any) -> Any:
    values = {"tau_mem_inv": 100.0, "v_leak": 0.1, "v_th": 0.3} | options
    each = {name: torch.full((size,), value) for name, value in values.items()}
    return norse.LIFBoxCell(norse.LIFBoxParameters(**each))


def test_norse_lif_box_layers(norse: Any) -> None:
    check_norse(norse, [lambda size: lif_box(norse, size)] * 2, events(12))


def test_norse_integrate_and_fire(norse: Any) -> None:
    def cell(size: int) -> Any:
        return norse.IAFCell(norse.IAFParameters(v_th=torch.full((size,), 1.5)))

    check_norse(norse, [cell, cell], events(12))


def test_norse_lif_cell_needs_its_own_gain(norse: Any) -> None:
    def cell(size: int) -> Any:
        each = {"tau_syn_inv": 200.0, "tau_mem_inv": 100.0, "v_leak": 0.0, "v_th": 0.5}
        return norse.LIFCell(
            norse.LIFParameters(**{n: torch.full((size,), v) for n, v in each.items()})
        )

    check_norse(norse, [cell, cell], events(12), synaptic_gain="one", synaptic_leak=False)


def test_norse_makes_of_a_cuba_lif_what_the_importer_does(norse: Any) -> None:
    nir = pytest.importorskip("nir")
    ones = np.ones(9, np.float32)
    node = nir.CubaLIF(5e-3 * ones, 1e-2 * ones, 2 * ones, 0.2 * ones, 0.5 * ones, w_in=3 * ones)
    weight = np.random.default_rng(2).normal(size=(9, 12)).astype(np.float32)
    graph = nir.NIRGraph(
        {
            "input": nir.Input(np.array([12])),
            "w": nir.Affine(weight, 0 * ones),
            "lif": node,
            "output": nir.Output(np.array([9])),
        },
        [("input", "w"), ("w", "lif"), ("lif", "output")],
    )
    x = events(12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = norse.from_nir(graph, dt=1e-3)
        state, seen = None, []
        for t in range(x.shape[1]):
            z, state = model(x[:, t], state)
            seen.append(z)
    check(load_nir(graph, "norse", dt=1e-3), x, {"lif": torch.stack(seen, 1).numpy()})


# Sinabs.


@pytest.fixture
def sinabs() -> Any:
    pytest.importorskip("nirtorch", reason="NIRTorch is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("sinabs.layers", reason="Sinabs is not installed")


def test_sinabs_layers(sinabs: Any) -> None:
    from sinabs.nir import to_nir  # noqa: PLC0415 - after the skip

    layers = {
        "0": torch.nn.Conv2d(2, 3, 3, padding=1, bias=False),
        "1": sinabs.IAFSqueeze(batch_size=SAMPLES, min_v_mem=-1.0),
        "2": sinabs.SumPool2d(2),
        "3": torch.nn.Flatten(),
        "4": torch.nn.Linear(48, 6),
        "5": sinabs.LIFSqueeze(tau_mem=12.0, batch_size=SAMPLES, norm_input=False),
    }
    model = torch.nn.Sequential(*layers.values())
    widen(model, 2.0)
    x = events(2, 8, 8)
    model(x.flatten(0, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = to_nir(model, x[:, 0])
    for name in ("1", "5"):
        layers[name].reset_states()
    seen, signal = {}, x.flatten(0, 1)
    for name, layer in layers.items():
        signal = layer(signal)
        seen[name] = signal.reshape(SAMPLES, STEPS, -1).numpy()
    assert seen["1"].max() > 1
    check(load_nir(graph, "sinabs"), x, {name: seen[name] for name in ("1", "5")})
