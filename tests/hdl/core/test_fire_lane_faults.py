"""A fault in the fire lanes, in the cycle-level model or in the RTL, is a difference of the two."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from amaranth import Module
from side_by_side import first_difference

from spikeloom.golden.cycle.quick_fire import QuickFire
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.common.load import connect_load
from spikeloom.hdl.core import banks, fire
from spikeloom.hdl.core.sums import shifting
from spikeloom.program import Program

CONFIG = FabricConfig(
    lanes=4,
    fire_lanes=2,
    neurons=13,
    weight_words=64,
    axons=8,
    populations=2,
    connections=4,
    targets=4,
    queue=8,
)


def program() -> Program:
    """Seven neurons, of which some spike, and five that are read out."""
    rng = np.random.default_rng(3)
    network = Network(
        (Input("in", 4),),
        (
            Population("a", 7, np.arange(7), threshold=9, decay=500),
            Population("b", 5, np.arange(5), 1, spiking=False),
        ),
        (
            Connection("in", "a", rng.integers(-4, 12, (4, 7))),
            Connection("a", "b", rng.integers(-9, 9, (7, 5))),
        ),
    )
    return Program(network, CONFIG, frozenset({"a"}), frozenset({"b"}))


def compare() -> int:
    counts = {"in": np.ones((1, 5, 4), np.uint8)}
    return first_difference(program(), counts, 260)


def test_no_fault_is_no_difference() -> None:
    assert compare() == -1


GOLDEN = {
    "the first group waits for WALK": ("_begin", lambda self: None),
    "neurons that send nothing are waited for": ("idle", property(lambda self: not self.state)),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_fault_of_the_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QuickFire, *GOLDEN[name])
    assert compare() >= 0


def _crossed(m: Module, load: Any, target: Any, bank: Any, lane: int, low: int) -> None:
    connect_load(m, load, target, bank, lane ^ 1, low)


def _by_one(m: Module, config: FabricConfig, fetch: Any) -> Any:
    return shifting(m, dataclasses.replace(config, fire_lanes=1), fetch)


RTL = {
    "biases go to the other lane": (banks, "connect_load", _crossed),
    "sums shift by one lane": (fire, "shifting", _by_one),
}


@pytest.mark.parametrize("name", RTL)
def test_a_fault_of_the_rtl(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*RTL[name])
    assert compare() >= 0
