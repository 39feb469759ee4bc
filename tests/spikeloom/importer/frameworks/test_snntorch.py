"""snnTorch: layers of every kind, reset and delay spike in the float network as they do there."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from nir_frameworks import check, events, need, quiet, seeded, step_by_step, widen

import spikeloom
from spikeloom.golden.spec import Reset
from spikeloom.importer.float_network import FloatNetwork
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.importer.load import load_nir
from spikeloom.quantise import quantise
from spikeloom.quantise.fidelity import compare_float

torch = need("torch", "PyTorch")
need("nirtorch", "NIRTorch")
snn = need("snntorch", "snnTorch")

MECHANISMS = ("subtract", "zero", "none")


@pytest.fixture(autouse=True)
def fixed() -> Iterator[None]:
    with seeded(torch):
        yield


def export(model: Any, sample: Any, **options: Any) -> Any:
    from snntorch.export_nir import export_to_nir  # noqa: PLC0415 - after the skip

    with quiet():
        return export_to_nir(model, sample, **({"ignore_dims": [0]} | options))


def neuron(kind: str, shape: tuple[int, ...], vector: bool = False, **options: Any) -> Any:
    """A neuron whose parameters have the shape of the layer."""
    decays = {"alpha": 0.8, "beta": 0.7} if "Synaptic" in kind else {"beta": 0.9}
    each = {
        name: value + (0.15 * (torch.rand(shape) - 0.5) if vector else torch.zeros(shape))
        for name, value in ({"threshold": 0.8} | decays).items()
    }
    return getattr(snn, kind)(**each, init_hidden=True, **options)


def check_model(model: Any, x: Any, layers: dict[str, Any], **options: Any) -> None:
    graph = export(model, torch.from_numpy(x[:, 0]))
    for module in layers.values():
        module.reset_mem()
    rasters = step_by_step(torch, model, torch.from_numpy(x), layers)
    check(load_nir(graph, "snntorch", **options), x, rasters)


@pytest.mark.parametrize("vector", [False, True], ids=["scalar", "vector"])
@pytest.mark.parametrize("delay", [True, False], ids=["late", "at once"])
@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("kind", ["Leaky", "Synaptic"])
@pytest.mark.parametrize("gain", [2.0, 6.0])
def test_layers(kind: str, mechanism: str, delay: bool, vector: bool, gain: float) -> None:
    reset = {"reset_mechanism": mechanism, "reset_delay": delay}
    first, second = (neuron(kind, (size,), vector, **reset) for size in (9, 5))
    model = torch.nn.Sequential(
        torch.nn.Linear(12, 9), first, torch.nn.Linear(9, 5, bias=False), second
    )
    widen(torch, model, gain)
    options = {"reset": mechanism, "reset_delay": delay}
    check_model(model, events(12), {"1": first, "3": second}, **options)


def vectors(first: str, second: str, mechanism: str, delay: bool) -> FloatNetwork:
    """Two layers whose decays and thresholds differ between neurons, imported."""
    reset = {"reset_mechanism": mechanism, "reset_delay": delay}
    model = torch.nn.Sequential(
        torch.nn.Linear(12, 9),
        neuron(first, (9,), True, **reset),
        torch.nn.Linear(9, 5, bias=False),
        neuron(second, (5,), True, **reset),
    )
    widen(torch, model, 2.0)
    graph = export(model, torch.zeros(1, 12))
    return load_nir(graph, "snntorch", reset=mechanism, reset_delay=delay)


@pytest.mark.parametrize("delay", [True, False], ids=["late", "at once"])
@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("kind", ["Leaky", "Synaptic"])
@pytest.mark.parametrize(("bits", "limit"), [(8, 0.02), (16, 0.001)])
def test_vectors_as_integers(
    kind: str, mechanism: str, delay: bool, bits: int, limit: float
) -> None:
    """Spikes that differ from those in float, in the first layer; the second adds up its own."""
    net = vectors(kind, kind, mechanism, delay)
    network, report = quantise(
        net, weight_bits=bits, state_bits=2 * bits if bits == 8 else 24, max_fraction_bits=12
    )
    assert not report.warnings
    late = delay and mechanism != "none" and (kind == "Synaptic" or mechanism == "subtract")
    for population in network.populations:
        assert isinstance(population.decay, np.ndarray)
        assert population.delayed_reset == late
        assert (population.reset is Reset.RESTORE) == (mechanism == "subtract" and not delay)
    first, second = compare_float(net, network, report, events(12) > 0).populations
    assert first.spikes is not None
    assert second.spikes is not None
    assert 1 - first.spikes.fraction <= limit
    assert 1 - second.spikes.fraction <= 4 * limit
    for layer in (first, second):
        assert layer.spikes.reference > 40
        assert abs(layer.spikes.other / layer.spikes.reference - 1) <= 2.5 * limit


@pytest.mark.parametrize(("mechanism", "delay"), [("subtract", False), ("zero", True)])
def test_vectors_in_rtl(mechanism: str, delay: bool) -> None:
    program = spikeloom.compile(vectors("Synaptic", "Leaky", mechanism, delay))
    assert program.fabric.neuron_parameters
    assert program.fabric.delayed_reset
    bits = events(12) > 0
    with spikeloom.open(program, backend="golden") as device:
        golden = device.run(bits)
    with spikeloom.open(program, backend="verilator") as device:
        rtl = device.run(bits)
    for name in ("1", "3"):
        assert golden.spikes[name].sum() > 20
        assert np.array_equal(golden.spikes[name], rtl.spikes[name])
        assert np.array_equal(golden.states[name], rtl.states[name])
    assert rtl.errors == 0


@pytest.mark.parametrize("vector", [False, True], ids=["scalar", "vector"])
@pytest.mark.parametrize(
    ("kind", "delay"), [("RLeaky", True), ("RLeaky", False), ("RSynaptic", True)]
)
@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("all_to_all", [True, False], ids=["all to all", "one to one"])
def test_recurrent_layers(
    kind: str, delay: bool, mechanism: str, all_to_all: bool, vector: bool
) -> None:
    def recurrent(size: int) -> Any:
        how = {"linear_features": size} if all_to_all else {"V": torch.rand(size) - 0.5}
        reset = {"reset_mechanism": mechanism, "reset_delay": delay}
        return neuron(kind, (size,), vector, all_to_all=all_to_all, **reset, **how)

    first, second = recurrent(9), recurrent(5)
    model = torch.nn.Sequential(torch.nn.Linear(12, 9), first, torch.nn.Linear(9, 5), second)
    widen(torch, model, 2.5)
    model[2].weight.abs_()
    options = {"reset": mechanism, "reset_delay": delay}
    check_model(model, events(12), {"1.lif": first, "3.lif": second}, **options)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("zero", True), ("subtract", True)),
        (("none", True), ("zero", False)),
        (("subtract", False), ("subtract", True)),
    ],
)
@pytest.mark.parametrize("kind", ["Leaky", "Synaptic", "RLeaky"])
def test_layers_that_reset_differently(
    kind: str, first: tuple[str, bool], second: tuple[str, bool]
) -> None:
    more = {"linear_features": 9} if kind == "RLeaky" else {}
    resets = [{"reset_mechanism": mechanism, "reset_delay": d} for mechanism, d in (first, second)]
    layer = neuron(kind, (9,), **resets[0], **more)
    last = neuron("Leaky", (5,), **resets[1])
    model = torch.nn.Sequential(torch.nn.Linear(12, 9), layer, torch.nn.Linear(9, 5), last)
    widen(torch, model, 3.0)
    options = {
        "reset": {"1": first[0], "*": second[0]},
        "reset_delay": {"1": first[1], "3": second[1]},
    }
    check_model(model, events(12), {"1.lif" if more else "1": layer, "3": last}, **options)


@pytest.mark.parametrize("kind", ["Leaky", "Synaptic", "RLeaky", "RSynaptic"])
def test_decays_outside_0_to_1_are_clamped(kind: str) -> None:
    """As learned: snnTorch clamps beta and alpha in every step."""
    more = {"linear_features": 9} if kind.startswith("R") else {}
    decays = {"beta": torch.linspace(-0.3, 1.2, 9)}
    if kind.endswith("Synaptic"):
        decays["alpha"] = torch.linspace(1.1, -0.2, 9)
    layer = getattr(snn, kind)(**decays, threshold=torch.ones(9), init_hidden=True, **more)
    model = torch.nn.Sequential(torch.nn.Linear(12, 9), layer)
    widen(torch, model, 2.0)
    check_model(model, events(12), {"1.lif" if more else "1": layer})


def test_a_recurrent_synaptic_layer_without_delay_fails_in_snntorch() -> None:
    """If it runs one day, `differences` of the dialect has a line too many."""
    layer = neuron("RSynaptic", (5,), linear_features=5, reset_delay=False)
    with pytest.raises(TypeError):
        layer(torch.ones(1, 5))


@pytest.mark.parametrize("kind", ["Leaky", "Synaptic", "RLeaky", "RSynaptic"])
def test_the_defaults_of_the_dialect_are_those_of_the_layers(kind: str) -> None:
    more = {"linear_features": 9} if kind.startswith("R") else {}
    layer = neuron(kind, (9,), **more)
    model = torch.nn.Sequential(torch.nn.Linear(12, 9), layer)
    widen(torch, model, 3.0)
    check_model(model, events(12), {"1.lif" if more else "1": layer})


def test_a_decay_of_one_or_nought_is_exported_as_infinity_and_dt() -> None:
    beta = torch.tensor([1.0, 0.0, 0.5, 1.0, 0.9])
    alpha = torch.tensor([0.0, 1.0, 0.5, 0.9, 1.0])
    for layer in (
        snn.Leaky(beta, threshold=torch.ones(5), init_hidden=True),
        snn.Leaky(torch.ones(5), threshold=torch.ones(5), init_hidden=True),
        snn.Synaptic(alpha, beta, threshold=torch.ones(5), init_hidden=True),
        snn.Synaptic(torch.zeros(5), beta, threshold=torch.ones(5), init_hidden=True),
    ):
        model = torch.nn.Sequential(torch.nn.Linear(12, 5), layer)
        widen(torch, model, 3.0)
        with np.errstate(divide="ignore"):
            check_model(model, events(12), {"1": layer})


@pytest.mark.parametrize("mechanism", ["subtract", "zero"])
def test_convolution_and_pooling(mechanism: str) -> None:
    reset = {"reset_mechanism": mechanism, "reset_delay": True}
    first = neuron("Leaky", (3, 5, 7), **reset)
    second = neuron("Leaky", (4, 2, 3), **reset)
    last = neuron("Leaky", (6,), **reset)
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
    widen(torch, model, 5.0)
    layers = {"1": first, "4": second, "7": last}
    check_model(model, events(2, 9, 9), layers, reset=mechanism)


def test_potentials_read_at_the_end_are_those_of_snntorch() -> None:
    thresholds = torch.linspace(0.6, 1.4, 9)
    layer = snn.Leaky(torch.full((9,), 0.9), threshold=thresholds, output=True, init_hidden=True)
    model = torch.nn.Sequential(torch.nn.Linear(12, 9), layer)
    widen(torch, model, 3.0)
    x = events(12)
    graph = export(model, torch.from_numpy(x[:, 0]))
    layer.reset_mem()
    for t in range(x.shape[1]):
        _, potentials = model(torch.from_numpy(x[:, t]))
    run = simulate_float(load_nir(graph, "snntorch"), x)
    assert np.allclose(run.states["1"], potentials.numpy(), atol=1e-4)
