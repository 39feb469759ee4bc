"""Synthesis, placement and routing by open tools: Yosys and nextpnr. Results are cached.

nextpnr's timing model is the slowest part of its grade in the worst conditions.
Without `-nowidelut` Yosys builds wide functions for ECP5 from pairs of LUTs and multiplexers; that
takes 1.6 times the LUTs, and nextpnr may not finish its routing in minutes.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from spikeloom.boards.tools import WHEELS
from spikeloom.sim import cache
from spikeloom.sim.toolchain import synthesis


@dataclass(frozen=True)
class Target:
    """A part, and how it is reached.

    Parameters
    ----------
    synthesis
        Command of Yosys.
    tool, part
        The nextpnr of the family, and its options.
    cells
        The kinds that are counted. ICESTORM_LC: a LUT with its register and carry, or a part of
        these; ICESTORM_RAM: a block RAM of 4 kbit. TRELLIS_COMB: a LUT, also where it is carry or
        RAM; TRELLIS_FF: a register; TRELLIS_RAMW: what writes 16x4 bits of RAM made of LUTs;
        DP16KD: a block RAM of 18 kbit.
    """

    synthesis: str
    tool: str
    part: tuple[str, ...]
    cells: tuple[str, ...]


def _ecp5(speed: str) -> Target:
    return Target(
        "synth_ecp5 -nowidelut",
        "nextpnr-ecp5",
        ("--25k", "--package", "CABGA381", "--speed", speed),
        ("TRELLIS_COMB", "TRELLIS_FF", "TRELLIS_RAMW", "DP16KD"),
    )


_ICE40 = ("ICESTORM_LC", "ICESTORM_RAM")
UP5K = Target("synth_ice40 -dsp -spram", "nextpnr-ice40", ("--up5k", "--package", "sg48"), _ICE40)
HX8K = Target("synth_ice40", "nextpnr-ice40", ("--hx8k", "--package", "ct256"), _ICE40)
ECP5_6 = _ecp5("6")
ECP5_8 = _ecp5("8")


_HARNESS = ("driven", "captured", "signature")
"""Registers around what is measured, as `bench.core` and `bench.router` call them."""


def fmax(report: dict) -> float:
    """The fastest clock in MHz, from the worst path between two registers."""
    ((clock, speed),) = report["fmax"].items()
    edge = f"posedge {clock}"
    (path,) = (
        found["path"] for found in report["critical_paths"] if found["from"] == found["to"] == edge
    )
    cells = {part["from"]["cell"] for part in path}
    assert not all(cell.startswith(_HARNESS) for cell in cells), "a path of the harness alone"
    return speed["achieved"]


def synthesise(target: Target, design: str) -> str:
    """The netlist of `design`, Verilog whose top module is `top`."""
    script = f"read_verilog input; {synthesis(f'{target.synthesis} -top top')}; write_json output"
    return _run("yosys", ("-q", "-p", script), design)


def nextpnr(target: Target, netlist: str, *options: str, minutes: float | None = None) -> dict:
    """The report on `netlist`; raises `OutOfTime` after so many minutes, if there is a limit."""
    arguments = (
        "-q",
        "--json",
        "input",
        "--report",
        "output",
        "--timing-allow-fail",
        *target.part,
        *options,
    )
    return json.loads(_run(target.tool, arguments, netlist, minutes))


def _run(tool: str, arguments: tuple[str, ...], source: str, minutes: float | None = None) -> str:
    """The file `output` that `tool` makes of the file `input`; kept in the cache."""

    def make(directory: Path) -> None:
        given = directory / "input"
        given.write_text(source, encoding="utf-8")
        WHEELS.run(tool, *arguments, directory=directory, minutes=minutes)
        given.unlink()

    key = cache.digest(source, *arguments, WHEELS.version(tool))
    return (cache.cached("synthesis", key, make) / "output").read_text(encoding="utf-8")
