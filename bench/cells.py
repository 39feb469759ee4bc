"""Synthesises many fabrics, and fits to them the cells that `spikeloom info --estimate` states.

Each point is a board with some sizes changed: its cells and block RAM after synthesis and nextpnr's
packing, without placement. A family takes about half an hour. `--measure` adds to the points in
`spikeloom/estimate/table.json` those that it lacks, or measures the boards again; in any case the
coefficients are fitted anew.
"""

import argparse
import dataclasses
import datetime
import json
import random
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.table import read
from spikeloom.boards.flow.design import elaborate
from spikeloom.boards.flow.placement import utilization
from spikeloom.boards.flow.synthesis import synthesise
from spikeloom.boards.registry import board, boards
from spikeloom.boards.tools import WHEELS
from spikeloom.estimate.cells import (
    BESIDE,
    HALF,
    MEASURED,
    TOGETHER,
    delayed_bits,
    features,
    nominal_link,
    option_cells,
)
from spikeloom.golden.spec import SWITCHES, FabricConfig

TABLE = Path(__file__).parents[1] / "spikeloom" / "estimate" / "table.json"

Changes = dict[str, Any]

OPTIONS: tuple[Changes, ...] = (
    {"delayed_reset": True},
    {"synaptic_current": True},
    {"weight_pairs": True, "sum_bits": 20},
    {"lower_clamp": True},
    {"max_spikes": 3},
    {"max_spikes": 31},
    {"fraction_bits": 4},
    {"fraction_bits": 12},
    {"neuron_parameters": True},
    {"traces": True},
    {"extent": 32},
)
SIZES: tuple[Changes, ...] = (
    {"lanes": 1},
    {"lanes": 4},
    {"lanes": 16},
    {"weight_bits": 4},
    {"state_bits": 10},
    {"state_bits": 24},
    {"sum_bits": 24},
    {"neurons": 32, "weight_words": 512},
    {"axons": 16384, "slots": 8},
    {"populations": 64, "connections": 128, "targets": 256},
    {"queue": 128},
)
MESHES: tuple[Changes, ...] = (
    {"columns": 2, "lanes": 2, "neurons": 64, "weight_words": 1024},
    {"columns": 2, "rows": 2, "lanes": 2, "neurons": 64, "weight_words": 1024},
    {"columns": 3, "rows": 2, "lanes": 4, "neurons": 64, "weight_words": 1024},
)
BASES = {"ice40": "icebreaker", "ecp5": "ecp5_evn", "gowin": "tang_nano_9k"}
MIXTURES = 6

TILES = {"ice40": "up5k", "ecp5": "ecp5_6"}
"""The part on which `bench.switches` measures options, for each family that it measures."""

PULL = 0.03
ROUNDS = 3000


def mixtures(seed: int) -> Iterator[Changes]:
    """Random combinations, which the single changes say nothing of."""
    rng = random.Random(seed)
    for _ in range(MIXTURES):
        mixed: Changes = {}
        for changes in (*rng.sample(OPTIONS, 4), *rng.sample(SIZES, 2)):
            mixed |= changes
        yield {**mixed, "sum_bits": max(20, mixed.get("sum_bits", 0))}


def points(family: str) -> Iterator[tuple[str, Changes]]:
    """The boards of a family, and its base board with each change."""
    for name, known in boards().items():
        if known.family.name == family:
            yield name, {}
    base = BASES[family]
    readable = {"readable": not board(base).fabric.readable}
    for changes in (readable, *OPTIONS, *SIZES, *mixtures(len(family)), *MESHES):
        yield base, changes


def measure(name: str, changes: Changes) -> dict[str, Any]:
    """The fabric and the resources of one point."""
    known = board(name)
    fabric = dataclasses.replace(known.fabric, **changes)
    design = elaborate(known, fabric)
    packed = utilization(design, synthesise(design, WHEELS), WHEELS)
    sites = known.family.sites
    default = dataclasses.asdict(FabricConfig())
    sizes = {k: v for k, v in dataclasses.asdict(fabric).items() if v != default[k]}
    return {
        "board": name,
        "fabric": sizes,
        "used": {resource: packed[site]["used"] for resource, site in sites.items()},
        "available": {resource: packed[site]["available"] for resource, site in sites.items()},
    }


def fit(
    measured: Mapping[str, Sequence[Mapping[str, Any]]], costs: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Coefficients of `features` for each family, fitted to the logic cells of its points.

    A few dozen points tell little of each of so many features, so families help each other: first
    one set of coefficients for all, times a factor of the family; then the family's own, which
    its points may change from there. RAM in LUTs counts by family. No coefficient is negative, and
    what is made least is the sum of squared relative errors.
    """
    rows, cells = {}, {}
    for family, own in measured.items():
        values = [_features(point) for point in own]
        rows[family] = np.array([list(value.values()) for value in values])
        cells[family] = np.array([_cells_but_options(point, costs) for point in own], float)
    names = list(values[0])
    own_kind = np.array([name == "lutram" for name in names])
    families = list(measured)
    factors = dict.fromkeys(families, 1.0)
    shared = np.zeros(0)
    for _ in range(5):
        blocks = []
        for family in families:
            block = factors[family] * rows[family] / cells[family][:, np.newaxis]
            luts = [block[:, own_kind] * (other == family) for other in families]
            blocks.append(np.hstack([block[:, ~own_kind], *luts]))
        shared = _nonnegative(np.vstack(blocks), np.ones(sum(map(len, blocks))))
        for family, block in zip(families, blocks, strict=True):
            factors[family] /= float((block @ shared).mean())
    results = {}
    for number, family in enumerate(families):
        prior = np.empty(len(names))
        prior[~own_kind] = shared[: (~own_kind).sum()]
        prior[own_kind] = shared[(~own_kind).sum() + number]
        prior *= factors[family]
        # In parts of the prior: a coefficient that doubles counts as an error of PULL in a point.
        scaled = rows[family] * prior / cells[family][:, np.newaxis]
        pull = PULL * np.eye(len(names))
        goal = np.concatenate([np.ones(len(scaled)), np.full(len(names), PULL)])
        values = _nonnegative(np.vstack([scaled, pull]), goal)
        errors = scaled @ values - 1
        results[family] = {
            "points": len(errors),
            "largest_error": round(float(abs(errors).max()), 4),
            "root_mean_square_error": round(float(np.sqrt((errors**2).mean())), 4),
            "coefficients": {
                name: float(f"{value:.5g}")
                for name, value in zip(names, prior * values, strict=True)
                if value > 0
            },
        }
    return results


def _features(point: Mapping[str, Any]) -> dict[str, float]:
    known = board(point["board"])
    return features(FabricConfig(**point["fabric"]), known, nominal_link(known))


def _cells_but_options(point: Mapping[str, Any], costs: Mapping[str, Any]) -> float:
    config = FabricConfig(**point["fabric"])
    cells: int = point["used"]["logic_cells"]
    return cells - option_cells(config, board(point["board"]), costs)


def option_costs() -> dict[str, dict[str, float]]:
    """The costs that `option_cells` takes, from the record of `bench.switches`."""
    record = read()
    costs: dict[str, dict[str, float]] = {}
    for name in (*MEASURED, HALF):
        for family, part in TILES.items():
            without, _ = BESIDE.get(name, ("plain", {}))
            plain, built = (record.get(f"switches.{part}.{n}") for n in (without, name))
            if plain and built:
                costs.setdefault(name, {})[family] = built["value"] - plain["value"]
    everything = dict.fromkeys(SWITCHES, True)
    for family, part in TILES.items():
        each = sum(costs[name][family] for name in everything)
        more = record[f"switches.{part}.all"]["value"] - record[f"switches.{part}.plain"]["value"]
        delayed = delayed_bits(FabricConfig(**everything))
        costs.setdefault(TOGETHER, {})[family] = max(0, more - each) / delayed
    return costs


def _nonnegative(matrix: NDArray[np.float64], goal: NDArray[np.float64]) -> NDArray[np.float64]:
    """The x >= 0 with the least |matrix @ x - goal|**2, by coordinate descent."""
    squares = (matrix**2).sum(axis=0)
    values = np.zeros(len(squares))
    rest = goal.copy()
    for _ in range(ROUNDS):
        for column in np.flatnonzero(squares):
            new = max(0.0, values[column] + matrix[:, column] @ rest / squares[column])
            rest -= (new - values[column]) * matrix[:, column]
            values[column] = new
    return values


def main() -> None:
    """Measure points, fit, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", nargs="*", choices=BASES, default=[], help="families")
    arguments = parser.parse_args()
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    for family in arguments.measure:
        git = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        )
        table["commit"] = git.stdout.strip()
        table["date"] = f"{datetime.date.today()}"
        table["tools"] = {tool: WHEELS.version(tool) for tool in ("yosys", "nextpnr-ice40")}
        for name, changes in points(family):
            point = measure(name, changes)
            if not changes:
                table["boards"][name] = table["boards"].get(name, {}) | point
            elif all(point["fabric"] != old["fabric"] for old in table["points"][family]):
                table["points"][family].append(
                    {key: point[key] for key in ("board", "fabric", "used")}
                )
            write(table)
    write(table)


def write(table: dict[str, Any]) -> None:
    """Fit the families of a table to its points and boards, and write it."""
    presets = [{**point, "board": n} for n, point in table["boards"].items() if "used" in point]
    measured = {
        family: [*own, *(p for p in presets if board(p["board"]).family.name == family)]
        for family, own in table["points"].items()
    }
    table["options"] = option_costs()
    table["families"] = fit(measured, table["options"])
    had = [_features(point) for own in measured.values() for point in own]
    table["measured"] = [name for name in had[0] if any(values[name] for values in had)]
    for family, fitted in table["families"].items():
        print(f"{family}: {fitted['points']} points, largest error {fitted['largest_error']:.1%}")
    TABLE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
