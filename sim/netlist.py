"""A fabric after synthesis, as cells that Verilator simulates like the RTL.

The part is an iCE40 of any size, because its cell library comes with Yosys. That library, not the
RTL, defines the behaviour of the cells.
"""

import tempfile
from pathlib import Path

from spikeloom.golden.progress import task
from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.fabric import Fabric
from spikeloom.sim import toolchain, verilog
from spikeloom.sim.toolchain import YOSYS
from spikeloom.sim.verilog import TOP

# Nets of one bit compile faster in Verilator than bits of wide nets.
_SCRIPT = f"""\
read_rtlil fabric.il
{toolchain.synthesis(f"synth_ice40 -dsp -spram -abc9 -device u -top {TOP}")}
splitnets
opt_clean -purge
write_verilog -noattr netlist.v
"""


def netlist(config: FabricConfig) -> str:
    """The Verilog of a fabric in iCE40 cells, with the models of the cells.

    Top module, ports and behaviour on every clock are those of `sim.verilog.emit`. The text is
    cached.

    Raises
    ------
    SpikeloomError
        Yosys is missing.
    """
    yosys = toolchain.wheel_program(YOSYS, YOSYS)
    title = f"Spikeloom fabric in iCE40 cells, synthesised by {toolchain.wheel_version(YOSYS)}"

    def make() -> str:
        with task("synthesising the netlist"):
            return _cells() + _synthesise(config, yosys)

    return verilog.cached(title, config, make)


def _cells() -> str:
    """The models of the cells, without Verilator's warnings about widths and unused inputs."""
    models = toolchain.cell_models() / "ice40" / "cells_sim.v"
    waived = "".join(f"/* verilator lint_off {name} */\n" for name in ("WIDTH", "PINMISSING"))
    return waived + models.read_text(encoding="utf-8")


def _synthesise(config: FabricConfig, yosys: str) -> str:
    with tempfile.TemporaryDirectory(prefix="spikeloom-") as work:
        # Yosys from the wheel sees only its working directory.
        directory = Path(work)
        source = verilog.intermediate(Fabric(config), TOP)
        (directory / "fabric.il").write_text(source, encoding="utf-8")
        (directory / "script.ys").write_text(_SCRIPT, encoding="utf-8")
        toolchain.run([yosys, "-q", "-s", "script.ys"], directory=directory)
        return (directory / "netlist.v").read_text(encoding="utf-8")
