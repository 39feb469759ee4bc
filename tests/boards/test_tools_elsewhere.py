"""Place and route on workers: files go there and come back, and nothing else runs there."""

import json
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from spikeloom.boards import tools
from spikeloom.boards.tools import Tools, run_tool
from spikeloom.golden.errors import SpikeloomError
from spikeloom.sim import toolchain
from spikeloom.sim.jobs.arrays import pack
from spikeloom.sim.toolchain import OutOfTime

# Takes "--in FILE --out FILE --seconds N".
STAND_IN = f"""#!{sys.executable}
import pathlib, sys, time
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
time.sleep(float(options["--seconds"]))
text = pathlib.Path(options["--in"]).read_bytes()
pathlib.Path(options["--out"]).write_bytes(text[::-1])
print("placed", len(text), "in", pathlib.Path.cwd())
"""


@pytest.fixture(autouse=True)
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The placer of the packages is a script, and a worker is this process."""
    program = tmp_path / "placer"
    program.write_text(STAND_IN)
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setattr(toolchain, "wheel_program", lambda *_: str(program))
    monkeypatch.setattr(toolchain, "wheel_version", lambda package: f"{package} 1.0")

    def run_jobs(
        work: Callable[[bytes, bytes], bytes], shared: bytes, jobs: Mapping[str, bytes], **_: str
    ) -> Iterator[tuple[str, bytes]]:
        return ((name, work(shared, own)) for name, own in jobs.items())

    monkeypatch.setattr(tools, "run_jobs", run_jobs)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / "placing"
    folder.mkdir()
    (folder / "netlist").write_bytes(b"\x00abc")
    return folder


THERE = Tools(scheduler="tcp://host:8786")
ORDER = ("--in", "netlist", "--out", "routed", "--seconds")


def test_files_go_there_and_come_back(directory: Path) -> None:
    printed = THERE.run("nextpnr-ice40", *ORDER, "0", directory=directory)
    assert printed.startswith("placed 4 in ")
    assert str(directory) not in printed
    assert sorted(path.name for path in directory.iterdir()) == ["netlist", "routed"]
    assert (directory / "routed").read_bytes() == b"cba\x00"


def test_out_of_time(directory: Path) -> None:
    with pytest.raises(OutOfTime, match=r"^placer did not end within 0\.001 minutes$"):
        THERE.run("nextpnr-ice40", *ORDER, "5", directory=directory, minutes=0.001)
    assert [path.name for path in directory.iterdir()] == ["netlist"]


def test_a_router_in_circles(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "_SECONDS", 0.1)
    row = "Info: 438000 |   432990       3006 | 1000     0 |      9341|       1.78    1267.45|\n"
    (directory / "log").write_text(row * 100)
    with pytest.raises(OutOfTime, match="^placer makes no progress$"):
        THERE.run("nextpnr-ice40", *ORDER, "60", directory=directory, log="log")
    (directory / "log").write_text(row.replace("9341", "9342") + row * 99)
    THERE.run("nextpnr-ice40", *ORDER, "1", directory=directory, log="log")


def test_a_tool_that_fails(directory: Path) -> None:
    with pytest.raises(SpikeloomError, match="failed: "):
        THERE.run("nextpnr-ice40", "--in", "nothing", *ORDER[2:], "0", directory=directory)


def test_other_tools_run_here(directory: Path) -> None:
    assert str(directory) in THERE.run("icepack", *ORDER, "0", directory=directory)


def test_versions_must_agree(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = iter(["nextpnr 1.0", "nextpnr 2.0"])
    monkeypatch.setattr(toolchain, "wheel_version", lambda _: next(versions))
    message = "a worker has nextpnr 2.0, and nextpnr 1.0 is here: install the same"
    with pytest.raises(SpikeloomError, match=message):
        THERE.run("nextpnr-ice40", *ORDER, "0", directory=directory)


def test_a_worker_runs_no_other_tool() -> None:
    order = {"tool": "yosys", "version": "", "arguments": [], "minutes": None}
    data = np.frombuffer(json.dumps(order).encode(), np.uint8)
    with pytest.raises(SpikeloomError, match="a worker does not run yosys"):
        run_tool(b"", pack({"": data}))


def test_native_tools_run_here_alone() -> None:
    with pytest.raises(SpikeloomError, match="leave out --native"):
        Tools(native=True, scheduler="tcp://host:8786")
