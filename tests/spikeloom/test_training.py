"""Training in the loop: the values are the device's, the gradients those of the equations."""

import dataclasses
import importlib
import sys
from typing import Any

import numpy as np
import pytest
from traced_network import plain_states, traced_events, traced_network

import spikeloom
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.sparse import OneToOne
from spikeloom.golden.spec import Reset
from spikeloom.golden.switches.spike_once import SpikeOnce
from spikeloom.mismatch import Mismatch

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from spikeloom.training import InTheLoop  # noqa: E402 - needs torch

TRACED = {"traces": True, "sparse_words": 0}


def one_neuron(**parameters: Any) -> Network:
    """A neuron that an axon drives with weight 6, and a leaky sum of its spikes, weight 4."""
    neuron = Population("p", 1, np.zeros(1, np.int64), **{"threshold": 10} | parameters)
    total = Population("sum", 1, np.zeros(1, np.int64), 1, decay=1024, spiking=False)
    return Network(
        (Input("in", 1),),
        (neuron, total),
        (Connection("in", "p", np.array([[6]])), Connection("p", "sum", np.array([[4]]))),
        sum_bits=16,
    )


def outcome_of(network: Network, steps: int, **options: Any) -> Any:
    fabric = TRACED | ({"traces": False} if options.pop("untraced", False) else {})
    with spikeloom.open(spikeloom.compile(network, fabric)) as device:
        loop = InTheLoop(device, **options)
        return loop, loop(np.ones((1, steps, 1), np.bool_))


def test_the_gradient_of_a_spike_is_the_surrogate() -> None:
    """Potentials are 6 and 12, so the second step spikes, and du/dw is 2 there."""
    loop, outcome = outcome_of(one_neuron(), 2, beta=10.0)
    assert outcome.spikes["p"].flatten().tolist() == [0, 1]
    outcome.spikes["p"][0, 1, 0].backward()
    gradient = loop.weights["in->p"].grad.item()
    assert gradient == pytest.approx(2 / 10 / (1 + 10 * 0.2) ** 2)


def test_the_gradient_goes_back_through_layers_and_steps() -> None:
    """The sum's potential after step 2 is 4 s(2) + 3/4 (4 s(1) + 3/4 4 s(0))."""
    loop, outcome = outcome_of(one_neuron(reset=Reset.SUBTRACT), 3, beta=5.0)
    assert outcome.spikes["p"].flatten().tolist() == [0, 1, 0]  # at potentials of 6, 12, 8
    outcome.potentials["sum"][0, 2, 0].backward()

    def slope(u: float) -> float:
        return 1 / 10 / (1 + 5 * abs(u - 10) / 10) ** 2

    expected = 4 * (3 * slope(8) + 3 / 4 * 2 * slope(12) + 9 / 16 * slope(6))
    assert loop.weights["in->p"].grad.item() == pytest.approx(expected)
    assert loop.weights["p->sum"].grad.item() == pytest.approx(3 / 4)


def test_a_reset_to_a_value_ends_the_gradient() -> None:
    loop, outcome = outcome_of(one_neuron(), 3)
    assert outcome.potentials["p"].flatten().tolist() == [6, 0, 6]
    outcome.potentials["p"][0, 2, 0].backward()
    assert loop.weights["in->p"].grad.item() == 1  # the last event, not those before the reset


def test_currents_decay_on_the_way() -> None:
    loop, outcome = outcome_of(one_neuron(synaptic_decay=2048, threshold=99), 2)
    outcome.potentials["p"][0, 1, 0].backward()
    assert loop.weights["in->p"].grad.item() == 1 + 1.5


def test_the_equations_have_leaks_limits_and_fractions() -> None:
    """Currents of 8 w / 2**t, of which the leak takes 20; without traces, so the equations' own."""
    total = Population(
        "sum",
        1,
        np.zeros(1, np.int64),
        synaptic_decay=2048,
        leak=np.full(1, -20),
        v_min=-25,
        fraction_bits=3,
        spiking=False,
    )
    network = Network((Input("in", 1),), (total,), (Connection("in", "sum", np.array([[4]])),))
    with spikeloom.open(spikeloom.compile(network, {"sparse_words": 0})) as device:
        loop = InTheLoop(device)
        potentials = loop(np.arange(6).reshape(1, 6, 1) == 0).potentials["sum"][0, :, 0]
    assert potentials.tolist() == [12, 8, -4, -20, -25, -25]
    potentials[3].backward()
    assert loop.weights["in->sum"].grad.item() == 8 + 4 + 2 + 1


@pytest.mark.parametrize("untraced", [False, True])
def test_values_are_those_of_the_device(untraced: bool) -> None:
    network, events = traced_network(), traced_events()
    fabric = TRACED | {"traces": not untraced}
    with spikeloom.open(spikeloom.compile(network, fabric)) as device:
        outcome = InTheLoop(device)(events)
        run = device.run(events)
    assert np.array_equal(outcome.spikes["hidden"].detach(), run.spikes["hidden"])
    states = plain_states(network, events)
    for name in ("hidden", "sum"):
        shown = outcome.potentials[name].detach().numpy()
        assert np.array_equal(shown[:, -1], states[name][:, -1])
        assert np.array_equal(shown, states[name]) is not untraced
        # Floats have no rounding toward 0, of which the current has one a step, the potential too.
        assert np.abs(shown - states[name]).max() <= (16 if untraced else 0)


def test_weights_are_clipped_rounded_and_given_their_gains() -> None:
    design, mismatch = traced_network(), Mismatch(gain=0.2, seed=1)
    gain = mismatch.gains(design)
    program = spikeloom.compile(mismatch.planted(design), TRACED, sum_bits=16)
    with spikeloom.open(program) as device:
        loop = InTheLoop(device, design, gains=gain, limit=31)
        with torch.no_grad():
            loop.weights["in->hidden"][:] = torch.linspace(-40, 40, 54).reshape(6, 9)
        loop.load()
        wanted = np.rint(np.linspace(-40, 40, 54).reshape(6, 9).clip(-31, 31).astype(np.float32))
        assert np.array_equal(device.weights["in->hidden"], np.rint(wanted * gain["hidden"]))
        assert loop.weights["in->hidden"].max() == 31
        after = design.connections[2].weights.clip(-31, 31)
        assert np.array_equal(device.weights["hidden->sum"], np.rint(after * gain["sum"]))


def test_parameters_are_saved_and_loaded_as_those_of_any_module() -> None:
    with spikeloom.open(spikeloom.compile(traced_network(), TRACED, sum_bits=16)) as device:
        loop, other = InTheLoop(device), InTheLoop(device)
        assert list(loop.weights) == list(device.weights)
        with torch.no_grad():
            loop.weights["hidden->sum"] += 1.25
        other.load_state_dict(loop.state_dict())
        assert torch.equal(other.weights["hidden->sum"], loop.weights["hidden->sum"])


def test_a_loop_learns_on_one_to_one_weights() -> None:
    """Wanted: twice the potential. The gradient of a leaky sum is exact, so few steps do."""
    total = Population("sum", 3, np.zeros(3, np.int64), spiking=False)
    network = Network((Input("in", 3),), (total,), (OneToOne("in", "sum", np.array([3, 5, 9])),))
    with spikeloom.open(spikeloom.compile(network, {"traces": True}, sum_bits=16)) as device:
        loop = InTheLoop(device)
        optimiser = torch.optim.SGD(loop.parameters(), lr=0.25)
        events = np.ones((1, 1, 3), np.bool_)
        for _ in range(10):
            loss = (loop(events).potentials["sum"][0, 0] - torch.tensor([6.0, 10.0, 18.0])) ** 2
            optimiser.zero_grad()
            loss.sum().backward()
            optimiser.step()
        loop.load()
        assert device.weights["in->sum"].tolist() == [6, 10, 18]


def check_refused(message: str, network: Network, **options: Any) -> None:
    record = options.pop("record", None)
    with spikeloom.open(spikeloom.compile(network, TRACED, record=record)) as device:
        with pytest.raises(SpikeloomError) as error:
            InTheLoop(device, **options)
        assert str(error.value).startswith(message)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("parameters", "lacking"),
    [
        ({"switches": (SpikeOnce(),)}, "switches"),
        ({"max_spikes": 3}, "several spikes a step"),
        ({"signed": True}, "signed spikes"),
        ({"delayed_reset": True}, "a delayed reset"),
        ({"reset": Reset.RESTORE}, "a restoring reset"),
    ],
)
def test_what_has_no_gradient_is_refused(parameters: dict[str, Any], lacking: str) -> None:
    check_refused(f"training: population 'p' has {lacking}", one_neuron(**parameters))


def test_a_population_that_is_not_recorded_is_refused() -> None:
    check_refused("training needs the spikes of p: name it in", one_neuron(), record=[])


def test_options_that_do_not_fit_are_refused() -> None:
    network = one_neuron()
    check_refused("limit must be 1..127, not 128", network, limit=128)
    check_refused("gains: no population is called 'q'", network, gains={"q": np.ones(1)})
    check_refused("gains of 'p' must be 1 numbers", network, gains={"p": np.ones(2)})
    for gain in (np.nan, np.inf, -1.0):
        check_refused("gains of 'p' must be finite, and", network, gains={"p": np.full(1, gain)})
    check_refused("gains must be a dict of a population's gains", network, gains=2)
    check_refused("design must be a network of integers, such as", network, design="network")
    for beta in (0, -1, np.nan, "10", None):
        check_refused("beta must be a positive number, such as 10, not", network, beta=beta)
    with pytest.raises(SpikeloomError, match=r"device must be an open one, such as spikeloom.open"):
        InTheLoop(network)
    larger = dataclasses.replace(
        network,
        inputs=(Input("in", 2),),
        connections=(Connection("in", "p", np.ones((2, 1), np.int64)), network.connections[1]),
    )
    check_refused("design: its inputs are [('in', 2)], those of the device", network, design=larger)


def test_a_training_that_diverged_says_so() -> None:
    with spikeloom.open(spikeloom.compile(one_neuron(), TRACED)) as device:
        loop = InTheLoop(device)
        with torch.no_grad():
            loop.weights["in->p"].fill_(np.nan)
        with pytest.raises(SpikeloomError, match=r"'in->p' are not numbers any more: the training"):
            loop.load()


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "spikeloom.training")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SpikeloomError) as error:
        importlib.import_module("spikeloom.training")
    assert str(error.value) == (
        "spikeloom.training needs PyTorch, which is not installed: "
        "pip install 'spikeloom[training]'"
    )
