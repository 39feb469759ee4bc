"""A fabric after synthesis: the cells of a part, which Verilator runs as it runs the RTL.

The part is an iCE40 of any size, as its library of cells comes with Yosys. What the cells do is
what that library says, not what the RTL says.
"""

import tempfile
from pathlib import Path

from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.fabric import Fabric
from spikeloom.sim import toolchain, verilog
from spikeloom.sim.toolchain import YOSYS
from spikeloom.sim.verilog import TOP

# Nets of one bit: Verilator compiles them in less time than bits of wide ones.
_SCRIPT = f"""\
read_rtlil fabric.il
synth_ice40 -dsp -spram -abc9 -device u -top {TOP}
splitnets
opt_clean -purge
write_verilog -noattr netlist.v
"""


def netlist(config: FabricConfig) -> str:
    """The Verilog of a fabric in iCE40 cells, and of those cells.

    The top module, its ports and what it does in every clock are those of `sim.verilog.emit`. The
    text is kept in the cache.

    Raises
    ------
    SpikeloomError
        Yosys is missing.
    """
    yosys = toolchain.wheel_program(YOSYS, YOSYS)
    title = f"Spikeloom fabric in iCE40 cells, synthesised by {toolchain.wheel_version(YOSYS)}"

    def make() -> str:
        return _cells() + _synthesise(config, yosys)

    return verilog.cached(title, config, make)


def _cells() -> str:
    """The models of the cells; they and their parameters are not as Verilator would have them."""
    models = toolchain.cell_models() / "ice40" / "cells_sim.v"
    return "/* verilator lint_off WIDTH */\n" + models.read_text(encoding="utf-8")


def _synthesise(config: FabricConfig, yosys: str) -> str:
    with tempfile.TemporaryDirectory(prefix="spikeloom-") as work:
        # This Yosys sees the directory in which it runs.
        directory = Path(work)
        source = verilog.intermediate(Fabric(config), TOP)
        (directory / "fabric.il").write_text(source, encoding="utf-8")
        (directory / "script.ys").write_text(_SCRIPT, encoding="utf-8")
        toolchain.run([yosys, "-q", "-s", "script.ys"], directory=directory)
        return (directory / "netlist.v").read_text(encoding="utf-8")
