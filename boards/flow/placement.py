"""Placement and routing with nextpnr, one placement for each seed."""

import gzip
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeloom.boards.flow.design import Design
from spikeloom.boards.tools import Tools
from spikeloom.golden.errors import SpikeloomError
from spikeloom.sim import cache
from spikeloom.sim.toolchain import OutOfTime

SEEDS = (1, 2, 3)
"""Seeds of the placements by default."""

_WORKERS = 2
"""Placements at a time: each takes a core, and half a gigabyte for a large part."""

_MIN_MINUTES = 30
_CELLS_PER_MINUTE = 500
"""Time limit of a placement: several times what it takes on a busy machine. A few never end."""

_log = logging.getLogger(__name__)


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
    SpikeloomError
        It does not fit the part.
    OutOfTime
        The limit was reached.
    """
    family = design.board.family
    # Gowin needs --freq: there nextpnr does not derive a PLL's clock from its input.
    arguments = [
        *("--json", "netlist.json", *family.pins, *design.board.part),
        *("--freq", str(design.clock_mhz), "--seed", str(seed), "--timing-allow-fail", "--quiet"),
        *("--report", "report.json", *family.result, "--write", "routed.json"),
    ]
    pins = family.pins[-1].rpartition("=")[2]

    def make(directory: Path) -> None:
        (directory / "netlist.json").write_text(synthesised, encoding="utf-8")
        (directory / pins).write_text(design.constraints, encoding="utf-8")
        try:
            tools.run(family.placer, *arguments, directory=directory, minutes=minutes)
        except OutOfTime:
            raise
        except SpikeloomError as error:
            raise SpikeloomError(
                f"{design.board.name}: {error} (if it does not fit, make it smaller with --set)"
            ) from None
        routed = directory / "routed.json"
        with gzip.open(directory / f"{routed.name}.gz", "wb", compresslevel=1) as packed:
            packed.write(routed.read_bytes())
        routed.unlink()
        (directory / "netlist.json").unlink()

    key = cache.digest(synthesised, design.constraints, *arguments, tools.version(family.placer))
    directory = cache.cached("placed", key, make)
    report = json.loads((directory / "report.json").read_text(encoding="utf-8"))
    return Placed(seed, _fmax(design, report), report["utilization"], directory)


def place_all(
    design: Design,
    synthesised: str,
    seeds: Sequence[int],
    tools: Tools,
    progress: Callable[[Placed], None] = lambda placed: None,
    minutes: float | None = None,
) -> list[Placed]:
    """One placement per seed, two at a time.

    nextpnr's router sometimes never terminates. A placement that exceeds the time limit is ended
    and left out, with a warning in the log.

    Parameters
    ----------
    design, synthesised
        The design, and its netlist.
    seeds
        Seeds of the placements.
    tools
        The tools.
    progress
        Called with each placement when it is routed.
    minutes
        Time limit of a placement. Default: 30, or one per 500 cells if that is more.

    Raises
    ------
    SpikeloomError
        It does not fit the part, or no placement ended in time.
    """
    if minutes is None:
        cells = len(json.loads(synthesised)["modules"]["top"]["cells"])
        minutes = max(_MIN_MINUTES, cells / _CELLS_PER_MINUTE)

    def place_seed(seed: int) -> Placed | None:
        try:
            placed = place(design, synthesised, seed, tools, minutes)
        except OutOfTime:
            return None
        progress(placed)
        return placed

    with ThreadPoolExecutor(_WORKERS) as pool:
        ended = dict(zip(seeds, pool.map(place_seed, seeds), strict=True))
    placements = [placed for placed in ended.values() if placed is not None]
    late = ", ".join(str(seed) for seed, placed in ended.items() if placed is None)
    if not placements:
        raise SpikeloomError(
            f"{design.board.name}: no placement ended within {minutes:g} minutes (seeds {late}): "
            "give them more --minutes, try more --seeds, or make it smaller with --set"
        )
    if late:
        _log.warning(
            "%s: left out, as it did not end within %g minutes: the placement of seed %s",
            design.board.name,
            minutes,
            late,
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
