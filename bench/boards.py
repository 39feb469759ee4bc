"""Builds boards: sizes, clock, and the resulting speed on MNIST. Takes hours for all.

The table in the README keeps the rows of boards that were not built; each row says of which commit
it is, and of how many placements.

The figures use the clock that the board is built for, which the best placement has to meet; fmax
is nextpnr's, for the worst case of the part. The peak is `lanes` operations per clock and tile.
Clocks per image come from the cycle-level model, which the RTL equals, for images back to
back that are already on the board.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikeloom.boards.board import Board
from spikeloom.boards.flow.design import elaborate
from spikeloom.boards.flow.placement import meets, place_all
from spikeloom.boards.flow.report import resources
from spikeloom.boards.flow.synthesis import synthesise
from spikeloom.boards.registry import board, boards
from spikeloom.boards.tools import WHEELS
from spikeloom.demo import digits, mnist_program
from spikeloom.devices.prediction import predict_clocks
from spikeloom.examples.mnist import encode
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import FabricConfig
from spikeloom.golden.step.run import check_inputs

SEEDS = range(1, 6)
IMAGES = 100
README = Path(__file__).parents[1] / "README.md"
MARKS = ("<!-- boards: begin, written by make boards -->", "<!-- boards: end -->")


def measure(known: Board, seeds: range) -> dict[str, Any]:
    """The figures of one board."""
    design = elaborate(known)
    synthesised = synthesise(design, WHEELS)
    placements = place_all(design, synthesised, seeds, WHEELS)
    clocks = [placed.fmax_mhz for placed in placements]
    best = max(placements, key=lambda placed: placed.fmax_mhz)
    fabric = design.fabric
    figures = {
        "lanes": fabric.lanes,
        "tiles": fabric.tiles,
        "neurons": fabric.neurons * fabric.tiles,
        "synapses": fabric.weight_words * fabric.lanes * fabric.tiles,
        "resources": resources(design, synthesised, best),
        "fmax_median_mhz": statistics.median(clocks),
        "fmax_best_mhz": max(clocks),
        "seeds": [placed.seed for placed in placements],
        "built": built(),
        "clock_mhz": design.clock_mhz,
        "met": meets(design, best),
        "peak_gsops": fabric.lanes * fabric.tiles * design.clock_mhz / 1000,
    }
    if (image := clocks_per_image(fabric)) is not None:
        figures["clocks_per_image"] = image
        figures["us_per_image"] = image / design.clock_mhz
        figures["images_per_second"] = design.clock_mhz * 1e6 / image
    return figures


def built() -> str:
    """The commit that is built, and its date."""
    command = ["git", "log", "-1", "--format=%h %ad", "--date=short"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def clocks_per_image(fabric: FabricConfig) -> float | None:
    """Clocks per image of the MNIST network; None if it does not fit."""
    try:
        program = mnist_program(fabric)
        image = program.image
    except SpikeloomError:
        return None
    events = check_inputs(program.network, encode(digits(IMAGES)[0]))
    return float(predict_clocks(image, events).sum() / IMAGES)


def table(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures as Markdown."""
    lines = [
        "| board | tiles x lanes | neurons | synapses | logic cells | block RAM; large RAM | "
        "fmax, median; best | clock | peak GSOP/s | MNIST images/s | us per image | "
        "built; placements |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in measured.items():
        used = row["resources"]
        memories = f"{used['bram']['used']} of {used['bram']['available']}"
        if "spram" in used:
            memories += f"; {used['spram']['used']} of {used['spram']['available']}"
        cells = used["logic_cells"]
        fits = "images_per_second" in row
        cells_of_row = [
            name,
            f"{row['tiles']} x {row['lanes']}",
            f"{row['neurons']:,}",
            f"{row['synapses']:,}",
            f"{cells['used']:,} of {cells['available']:,}",
            memories,
            f"{row['fmax_median_mhz']:.1f}; {row['fmax_best_mhz']:.1f} MHz",
            f"{row['clock_mhz']:g} MHz" + ("" if row["met"] else ", missed"),
            f"{row['peak_gsops']:.2f}",
            f"{row['images_per_second']:,.0f}" if fits else "does not fit",
            f"{row['us_per_image']:.1f}" if fits else "",
            f"{row['built']}; {len(row['seeds'])}",
        ]
        lines.append(f"| {' | '.join(cells_of_row)} |")
    return "\n".join(lines)


def main() -> None:
    """Build, write `--output`, and the rows of what was built in the README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="placements per board")
    parser.add_argument("board", nargs="*", help="default: all boards")
    arguments = parser.parse_args()
    measured = {}
    wanted = arguments.board or list(boards())
    for name in wanted:
        try:
            measured[name] = measure(board(name), range(1, arguments.seeds + 1))
        except SpikeloomError as error:  # keep the results of the other boards
            print(error, file=sys.stderr)
            continue
        print(table({name: measured[name]}).splitlines()[-1])
        sys.stdout.flush()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(measured, indent=2) + "\n")
    write_table(README, table(measured))
    sys.exit(not all(name in measured and measured[name]["met"] for name in wanted))


def write_table(path: Path, text: str) -> None:
    """Replace the rows of `text` in the table between the marks of a file; the others stay."""
    begin, end = map(re.escape, MARKS)
    old = path.read_text(encoding="utf-8")
    parts = re.split(f"({begin}\n|{end})", old)
    if len(parts) != 5:
        raise SystemExit(f"{path} has no marks for the table")
    head, rows = text.splitlines()[:2], [*parts[2].splitlines()[2:], *text.splitlines()[2:]]
    by_board = {row.split("|")[1].strip(): row for row in rows}
    parts[2] = "\n".join([*head, *(by_board[name] for name in sorted(by_board))]) + "\n"
    path.write_text("".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
