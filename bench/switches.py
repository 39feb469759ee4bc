"""What each switch of the neuron update costs: logic cells of a tile, alone and with all others.

Also of a few other options, for `spikeloom info --estimate`.

Cells are those of one `Tile`, as `bench.core` counts them; the clock of the fullest fabric is that
of a fabric of one tile in a `Harness`, the best of a few placements.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench import core
from bench.figure import Figure
from spikeloom.estimate.cells import BESIDE, HALF, MEASURED
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import SWITCHES, FabricConfig
from spikeloom.golden.switches.records import record

PAGE = Path(__file__).parents[1] / "docs" / "switches.md"

_PARTS = ("up5k", "ecp5_6")
_EVERYTHING: dict[str, Any] = {
    **dict.fromkeys(SWITCHES, True),
    **dict.fromkeys(("doubling", "synaptic_current", "delayed_reset", "lower_clamp"), True),
    **dict.fromkeys(("weight_pairs", "neuron_parameters", "traces", "readable"), True),
    **{"max_spikes": 31, "fraction_bits": 12, "extent": 32},
}
_FLOOR = 85.0
_SPARSE = {"sparse_words": 256}

_OPTIONS: dict[str, tuple[dict[str, Any], str, int]] = {
    "`signed_spikes`": ({"signed_spikes": True}, "spikes and events with a sign", 1),
    "`graded_bits=4`": ({"graded_bits": 4}, "events that carry a number, 4 bits", 0),
    "`graded_bits=8`": ({"graded_bits": 8}, "events that carry a number, 8 bits", 0),
    "`fire_lanes=2`": ({"fire_lanes": 2}, "2 neurons updated a clock", 0),
    "`fire_lanes=4`": ({"fire_lanes": 4}, "4 neurons updated a clock", 0),
    "`fire_lanes=8`": ({"fire_lanes": 8}, "8 neurons updated a clock", 0),
}
"""Other options: fields of the fabric, what it has more, and the clocks of a population."""

Record = Mapping[str, Mapping[str, Any]]


def measure(_data: Path) -> Iterator[Figure]:
    """Measure; needs no data."""
    for part in _PARTS:
        whole = {"plain": {}, "all": dict.fromkeys(SWITCHES, True), "sparse_words": _SPARSE}
        for name, (base, beside) in BESIDE.items():
            whole |= {base: beside, name: {name: True, **beside}}
        whole[HALF] = {"plasticity": True, HALF: FabricConfig().lanes // 2}
        for name in dict.fromkeys(("plain", *MEASURED, *whole)):
            options = whole.get(name, {name: True})
            # Yosys 0.70 ends without a word on a few netlists for ECP5.
            with contextlib.suppress(SpikeloomError):
                yield Figure(f"switches.{part}.{name}", core.tile_cells(part, **options), "cells")
        for options, _, _ in _OPTIONS.values():
            with contextlib.suppress(SpikeloomError):
                yield Figure(_option(part, options), core.tile_cells(part, **options), "cells")
    for options, _, _ in _OPTIONS.values():
        if "fire_lanes" in options:
            best = core.fabric_clock("ecp5_6", **options)
            yield Figure(f"{_option('ecp5_6', options)}.fmax", best, "MHz")
    best = core.fabric_clock("ecp5_6", **_EVERYTHING)
    yield Figure("switches.ecp5_6.fullest_fabric", best, "MHz", _FLOOR)


def _option(part: str, options: Mapping[str, Any]) -> str:
    """The name of the figure of an option of events."""
    return f"switches.{part}." + "_".join(f"{name}_{int(n)}" for name, n in options.items())


def table(figures: Record) -> str:
    """The rows of docs/switches.md, from the switches themselves and the record of figures."""

    def more(part: str, name: str) -> str:
        plain, built = (figures.get(f"switches.{part}.{which}") for which in ("plain", name))
        if plain is None or built is None:
            return "not measured"
        return f"{built['value'] - plain['value']:+,.0f}"

    lines = [
        "| switch | a population has | parameters | kept of a neuron | clocks | UP5K | ECP5 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, layout in SWITCHES.items():
        switch = record(name)
        parameters = ", ".join(f"`{field.name}`" for field in dataclasses.fields(switch))
        kept = ", ".join(f"{field}, {width or 'state'} bits" for field, width in layout.kept)
        costs = " | ".join([str(layout.clocks), *(more(part, name) for part in _PARTS)])
        lines.append(
            f"| `{switch.__name__}`, `{name}` | {switch.title} | {parameters} | {kept} | {costs} |"
        )
    clocks = sum(layout.clocks for layout in SWITCHES.values())
    costs = " | ".join([str(clocks), *(more(part, "all") for part in _PARTS)])
    lines.append(f"| all of them | | | | {costs} |")
    for title, (options, has, own) in _OPTIONS.items():
        extra = [
            more(part, _option(part, options).removeprefix(f"switches.{part}.")) for part in _PARTS
        ]
        lines.append(f"| {title} | {has} | | | {own} | {' | '.join(extra)} |")
    return "\n".join(lines) + "\n"
