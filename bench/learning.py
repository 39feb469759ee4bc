"""What learning costs: cells of each level, the clock of a fabric that learns, and its rate.

Cells are those of one `Tile`, as `bench.core` counts them, with one rule; the clock is that of a
fabric of one tile in a `Harness`. The rate is that of LEARN alone, by the cycle-level model: clocks
of a step in which nothing else happens, less those without learning.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench import core
from bench.figure import Figure
from spikeloom.compiler import compile
from spikeloom.devices.prediction import predict_clocks
from spikeloom.golden.learning import ALWAYS, Rule, Term, When
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import Factor, Gate
from spikeloom.golden.step.run import check_inputs

AXONS, NEURONS, LANES = 784, 32, 8
CHANGED: dict[str, tuple[float, dict[str, Any], float]] = {
    "few": (0.3, {}, 7.0),
    "all": (1.0, {}, 3.8),
    "two_ports": (1.0, {"two_ports": True}, 7.5),
    "few.learn_lanes_4": (0.3, {"learn_lanes": 4}, 7.0),
    "all.learn_lanes_4": (1.0, {"learn_lanes": 4}, 3.8),
}
"""The part of the scanned words that is changed, options of the fabric, and the least plastic
synapses per clock.
"""

_LEVELS = {
    "that does not learn": ("switches.ecp5_6.plain", "plain"),
    "whose weights the host reads and loads, `readable`": ("learning.ecp5_6.bulk", "bulk"),
    "with a rule of one term": ("learning.ecp5_6.one_term", "one_term"),
    "one term, `learn_lanes=4`": ("learning.ecp5_6.one_term.learn_lanes_4", None),
    "with a rule of two terms": ("switches.ecp5_6.plasticity", "two_terms"),
    "two terms, `learn_lanes=4`": ("switches.ecp5_6.learn_lanes", None),
    "two terms, `learn_lanes=2`": ("learning.ecp5_6.learn_lanes_2", None),
    "two terms, `quadratic_bounds`": ("switches.ecp5_6.quadratic_bounds", "quadratic_bounds"),
    "two terms and winners, `selection`": ("learning.ecp5_6.winners", "winners"),
    "two terms, `eligibility`": ("switches.ecp5_6.eligibility", "eligibility"),
    "two terms, `two_ports`": ("switches.ecp5_6.two_ports", None),
    "two terms, images of up to 16 x 16": ("switches.ecp5_6.plastic_images", "images"),
    "the same, `plastic_kernels`": ("switches.ecp5_6.plastic_kernels", "kernels"),
}
"""Figures of tiles, on ECP5 and on UP5K. `bench.switches` measures those that `spikeloom info
--estimate` needs.
"""
_SIZES = {"lanes": 2, "neurons": 64, "axons": 256, "populations": 4, "connections": 8}
SMALL = _SIZES | {"plastic_axons": 256, "stamp_bits": 8, "rule_terms": 1}
"""A fabric that learns and fits UP5K; with 4 lanes its logic does not."""
RULE = {"plasticity": True, "rules": 1}
TWO_TERMS = RULE | SMALL | {"rule_terms": 2}
TILES: dict[str, tuple[str, dict[str, Any]]] = {
    "ecp5_6.bulk": ("ecp5_6", {"readable": True}),
    "ecp5_6.one_term": ("ecp5_6", RULE | {"rule_terms": 1}),
    "ecp5_6.one_term.learn_lanes_4": ("ecp5_6", RULE | {"rule_terms": 1, "learn_lanes": 4}),
    "ecp5_6.learn_lanes_2": ("ecp5_6", RULE | {"learn_lanes": 2}),
    "ecp5_6.winners": ("ecp5_6", RULE | {"selection": True}),
    "up5k.plain": ("up5k", _SIZES),
    "up5k.bulk": ("up5k", _SIZES | {"readable": True}),
    "up5k.one_term": ("up5k", RULE | SMALL),
    "up5k.two_terms": ("up5k", TWO_TERMS),
    "up5k.quadratic_bounds": ("up5k", TWO_TERMS | {"quadratic_bounds": True}),
    "up5k.winners": ("up5k", TWO_TERMS | {"selection": True}),
    "up5k.eligibility": ("up5k", TWO_TERMS | {"eligibility": True}),
    "up5k.images": ("up5k", TWO_TERMS | {"extent": 16}),
    "up5k.kernels": ("up5k", TWO_TERMS | {"extent": 16, "plastic_kernels": True}),
}
"""Tiles whose cells are measured here: the part, and its options."""
MULTIPLIERS = (8, 4, 2)
"""The `learn_lanes` with which the multipliers of a tile are counted."""
CLOCKS: dict[str, tuple[str, str, dict[str, Any], float | None]] = {
    "ecp5_6.fabric": ("ECP5-6, two terms", "ecp5_6", {}, 90.0),
    "ecp5_6.learn_lanes_4": (
        "ECP5-6, two terms, `learn_lanes=4`",
        "ecp5_6",
        {"learn_lanes": 4},
        None,
    ),
    "ecp5_6.two_ports": ("ECP5-6, two terms, `two_ports`", "ecp5_6", {"two_ports": True}, None),
    "ecp5_6.kernels": (
        "ECP5-6, two terms, `plastic_kernels`",
        "ecp5_6",
        {"extent": 16, "plastic_kernels": True},
        None,
    ),
    "up5k.fabric": ("UP5K, one term, 2 lanes", "up5k", SMALL, 32.0),
}
"""Fabrics whose clock is measured: the part, its options, and the goal in MHz."""
PAGE = Path(__file__).parents[1] / "docs" / "learning.md"


def measure(_data: Path) -> Iterator[Figure]:
    """Measure; needs no data."""
    for name, (part, options) in TILES.items():
        yield Figure(f"learning.{name}", core.tile_cells(part, **options), "cells")
    for number in MULTIPLIERS:
        cells = core.tile_cells("ecp5_6", "MULT18X18D", **RULE, learn_lanes=number)
        yield Figure(f"learning.ecp5_6.multipliers.learn_lanes_{number}", cells, "multipliers")
    for name in CLOCKS:
        yield from clocks(name)


def clocks(name: str) -> Iterator[Figure]:
    """The clock of one of `CLOCKS`: the best and the worst placement, and how many there are."""
    _, part, options, goal = CLOCKS[name]
    reached = core.fabric_clocks(part, **RULE | options)
    yield Figure(f"learning.{name}.placements", len(reached), "placed and routed")
    yield Figure(f"learning.{name}.fmax_best", max(reached), "MHz", goal)
    yield Figure(f"learning.{name}.fmax_worst", min(reached), "MHz", goal)


def table(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """The rows of docs/learning.md, from the record of figures."""

    def value(name: str, number: str = ",.0f") -> str:
        return format(figures[name]["value"], number) if name in figures else "not measured"

    lines = [
        "| a tile | ECP5, 8 lanes, 256 neurons | UP5K, 2 lanes, 64 neurons |",
        "|---|---|---|",
    ]
    for title, (ecp5, up5k) in _LEVELS.items():
        small = "" if up5k is None else value(f"learning.up5k.{up5k}") + " "
        lines.append(f"| {title} | {value(ecp5)} | {small}|")
    for number in MULTIPLIERS:
        used = value(f"learning.ecp5_6.multipliers.learn_lanes_{number}")
        lines.append(f"| multipliers of two terms, `learn_lanes={number}` | {used} | |")
    lines += ["", "| the clock of a fabric, MHz | best | worst | placements |", "|---|---|---|---|"]
    for name, (title, *_) in CLOCKS.items():
        best, worst = (value(f"learning.{name}.fmax_{which}", ".1f") for which in ("best", "worst"))
        placements = value(f"learning.{name}.placements")
        lines.append(f"| {title} | {best} | {worst} | {placements} |")
    lines += [
        "",
        "| words of a scan that change | plastic synapses per clock, 8 lanes |",
        "|---|---|",
    ]
    for name, (part, options, _) in CHANGED.items():
        rate = value(f"counted.learning.synapses_per_clock.{name}", ".2f")
        built = (f"`{field}`" if n is True else f"`{field}={n}`" for field, n in options.items())
        lines.append(f"| {', '.join((f'{part:.0%}', *built))} | {rate} |")
    return "\n".join(lines) + "\n"


def rates() -> Iterator[Figure]:
    """Plastic synapses per clock of LEARN, with 8 lanes."""
    for name, (part, options, goal) in CHANGED.items():
        rate = _rate(part, **options)
        yield Figure(f"counted.learning.synapses_per_clock.{name}", rate, "of 8", goal)


def _rate(part: float, **options: Any) -> float:
    """Where all axons spiked in the sample, and such a part of them changes, here and there."""
    rng = np.random.default_rng(1)
    spikes = np.zeros((1, 3, AXONS), np.uint8)
    spikes[0, 0] = 1
    spikes[0, 1, rng.choice(AXONS, round(part * AXONS), replace=False)] = 1
    term = Term(Factor.CONSTANT, pre=When(Gate.AGE, 1, 1), post=ALWAYS, constant=1)
    weights = np.zeros((AXONS, NEURONS), np.int64)
    network = Network(
        (Input("in", AXONS),),
        (Population("out", NEURONS, np.zeros(NEURONS, np.int64), threshold=1000),),
        (Connection("in", "out", weights, plasticity=Rule((term,), (-40, 40), shift=0)),),
    )
    sizes = {"lanes": LANES, "plastic_axons": AXONS, "plasticity": True}
    program = compile(network, sizes | options)
    counts = check_inputs(network, spikes)
    learning, idle = (
        predict_clocks(image, counts, workers=1)[0, -1]
        for image in (program.image.learning(), program.image)
    )
    return float(AXONS * NEURONS / (learning - idle))
