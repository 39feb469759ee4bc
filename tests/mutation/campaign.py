"""`make mutate`: every mutant of `hdl/`, and what the recordings of the benches say about it.

python tests/mutation/campaign.py [--cases NAME ...] [--output FILE]
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
ROOT = TESTS.parent
sys.path[:0] = [str(ROOT), *(str(TESTS / name) for name in ("", "support", "sim", "hdl/link"))]

import designs  # noqa: E402
from cases import CASES  # noqa: E402
from replay import Replay  # noqa: E402


def run(names: Sequence[str], jobs: int) -> dict[str, str | None]:
    """For each mutant the case that kills it, or None."""
    killed: dict[str, str | None] = {}
    for name in names:
        case = CASES[name]
        start = time.perf_counter()
        design = designs.build(case.kind, case.config)
        built = time.perf_counter()
        replay = Replay(design, case.record(design))
        recorded = time.perf_counter()
        difference = replay.difference(0)
        if difference is not None:
            raise SystemExit(f"{name}: without a mutant it differs, recording, clock {difference}")
        for mutant in design.mutants:
            killed.setdefault(mutant, None)
        left = [mutant for mutant in design.mutants if killed[mutant] is None]
        differences = replay.differences([design.mutants[mutant] for mutant in left], jobs)
        for mutant, difference in zip(left, differences, strict=True):
            if difference is not None:
                killed[mutant] = name
        dead = sum(difference is not None for difference in differences)
        print(
            f"{name}: {len(design.mutants)} mutants, {len(left)} played, {dead} killed; "
            f"built in {built - start:.0f} s, recorded in {recorded - built:.0f} s, "
            f"played in {time.perf_counter() - recorded:.0f} s",
            flush=True,
        )
    return killed


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES, metavar="NAME")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "mutants.json")
    arguments = parser.parse_args()
    killed = run(arguments.cases, arguments.jobs)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(killed, indent=1), encoding="utf-8")
    alive = [name for name, case in killed.items() if case is None]
    print(f"{len(killed)} mutants, {len(alive)} alive")


if __name__ == "__main__":
    main()
