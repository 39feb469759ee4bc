"""Proofs about switches: a neuron that may not spike does not, whatever else it is."""

from collections.abc import Callable
from typing import Any

import pytest
from amaranth import Const, Elaboratable, Module, Signal, Value
from amaranth.hdl import Assert, Cover
from specs import tiny

from spikeloom.golden.spec import SWITCHES, FabricConfig
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.core.neuron import NeuronUpdate
from spikeloom.hdl.core.switches.refractory import Refractory
from spikeloom.hdl.core.switches.spike_once import SpikeOnce
from spikeloom.sim.formal import Mode, fixed, free, verify

EVERY = tiny(**{**dict.fromkeys(SWITCHES, True), "max_spikes": 3})


class BarredSpec(Elaboratable):
    """A neuron with a switch, whose kept `field` is not 0, does not spike in this step.

    Its row is any that stays; potential, input, noise and what is kept are free in every clock.
    """

    def __init__(self, config: FabricConfig, switch: str, field: str) -> None:
        self.config = config
        self.switch = switch
        self.field = field

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = NeuronUpdate(self.config)
        m.d.comb += [
            dut.row.eq(fixed(m, struct(self.config.population_row), "row")),
            dut.v.eq(free(m, dut.v.shape(), "v")),
            dut.x.eq(free(m, dut.x.shape(), "x")),
            dut.bias.eq(free(m, dut.bias.shape(), "bias")),
            dut.kept.eq(free(m, dut.kept.shape(), "kept")),
            dut.noise.eq(free(m, dut.noise.shape(), "noise")),
        ]
        barred = Signal()
        m.d.comb += barred.eq(dut.row[self.switch] & (dut.kept[self.field] != 0))
        began = delayed(m, Const(1, 1), dut.latency)
        then = delayed(m, barred, dut.latency)
        m.d.comb += [
            Assert(~began | ~then | (dut.spiked == 0), "a barred neuron spikes"),
            Cover(began & ~then & (dut.spiked == 3), "a neuron spikes three times"),
        ]
        return m


BARS = {"refractory": "refractory_count", "spike_once": "spike_once_latch"}


@pytest.mark.parametrize("switch", BARS)
def test_a_barred_neuron_does_not_spike(switch: str) -> None:
    spec = BarredSpec(EVERY, switch, BARS[switch])
    assert verify(spec, Mode.PROVE).status == "PASS"
    assert verify(spec, Mode.COVER, depth=20).status == "PASS"


def _late(self: Any, pipe: Any) -> Value:
    return pipe.get("refractory_left") != 0


FAULTS: list[tuple[type, str, Callable[..., Value]]] = [
    (Refractory, "refractory", _late),
    (SpikeOnce, "spike_once", lambda self, pipe: Const(0)),
]


@pytest.mark.parametrize(("stage", "switch", "wrong"), FAULTS)
def test_a_fault_is_found(
    stage: type, switch: str, wrong: Callable[..., Value], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "bars", wrong)
    verdict = verify(BarredSpec(EVERY, switch, BARS[switch]), Mode.BMC, depth=20)
    assert (verdict.status, verdict.failed) == ("FAIL", ("a barred neuron spikes",))
