"""From a board and sizes to a bitstream, with what it is made of and how fast it is.

Amaranth gives the design and the file with the pins; Yosys, nextpnr and the packer are called here.
Every step is kept in the cache under everything that it depends on, so a build whose steps are all
there takes no time, and the placements of several seeds share one synthesis.
"""

import contextlib
import dataclasses
import gzip
import json
import logging
import shutil
import statistics
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from spikeloom import hdl
from spikeloom.boards import clocking, netlist, pll, top
from spikeloom.boards.board import Board
from spikeloom.boards.pll import MHZ, Setting
from spikeloom.boards.tools import WHEELS, Tools
from spikeloom.golden import contents as contents_specification
from spikeloom.golden import link as link_specification
from spikeloom.golden import spec as specification
from spikeloom.golden.contents import NOTHING, Contents
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.link import LinkConfig
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.spec import FabricConfig
from spikeloom.sim import cache, toolchain
from spikeloom.sim.toolchain import OutOfTime
from spikeloom.sim.verilog import blank

_WORKERS = 2
"""Placements at a time: each takes a core, and half a gigabyte for a large part."""

_COLLISIONS = r"setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2 r:MEMID=\identity %d"
"""A read in the clock of a write gives no specified row (`hdl.common.shapes.memory`)."""

_LEAST_MINUTES = 30
_CELLS_PER_MINUTE = 500
"""What a placement may take: several times what it does take on a busy machine. Few never end."""

_TRIALS = 4
"""Clocks that are tried for the fastest."""

_log = logging.getLogger(__name__)

SEEDS = (1, 2, 3)
"""Seeds of the placements where no others are asked for."""


@dataclass(frozen=True)
class Design:
    """What is synthesised: a board with everything that is built into it.

    Parameters
    ----------
    board, fabric, link, setting
        The board, sizes of its fabric, what its link says, and the PLL.
    source
        RTLIL of the module `top`.
    constraints
        The file with the pins, for nextpnr.
    pins
        Names of the ports of `top` that are the clock, `rx` and `tx`.
    contents
        What the fabric is built with.
    """

    board: Board
    fabric: FabricConfig
    link: LinkConfig
    setting: Setting
    source: str
    constraints: str
    pins: Mapping[str, str]
    contents: Contents

    @property
    def clock_mhz(self) -> float:
        """Clock of the fabric."""
        return float(self.setting.frequency) / MHZ


@dataclass(frozen=True)
class Placed:
    """One placement, routed.

    Parameters
    ----------
    seed
        Of the placement.
    fmax_mhz
        Fastest clock by nextpnr's model of the part at its slowest.
    sites
        What is used, and what there is, by nextpnr's names.
    directory
        In the cache: what the packer reads, and `routed.json.gz`.
    """

    seed: int
    fmax_mhz: float
    sites: Mapping[str, Mapping[str, int]]
    directory: Path

    def netlist(self) -> str:
        """The routed netlist, as nextpnr writes it."""
        return gzip.decompress((self.directory / "routed.json.gz").read_bytes()).decode()


@dataclass(frozen=True)
class Build:
    """A board's bitstream that meets its clock, and what is to be said of it."""

    design: Design
    placed: Placed
    bitstream: bytes
    verilog: str
    report: dict[str, Any]


def design(
    board: Board,
    fabric: FabricConfig | None = None,
    *,
    clock_mhz: float | None = None,
    baud: int | None = None,
    image: MemoryImage | None = None,
) -> Design:
    """Elaborate a board.

    Parameters
    ----------
    board
        The board.
    fabric
        Sizes; the board's if not given.
    clock_mhz
        Clock of the fabric, of which the PLL makes the highest frequency that is not above it; the
        board's if not given.
    baud
        Of the serial line, which gets the nearest that divides the clock; the board's if not given.
    image
        What the memories hold from the start, as far as those of the part can.

    Raises
    ------
    SpikeloomError
        The PLL makes no such clock, the clock is too slow for the baud rate, the image is not for
        these sizes or the part cannot hold any of it, or Amaranth's package with the boards is
        missing.
    """
    fabric = fabric or board.fabric
    contents = NOTHING if image is None else _contents(board, fabric, image)
    platform = board.make_platform()
    oscillator = board.oscillator or platform.default_clk
    source = round(platform.lookup(oscillator).clock.frequency)
    wanted = round((clock_mhz or board.clock_mhz) * MHZ)
    setting = pll.setting(board.family.name, source, wanted)
    clocks_per_bit = round(setting.frequency / (baud or board.baud))
    link = LinkConfig(board.name, round(setting.frequency), clocks_per_bit)
    link = link.with_contents(contents, fabric)
    key = cache.digest(repr(board), repr(fabric), repr(link), repr(setting), *_sources())
    link = dataclasses.replace(link, build=key)
    pins = board.family.pins[-1].rpartition("=")[2]

    def make(directory: Path) -> None:
        plan = platform.prepare(top.Top(board, fabric, link, setting, contents), "top")
        for name in ("top.il", pins):
            text = plan.files[name]
            (directory / name).write_bytes(text.encode() if isinstance(text, str) else text)

    made = cache.cached("design", key, make)
    return Design(
        board,
        fabric,
        link,
        setting,
        (made / "top.il").read_text(encoding="utf-8"),
        (made / pins).read_text(encoding="utf-8"),
        {"clk": f"{oscillator}_0__io", "rx": "uart_0__rx__io", "tx": "uart_0__tx__io"},
        contents,
    )


def _contents(board: Board, fabric: FabricConfig, image: MemoryImage) -> Contents:
    """What of `image` the part can be configured with."""
    image.check_fits(fabric, board.name)
    if not board.family.baked:
        raise SpikeloomError(
            f"{board.name}: no Program can be baked into a part of {board.family.name}: "
            "leave out --bake, the board is loaded when it runs"
        )
    return image.contents(board.family.baked)


def synthesise(made: Design, use: Tools) -> str:
    """The netlist of a design after synthesis: JSON of Yosys."""
    in_luts = "".join(
        f'setattr -set ram_style "distributed" m:{name}; ' for name in made.board.in_luts
    )
    script = (
        f"read_rtlil top.il; {blank(made.contents)}; {_COLLISIONS}; {in_luts}"
        f"{made.board.family.synthesis} -top top; write_json netlist.json"
    )

    def make(directory: Path) -> None:
        (directory / "top.il").write_text(made.source, encoding="utf-8")
        use.run("yosys", "-q", "-p", script, directory=directory)
        (directory / "top.il").unlink()

    key = cache.digest(made.source, script, use.version("yosys"))
    return (cache.cached("netlist", key, make) / "netlist.json").read_text(encoding="utf-8")


def place(
    made: Design, synthesised: str, seed: int, use: Tools, minutes: float | None = None
) -> Placed:
    """Place and route a netlist, in so many minutes at most if there is a limit.

    Raises
    ------
    SpikeloomError
        It does not fit the part.
    OutOfTime
        It took longer.
    """
    family = made.board.family
    # --freq is for Gowin, for which nextpnr does not derive the clock of a PLL from its input.
    arguments = [
        *("--json", "netlist.json", *family.pins, *made.board.part),
        *("--freq", str(made.clock_mhz), "--seed", str(seed), "--timing-allow-fail", "--quiet"),
        *("--report", "report.json", *family.result, "--write", "routed.json"),
    ]
    pins = family.pins[-1].rpartition("=")[2]

    def make(directory: Path) -> None:
        (directory / "netlist.json").write_text(synthesised, encoding="utf-8")
        (directory / pins).write_text(made.constraints, encoding="utf-8")
        try:
            use.run(family.placer, *arguments, directory=directory, minutes=minutes)
        except OutOfTime:
            raise
        except SpikeloomError as error:
            raise SpikeloomError(
                f"{made.board.name}: {error} (if it does not fit, make it smaller with --set)"
            ) from None
        routed = directory / "routed.json"
        with gzip.open(directory / f"{routed.name}.gz", "wb", compresslevel=1) as packed:
            packed.write(routed.read_bytes())
        routed.unlink()
        (directory / "netlist.json").unlink()

    key = cache.digest(synthesised, made.constraints, *arguments, use.version(family.placer))
    directory = cache.cached("placed", key, make)
    report = json.loads((directory / "report.json").read_text(encoding="utf-8"))
    return Placed(seed, _fmax(made, report), report["utilization"], directory)


def place_all(
    made: Design,
    synthesised: str,
    seeds: Sequence[int],
    use: Tools,
    progress: Callable[[Placed], None] = lambda placed: None,
    minutes: float | None = None,
) -> list[Placed]:
    """A placement for each seed, some at a time.

    A router now and then never ends. A placement that takes too long is ended and left out, with a
    warning in the log.

    Parameters
    ----------
    made, synthesised
        The design, and its netlist.
    seeds
        Of the placements.
    use
        The tools.
    progress
        Hears of each placement.
    minutes
        Most that one may take; if not given 30, or a minute for every 500 cells if that is more.

    Raises
    ------
    SpikeloomError
        It does not fit the part, or no placement ended in time.
    """
    if minutes is None:
        cells = len(json.loads(synthesised)["modules"]["top"]["cells"])
        minutes = max(_LEAST_MINUTES, cells / _CELLS_PER_MINUTE)

    def one(seed: int) -> Placed | None:
        try:
            placed = place(made, synthesised, seed, use, minutes)
        except OutOfTime:
            return None
        progress(placed)
        return placed

    with ThreadPoolExecutor(_WORKERS) as pool:
        ended = dict(zip(seeds, pool.map(one, seeds), strict=True))
    placements = [placed for placed in ended.values() if placed is not None]
    late = ", ".join(str(seed) for seed, placed in ended.items() if placed is None)
    if not placements:
        raise SpikeloomError(
            f"{made.board.name}: no placement ended within {minutes:g} minutes (seeds {late}): "
            "give them more --minutes, try more --seeds, or make it smaller with --set"
        )
    if late:
        _log.warning(
            "%s: left out, as it did not end within %g minutes: the placement of seed %s",
            made.board.name,
            minutes,
            late,
        )
    return placements


def build(
    board: Board,
    fabric: FabricConfig | None = None,
    *,
    clock_mhz: float | None = None,
    baud: int | None = None,
    image: MemoryImage | None = None,
    seeds: Sequence[int] = SEEDS,
    minutes: float | None = None,
    use: Tools = WHEELS,
    progress: Callable[[Placed], None] = lambda placed: None,
) -> Build:
    """The bitstream of a board, from the fastest of several placements.

    Parameters
    ----------
    board, fabric, clock_mhz, baud, image
        As for `design`.
    seeds, minutes
        Of the placements, and how long each may take, as for `place_all`.
    use
        The tools.
    progress
        Hears of each placement.

    Raises
    ------
    SpikeloomError
        No placement meets the clock, it does not fit the part, or a tool is missing or fails.
    """
    made = design(board, fabric, clock_mhz=clock_mhz, baud=baud, image=image)
    synthesised = synthesise(made, use)
    placements = place_all(made, synthesised, seeds, use, progress, minutes)
    best = max(placements, key=lambda placed: placed.fmax_mhz)
    if not meets(made, best):
        raise SpikeloomError(
            f"{board.name}: the best of {len(placements)} placements reaches "
            f"{best.fmax_mhz:.2f} MHz, {made.clock_mhz:g} MHz is wanted: "
            f"lower --clock, or try more --seeds"
        )
    return Build(
        made,
        best,
        _packed(made, best, use),
        _verilog(made, use),
        _report(made, synthesised, placements, use),
    )


def build_fastest(
    board: Board,
    fabric: FabricConfig | None = None,
    *,
    baud: int | None = None,
    image: MemoryImage | None = None,
    seeds: Sequence[int] = SEEDS,
    minutes: float | None = None,
    use: Tools = WHEELS,
    progress: Callable[[Placed], None] = lambda placed: None,
) -> Build:
    """As `build`, at the highest clock of the PLL that the placements support.

    Another clock is another design, whose placements come out differently; so this goes down from
    what the placements for the board's own clock promise, until one keeps its promise.
    """
    clock_mhz = board.clock_mhz
    made = design(board, fabric, clock_mhz=clock_mhz, baud=baud, image=image)
    for _ in range(_TRIALS):
        placements = place_all(made, synthesise(made, use), seeds, use, progress, minutes)
        promised = max(placed.fmax_mhz for placed in placements)
        made = design(board, fabric, clock_mhz=promised, baud=baud, image=image)
        with contextlib.suppress(SpikeloomError):
            return build(
                board,
                fabric,
                clock_mhz=made.clock_mhz,
                baud=baud,
                image=image,
                seeds=seeds,
                minutes=minutes,
                use=use,
                progress=progress,
            )
    raise SpikeloomError(
        f"{board.name}: no clock was met in {_TRIALS} trials, the last {made.clock_mhz:g} MHz: "
        "say one with --clock, or try more --seeds"
    )


def meets(made: Design, placed: Placed) -> bool:
    """Whether a placement is fast enough for the clock of its design."""
    return placed.fmax_mhz >= made.clock_mhz


def simulation(made: Design, text: str, use: Tools) -> str:
    """A netlist as Verilog with the module `board`, ports `clk`, `rx` and `tx`, and all models.

    A clock of the pin is a clock of the fabric; see `spikeloom.boards.netlist`.

    Parameters
    ----------
    made
        The design.
    text
        Its netlist: what `synthesise` returned, or `netlist` of a placement.
    use
        The tools.
    """
    family = made.board.family.name
    if family not in netlist.LIBRARIES:
        raise SpikeloomError(f"{made.board.name}: there are no models of {family} to simulate")
    given = netlist.simulated(text, made.pins)
    script = "read_json netlist.json; write_verilog -noattr netlist.v"

    def make(directory: Path) -> None:
        (directory / "netlist.json").write_text(given, encoding="utf-8")
        use.run("yosys", "-q", "-p", script, directory=directory)
        (directory / "netlist.json").unlink()

    key = cache.digest(given, script, use.version("yosys"))
    verilog = cache.cached("simulation", key, make) / "netlist.v"
    share = toolchain.cell_models()
    libraries = [share / name for name in netlist.LIBRARIES[family]]
    parts = [path.read_text(encoding="utf-8") for path in (*libraries, netlist.CELLS, verilog)]
    # The libraries are one file each that way.
    return "\n".join(["`define NO_INCLUDES", *parts])


def _fmax(made: Design, report: dict[str, Any]) -> float:
    """The fastest clock of the fabric, in MHz."""
    # nextpnr rounds periods, also that of the oscillator in a PLL.
    clocks = [
        float(clock["achieved"])
        for clock in report["fmax"].values()
        if abs(clock["constraint"] / made.clock_mhz - 1) < 5e-3
    ]
    if len(clocks) != 1:
        raise SpikeloomError(
            f"{made.board.name}: no clock was constrained to {made.clock_mhz:g} MHz, but "
            f"{report['fmax']}"
        )
    return clocks[0]


def _packed(made: Design, placed: Placed, use: Tools) -> bytes:
    """The bitstream."""
    tool, *arguments = made.board.family.packer

    def make(directory: Path) -> None:
        if made.board.family.result:
            name = made.board.family.result[-1]
            shutil.copy(placed.directory / name, directory / name)
        else:
            (directory / "routed.json").write_text(placed.netlist(), encoding="utf-8")
        use.run(tool, *arguments, directory=directory)
        for path in directory.iterdir():
            if path.name != "bitstream":
                path.unlink()

    key = cache.digest(placed.directory.name, tool, *arguments, use.version(tool))
    return (cache.cached("bitstream", key, make) / "bitstream").read_bytes()


def _verilog(made: Design, use: Tools) -> str:
    """The design before synthesis."""
    script = (
        "read_rtlil top.il; proc -nomux -norom; memory_collect; "
        "attrmap -remove generator -remove src; write_verilog -norename top.v"
    )

    def make(directory: Path) -> None:
        (directory / "top.il").write_text(made.source, encoding="utf-8")
        use.run("yosys", "-q", "-p", script, directory=directory)
        (directory / "top.il").unlink()

    key = cache.digest(made.source, script, use.version("yosys"))
    return (cache.cached("top", key, make) / "top.v").read_text(encoding="utf-8")


def resources(made: Design, synthesised: str, placed: Placed) -> dict[str, dict[str, int]]:
    """What the design takes of the part: `used`, and `available` where nextpnr says so."""
    kinds = [cell["type"] for cell in json.loads(synthesised)["modules"]["top"]["cells"].values()]
    counted = {
        name: {"used": sum(kind.startswith(prefixes) for kind in kinds)}
        for name, prefixes in made.board.family.cells.items()
    }
    sites = {name: dict(placed.sites[site]) for name, site in made.board.family.sites.items()}
    return counted | sites


def _report(
    made: Design, synthesised: str, placements: Sequence[Placed], use: Tools
) -> dict[str, Any]:
    """What `report.json` says."""
    best = max(placements, key=lambda placed: placed.fmax_mhz)
    family = made.board.family
    names = ("yosys", family.placer, family.packer[0])
    clocks = [placed.fmax_mhz for placed in placements]
    return {
        "board": made.board.name,
        "build": made.link.build,
        "clock_mhz": made.clock_mhz,
        "fmax_mhz": {
            "best": max(clocks),
            "median": statistics.median(clocks),
            "seeds": {str(placed.seed): placed.fmax_mhz for placed in placements},
        },
        "seed": best.seed,
        "resources": resources(made, synthesised, best),
        "fabric": dataclasses.asdict(made.fabric),
        "link": {
            **dataclasses.asdict(made.link),
            "baud": made.link.baud,
            "baked": [target.name.lower() for target in made.link.baked],
        },
        "pll": {name: str(value) for name, value in dataclasses.asdict(made.setting).items()},
        "tools": {"amaranth": version("amaranth"), **{name: use.version(name) for name in names}},
    }


def _sources() -> list[str]:
    """The text of everything that a design is made by."""
    files = [*_package(hdl), *_package(specification)]
    modules = (contents_specification, link_specification, pll, clocking, top)
    files += [Path(str(module.__file__)) for module in modules]
    return [version("amaranth"), *(path.read_text(encoding="utf-8") for path in files)]


def _package(package: ModuleType) -> list[Path]:
    """The files of a package."""
    return sorted(Path(package.__path__[0]).rglob("*.py"))
