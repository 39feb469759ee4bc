"""A fault in the lanes that learn, in the cycle-level model or in the RTL, is a difference."""

import numpy as np
import pytest
from amaranth import Value
from plastic_network import AXONS, network_with_plane
from side_by_side import first_difference

import spikeloom
from spikeloom.golden.cycle import learn
from spikeloom.hdl.core.learning.passes import Passes

CLOCKS = 700


def compare() -> int:
    """Two steps of a network with a plane, whose words of four lanes take two passes."""
    fabric = {"lanes": 4, "plasticity": True, "learn_lanes": 2, "readable": False}
    program = spikeloom.compile(network_with_plane(), fabric)
    spikes = np.random.default_rng(1).random((1, 2, AXONS)) < 0.6
    return first_difference(program, {"in": spikes.astype(np.uint8)}, CLOCKS)


def test_no_fault_is_no_difference() -> None:
    assert compare() == -1


def test_a_fault_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The change of a word takes a clock less."""
    monkeypatch.setattr(learn, "CHANGE_WITHOUT_QUEUE", 6)
    assert compare() >= 0


def _first(self: Passes, values: list[Value], lane: int) -> Value:
    return values[lane]


def test_a_fault_of_the_rtl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pass has the neurons of the first one."""
    monkeypatch.setattr(Passes, "turn", _first)
    assert compare() >= 0
