"""Every remedy that quantising or compiling prints removes what it is for."""

import ast
import dataclasses
import re
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest
from command_line import Commands

import spikeloom
from spikeloom.cli.remedies import import_options_in, options_in
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import Reset
from spikeloom.importer.float_network import (
    FloatConnection,
    FloatInput,
    FloatNetwork,
    FloatPopulation,
)

WIDTHS = ("weight_bits", "state_bits", "sum_bits")


def drawn(seed: int) -> FloatNetwork:
    """One population, whose weights and parameters are large, small, slow or of one sign."""
    rng = np.random.default_rng(seed)
    size, fan_in = int(rng.integers(1, 12)), int(rng.integers(1, 40))
    population = FloatPopulation(
        "a",
        size,
        rng.choice([0, 0, -0.3]) * rng.random(size),
        decay=float(rng.choice([0, 1e-3, 3e-3, 0.05, 0.3])),
        threshold=float(rng.choice([0.01, 0.3, 1, 30, 1000])),
        reset=(Reset.VALUE, Reset.SUBTRACT, Reset.NONE)[int(rng.integers(3))],
        synaptic_decay=(None, None, 0.1, 0.002)[int(rng.integers(4))],
        v_reset=float(rng.choice([0, -0.1])),
    )
    weights = rng.normal(rng.choice([-0.3, 0, 0.3]), 0.4, (fan_in, size))
    return FloatNetwork(
        (FloatInput("in", fan_in),), (population,), (FloatConnection("in", "a", weights),)
    )


def said(net: FloatNetwork, options: dict[str, Any]) -> list[str]:
    """The warnings of compiling, or its refusal."""
    try:
        program = spikeloom.compile(net, **options)
    except SpikeloomError as error:
        return [str(error)]
    warnings: list[str] = program.about["quantisation"]["warnings"]
    return warnings


Case = tuple[FloatNetwork, dict[str, Any]]
"""A network, and the options with which it is compiled."""


def remedies(line: str, net: FloatNetwork, options: dict[str, Any]) -> Iterator[Case]:
    """What each remedy of a line makes of a network and its options.

    "use A, or use B" are two remedies, "use A and B" is one.
    """
    remedy = line.rpartition("; ")[2]
    if found := re.search(r"fabric=(.*)$", remedy):
        yield net, options | {"fabric": ast.literal_eval(found[1])}
        return
    for choice in re.split(r", or | or (?=use )", remedy):
        case = net, options
        for clause in re.split(" and (?=use |divide |multiply )", choice):
            case = _followed(clause, line, *case)
        yield case


def _followed(clause: str, line: str, net: FloatNetwork, options: dict[str, Any]) -> Case:
    if clause == "give events for calibration":
        shape = (2, 50, net.inputs[0].size)
        return net, options | {"calibration": np.random.default_rng(1).random(shape) < 0.1}
    if found := re.match(r"multiply dt by (.*)$", clause):
        return _scaled_decays(net, float(found[1]), ("decay", "synaptic_decay")), options
    if found := re.match(r"divide the time constant by (.*)$", clause):
        which = "synaptic_decay" if "a synaptic" in line else "decay"
        return _scaled_decays(net, float(found[1]), (which,)), options
    if found := re.match(r"clip its weights to (.*)$", clause):
        most = float(found[1])
        return _with_weights(net, partial(np.clip, a_min=-most, a_max=most)), options
    if found := re.match(r"multiply the layer's .* by (.*)$", clause):
        return _multiplied(net, float(found[1])), options
    return net, _with_settings(clause, options)


def _with_settings(choice: str, options: dict[str, Any]) -> dict[str, Any]:
    changed = {**options, "fabric": dict(options.get("fabric", {}))}
    if found := re.search(r"scales=\{'(\w+)': ([^}]*)\}", choice):
        units, *threshold = re.findall(r"[\d.e+-]+", found[2])
        changed["scales"] = {found[1]: Fraction(float(units))}
        for divisor in threshold:
            changed["scales"][found[1]] /= Fraction(float(divisor))
    settings = dict(re.findall(r"(\w+)=(\d+)", choice))
    assert settings or found, choice
    for name, value in settings.items():
        target = changed if name in WIDTHS else changed["fabric"]
        target[name] = int(value)
    return changed


def _scaled_decays(net: FloatNetwork, factor: float, which: tuple[str, ...]) -> FloatNetwork:
    """With a time step, or time constants, so many times as long, or as short."""
    [population] = net.populations
    decays = {name: getattr(population, name) for name in which}
    changed = {name: decay * factor for name, decay in decays.items() if decay is not None}
    return dataclasses.replace(net, populations=(dataclasses.replace(population, **changed),))


def _with_weights(net: FloatNetwork, change: Any) -> FloatNetwork:
    connections = (dataclasses.replace(c, weights=change(c.weights)) for c in net.connections)
    return dataclasses.replace(net, connections=tuple(connections))


def _multiplied(net: FloatNetwork, factor: float) -> FloatNetwork:
    [population] = net.populations
    more = dataclasses.replace(
        population,
        bias=population.bias * factor,
        threshold=population.threshold * factor,
        v_reset=population.v_reset * factor,
    )
    net = dataclasses.replace(net, populations=(more,))
    return _with_weights(net, lambda weights: weights * factor)


def kind(line: str) -> str:
    """A line without its numbers and its remedy."""
    return re.sub(r"[-\d./]+", "#", line.rpartition("; ")[0])


GIVEN: list[dict[str, Any]] = [
    {"state_bits": 16},
    {"state_bits": 12},
    {"weight_bits": 16, "state_bits": 16},
    {"weight_bits": 4},
    {"weight_bits": 4, "state_bits": 12, "calibration": 0.2},
    {"sum_bits": 12, "state_bits": 14, "calibration": 0.2},
    {"state_bits": 16, "scales": {"a": 3.0}},
    {"state_bits": 16, "scales": {"a": 400.0}, "calibration": 0.2},
    {"fabric": {"fraction_bits": 0}, "state_bits": 16},
    {"fabric": {"axons": 8, "weight_words": 1, "synaptic_current": False}},
]


def followed(net: FloatNetwork, options: dict[str, Any]) -> Iterator[str]:
    """The lines of compiling a network, after each remedy of each has been followed."""
    for line in said(net, options):
        assert "\n" not in line
        cases = [*remedies(line, net, options)]
        assert cases, line
        for changed, given in cases:
            left = [kind(other) for other in said(changed, given)]
            assert kind(line) not in left, f"{line} -> {given}"
        yield line


@pytest.mark.parametrize("options", GIVEN, ids=lambda given: "-".join(map(str, given.values())))
def test_remedies_remove_what_they_are_for(options: dict[str, Any]) -> None:
    lines = 0
    for seed in range(40):
        net = drawn(seed)
        given = dict(options)
        if rate := given.pop("calibration", None):
            shape = (2, 50, net.inputs[0].size)
            given["calibration"] = np.random.default_rng(seed).random(shape) < rate
        lines += len([*followed(net, given)])
    assert lines >= 5


def alone(weight: float, **changed: Any) -> FloatNetwork:
    """A neuron with an axon; 16 and 127 of 128 of the weight make a grid improbable."""
    weights = weight * np.array([[1.0], [0.7071], [0.123456]])
    population = dataclasses.replace(
        FloatPopulation("a", 1, np.zeros(1), threshold=1.0, reset=Reset.SUBTRACT), **changed
    )
    return FloatNetwork(
        (FloatInput("in", 3),), (population,), (FloatConnection("in", "a", weights),)
    )


CALIBRATION = np.ones((1, 20, 3), np.uint8)


@pytest.mark.parametrize(
    ("net", "options", "part"),
    [
        (alone(0.3, decay=1e-5), {}, "so it never leaks; divide the time constant by 24.41"),
        (alone(0.3, decay=0.99995), {}, "keeps nothing; divide the time constant by 0.9998"),
        (alone(0.3, decay=2.5 / 4096), {"state_bits": 24}, "multiply dt by "),
        (
            alone(0.3, decay=1 / 3000),
            {"fabric": {"fraction_bits": 0}, "state_bits": 16},
            "and truncation make it; use fraction_bits=",
        ),
        (alone(0.3, synaptic_decay=1e-5), {}, "a synaptic decay of 1e-05 became 0/4096"),
        (alone(0.3, decay=0.9997), {}, "0.9997 became 4095/4096; divide the time constant by 1.0"),
        (alone(30.0), {}, "steps of the weights, which is coarse; use weight_bits=16"),
        (alone(3e4), {}, "it is less than one step of the weights; clip its weights to 3.85"),
        (alone(3e3), {"weight_bits": 16}, "which is coarse; clip its weights to "),
        (alone(0.3), {"scales": {"a": 3.0}}, "coarse; use scales={'a': 33}"),
        (
            alone(30.0),
            {"scales": {"a": 3.0}},
            "coarse; clip its weights to 2.73 and use scales={'a': 33}",
        ),
        (
            alone(0.3, reset=Reset.NONE),
            {"state_bits": 8, "calibration": CALIBRATION},
            "use state_bits=13, or use weight_bits=2",
        ),
        (
            alone(0.3, reset=Reset.NONE),
            {"sum_bits": 8, "max_count": 3, "calibration": CALIBRATION},
            "and sum_bits=",
        ),
        (
            alone(0.3, reset=Reset.NONE),
            {"state_bits": 12, "scales": {"a": 400.0}, "calibration": CALIBRATION},
            "updates saturated on the calibration events; use state_bits=",
        ),
        (alone(0.3), {"scales": {"a": 1000.0}}, "use scales={'a': 423.333}, or use weight_bits=16"),
        (alone(1e-7), {}, "use state_bits=24 and scales={'a': "),
        (alone(0.3, bias=np.array([1e9])), {}, "use sum_bits=32 and scales={'a': "),
        (alone(0.3, v_reset=-1e9, reset=Reset.VALUE), {}, "use state_bits=24 and scales={'a': "),
        (
            alone(5e-324, threshold=1e-322),
            {},
            "multiply the layer's weights, biases and potentials by 1e+200",
        ),
        (alone(0.3), {"sum_bits": 8}, "use sum_bits=9"),
        (alone(200.0, max_spikes=3), {}, "use weight_bits=16"),
        (alone(2e5, max_spikes=3), {}, "less than one step of the weights; clip its weights to "),
        (alone(0.3, max_spikes=3), {"scales": {"a": 1.5}}, "Fraction(1) / Fraction(1.0)"),
        (
            alone(0.3),
            {"max_count": 255, "sum_bits": 8, "calibration": CALIBRATION},
            "too many for sums of 8 bits; use sum_bits=",
        ),
    ],
)
def test_each_remedy_is_said_and_helps(
    net: FloatNetwork, options: dict[str, Any], part: str
) -> None:
    lines = [*followed(net, options)]
    assert part in "\n".join(lines)


def test_on_the_command_line_a_remedy_is_an_option() -> None:
    assert options_in("a; use state_bits=20 or weight_bits=8") == (
        "a; use --set state_bits=20 or --weight-bits 8"
    )
    assert options_in("needs traces=True") == "needs --set traces=true"
    assert options_in('use schedule="layered"') == "use --schedule layered"
    assert options_in("use state_bits=24 and scales={'a b': 33.5}") == (
        "use --set state_bits=24 and --scale 'a b=33.5'"
    )
    assert options_in("use scales={'1': 33}") == "use --scale 1=33"


def test_on_the_command_line_a_choice_of_the_import_is_an_option() -> None:
    assert import_options_in("pass one, such as seed=1") == "pass one, such as --option seed=1"
    assert import_options_in("use reset_delay=False and restore=False") == (
        "use --option reset_delay=false and --option restore=false"
    )
    assert import_options_in('pass dt=1e-3 or compare=">=", reset="zero"') == (
        "pass --dt 1e-3 or --compare '>=', --reset zero"
    )
    assert import_options_in("which NIR does not store; pass dt=").endswith("; pass --dt")


@pytest.mark.parametrize(
    "command",
    ["compile model.nir", "choose model.nir events.npy", "explore model.nir events.npy"],
)
def test_errors_of_the_import_speak_the_language_of_the_shell(run: Commands, command: str) -> None:
    noise = ["--dt", "1e-3", "--option", 'noise=["uniform",0.1]']
    error = run(*command.split(), *noise).error()
    assert error.endswith("noise needs a seed; pass one, such as --option seed=1")
    assert run(*command.split()).error().endswith("pass --dt")
