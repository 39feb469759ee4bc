"""The emitted Verilog of a fabric."""

import dataclasses
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from amaranth import Module, signed
from amaranth.back import rtlil
from amaranth.lib.memory import Memory

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.fabric import Fabric
from spikeloom.sim import verilog
from spikeloom.sim.verilog import AXI_TOP, TOP, emit, emit_axi

ROOT = Path(__file__).resolve().parents[2]
CONFIG = FabricConfig(
    lanes=2, neurons=10, weight_words=64, slots=2, axons=12, populations=3, connections=4, targets=5
)


def test_a_yosys_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verilog, "_YOSYS_SCRIPT", "no_such_command\n")
    with pytest.raises(RuntimeError, match=r"^Yosys failed: ERROR: No such command: no_such_comm"):
        verilog.generate("", CONFIG, Fabric(CONFIG), TOP)


PYTHONS = "SPIKELOOM_PYTHONS"
"""Variable with more Pythons to try, such as those of virtual environments."""


def _pythons() -> list[str]:
    """Every other Python from 3.11 on: on the search path, of pyenv, and of `PYTHONS`."""
    paths = [path for minor in range(11, 20) if (path := shutil.which(f"python3.{minor}"))]
    paths += map(str, sorted(Path.home().glob(".pyenv/versions/3.*/bin/python")))
    paths += [path for path in os.environ.get(PYTHONS, "").split(os.pathsep) if path]
    return [path for path in dict.fromkeys(paths) if Path(path).is_file()]


@pytest.mark.parametrize("python", _pythons())
def test_the_same_bytes_on_every_python(python: str, tmp_path: Path) -> None:
    probe = "import sys, amaranth, numpy, platformdirs; sys.exit(sys.version_info < (3, 11))"
    if subprocess.run([python, "-c", probe], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip(f"{python} is older than 3.11, or has no Amaranth")
    assert (
        _emit_elsewhere(tmp_path / "there", tmp_path / "work", "1", python) == emit(CONFIG).encode()
    )


def _emit_elsewhere(checkout: Path, work: Path, seed: str, python: str = sys.executable) -> bytes:
    """The output of `emit` in a copy of the sources, with an empty cache."""
    shutil.copytree(ROOT / "spikeloom", checkout / "spikeloom")
    work.mkdir()
    program = (
        "import sys; from spikeloom.golden.spec import FabricConfig;"
        "from spikeloom.sim.verilog import emit;"
        "sys.stdout.write(emit(FabricConfig.from_json(sys.argv[1])))"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(checkout),
        "PYTHONHASHSEED": seed,
        "SPIKELOOM_CACHE": str(work / "cache"),
    }
    command = [python, "-c", program, CONFIG.to_json()]
    done = subprocess.run(command, cwd=work, env=environment, check=True, capture_output=True)
    assert done.stderr == b""
    return done.stdout


def test_initial_contents_are_those_that_amaranth_writes() -> None:
    spec = importlib.util.spec_from_file_location("amaranth.back.unchanged", rtlil.__file__)
    assert spec
    assert spec.loader
    unchanged = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(unchanged)
    for shape, contents in ((5, [1, 30, 0]), (signed(3), [-4, 3, -1, 2]), (1, [1])):
        texts = []
        for module in (rtlil, unchanged):
            memory = Memory(shape=shape, depth=7, init=contents)
            memory.read_port()
            top = Module()
            top.submodules.memory = memory
            texts.append(module.convert(top, name="top", ports=[], emit_src=False))
        assert texts[0] == texts[1]
        assert "$meminit_v2" in texts[0]


def test_same_bytes_anywhere(tmp_path: Path) -> None:
    one = _emit_elsewhere(tmp_path / "one", tmp_path / "work", "1")
    other = _emit_elsewhere(tmp_path / "other" / "deeper", tmp_path / "elsewhere", "2")
    assert one == other
    assert one == emit(CONFIG).encode()
    assert str(tmp_path).encode() not in one
    # Files of the project are named by their paths in it.
    assert not re.search(rb"[ \"](?:/|\.\.)[^ \n]*\.py", one)


def test_every_signal_has_a_name() -> None:
    """Amaranth's own depend on the version of Python."""
    options = {"extent": 4, "coordinates": 16, "synaptic_current": True, "readable": True}
    for config in (CONFIG, dataclasses.replace(CONFIG, columns=3, rows=2, **options)):
        assert not re.search(r"\\\$(?:signal|like)", emit(config, probe=True))


def test_header_holds_the_configuration() -> None:
    first, second = emit(CONFIG).splitlines()[:2]
    assert re.search("Amaranth .* Yosys", first)
    assert FabricConfig.from_json(second.removeprefix("// ")) == CONFIG


@pytest.mark.parametrize("probe", [False, True])
def test_ports(probe: bool) -> None:
    top = re.search(r"^module spikeloom_fabric\(.*?^endmodule", emit(CONFIG, probe), re.M | re.S)
    assert top
    ports = {
        name: int(high or 0) + 1
        for high, name in re.findall(r"^  (?:in|out)put (?:\[(\d+):0\] )?(\S+);", top[0], re.M)
    }
    expected = {"clk": 1, "rst": 1, "counters": CONFIG.counters.width}
    for stream in ("host_in", "host_out", "load"):
        expected[f"{stream}__payload"] = getattr(CONFIG, stream).width
        expected[f"{stream}__valid"] = expected[f"{stream}__ready"] = 1
    if probe:
        expected["probe"] = CONFIG.probe.width
    assert ports == expected


def modules(text: str) -> set[str]:
    return set(re.findall(r"^module \\?([^\s(]+)", text, re.M))


@pytest.mark.parametrize("axi", [False, True])
def test_fabrics_of_two_names_share_no_module(axi: bool) -> None:
    other = dataclasses.replace(CONFIG, lanes=1)
    usual = emit_axi(CONFIG) if axi else emit(CONFIG)
    named = emit_axi(other, "my_net") if axi else emit(other, name="my_net")
    assert "my_net" in modules(named)
    assert all(name.split(".")[0] == "my_net" for name in modules(named))
    assert not modules(usual) & modules(named)
    # Nothing but the names depends on the name.
    top = AXI_TOP if axi else TOP
    same = emit_axi(CONFIG, "my_net") if axi else emit(CONFIG, name="my_net")
    assert same.replace("my_net", top).splitlines()[1:] == usual.splitlines()[1:]


@pytest.mark.parametrize("name", ["", "1st", "a b", "a.b", "a;b", "x" * 101, "é", "a\n"])
def test_a_name_that_is_no_identifier_is_refused(name: str) -> None:
    for write in (emit_axi, lambda config, name: emit(config, name=name)):
        with pytest.raises(SpikeloomError, match=r"^module name .*: must begin with a letter"):
            write(CONFIG, name)


@pytest.mark.parametrize("learns", [False, True])
def test_every_memory_but_the_weights_is_cleared_in_one_loop(learns: bool) -> None:
    text = emit(dataclasses.replace(CONFIG, plasticity=learns))
    memories = Counter(re.findall(r"^  reg \[\d+:0\] (\S+) \[(\d+):0\];", text, re.M))
    cleared = re.findall(
        r"for \(cleared = 0; cleared <= (\d+); .*\) (\S+)\[cleared\] = \d+'[hd]0+;", text
    )
    left = memories - Counter((name, last) for last, name in cleared)
    assert [last for _, last in left.elements()] == [str(CONFIG.weight_words - 1)]
    assert text.count("initial begin") == memories.total() - 1 >= 6


def test_every_memory_has_one_synchronous_read_and_one_write_port() -> None:
    """As block RAM has."""
    options = {"extent": 4, "coordinates": 16, "synaptic_current": True, "readable": True}
    checked = 0
    for config in (CONFIG, dataclasses.replace(CONFIG, columns=2, routes=4, **options)):
        for module in re.findall(r"^module .*?^endmodule", emit(config), re.M | re.S):
            for memory in re.findall(r"^  reg (?:\[\d+:0\] )?(\S+) \[\d+:0\];", module, re.M):
                name = re.escape(memory)
                uses = re.findall(rf"^.*(?<!\w){name} ?\[.*\n", module, re.M)
                uses = [line for line in uses if " cleared" not in line and "  reg " not in line]
                writes = [
                    row[1]
                    for line in uses
                    if (row := re.match(rf"\s+{name} ?\[(.*?)\](?:\[[\d:]+\])? <= ", line))
                ]
                reads = [line for line in uses if re.match(rf"\s+_\d+_ <= {name} ?\[", line)]
                assert len(uses) == len(writes) + len(reads), uses
                assert (len(set(writes)), len(reads)) == (1, 1), uses
                checked += 1
    assert checked > 15


def test_every_state_machine_says_the_names_of_its_states() -> None:
    text = emit(CONFIG)
    machines = len(re.findall(r"^  reg (?:\[\d+:0\] )?\w*fsm_state\w* ", text, re.M))
    named = re.findall(r"^// (\w+), .*; fsm_state: (.*)$", text, re.M)
    assert len(named) == machines > 0
    assert dict(named)["Sequencer"] == "0 WAIT, 1 START, 2 BUSY, 3 DONE"


def test_every_module_says_where_its_class_is() -> None:
    modules = re.findall(
        r"(?:^// (\w+), (\S+?)(?::(\d+))?(?:; .*)?\n)?^module ", emit(CONFIG), re.M
    )
    assert len(modules) > 5
    for kind, file, line in modules:
        if file.startswith("spikeloom/"):
            text = (ROOT / file).read_text(encoding="utf-8").split("\n")[int(line) - 1]
            assert text.startswith(f"class {kind}(")
        else:
            assert file.startswith("amaranth/lib/")


def test_the_table_of_payloads_is_that_of_the_specification() -> None:
    rows = re.findall(r"^//   (\w+) +(?:(\d+):)?(\d+)  ([\w.]+)", emit(CONFIG), re.M)
    for name in ("host_in", "host_out", "load", "counters"):
        low = 0
        for field in getattr(CONFIG, name).fields:
            high = str(low + field.width - 1) if field.width > 1 else ""
            assert rows.pop(0) == (name, high, str(low), field.name)
            low += field.width
    assert not rows
