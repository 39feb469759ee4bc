"""Measure figures; exit status 1 where a goal is missed.

The figures go to `--output`, and with commit and date to `bench/record.json`, where those of
benchmarks that were not run stay. README and docs/performance.md are written from that record.
"""

import argparse
import json
import sys
from pathlib import Path

from bench import (
    core,
    cosim,
    counted,
    examples,
    golden,
    importing,
    learning,
    link,
    mapping,
    mesh,
    mnist,
    prediction,
    router,
    runner,
    stdp,
    switches,
    table,
)

BENCHMARKS = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        counted,
        mnist,
        runner,
        cosim,
        golden,
        stdp,
        examples,
        importing,
        mapping,
        link,
        mesh,
        prediction,
        router,
        core,
        switches,
        learning,
    )
}

DATA = ("mnist.npz", "nmnist_1000.npz", "braille_1350.npz")
"""Data sets; what they hold is said in `examples/`."""


def main() -> None:
    """Run the benchmarks and write `--output`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help=f"folder with {', '.join(DATA)}")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("benchmark", nargs="*", help=f"default: all of {', '.join(BENCHMARKS)}")
    arguments = parser.parse_args()
    if missing := [name for name in DATA if not (arguments.data / name).is_file()]:
        parser.error(f"{arguments.data} has no {', '.join(missing)}")
    if unknown := [name for name in arguments.benchmark if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {', '.join(unknown)}")
    figures = []
    for name in arguments.benchmark or BENCHMARKS:
        for figure in BENCHMARKS[name].measure(arguments.data):
            figures.append(figure)
            goal = "" if figure.goal is None else f"goal {figure.goal:g}"
            verdict = {None: "", True: "met", False: "MISSED"}[figure.met]
            print(f"{figure.name:<42}{figure.value:>16.6g} {figure.unit:<26} {goal} {verdict}")
            sys.stdout.flush()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps([f.to_dict() for f in figures], indent=2) + "\n")
    table.keep(figures)
    table.write()
    sys.exit(any(figure.met is False for figure in figures))


if __name__ == "__main__":
    main()
