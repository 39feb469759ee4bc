"""What each switch of the neuron update costs: logic cells of a tile, alone and with all others.

Also of a few other options, for `spikeloom info --estimate`.

Cells are those of one `Tile`, as `bench.core` counts them; the clock of the fullest fabric is that
of a fabric of one tile in a `Harness`, the best of a few placements.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bench import core
from bench.figure import Figure
from spikeloom.estimate.cells import BESIDE, HALF, MEASURED
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


class _Option(NamedTuple):
    """An option that is no switch, or one of several that need each other.

    Parameters
    ----------
    title
        In the table.
    fields
        Of the fabric.
    has
        What it has more.
    clocks
        Of a population, more.
    beside
        The figure of a tile to compare with.
    """

    title: str
    fields: dict[str, Any]
    has: str
    clocks: int = 0
    beside: str = "plain"


_BESIDE: dict[str, dict[str, Any]] = {
    "extent_16": {"extent": 16},
    "neuron_parameters": {"neuron_parameters": True},
}
"""Tiles that are no row of the table: fields of the fabric."""

_OPTIONS = {
    "doubling": _Option("`doubling`", {"doubling": True}, "a potential that doubles"),
    "schedules": _Option("`schedules`", {"schedules": True}, "parameters that change with steps"),
    "schedules_own": _Option(
        "`schedules`, beside `neuron_parameters`",
        {"schedules": True, "neuron_parameters": True},
        "the same",
        beside="neuron_parameters",
    ),
    "selection_images": _Option(
        "`selection`, beside `extent=16`",
        {"selection": True, "extent": 16},
        "winners of positions",
        clocks=1,
        beside="extent_16",
    ),
    "one_to_one": _Option("`one_to_one`", {"one_to_one": True}, "connections one to one"),
    "sparse_words": _Option(
        "`sparse_words=256`", {"sparse_words": 256}, "words of sparse matrices"
    ),
    "signed_spikes_1": _Option(
        "`signed_spikes`", {"signed_spikes": True}, "spikes and events with a sign", clocks=1
    ),
    **{
        f"graded_bits_{n}": _Option(
            f"`graded_bits={n}`", {"graded_bits": n}, f"events that carry a number, {n} bits"
        )
        for n in (4, 8)
    },
    **{
        f"fire_lanes_{n}": _Option(
            f"`fire_lanes={n}`", {"fire_lanes": n}, f"{n} neurons updated a clock"
        )
        for n in (2, 4, 8)
    },
}
"""Rows of the table after the switches, by the names of their figures."""

Record = Mapping[str, Mapping[str, Any]]


def measure(_data: Path) -> Iterator[Figure]:
    """Measure; needs no data."""
    for part in _PARTS:
        for name, fields in tiles().items():
            yield Figure(f"switches.{part}.{name}", core.tile_cells(part, **fields), "cells")
    for name, option in _OPTIONS.items():
        if "fire_lanes" in option.fields:
            yield _clock(f"{name}.fmax", None, option.fields)
    yield _clock("fullest_fabric", _FLOOR, _EVERYTHING)


def tiles() -> dict[str, dict[str, Any]]:
    """Fields of each tile that is measured, by the name of its figure."""
    fields: dict[str, dict[str, Any]] = {"plain": {}, "all": dict.fromkeys(SWITCHES, True)}
    fields |= {name: {name: True} for name in MEASURED}
    for name, (base, beside) in BESIDE.items():
        fields |= {base: beside, name: {name: True, **beside}}
    fields[HALF] = {"plasticity": True, HALF: FabricConfig().lanes // 2}
    return fields | _BESIDE | {name: option.fields for name, option in _OPTIONS.items()}


def _clock(name: str, goal: float | None, fields: Mapping[str, Any]) -> Figure:
    clocks = core.fabric_clocks("ecp5_6", **fields)
    return Figure(f"switches.ecp5_6.{name}", max(clocks), f"MHz, best of {len(clocks)}", goal)


def table(figures: Record) -> str:
    """The rows of docs/switches.md, from the switches themselves and the record of figures."""

    def more(part: str, name: str, beside: str = "plain") -> str:
        plain, built = (figures.get(f"switches.{part}.{which}") for which in (beside, name))
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
    for name, option in _OPTIONS.items():
        costs = " | ".join(more(part, name, option.beside) for part in _PARTS)
        lines.append(f"| {option.title} | {option.has} | | | {option.clocks} | {costs} |")
    return "\n".join(lines) + "\n"
