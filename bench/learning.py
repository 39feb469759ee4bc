"""What learning costs: cells of each level, the clock of a fabric that learns, and its rate.

Cells are those of one `Tile`, as `bench.core` counts them, with one rule; the clock is that of a
fabric of one tile in a `Harness`. The rate is that of LEARN alone, by the cycle-level model: clocks
of a step in which nothing else happens, less those without learning.
"""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench import core
from bench.figure import Figure
from spikeloom.compiler import compile
from spikeloom.devices.prediction import predict_clocks
from spikeloom.golden.errors import SpikeloomError
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
    "switches.{}.plain": "that does not learn",
    "learning.{}.one_term": "a rule of one term",
    "learning.{}.one_term.learn_lanes_4": "one term, `learn_lanes=4`",
    "switches.{}.plasticity": "a rule of two terms",
    "switches.{}.learn_lanes": "two terms, `learn_lanes=4`",
    "learning.{}.learn_lanes_2": "two terms, `learn_lanes=2`",
    "switches.{}.quadratic_bounds": "two terms, `quadratic_bounds`",
    "switches.{}.eligibility": "two terms, `eligibility`",
    "switches.{}.two_ports": "two terms, `two_ports`",
    "switches.{}.plastic_images": "two terms, images of up to 16 x 16",
    "switches.{}.plastic_kernels": "the same, `plastic_kernels`",
}
"""Figures of tiles; `bench.switches` measures those that `spikeloom info --estimate` needs."""
SMALL = {
    "lanes": 2,
    "neurons": 64,
    "axons": 256,
    "plastic_axons": 256,
    "populations": 4,
    "connections": 8,
    "stamp_bits": 8,
    "rule_terms": 1,
}
"""A fabric that learns and fits UP5K; with 4 lanes its logic does not."""
CLOCKS: dict[str, tuple[dict[str, Any], float]] = {
    "ecp5_6": ({"rule_terms": 2}, 90.0),
    "up5k": (SMALL, 32.0),
}
"""Fabrics whose clock is measured, and the goal in MHz."""
RULE = {"plasticity": True, "rules": 1}
TILES = {
    "one_term": {"rule_terms": 1},
    "one_term.learn_lanes_4": {"rule_terms": 1, "learn_lanes": 4},
    "learn_lanes_2": {"learn_lanes": 2},
}
"""Tiles whose cells are measured here."""
MULTIPLIERS = (8, 4, 2)
"""The `learn_lanes` with which the multipliers of a tile are counted."""
PAGE = Path(__file__).parents[1] / "docs" / "learning.md"


def measure(_data: Path) -> Iterator[Figure]:
    """Measure; needs no data."""
    for part in CLOCKS:
        # Yosys 0.70 ends without a word on a few netlists for ECP5.
        with contextlib.suppress(SpikeloomError):
            for name, sizes in TILES.items():
                cells = core.tile_cells(part, **RULE, **sizes)
                yield Figure(f"learning.{part}.{name}", cells, "cells")
    for number in MULTIPLIERS:
        cells = core.tile_cells("ecp5_6", "MULT18X18D", **RULE, learn_lanes=number)
        yield Figure(f"learning.ecp5_6.multipliers.learn_lanes_{number}", cells, "multipliers")
    for part, (options, goal) in CLOCKS.items():
        clock = max(core.fabric_clocks(part, **RULE, **options))
        yield Figure(f"learning.{part}.fabric.fmax_best", clock, "MHz", goal)


def table(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """The rows of docs/learning.md, from the record of figures."""

    def value(name: str, number: str = ",.0f") -> str:
        return format(figures[name]["value"], number) if name in figures else "not measured"

    lines = ["| a tile of 8 lanes, 256 neurons | UP5K | ECP5 |", "|---|---|---|"]
    for name, title in _LEVELS.items():
        cells = " | ".join(value(name.format(part)) for part in ("up5k", "ecp5_6"))
        lines.append(f"| {title} | {cells} |")
    for number in MULTIPLIERS:
        used = value(f"learning.ecp5_6.multipliers.learn_lanes_{number}")
        lines.append(f"| multipliers of two terms, `learn_lanes={number}` | | {used} |")
    clocks = (value(f"learning.{part}.fabric.fmax_best", ".1f") for part in ("up5k", "ecp5_6"))
    lines.append(f"| the clock of a fabric that learns, MHz | {' | '.join(clocks)} |")
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
