"""Compiles a fabric's Verilog into a shared library, once for each content."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from golden.spec import FabricConfig
from sim import cache, toolchain
from sim.verilog import TOP, WAIVERS

LIBRARY = "fabric.so"

_HARNESS = Path(__file__).with_name("harness.cpp")

_VERILATOR_FLAGS = [
    *("--cc", "--prefix", "Vfabric", "--top-module", "simulation"),
    # Amaranth gives every register and memory an initial value and has no X.
    *("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert", "--no-timing"),
    *WAIVERS,
]
_TRACE_FLAGS = ["--trace-vcd", "--trace-max-width", "1024"]

# -O3 and -march=native gain nothing here.
_COMPILER_FLAGS = ["-std=c++17", "-O2", "-fPIC", "-fvisibility=hidden", "-w"]
# Set-up code runs once.
_SLOW_FLAGS = [*_COMPILER_FLAGS, "-O0"]

# Constant `rst` and `host_out__ready` leave less to evaluate, above all whatever `rst` would lead
# into: every register. A model begins with the values that a reset would give it.
_WRAPPER = """
module simulation(
  input clk,
  input host_in__valid, input [{host_in}:0] host_in__payload, output host_in__ready,
  output host_out__valid, output [{host_out}:0] host_out__payload,
  input load__valid, input [{load}:0] load__payload,
  output [{counters}:0] counters
);
  {top} fabric(
    .clk(clk), .rst(1'b0),
    .host_in__valid(host_in__valid), .host_in__payload(host_in__payload),
    .host_in__ready(host_in__ready),
    .host_out__valid(host_out__valid), .host_out__payload(host_out__payload),
    .host_out__ready(1'b1),
    .load__valid(load__valid), .load__payload(load__payload), .load__ready(),
    .counters(counters)
  );
endmodule
"""


def build(config: FabricConfig, verilog: str, *, trace: bool = False, extra: str = "") -> Path:
    """The shared library of `verilog` with the harness; compiled now if it is not in the cache.

    The C interface is that of `harness.cpp`. Every symbol but those is hidden, so that one process
    can load many libraries.

    Parameters
    ----------
    config
        Sizes of the fabric, which are those of its ports.
    verilog
        Text with the top module `sim.verilog.TOP`, without probe.
    trace
        Able to write waveforms; slower.
    extra
        C++ to append to the harness.

    Raises
    ------
    SpikeloomError
        A tool is missing or fails. Nothing is left behind.
    """
    harness = _HARNESS.read_text(encoding="utf-8") + extra
    ports = {
        name: getattr(config, name).width - 1
        for name in ("host_in", "host_out", "load", "counters")
    }
    verilog += _WRAPPER.format(top=TOP, **ports)
    flags = _VERILATOR_FLAGS + (_TRACE_FLAGS if trace else [])
    key = cache.digest(
        verilog, harness, *flags, *_COMPILER_FLAGS, *_SLOW_FLAGS, *_versions(), str(trace)
    )

    def make(directory: Path) -> None:
        work = directory / "work"
        work.mkdir()
        source = work / "fabric.v"
        source.write_text(verilog, encoding="utf-8")
        toolchain.verilator(*flags, "--Mdir", str(work), str(source))
        # One unit for what runs every clock, so that it can be inlined, and one for the rest.
        model = sorted(work.glob("Vfabric*.cpp"))
        slow = [path for path in model if path.stem.endswith("__Slow")]
        fast = [path for path in model if path not in slow]
        units = {
            "fast": (harness + _include(fast), _COMPILER_FLAGS),
            "slow": (_include(slow), _SLOW_FLAGS),
        }
        with ThreadPoolExecutor() as pool:
            runtime = pool.submit(_runtime, trace)
            objects = list(
                pool.map(lambda name: _compile(work, name, *units[name], trace=trace), units)
            )
        objects += sorted(runtime.result().glob("*.o"))
        toolchain.run(
            [
                *toolchain.compiler(),
                *("-shared", "-pthread", "-o", str(directory / LIBRARY)),
                *map(str, objects),
            ]
        )
        shutil.rmtree(work)

    return cache.cached("model", key, make) / LIBRARY


def _runtime(trace: bool) -> Path:
    """A directory with the objects of Verilator's runtime, which are the same for every model."""
    names = ["verilated", "verilated_threads", *(["verilated_vcd_c"] if trace else [])]

    def make(directory: Path) -> None:
        with ThreadPoolExecutor() as pool:
            units = {name: _include([Path(f"{name}.cpp")]) for name in names}
            list(
                pool.map(
                    lambda name: _compile(
                        directory, name, units[name], _COMPILER_FLAGS, trace=trace
                    ),
                    units,
                )
            )

    key = cache.digest(*names, *_COMPILER_FLAGS, *_versions(), str(trace))
    return cache.cached("runtime", key, make)


def _compile(directory: Path, name: str, text: str, flags: list[str], *, trace: bool) -> Path:
    source = directory / f"{name}_unit.cpp"
    target = directory / f"{name}_unit.o"
    source.write_text(text, encoding="utf-8")
    include = toolchain.verilator_root() / "include"
    toolchain.run(
        [
            *toolchain.compiler(),
            *flags,
            *("-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0"),
            *("-DVM_TRACE_FST=0", "-DVM_TRACE_SAIF=0"),
            *(f"-DVM_TRACE={trace:d}", f"-DVM_TRACE_VCD={trace:d}"),
            *("-I", str(directory), "-I", str(include), "-I", str(include / "vltstd")),
            *("-c", str(source), "-o", str(target)),
        ]
    )
    return target


def _include(paths: list[Path]) -> str:
    return "".join(f'#include "{path.name}"\n' for path in paths)


def _versions() -> list[str]:
    return [toolchain.verilator_version(), *toolchain.compiler(), toolchain.compiler_version()]
