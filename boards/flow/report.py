"""The report of a build: clock, resources, seeds and tools."""

import dataclasses
import json
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
