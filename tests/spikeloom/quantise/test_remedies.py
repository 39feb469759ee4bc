"""Every remedy that quantising or compiling prints removes what it is for."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import spikeloom
from spikeloom.cli.remedies import options_in
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


def remedies(line: str, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The options of each remedy that a line names: "use A, or B" are two, "A and B" is one."""
    remedy = line.rpartition("; ")[2].removeprefix("use ")
    if remedy.startswith("fabric="):
        yield options | {"fabric": ast.literal_eval(remedy.removeprefix("fabric="))}
        return
    for choice in re.split(", or | or ", remedy):
        settings = dict(re.findall(r"(\w+)=(\d+)", choice))
        if not settings:
            continue
        changed = {**options, "fabric": dict(options.get("fabric", {}))}
        for name, value in settings.items():
            target = changed if name in WIDTHS else changed["fabric"]
            target[name] = int(value)
        yield changed


def kind(line: str) -> str:
    """A line without its numbers and its remedy."""
    return re.sub(r"[-\d./]+", "#", line.rpartition("; ")[0])


GIVEN: list[dict[str, Any]] = [
    {"state_bits": 16},
    {"state_bits": 12},
    {"weight_bits": 16, "state_bits": 16},
    {"weight_bits": 4},
    {"fabric": {"fraction_bits": 0}, "state_bits": 16},
    {"fabric": {"axons": 8, "weight_words": 1, "synaptic_current": False}},
]


@pytest.mark.parametrize("options", GIVEN, ids=lambda given: "-".join(map(str, given.values())))
def test_remedies_remove_what_they_are_for(options: dict[str, Any]) -> None:
    followed = 0
    for seed in range(40):
        net = drawn(seed)
        for line in said(net, options):
            assert "\n" not in line
            for changed in remedies(line, options):
                left = [kind(other) for other in said(net, changed)]
                assert kind(line) not in left, f"seed {seed}: {line} -> {changed}"
                followed += 1
    assert followed >= 5


def test_on_the_command_line_a_remedy_is_an_option() -> None:
    assert options_in("a; use state_bits=20 or weight_bits=8") == (
        "a; use --set state_bits=20 or --weight-bits 8"
    )
    assert options_in("needs traces=True") == "needs --set traces=true"
    assert options_in('use schedule="layered"') == "use --schedule layered"
