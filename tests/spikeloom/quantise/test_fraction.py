"""Fraction bits: slow leaks keep their spikes, and states keep their range."""

import math
import re

import numpy as np
import pytest

from spikeloom.golden.fixed import decay
from spikeloom.golden.spec import Reset
from spikeloom.golden.step.run import simulate
from spikeloom.importer.float_network import (
    FloatConnection,
    FloatInput,
    FloatNetwork,
    FloatPopulation,
)
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.quantise import quantise
from spikeloom.quantise.leak import integer_decay, integer_time_constant, time_constant
from spikeloom.quantise.saturation import saturations

FAN_IN, SIZE = 32, 16
MEAN_WEIGHT = 0.15


def slow(tau: float, reset: Reset = Reset.VALUE) -> FloatNetwork:
    """LIF neurons with excitatory weights; 8 bits make a threshold of 508 units of these."""
    weights = np.random.default_rng(1).uniform(0.05, 0.25, (FAN_IN, SIZE))
    return FloatNetwork(
        (FloatInput("in", FAN_IN),),
        (FloatPopulation("a", SIZE, np.zeros(SIZE), 1 / tau, threshold=1.0, reset=reset),),
        (FloatConnection("in", "a", weights),),
    )


def events(tau: float, drive: float, steps: int = 4000) -> np.ndarray:
    """Random events that would take the potential to `drive` thresholds."""
    rate = drive / (FAN_IN * MEAN_WEIGHT) / tau
    return np.random.default_rng(2).random((4, steps, FAN_IN)) < rate


@pytest.mark.parametrize("drive", [1.2, 2.4, 5])
@pytest.mark.parametrize("tau", [10, 30, 100, 200, 300, 500, 700, 800, 900, 910, 950, 1000])
def test_spike_counts_are_within_3_percent(tau: float, drive: float) -> None:
    """8-bit weights, 16-bit states, without calibration."""
    net, x = slow(tau), events(tau, drive)
    network, report = quantise(net, max_fraction_bits=12)
    expected = simulate_float(net, x).spikes["a"].sum()
    assert expected > 100
    assert abs(simulate(network, x).spikes["a"].sum() / expected - 1) < 0.03
    assert not report.warnings
    [row] = report.populations
    assert row.tau == pytest.approx(tau - 0.5, rel=0.01)
    assert row.effective_tau == pytest.approx(row.tau, rel=0.05)


def test_without_fraction_bits_the_loss_is_said() -> None:
    net, x = slow(1000), events(1000, 2.4)
    network, report = quantise(net)
    lost = simulate(network, x).spikes["a"].sum() / simulate_float(net, x).spikes["a"].sum()
    assert lost < 0.5
    [line] = report.warnings
    assert "a time constant of 999.5 steps became 321" in line
    settings = {name: int(value) for name, value in re.findall(r"(\w+_bits)=(\d+)", line)}
    finer = quantise(
        net, max_fraction_bits=settings["fraction_bits"], state_bits=settings["state_bits"]
    )
    assert not finer[1].warnings


def test_single_neuron_with_a_slow_leak() -> None:
    """One axon, one neuron: as many spikes, nearly all of them in their step."""
    net = FloatNetwork(
        (FloatInput("in", 1),),
        (FloatPopulation("a", 1, np.zeros(1), 1 / 1000, threshold=1.0),),
        (FloatConnection("in", "a", np.array([[0.13]])),),
    )
    x = np.random.default_rng(1).random((10, 4000, 1)) < 0.03
    network, _ = quantise(net, max_fraction_bits=12)
    spikes, expected = simulate(network, x).spikes["a"], simulate_float(net, x).spikes["a"]
    assert spikes.sum() == expected.sum() > 100
    assert (spikes & expected).sum() > 0.95 * expected.sum()


@pytest.mark.parametrize("tau", [math.inf, 20, 500])
@pytest.mark.parametrize("reset", [Reset.VALUE, Reset.SUBTRACT])
@pytest.mark.parametrize("state_bits", [12, 16, 20])
def test_pairs_are_never_worse_than_single_weights(
    tau: float, reset: Reset, state_bits: int
) -> None:
    """Whatever the states hold: pairs of 8 bits, which make potentials 257 times as large."""
    net, x = slow(tau, reset), events(min(tau, 500), 2.4, 2000)
    expected = simulate_float(net, x).spikes["a"]
    different = []
    for weight_bits in (8, 16):
        network, report = quantise(
            net, weight_bits=weight_bits, state_bits=state_bits, max_fraction_bits=12
        )
        different.append(int((simulate(network, x).spikes["a"] != expected).sum()))
    assert different[1] <= 1.1 * different[0]
    [row] = report.populations
    assert row.scale_origin == ("range" if row.weight_limit == 1 else "states")
    said = [line for line in report.warnings if "leave its weights" in line]
    assert bool(said) == (row.weight_limit < 1 / 16)
    if said and tau < 500:  # there the nearest time constant decides, not the room
        [width] = re.findall("use state_bits=([0-9]+)", said[0])
        _, wider = quantise(net, weight_bits=16, state_bits=int(width), max_fraction_bits=12)
        assert not wider.warnings


def test_states_are_as_wide_as_pairs_need() -> None:
    for weight_bits, tau, width in ((8, 1000, 16), (16, 1000, 18), (16, math.inf, 18)):
        network, report = quantise(
            slow(tau), weight_bits=weight_bits, state_bits=None, max_fraction_bits=12
        )
        assert network.state_bits == width
        chosen = f"population 'a': chose state_bits={width}, which it needs"
        assert (chosen in report.notes) == (width > 16)
        assert not report.warnings


def test_no_more_fraction_bits_than_are_useful() -> None:
    """A fast leak, or none, keeps the range of the states."""
    bits = [
        quantise(slow(tau), max_fraction_bits=12)[1].populations[0].fraction_bits
        for tau in (1, 2, 10, 20, 50, 100)
    ]
    assert bits == sorted(bits)
    assert bits[0] == 0
    assert bits[2] == 1
    [row] = quantise(slow(math.inf), max_fraction_bits=12)[1].populations
    assert row.fraction_bits == 0
    assert row.tau is row.effective_tau is None


def test_calibration_keeps_potentials_in_range() -> None:
    """Strong inhibition, which no potential may lose, and a leak slow enough to want every bit."""
    rng = np.random.default_rng(4)
    net = FloatNetwork(
        (FloatInput("in", 20),),
        (FloatPopulation("a", 5, np.zeros(5), 1 / 500, 1.0, reset=Reset.SUBTRACT),),
        (FloatConnection("in", "a", rng.normal(-0.01, 0.2, (20, 5))),),
    )
    x = rng.random((3, 800, 20)) < 0.05
    peak = simulate_float(net, x).peaks["a"]
    network, report = quantise(net, max_fraction_bits=12, calibration=x)
    [row] = report.populations
    assert saturations(network, x) == {"a": 0}
    assert row.fraction_bits > 0
    assert peak * row.state_scale < 32768 <= 8 * peak * row.state_scale
    free = quantise(net, max_fraction_bits=12)[0]
    assert saturations(free, x)["a"] > 0


def test_biases_are_in_the_unit_of_the_potential() -> None:
    net = FloatNetwork(
        (FloatInput("in", 2),),
        (FloatPopulation("a", 2, np.array([0.0011, -0.0007]), 0.01, 1.0, v_reset=-0.1),),
        (FloatConnection("in", "a", np.array([[1.0, 0.3], [0.2, 0.51234]])),),
    )
    network, report = quantise(net, max_fraction_bits=12, state_bits=20)
    [integer], [row] = network.populations, report.populations
    assert integer.fraction_bits == row.fraction_bits > 4
    unit = row.scale * 2**row.fraction_bits
    assert np.array_equal(integer.bias, np.rint(np.array([0.0011, -0.0007]) * unit))
    assert (integer.threshold, integer.v_reset) == (int(unit), round(-0.1 * unit))
    assert network.connections[0].weights.max() == 127
    assert network.sum_bits == 9
    x = np.random.default_rng(1).random((3, 300, 2)) < 0.05
    spikes = simulate(network, x).spikes["a"]
    assert spikes.sum() > 20
    assert abs(int(spikes.sum()) - int(simulate_float(net, x).spikes["a"].sum())) <= 1


def test_sums_are_wide_enough_for_a_bias_wider_than_the_states() -> None:
    net = FloatNetwork(
        (FloatInput("in", 2),),
        (
            FloatPopulation("a", 1, np.array([-500.0]), threshold=1.0),
            FloatPopulation("b", 1, np.zeros(1), 1 / 500, threshold=1.0),
        ),
        (
            FloatConnection("in", "a", np.array([[1.0], [0.51234]])),
            FloatConnection("in", "b", np.array([[1.0], [0.51234]])),
        ),
    )
    network, report = quantise(net, max_fraction_bits=12)
    assert [row.fraction_bits > 0 for row in report.populations] == [False, True]
    assert network.populations[0].bias.item() == -500 * 127
    assert network.sum_bits == network.bias_bits == 17


def test_a_bias_off_the_grid_of_the_weights_is_whole_in_finer_units() -> None:
    net = FloatNetwork(
        (FloatInput("in", 2),),
        (FloatPopulation("a", 1, np.array([1 / 256]), threshold=1.0),),
        (FloatConnection("in", "a", np.array([[7 / 8], [3 / 8]])),),
    )
    network, report = quantise(net, max_fraction_bits=12, weight_bits=4)
    [row] = report.populations
    assert (row.exact, row.scale, row.fraction_bits) == (True, 8.0, 5)
    assert (network.populations[0].bias.item(), network.populations[0].threshold) == (1, 256)


# Time constants.


@pytest.mark.parametrize("k", [1, 3, 41, 1024])
@pytest.mark.parametrize("start", [40, 508, 16256])
def test_integer_time_constant_is_that_of_the_decay(k: int, start: int) -> None:
    state, steps = np.array([start]), 0
    while state[0] > start / math.e:
        state, steps = decay(state, k), steps + 1
    tau = integer_time_constant(k, start)
    assert tau is not None
    assert steps - 1 <= tau <= steps


def test_time_constants_that_are_none() -> None:
    assert time_constant(0.0) is time_constant(1.0) is None
    assert integer_time_constant(0, 100) is integer_time_constant(4096, 100) is None
    assert time_constant(1 - math.exp(-1 / 50)) == pytest.approx(50)


def test_slow_decays_take_the_integer_with_the_closer_time_constant() -> None:
    assert integer_decay(1 / 900, 16256) == 4  # 972 steps, and 786 with 5
    assert integer_decay(1 / 900, 1 << 22) == 5  # 1,023 and 818
    assert integer_decay(0.1, 508) == round(409.6)
    assert integer_decay(1e-5, 508) == 0
    assert integer_decay(0.6 / 4096, 508) == 1
