"""Compiles Verilog with Verilator, cached: as a shared library, or as a bench for cocotb."""

import contextlib
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cocotb_tools import config as cocotb_config

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.progress import Task, task
from spikeloom.golden.spec import FabricConfig
from spikeloom.sim import cache, toolchain
from spikeloom.sim.verilog import AXI_TOP, TOP

LIBRARY = "fabric.so"

LOG = "verilator.log"
"""What Verilator said, beside the model in the cache."""

_VERILATOR_FLAGS = [
    # Amaranth gives every register and memory an initial value and has no X.
    *("--cc", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert", "--no-timing"),
]
_TRACE_FLAGS = ["--trace-vcd", "--trace-max-width", "1024"]

# -O3 and -march=native gain nothing here.
_COMPILER_FLAGS = ["-std=c++17", "-O2", "-fPIC", "-w"]
_ONCE = '#pragma GCC optimize ("O0")\n'
"""Before the code that sets a model up, which runs once. Other compilers than GCC pass over it."""
_HEADERS = "headers.h"
"""Included first, by each unit."""
_LARGE = 1 << 19
"""Bytes of per-clock C++ from which a model is compiled with -O1. For a model that large, a mesh of
four tiles or more, -O2 gains nothing and takes up to three times as long to compile."""

# Constant `rst` and `host_out__ready` reduce the logic to evaluate, above all because `rst` reaches
# every register. A model starts with its reset values; one in which memories were loaded is copied.
_WRAPPER = """
module simulation(
  input clk,
  input host_in__valid, input [{host_in}:0] host_in__payload, output host_in__ready,
  output host_out__valid, output [{host_out}:0] host_out__payload,
  input load__valid, input [{load}:0] load__payload,{read_ports}
  output [{counters}:0] counters
);
  {top} fabric(
    .clk(clk), .rst(1'b0),{read_connected}
    .host_in__valid(host_in__valid), .host_in__payload(host_in__payload),
    .host_in__ready(host_in__ready),
    .host_out__valid(host_out__valid), .host_out__payload(host_out__payload),
    .host_out__ready(1'b1),
    .load__valid(load__valid), .load__payload(load__payload), .load__ready(),
    .counters(counters)
  );
endmodule
"""

_READ_PORTS = "\n  input read__active, input [{read}:0] read__word, output [7:0] read__data,"
_READ_CONNECTED = """
    .read__active(read__active), .read__word(read__word), .read__data(read__data),"""

# Only these ports are visible to cocotb, so that the model can still be optimised.
_PORTS = {
    TOP: ("clk", "rst", "probe", "host_*", "load__*", "read__*"),
    AXI_TOP: ("aclk", "aresetn", "s_axi*", "m_axi*"),
}


@dataclass(frozen=True)
class _Model:
    """A compilation: sources by name, Verilator flags, the C++ around the model, and its link.

    `level` is how far the model and Verilator's runtime are optimised.
    """

    sources: dict[str, str]
    verilator: Sequence[str]
    around: str
    level: str
    runtime: Sequence[str]
    compiler: Sequence[str]
    link: Sequence[str]
    output: str
    trace: bool


def build(config: FabricConfig, verilog: str, *, trace: bool = False, extra: str = "") -> Path:
    """The shared library of a fabric with the harness, cached.

    The C interface is that of `model.cpp`, `copy.cpp`, `load.cpp`, `harness.cpp` and, if the fabric
    is readable, `read.cpp`. All other symbols are hidden, so that one process can load many
    libraries.

    Parameters
    ----------
    config
        Sizes of the fabric.
    verilog
        Text with the top module `spikeloom.sim.verilog.TOP`, without probe.
    trace
        Able to write waveforms; slower.
    extra
        C++ to append to the harness.

    Raises
    ------
    SpikeloomError
        A tool is missing or fails. Nothing is left behind.
    """
    ports = {
        name: getattr(config, name).width - 1
        for name in ("host_in", "host_out", "load", "counters")
    }
    parts = ["copy.cpp", "load.cpp", "harness.cpp"]
    ports_of_reading = connected = ""
    if config.readable:
        parts.append("read.cpp")
        ports_of_reading = _READ_PORTS.format(read=config.read.width - 1)
        connected = _READ_CONNECTED
    text = verilog + _WRAPPER.format(
        top=TOP, read_ports=ports_of_reading, read_connected=connected, **ports
    )
    driver = "".join(map(_text, parts)) + extra
    what = f"{config.columns} x {config.rows} tiles of {config.lanes} lanes"
    return build_library(text, "simulation", driver, trace=trace, copies=True, what=what)


def build_library(
    verilog: str,
    top: str,
    driver: str,
    *,
    trace: bool = False,
    copies: bool = False,
    waivers: Sequence[str] = (),
    what: str = "a simulation",
) -> Path:
    """The shared library of module `top` with `model.cpp` and a driver, cached.

    Parameters
    ----------
    verilog
        Text with the top module.
    top
        Its name; it has a clock `clk`.
    driver
        C++ to append to `model.cpp`.
    trace
        Able to write waveforms; slower.
    copies
        Models can be copied with `copy.cpp`.
    waivers
        More options of Verilator, for third-party Verilog.
    what
        What it simulates, for whoever watches the progress.

    Raises
    ------
    SpikeloomError
        A tool is missing or fails. Nothing is left behind.
    """
    model = _Model(
        {"fabric.v": verilog},
        ["--prefix", "Vfabric", "--top-module", top, *(["--savable"] if copies else []), *waivers],
        _text("model.cpp") + driver,
        "-O2",
        ["verilated", "verilated_threads", *(["verilated_save"] if copies else [])],
        ["-fvisibility=hidden"],
        ["-shared", "-pthread"],
        LIBRARY,
        trace,
    )
    return _built("model", model, what) / LIBRARY


def build_bench(verilog: str, top: str = TOP, *, trace: bool = False) -> Path:
    """The directory with the simulation of `top` that cocotb's runner starts, cached.

    cocotb would call Verilator's makefile, which compiles Verilator's runtime every time, and make
    every signal accessible. This takes a quarter of the time and gives a faster model.

    Parameters
    ----------
    verilog
        Text with the top module.
    top
        Its name: `spikeloom.sim.verilog.TOP` (with probe) or `spikeloom.sim.verilog.AXI_TOP`.
    trace
        Able to write waveforms; slower.

    Raises
    ------
    SpikeloomError
        A tool is missing or fails. Nothing is left behind.
    """
    ports = [f'public_flat_rw -module "{top}" -var "{name}"\n' for name in _PORTS[top]]
    main = Path(cocotb_config.share_dir) / "lib" / "verilator" / "verilator.cpp"
    libraries = cocotb_config.libs_dir
    model = _Model(
        {"ports.vlt": "".join(["`verilator_config\n", *ports]), "fabric.v": verilog},
        ["--vpi", "--prefix", "Vtop", "--top-module", top],
        main.read_text(encoding="utf-8"),
        "-O0",  # the golden model beside it takes nine tenths of the time
        ["verilated", "verilated_threads", "verilated_vpi"],
        [],
        [
            *("-rdynamic", "-pthread", f"-L{libraries}", f"-Wl,-rpath,{libraries}"),
            "-lcocotbvpi_verilator",
        ],
        top,
        trace,
    )
    return _built("bench", model, "the bench that checks every clock")


def _built(kind: str, model: _Model, what: str) -> Path:
    """The directory in the cache with `model.output`; `what` says whom it simulates."""
    flags = [*_VERILATOR_FLAGS, *model.verilator, *(_TRACE_FLAGS if model.trace else [])]
    key = cache.digest(*flags, *_COMPILER_FLAGS, *_versions(), repr(model))

    def make(directory: Path) -> None:
        with task(f"building {what} with Verilator", 3) as step:
            step.log = cache.directory() / kind / key / LOG
            fill(directory, step)

    def fill(directory: Path, step: Task) -> None:
        work = directory / "work"
        work.mkdir()
        for name, text in model.sources.items():
            (work / name).write_text(text, encoding="utf-8")
        # Verilator writes paths into C++ strings unescaped, so it gets none.
        said = toolchain.verilator(*flags, "--Mdir", ".", *model.sources, directory=work)
        (directory / LOG).write_text(said, encoding="utf-8")
        step.done(1)
        # One unit, because reading the headers takes longer than compiling a model of one tile.
        parts = sorted(work.glob("V*.cpp"))
        slow = [path for path in parts if path.stem.endswith("__Slow")]
        fast = [path for path in parts if path not in slow]
        traced = f"#define VM_TRACE {model.trace:d}\n#define VM_TRACE_VCD VM_TRACE\n"
        text = traced + model.around + _include(fast) + _ONCE + _include(slow)
        large = model.level == "-O2" and _size(fast) >= _LARGE
        # Kept headers bring their level of optimisation with them.
        headers = work if large else _headers(model)
        command = _command(model, "-O1" if large else model.level)
        with ThreadPoolExecutor() as pool:
            runtime = pool.submit(_runtime_objects, model, headers, work)
            compiled = _compile(work, "model", text, headers, command)
        objects = [compiled, *runtime.result()]
        step.done(2)
        output = str(directory / model.output)
        toolchain.run([*toolchain.compiler(), "-o", output, *map(str, objects), *model.link])
        shutil.rmtree(work)

    return cache.cached(kind, key, make)


def _runtime_objects(model: _Model, headers: Path, folder: Path) -> list[Path]:
    """Copies in `folder` of the objects of Verilator's runtime, which all models share.

    Copies, because another process may clear the cache before they are linked.
    """
    names = [*model.runtime, *(["verilated_vcd_c"] if model.trace else [])]

    def copied(name: str) -> Path:
        return Path(shutil.copy(_runtime(model, headers, name) / f"{name}_unit.o", folder))

    for _ in range(3):
        with contextlib.suppress(FileNotFoundError), ThreadPoolExecutor() as pool:
            return list(pool.map(copied, names))
    raise SpikeloomError("the cache is cleared again and again: run the command when that is over")


def _runtime(model: _Model, headers: Path, name: str) -> Path:
    """A directory with the object `<name>_unit.o` of Verilator's source of this name."""

    def make(directory: Path) -> None:
        source = _include([Path(f"{name}.cpp")])
        _compile(directory, name, source, headers, _command(model, model.level))

    flags = [*_COMPILER_FLAGS, *model.compiler, model.level]
    return cache.cached("runtime", cache.digest(name, *flags, *_versions()), make)


def _headers(model: _Model) -> Path:
    """A directory with Verilator's headers as GCC keeps what it has read, to be searched first.

    To read them takes half of the time of a small model. Other compilers read them themselves, and
    so does GCC where these are missing.
    """
    command = _command(model, model.level)

    def make(directory: Path) -> None:
        source = _write_headers(directory)
        toolchain.run([*command, "-x", "c++-header", str(source), "-o", f"{source}.gch"])

    return cache.cached("headers", cache.digest(*command, *_versions()), make)


def _write_headers(directory: Path) -> Path:
    path = directory / _HEADERS
    path.write_text(_include([Path("verilated.h")]), encoding="utf-8")
    return path


def _compile(directory: Path, name: str, text: str, headers: Path, command: Sequence[str]) -> Path:
    """The object of a unit, compiled in `directory`; `headers` is from `_headers`."""
    source = directory / f"{name}_unit.cpp"
    target = directory / f"{name}_unit.o"
    source.write_text(f"#include <{_HEADERS}>\n{text}", encoding="utf-8")
    _write_headers(directory)
    search = ["-I", str(headers), "-I", str(directory)]
    toolchain.run([*command, *search, "-c", str(source), "-o", str(target)])
    return target


def _command(model: _Model, level: str) -> list[str]:
    """The compiler with the flags of every unit."""
    include = toolchain.verilator_root() / "include"
    return [
        *(*toolchain.compiler(), *_COMPILER_FLAGS, *model.compiler, level),
        *("-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0"),
        *("-DVM_TRACE_FST=0", "-DVM_TRACE_SAIF=0"),
        *("-I", str(include), "-I", str(include / "vltstd")),
    ]


def _include(paths: list[Path]) -> str:
    return "".join(f'#include "{path.name}"\n' for path in paths)


def _size(paths: list[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def _text(name: str) -> str:
    """The text of a file in this folder."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _versions() -> list[str]:
    return [toolchain.verilator_version(), *toolchain.compiler(), toolchain.compiler_version()]
