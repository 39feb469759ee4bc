"""Synthesis with Yosys: the netlist of a design, and its Verilog."""

from pathlib import Path

from spikeloom.boards.flow.design import Design
from spikeloom.boards.tools import Tools
from spikeloom.golden.progress import task
from spikeloom.sim import cache
from spikeloom.sim.toolchain import synthesis
from spikeloom.sim.verilog import blank

LOG = "yosys.log"
"""What Yosys said, in the directory of a netlist; no part of the key: it changes nothing."""

_COLLISIONS = r"setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2 r:MEMID=\identity %d"
"""Reading a row in the clock of its write is unspecified and unused."""


def synthesise(design: Design, tools: Tools) -> str:
    """The netlist of a design after synthesis, as JSON of Yosys."""
    in_luts = "".join(
        f'setattr -set ram_style "distributed" m:{name}*; ' for name in design.board.in_luts
    )
    script = (
        f"read_rtlil top.il; {blank(design.contents)}; {_COLLISIONS}; {in_luts}"
        f"{synthesis(f'{design.board.family.synthesis} -top top')}; write_json netlist.json"
    )

    def make(directory: Path) -> None:
        (directory / "top.il").write_text(design.source, encoding="utf-8")
        tools.run("yosys", "-q", "-l", LOG, "-p", script, directory=directory)
        (directory / "top.il").unlink()

    key = cache.digest(design.source, script, tools.version("yosys"))
    with task("synthesising") as step:
        directory = cache.cached("netlist", key, make)
        step.log = directory / LOG
    return (directory / "netlist.json").read_text(encoding="utf-8")


def verilog(design: Design, tools: Tools) -> str:
    """The Verilog of a design, before synthesis."""
    script = (
        "read_rtlil top.il; proc -nomux -norom; memory_collect; "
        "attrmap -remove generator -remove src; write_verilog -norename top.v"
    )

    def make(directory: Path) -> None:
        (directory / "top.il").write_text(design.source, encoding="utf-8")
        tools.run("yosys", "-q", "-p", script, directory=directory)
        (directory / "top.il").unlink()

    key = cache.digest(design.source, script, tools.version("yosys"))
    return (cache.cached("top", key, make) / "top.v").read_text(encoding="utf-8")
