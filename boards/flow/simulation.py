"""A board's netlist as Verilog for simulation, with the models of its cells."""

from pathlib import Path

from spikeloom.boards.flow import netlist
from spikeloom.boards.flow.design import Design
from spikeloom.boards.tools import Tools
from spikeloom.golden.errors import SpikeloomError
from spikeloom.sim import cache, toolchain


def simulation(design: Design, text: str, tools: Tools) -> str:
    """A netlist as Verilog, with the models of all its cells.

    The top module is `board`, with the ports `clk`, `rx` and `tx`. A clock of the pin is a clock of
    the fabric (see `spikeloom.boards.flow.netlist`).

    Parameters
    ----------
    design
        The design.
    text
        Its netlist, from `synthesise` or from `Placed.netlist`.
    tools
        The tools.

    Raises
    ------
    SpikeloomError
        There are no models of the family's cells, or Yosys is missing or fails.
    """
    family = design.board.family.name
    if family not in netlist.LIBRARIES:
        raise SpikeloomError(f"{design.board.name}: there are no models of {family} to simulate")
    rewritten = netlist.simulated(text, design.pins)
    script = "read_json netlist.json; write_verilog -noattr netlist.v"

    def make(directory: Path) -> None:
        (directory / "netlist.json").write_text(rewritten, encoding="utf-8")
        tools.run("yosys", "-q", "-p", script, directory=directory)
        (directory / "netlist.json").unlink()

    key = cache.digest(rewritten, script, tools.version("yosys"))
    verilog = cache.cached("simulation", key, make) / "netlist.v"
    share = toolchain.cell_models()
    libraries = [share / name for name in netlist.LIBRARIES[family]]
    parts = [path.read_text(encoding="utf-8") for path in (*libraries, netlist.CELLS, verilog)]
    # Without their includes, the libraries fit into one text.
    return "\n".join(["`define NO_INCLUDES", *parts])
