"""Switches in floating point: the integer update's twins, and the options that state them."""

import dataclasses
import itertools
from typing import Any

import nir
import numpy as np
import pytest
from random_switches import with_switches

import spikeloom
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import DECAY_ONE, SWITCHES, FabricConfig, Reset
from spikeloom.golden.step.run import simulate
from spikeloom.golden.switches.input_gain import InputGain
from spikeloom.golden.switches.switch import Switch
from spikeloom.importer.dialect import Dialect
from spikeloom.importer.float_network import (
    FloatConnection,
    FloatInput,
    FloatNetwork,
    FloatPopulation,
)
from spikeloom.importer.float_simulation import simulate_float
from spikeloom.importer.load import load_nir
from spikeloom.importer.switches.adaptive_threshold import FloatAdaptiveThreshold
from spikeloom.importer.switches.constant_leak import FloatConstantLeak
from spikeloom.importer.switches.floor_reset import FloatFloorReset
from spikeloom.importer.switches.input_gain import FloatInputGain
from spikeloom.importer.switches.noise import FloatNoise
from spikeloom.importer.switches.refractory import FloatRefractory
from spikeloom.importer.switches.selection import FloatSelection
from spikeloom.importer.switches.spike_once import FloatSpikeOnce
from spikeloom.importer.switches.switch import FloatSwitch, float_switch
from spikeloom.program import Program

IN_FLOAT = [name for name in SWITCHES if name != "requantise"]


def in_float(switch: Switch) -> FloatSwitch:
    """The twin of an integer switch: the same numbers."""
    values = vars(switch)
    if isinstance(switch, InputGain):
        gains, offsets = (np.ravel(values) * 1.0 for values in (switch.gain, switch.offset))
        return FloatInputGain.stated((gains / DECAY_ONE, offsets), None)
    if switch.name == "adaptive_threshold":
        values = {**values, "decay": values["decay"] / DECAY_ONE}
    return float_switch(switch.name)(**values)


def whole(switch: Switch) -> Switch:
    """The same, with whole gains and small offsets."""
    if not isinstance(switch, InputGain):
        return switch
    gain, offset = np.ravel(switch.gain), np.ravel(switch.offset)
    return InputGain(gain // DECAY_ONE * DECAY_ONE, offset % 9)


@pytest.mark.parametrize("name", IN_FLOAT)
@pytest.mark.parametrize("reset", [Reset.VALUE, Reset.NONE, Reset.SUBTRACT])
def test_whole_numbers_give_what_the_integer_update_gives(name: str, reset: Reset) -> None:
    """Whatever the switch, as long as nothing is rounded."""
    rng = np.random.default_rng([7, int(reset)])
    built = FabricConfig(**{name: True})
    tried = 0
    for _ in range(40):
        weights, bias = rng.integers(-9, 12, (3, 20)), rng.integers(-3, 6, 20)
        values: dict[str, Any] = {"reset": reset, "image": (5, 2, 2)}
        plain = Population("p", 20, bias, threshold=14, v_reset=2, v_init=1, **values)
        population = with_switches(rng, plain, built)
        exact = tuple(map(whole, population.switches))
        population = dataclasses.replace(population, switches=exact)
        switches = tuple(map(in_float, exact))
        if any(getattr(s, "decay", 0) not in (0, 1) for s in switches):
            continue  # would be rounded
        if any(s.name == "selection" and s.amount > 900 for s in population.switches):
            continue  # would saturate
        if any(getattr(s, "kind", "coin") != "coin" for s in switches):
            continue  # has a table that is rounded
        synapses = (Connection("in", "p", weights),)
        network = Network((Input("in", 3),), (population,), synapses, seed=5)
        values |= {"threshold": 14.0, "v_reset": 2.0, "v_init": 1.0}
        net = FloatNetwork(
            (FloatInput("in", 3),),
            (FloatPopulation("p", 20, bias * 1.0, switches=switches, **values),),
            (FloatConnection("in", "p", weights * 1.0),),
            dialect=Dialect("of the test", seed=5),
        )
        events = rng.random((2, 30, 3)) < 0.5
        expected, run = simulate(network, events), simulate_float(net, events)
        np.testing.assert_array_equal(run.spikes["p"], expected.spikes["p"], str(switches))
        np.testing.assert_array_equal(run.states["p"], expected.states["p"], str(switches))
        tried += bool(switches)
    never = reset is Reset.SUBTRACT and name == "floor_reset"  # they exclude each other
    assert tried >= (5 if name == "noise" else 10) or never


STATED: list[tuple[str, Any, float | None, FloatSwitch]] = [
    ("input_gain", (2, 0.5), None, FloatInputGain(((2.0,),), ((0.5,),))),
    ("input_gain", ([2, 3], 0), None, FloatInputGain(((2.0, 3.0),), ((0.0,),))),
    ("input_gain", ([[2], [3]], [0, 1]), None, FloatInputGain(((2.0,), (3.0,)), ((0.0, 1.0),))),
    ("constant_leak", 0.25, 1e-3, FloatConstantLeak(0.25)),
    ("constant_leak", (1, "positive"), None, FloatConstantLeak(1.0, positive_only=True)),
    ("refractory", 2e-3, 1e-3, FloatRefractory(2)),
    ("refractory", (0.003, "mute"), 1e-3, FloatRefractory(3, "mute")),
    ("refractory", 5, None, FloatRefractory(5)),
    ("floor_reset", -0.5, 1e-3, FloatFloorReset(-0.5)),
    ("adaptive_threshold", (0.1, 1.0), None, FloatAdaptiveThreshold(0.1, 1 - np.exp(-1.0))),
    ("adaptive_threshold", (1, 1e17, "keep"), 1, FloatAdaptiveThreshold(1.0, 1e-17, keep=True)),
    ("noise", ("uniform", 0.5), 1e-3, FloatNoise("uniform", 0.5)),
    ("spike_once", True, 1e-3, FloatSpikeOnce()),
    ("selection", True, 1e-3, FloatSelection()),
    ("selection", (("winners", 2), ("then", "free")), None, FloatSelection(2, then="free")),
]


@pytest.mark.parametrize(("name", "value", "dt", "expected"), STATED)
def test_what_is_stated(name: str, value: Any, dt: float | None, expected: FloatSwitch) -> None:
    stated = float_switch(name).stated(value, dt)
    assert type(stated) is type(expected)
    assert stated == expected or vars(stated) == pytest.approx(vars(expected))


REFUSED: list[tuple[str, Any, str]] = [
    ("input_gain", 2, "input_gain must be a pair of a gain and an offset, each a number, one for"),
    ("input_gain", ([[1, 2], [3]], 0), "input_gain must be a pair of a gain and an offset"),
    ("input_gain", ("1", "2"), "input_gain must be a pair of a gain and an offset"),
    ("constant_leak", (), "constant_leak must be a potential lost in each step, or a pair"),
    ("constant_leak", -1, "constant_leak must be a potential lost in each step, or a pair"),
    ("constant_leak", (1, "negative"), "constant_leak must be a potential lost in each step"),
    ("refractory", 2.5e-3, "refractory=0.0025 is 2.5 steps of dt=0.001; it must be 1 to 63 whole"),
    ("refractory", 0, "refractory=0 is 0 steps of dt=0.001"),
    ("refractory", 1.0, "refractory=1.0 is 1000 steps of dt=0.001"),
    ("refractory", (1e-3, "sleep"), "refractory must be a time, or a pair of it and hold or clamp"),
    ("refractory", "long", "refractory must be a time"),
    ("refractory", (), "refractory must be a time"),
    ("floor_reset", np.nan, "floor_reset must be a potential, not nan"),
    ("floor_reset", True, "floor_reset must be a potential, not True"),
    ("requantise", 3, "requantise rounds integer potentials, and a float network has none"),
    ("adaptive_threshold", 0.1, "adaptive_threshold must be a pair of an increment and a time"),
    ("adaptive_threshold", (0.1, 0), "adaptive_threshold: its time constant must not be 0"),
    ("noise", 0.5, "noise must be a pair of uniform or coin or logistic and a potential above 0"),
    ("noise", ("white", 0.5), "noise must be a pair of uniform or coin or logistic"),
    ("noise", ({}, 1), "noise must be a pair of uniform or coin or logistic"),
    ("noise", ("coin", 0), "noise must be a pair of uniform or coin or logistic"),
    ("spike_once", 1, "spike_once must be True, or left out, not 1"),
    ("selection", 3, "selection must be True, or pairs such as (('winners', 3), ('then',"),
    ("selection", (), "selection must be True, or pairs such as"),
    ("selection", (("best", 3),), "selection must be True, or pairs"),
    ("selection", (("amount", -1),), "selection must be pairs with an amount of potential"),
]


@pytest.mark.parametrize(("name", "value", "message"), REFUSED)
def test_what_has_no_meaning_is_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(SpikeloomError) as error:
        float_switch(name).stated(value, 1e-3)
    assert str(error.value).startswith(message)


# Options of `load_nir`.


def graph() -> nir.NIRGraph:
    """Two spiking layers and a read-out."""

    def lif() -> nir.LIF:
        one = np.ones(2)
        return nir.LIF(tau=20e-3 * one, r=one, v_leak=0 * one, v_threshold=one, v_reset=0 * one)

    weights = np.array([[0.5, 0.125], [-0.25, 0.5]])
    readout = nir.LI(tau=np.full(2, 0.02), r=np.ones(2), v_leak=np.zeros(2))
    nodes = {
        "in": nir.Input({"input": np.array([2])}),
        **{"w1": nir.Linear(weights), "a": lif(), "w2": nir.Linear(weights), "b": lif()},
        **{"w3": nir.Linear(weights), "read": readout},
        "out": nir.Output({"output": np.array([2])}),
    }
    return nir.NIRGraph(nodes, [*itertools.pairwise(nodes)])


def load(**options: Any) -> FloatNetwork:
    return load_nir(graph(), dt=1e-3, **options)


def test_a_switch_is_set_by_name() -> None:
    net = load(refractory=2e-3, spike_once={"b": True}, constant_leak={"a": 0.1, "*": 0.2})
    assert net.population("a").switches == (FloatRefractory(2), FloatConstantLeak(0.1))
    assert {s.name: s for s in net.population("b").switches} == {
        "refractory": FloatRefractory(2),
        "constant_leak": FloatConstantLeak(0.2),
        "spike_once": FloatSpikeOnce(),
    }
    assert net.population("read").switches == ()


def assert_golden_is_float(net: FloatNetwork, program: Program, steps: int) -> None:
    """Both populations spike, and in the golden model in the same steps as in float."""
    events = np.random.default_rng(4).random((3, steps, 2)) < 0.7
    expected = simulate_float(net, events)
    with spikeloom.open(program, backend="golden") as device:
        run = device.run(events)
    for name in ("a", "b"):
        assert expected.spikes[name].any()
        np.testing.assert_array_equal(run.spikes[name], expected.spikes[name])


def test_a_switch_goes_through_the_compiler() -> None:
    """Float and integer spike alike in every step; the fabric has what is needed, said by name."""
    options = {"refractory": (3e-3, "mute"), "adaptive_threshold": {"a": (0.5, 1e17)}}
    # No leak, and weights, thresholds and increment on a grid of 1/8: nothing is rounded.
    net = load(**options, gain="one", tau={"a": 1e17, "b": 1e17})
    program = spikeloom.compile(net, fabric=None)
    assert program.fabric.switches == ("refractory", "adaptive_threshold")
    assert_golden_is_float(net, program, steps=60)
    with pytest.raises(SpikeloomError, match="'a': a refractory period needs refractory=True"):
        spikeloom.compile(net, fabric=FabricConfig())


def test_gains_of_each_step_go_through_the_compiler() -> None:
    """Whole gains of weights on a grid: nothing is rounded, and the last gain holds."""
    steps = [[1, 2], [0, 1], [3, -1]]
    options = {"input_gain": {"a": (steps, [[0.125], [0.25]]), "b": (2, 0)}}
    net = load(**options, gain="one", tau={"a": 1e17, "b": 1e17})
    program = spikeloom.compile(net, fabric=None)
    assert program.network.schedule == (0, 1, 2)
    assert not program.network.population("b").variants
    assert_golden_is_float(net, program, steps=20)
    with pytest.raises(SpikeloomError, match="input_gain: in a pipelined schedule a layer"):
        spikeloom.compile(net, fabric=None, schedule="pipelined")
    with pytest.raises(SpikeloomError, match="'b': input_gain 9 is not above -8 and"):
        load(input_gain={"b": ([[1], [9]], 0)})


def test_noise_goes_through_the_compiler() -> None:
    """The numbers are the same in float and in integers, but for the rounding of their table."""
    net = load(noise={"a": ("logistic", 0.25), "b": ("coin", 0.5)}, seed=9, gain="one")
    program = spikeloom.compile(net)
    assert (program.fabric.switches, program.fabric.noise_tables) == (("noise",), 2)
    events = np.random.default_rng(4).random((3, 60, 2)) < 0.5
    expected, run = simulate_float(net, events), simulate(program.network, events)
    for name in ("a", "b"):
        assert expected.spikes[name].any()
        assert (run.spikes[name] != expected.spikes[name]).mean() < 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_gain": ([1, 2, 3], 0)}, "population 'a': input_gain must have 1 or 2 values in"),
        ({"refractory": 1.5e-3}, "node 'a' (LIF): refractory=0.0015 is 1.5 steps of dt=0.001"),
        ({"refractory": {"read": 1e-3}}, "refractory: node 'read' has no v_threshold"),
        ({"refractory": 1e-3, "reset_delay": True}, "population 'a': a refractory period hides"),
        ({"refractroy": 1e-3}, "refractroy: no such option of a dialect, did you mean refractory"),
        ({"noise": ("coin", 1.0)}, "population 'a': noise needs a seed; pass one, such as seed=1"),
        ({"noise": ("coin", 1.0), "seed": -1}, "seed must be 0..4294967295, not -1"),
        (
            {"selection": (("winners", "x"),)},
            "population 'a': selection: winners must be an integer",
        ),
        (
            {"selection": (("radius", -1),)},
            "population 'a': selection: radius must be 0..15, not -1",
        ),
        (
            {"selection": (("each", "position"),)},
            "population 'a': selection: each='position' is for",
        ),
        ({"selection": (("amount", 0.5),)}, "population 'a': selection: amount is subtracted; use"),
        ({"selection": True, "signed": True}, "population 'a': selection: it is not for signed"),
        ({"requantise": 3}, "node 'a' (LIF): requantise rounds integer potentials"),
    ],
)
def test_a_switch_that_has_no_meaning_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpikeloomError) as error:
        load(**options)
    assert str(error.value).startswith(message)
