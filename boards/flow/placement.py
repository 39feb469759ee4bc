"""Placement and routing with nextpnr, one placement for each seed."""

import gzip
import json
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeloom.boards.flow.design import Design
from spikeloom.boards.tools import Tools
from spikeloom.golden.errors import SpikeloomError, SpikeloomWarning
from spikeloom.golden.progress import task
from spikeloom.golden.spec import FabricConfig
from spikeloom.golden.spec.sizes import RANGES
from spikeloom.sim import cache
from spikeloom.sim.toolchain import OutOfTime

SEEDS = (1, 2, 3)
"""Seeds of the placements by default."""

LOG = "nextpnr.log"
"""What nextpnr said, in the directory of a placement; no part of the key: it changes nothing."""

_WORKERS = 2
"""Placements at a time: each takes a core, and half a gigabyte for a large part."""

_MIN_MINUTES = 30
_CELLS_PER_MINUTE = 500
"""Time limit of a placement: several times what it takes on a busy machine. A few never end."""

RESOURCES = {
    "logic_cells": "logic cells",
    "lutram": "RAM in LUTs",
    "bram": "block RAM",
    "spram": "large RAM",
    "dsp": "multipliers",
}
"""Resources of `Family.sites` as users read them."""

_SMALLER = {
    "logic_cells": "lanes",
    "lutram": "neurons",
    "bram": "weight_words",
    "spram": "weight_words",
    "dsp": "multipliers",
}
"""The field of the fabric that takes most of a resource: half of it, or without it."""


class TooLarge(SpikeloomError):
    """A design does not fit its part.

    Attributes
    ----------
    short
        What there is too little of, such as "block RAM 37 of 30".
    """

    def __init__(self, board: str, short: str, fields: Mapping[str, Any]) -> None:
        settings = ", ".join(f"{name}={value}" for name, value in fields.items())
        options = " ".join(f"--set {name}={json.dumps(value)}" for name, value in fields.items())
        super().__init__(
            f"{board}: the fabric does not fit the part: {short}; use FabricConfig({settings}), on "
            f"the command line {options}"
        )
        self.short = short


@dataclass(frozen=True)
class Placed:
    """A placement, routed.

    Parameters
    ----------
    seed
        Seed of the placement.
    fmax_mhz
        Highest clock by nextpnr's worst-case model of the part.
    sites
        Used and available sites, by nextpnr's names.
    directory
        Directory in the cache with the packer's input and `routed.json.gz`.
    """

    seed: int
    fmax_mhz: float
    sites: Mapping[str, Mapping[str, int]]
    directory: Path

    def netlist(self) -> str:
        """The routed netlist, as nextpnr writes it."""
        return gzip.decompress((self.directory / "routed.json.gz").read_bytes()).decode()


def place(
    design: Design, synthesised: str, seed: int, tools: Tools, minutes: float | None = None
) -> Placed:
    """Place and route a netlist, in at most `minutes` if given.

    Raises
    ------
    TooLarge
        It does not fit the part.
    SpikeloomError
        nextpnr is missing or fails.
    OutOfTime
        The limit was reached, or the router goes in circles.
    """
    family = design.board.family
    arguments = [
        *_inputs(design),
        *("--seed", str(seed), "--timing-allow-fail"),
        *("--report", "report.json", *family.result, "--write", "routed.json"),
    ]

    def make(directory: Path) -> None:
        _write_inputs(directory, design, synthesised)
        try:
            logged = (*arguments, "--log", LOG)
            tools.run(family.placer, *logged, directory=directory, minutes=minutes, log=LOG)
        except OutOfTime:
            raise
        except SpikeloomError as error:
            _check_size(design, synthesised, tools)
            raise SpikeloomError(f"{design.board.name}: {error}") from None
        routed = directory / "routed.json"
        with gzip.open(directory / f"{routed.name}.gz", "wb", compresslevel=1) as packed:
            packed.write(routed.read_bytes())
        routed.unlink()
        (directory / "netlist.json").unlink()

    key = cache.digest(synthesised, design.constraints, *arguments, tools.version(family.placer))
    directory = cache.cached("placed", key, make)
    report = json.loads((directory / "report.json").read_text(encoding="utf-8"))
    return Placed(seed, _fmax(design, report), report["utilization"], directory)


def utilization(design: Design, synthesised: str, tools: Tools) -> dict[str, dict[str, int]]:
    """Used and available sites of a netlist, by nextpnr's names, without a placement.

    Raises
    ------
    SpikeloomError
        nextpnr is missing or fails.
    """
    arguments = [*_inputs(design), "--pack-only", "--report", "report.json"]

    def make(directory: Path) -> None:
        _write_inputs(directory, design, synthesised)
        tools.run(design.board.family.placer, *arguments, directory=directory)
        (directory / "netlist.json").unlink()

    version = tools.version(design.board.family.placer)
    key = cache.digest(synthesised, design.constraints, *arguments, version)
    report = cache.cached("packed", key, make) / "report.json"
    sites: dict[str, dict[str, int]] = json.loads(report.read_text(encoding="utf-8"))["utilization"]
    return sites


def check_fits(board: str, fabric: FabricConfig, sites: Mapping[str, tuple[int, int]]) -> None:
    """Raise `TooLarge` if of a resource, by its name in `RESOURCES`, more is used than there is."""
    over = {name: pair for name, pair in sites.items() if pair[0] > pair[1]}
    if not over:
        return
    fields = {}
    for name in over:
        field = _SMALLER[name]
        value = getattr(fabric, field)
        fields[field] = max(value // 2, 1) if field in RANGES else False
    short = (f"{RESOURCES[name]} {used} of {available}" for name, (used, available) in over.items())
    raise TooLarge(board, ", ".join(short), fields)


def _check_size(design: Design, synthesised: str, tools: Tools) -> None:
    """Raise `TooLarge` if packing says that a design does not fit the part."""
    try:
        sites = utilization(design, synthesised, tools)
    except SpikeloomError:
        return
    pairs = {
        name: (sites[site]["used"], sites[site]["available"])
        for name, site in design.board.family.sites.items()
    }
    check_fits(design.board.name, design.fabric, pairs)


def _inputs(design: Design) -> list[str]:
    """The arguments of nextpnr with its inputs, the part and the clock."""
    family = design.board.family
    # Gowin needs --freq: there nextpnr does not derive a PLL's clock from its input.
    clock = ("--freq", str(design.clock_mhz))
    return ["--json", "netlist.json", *family.pins, *design.board.part, *clock, "--quiet"]


def _write_inputs(directory: Path, design: Design, synthesised: str) -> None:
    pins = design.board.family.pins[-1].rpartition("=")[2]
    (directory / "netlist.json").write_text(synthesised, encoding="utf-8")
    (directory / pins).write_text(design.constraints, encoding="utf-8")


def place_all(
    design: Design,
    synthesised: str,
    seeds: Sequence[int],
    tools: Tools,
    minutes: float | None = None,
) -> list[Placed]:
    """One placement per seed, two at a time; on a cluster, all at once.

    nextpnr's router sometimes never terminates. A placement in which it goes in circles, or that
    exceeds the time limit, is ended and left out, with a `SpikeloomWarning`.

    Parameters
    ----------
    design, synthesised
        The design, and its netlist.
    seeds
        Seeds of the placements.
    tools
        The tools.
    minutes
        Time limit of a placement. Default: 30, or one per 500 cells if that is more.

    Raises
    ------
    TooLarge
        It does not fit the part.
    SpikeloomError
        No placement ended in time.
    """
    if minutes is None:
        cells = len(json.loads(synthesised)["modules"]["top"]["cells"])
        minutes = max(_MIN_MINUTES, cells / _CELLS_PER_MINUTE)

    def place_seed(seed: int) -> Placed | OutOfTime:
        with task(f"placing and routing, seed {seed}") as step:
            try:
                placed = place(design, synthesised, seed, tools, minutes)
            except OutOfTime as late:
                step.say("never ends")
                return late
            step.log = placed.directory / LOG
            step.say(f"{placed.fmax_mhz:.2f} MHz")
            return placed

    with ThreadPoolExecutor(len(seeds) if tools.scheduler else _WORKERS) as pool:
        # A context for each thread, so that whoever watches sees its placements.
        jobs = [pool.submit(copy_context().run, place_seed, seed) for seed in seeds]
        ended = {seed: job.result() for seed, job in zip(seeds, jobs, strict=True)}
    placements = [placed for placed in ended.values() if isinstance(placed, Placed)]
    late = {seed: str(error) for seed, error in ended.items() if isinstance(error, OutOfTime)}
    reasons = "; ".join(f"seed {seed}: {reason}" for seed, reason in late.items())
    if not placements:
        raise SpikeloomError(
            f"{design.board.name}: no placement ended ({reasons}): try more --seeds, give them "
            "more --minutes, or make it smaller, such as with "
            f"--set lanes={max(design.fabric.lanes // 2, 1)}"
        )
    if late:
        warnings.warn(
            f"{design.board.name}: placements left out: {reasons}", SpikeloomWarning, stacklevel=2
        )
    return placements


def meets(design: Design, placed: Placed) -> bool:
    """Whether a placement meets the clock of its design."""
    return placed.fmax_mhz >= design.clock_mhz


def _fmax(design: Design, report: dict[str, Any]) -> float:
    """The highest clock of the fabric, in MHz."""
    # nextpnr rounds periods, including that of the oscillator in a PLL.
    clocks = [
        float(clock["achieved"])
        for clock in report["fmax"].values()
        if abs(clock["constraint"] / design.clock_mhz - 1) < 5e-3
    ]
    if len(clocks) != 1:
        raise SpikeloomError(
            f"{design.board.name}: no clock was constrained to {design.clock_mhz:g} MHz, but "
            f"{report['fmax']}"
        )
    return clocks[0]
