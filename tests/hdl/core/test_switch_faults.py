"""A fault in a switch, in the golden model or in the RTL, is a difference of the two."""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from amaranth import Const, Mux, Value
from test_neuron_update import check, config

from spikeloom.golden.spec import SWITCHES
from spikeloom.golden.step.neuron import Neurons
from spikeloom.golden.switches.records import record
from spikeloom.hdl.core import neuron as rtl_neuron
from spikeloom.hdl.core.pipeline import Pipeline
from spikeloom.hdl.core.product import decayed

GOLDEN: dict[str, tuple[str, Callable[..., Any]]] = {
    "input_gain": ("scale", lambda self, x: x * self.each(x.shape[-1])[0] // 4096),  # no offset
    "constant_leak": ("leak", lambda self, v: v - np.sign(v) * self.amount),  # crosses 0
    "refractory": ("eligible", lambda self, kept: kept["count"] <= 1),  # a step too short
    "floor_reset": ("limit", lambda self, u, p: np.where(u <= self.minimum, p.v_reset, u)),
    "requantise": ("limit", lambda self, u, p: (u >> self.shift).clip(0, self.top)),  # rounds down
    "adaptive_threshold": ("raised", lambda self, kept: kept["adaptation"] >> 1),
    "noise": ("noise", lambda self, numbers, u: -self.table[numbers(u.size) % 256]),
    "spike_once": ("after", lambda self, spikes, kept, bits: {"latch": spikes * 1}),  # forgets
}
"""For each switch a method of its record, and a wrong one."""


def _leak(self: Any, pipe: Pipeline, retained: Value, negative: Value) -> Value:
    """As if every potential were positive."""
    return pipe.register(decayed(retained, negative, -pipe.row.constant_leak_amount))


def _minimum(self: Any, pipe: Pipeline, u: Value) -> Value:
    return pipe.register(Mux(u < pipe.row.floor_reset_minimum, pipe.row.floor_reset_minimum, u))


def _truncate(self: Any, pipe: Pipeline, u: Value) -> Value:
    pipe.advance(2)
    return pipe.register(u)


def _stays(self: Any, pipe: Pipeline, spiked: Value) -> dict[str, Value]:
    return {"adaptive_threshold_adaptation": pipe.get("adaptation_falls")}


def _forgets(self: Any, pipe: Pipeline, spiked: Value) -> dict[str, Value]:
    return {"spike_once_latch": pipe.row.spike_once & spiked}


def _unscaled(self: Any, pipe: Pipeline, x: Value) -> Value:
    return pipe.register(x + (pipe.get("bias") >> 12))


RTL: dict[str, tuple[str, Callable[..., Any]]] = {
    "input_gain": ("scale", _unscaled),
    "constant_leak": ("leak", _leak),
    "refractory": ("bars", lambda self, pipe: Const(0)),
    "floor_reset": ("before_comparison", _minimum),
    "requantise": ("before_comparison", _truncate),
    "adaptive_threshold": ("keeps", _stays),
    "noise": ("raised", lambda self, pipe, threshold: threshold),
    "spike_once": ("keeps", _forgets),
}

# A selection is about many neurons: its faults are in test_selection_faults.
assert GOLDEN.keys() == RTL.keys() == SWITCHES.keys() - {"selection"}


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("side", ["golden", "RTL"])
def test_a_fault_is_a_difference(name: str, side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if side == "golden":
        method, wrong = GOLDEN[name]
        monkeypatch.setattr(record(name), method, wrong)
    else:
        method, wrong = RTL[name]
        stage = importlib.import_module(f"spikeloom.hdl.core.switches.{name}").STAGE
        monkeypatch.setattr(stage, method, wrong)
    with pytest.raises(AssertionError):
        check(config(False, False, False, 1, **{name: True}))


COUNT = Neurons._spikes


def _without_sign(self: Any, *arguments: Any) -> Any:
    return abs(COUNT(self, *arguments))


@pytest.mark.parametrize("side", ["golden", "RTL"])
def test_a_fault_of_signed_spikes_is_a_difference(
    side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if side == "golden":
        monkeypatch.setattr(Neurons, "_spikes", _without_sign)
    else:  # a residual that is off by one
        monkeypatch.setattr(rtl_neuron, "add_carry", lambda one, other, carry: one + other)
    with pytest.raises(AssertionError):
        check(config(False, False, False, 7, signed_spikes=True))
