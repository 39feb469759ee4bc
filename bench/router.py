"""Size and speed of one router on FPGAs, by open tools: Yosys, and nextpnr for place and route.

The router is that of a tile with all five ports, the middle one of 3x3; other sizes are the
defaults.

Cells are those of the router alone, as nextpnr packs it, before placement; `bench.synthesis` names
them.

The clock is that of the router in a `Harness`, after routing, from the worst path between two
registers; that path always has logic of the router in it. Best and median are of as many
placements as there are seeds. Links are as short as the placer makes them; tiles between the
routers stretch them.
"""

import statistics
from collections.abc import Iterator
from pathlib import Path

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from bench.figure import Figure
from bench.synthesis import ECP5_6, HX8K, UP5K, fmax, nextpnr, synthesise
from spikeloom.golden.spec import FACING, FabricConfig, Port
from spikeloom.hdl.mesh.router import Router
from spikeloom.sim import verilog

_TILE = 4
_SEEDS = (1, 2, 3)


_TARGETS = {"up5k": UP5K, "hx8k": HX8K, "lfe5u_25f": ECP5_6}


class Harness(wiring.Component):
    """A router between few pins: all its paths run from register to register.

    Its east leads back to its west and its north to its south, so that the paths of a link, from
    one router into the next, are there. A shift register drives all other inputs; the other outputs
    are captured, then folded into a signature. Between two registers of the harness is at most one
    LUT.

    Parameters
    ----------
    router
        One with all five ports.

    Members
    -------
    serial : In(1)
        Into the shift register.
    signature_bit : Out(1)
    """

    def __init__(self, router: Router) -> None:
        self.router = router
        super().__init__({"serial": In(1), "signature_bit": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Connect it."""
        m = Module()
        m.submodules.router = router = self.router
        for port, facing in FACING.items():
            connect(m, router.outputs[port], router.inputs[facing])
        inject, deliver = router.inputs[Port.LOCAL], router.outputs[Port.LOCAL]
        inputs = Cat(
            inject.valid,
            inject.payload,
            deliver.ready,
            router.load.valid,
            router.load.word,
            router.slot,
        )
        outputs = Cat(inject.ready, deliver.valid, deliver.payload, router.pending, router.dropped)
        driven = Signal(len(inputs))
        captured = Signal(len(outputs))
        signature = Signal(len(outputs))
        m.d.sync += [
            driven.eq(Cat(self.serial, driven)),
            captured.eq(outputs),
            signature.eq((signature << 1) ^ captured),
        ]
        m.d.comb += [inputs.eq(driven), self.signature_bit.eq(signature[-1])]
        return m


def measure(_data: Path) -> Iterator[Figure]:
    """Measure; needs no data."""
    config = FabricConfig(columns=3, rows=3)
    router = verilog.generate("Router", config, Router(config, _TILE), "top")
    harness = verilog.generate("Harness", config, Harness(Router(config, _TILE)), "top")
    for name, target in _TARGETS.items():
        packed = nextpnr(target, synthesise(target, router), "--pack-only")
        for cell in target.cells:
            used = packed["utilization"][cell]["used"]
            yield Figure(f"router.{name}.{cell.lower()}", used, "cells")
        netlist = synthesise(target, harness)
        clocks = [fmax(nextpnr(target, netlist, "--seed", str(seed))) for seed in _SEEDS]
        yield Figure(f"router.{name}.fmax_median", statistics.median(clocks), "MHz")
        yield Figure(f"router.{name}.fmax_best", max(clocks), "MHz")
