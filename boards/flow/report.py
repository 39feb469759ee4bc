"""The report of a build: clock, critical path, resources, pins, seeds and tools."""

import dataclasses
import json
import re
import statistics
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from spikeloom.boards.flow.design import Design
from spikeloom.boards.flow.placement import Placed
from spikeloom.boards.tools import Tools


def resources(design: Design, synthesised: str, placed: Placed) -> dict[str, dict[str, int]]:
    """Resources by name: `used` by the design, and `available` where nextpnr reports it."""
    kinds = [cell["type"] for cell in json.loads(synthesised)["modules"]["top"]["cells"].values()]
    counted = {
        name: {"used": sum(kind.startswith(prefixes) for kind in kinds)}
        for name, prefixes in design.board.family.cells.items()
    }
    sites = {name: dict(placed.sites[site]) for name, site in design.board.family.sites.items()}
    return counted | sites


_PIN = re.compile(
    r'^(?:set_io|LOCATE COMP|IO_LOC) "?(?P<port>\w+?)"? (?:SITE )?"?(?P<pin>\w+)"?;?$', re.M
)
"""A pin in a file of constraints, of each family."""


def pins(design: Design) -> dict[str, str]:
    """The pin of the package that each port of the design is on."""
    return {match["port"]: match["pin"] for match in _PIN.finditer(design.constraints)}


def critical_path(placed: Placed) -> list[dict[str, Any]]:
    """The slowest path from register to register, from its start to its end.

    Each part has a `kind` as nextpnr names it, such as "logic" or "routing", `delay_ns`, and the
    cell that it ends in.
    """
    timing = json.loads((placed.directory / "report.json").read_text(encoding="utf-8"))
    paths = [
        [
            {"kind": part["type"], "delay_ns": part["delay"], "to": part["to"]["cell"]}
            for part in path["path"]
        ]
        for path in timing.get("critical_paths", [])
        if "<async>" not in (path["from"], path["to"])
    ]
    return max(paths, key=lambda path: sum(part["delay_ns"] for part in path), default=[])


def report(
    design: Design, synthesised: str, placements: Sequence[Placed], tools: Tools
) -> dict[str, Any]:
    """The contents of `report.json`."""
    best = max(placements, key=lambda placed: placed.fmax_mhz)
    family = design.board.family
    names = ("yosys", family.placer, family.packer[0])
    clocks = [placed.fmax_mhz for placed in placements]
    return {
        "board": design.board.name,
        "build": design.link.build,
        "clock_mhz": design.clock_mhz,
        "fmax_mhz": {
            "best": max(clocks),
            "median": statistics.median(clocks),
            "seeds": {str(placed.seed): placed.fmax_mhz for placed in placements},
        },
        "seed": best.seed,
        "critical_path": critical_path(best),
        "pins": pins(design),
        "resources": resources(design, synthesised, best),
        "fabric": dataclasses.asdict(design.fabric),
        "link": {
            **dataclasses.asdict(design.link),
            "baud": design.link.baud,
            "baked": [target.name.lower() for target in design.link.baked],
        },
        "pll": {name: str(value) for name, value in dataclasses.asdict(design.setting).items()},
        "tools": {"amaranth": version("amaranth"), **{name: tools.version(name) for name in names}},
    }
