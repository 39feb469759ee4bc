"""`make mutate-python`: mutants of the golden model and the importer, drawn at random.

    python tests/mutation/python_mutants.py [--mutants N] [--seed N] [--output FILE]

Cosmic Ray mutates a copy of the project and runs the tests of the mutated file's folder, the
nearest first.
"""

import argparse
import json
import os
import random
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from cosmic_ray.commands.init import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec

ROOT = Path(__file__).resolve().parents[2]
MINUTES = 10
"""Time limit of the tests of one mutant."""

TESTS = {
    "golden/step": ("tests/golden/step", "tests/golden"),
    "golden/cycle": ("tests/golden/cycle", "tests/golden"),
    "golden": ("tests/golden",),
    "spikeloom/importer": ("tests/spikeloom/importer",),
}
"""The tests of each folder, in the order in which they run."""


def drawn(tree: Path, count: int, seed: int) -> list[MutationSpec]:
    """So many mutants, every one as likely."""
    files = sorted(
        path.relative_to(tree)
        for folder in ("golden", "spikeloom/importer")
        for path in (tree / folder).rglob("*.py")
    )
    with use_db(str(tree / "mutants.sqlite"), WorkDB.Mode.create) as database:
        init(files, database, {})
        mutants = [mutation for item in database.work_items for mutation in item.mutations]
    mutants.sort(key=lambda m: (str(m.module_path), m.operator_name, m.occurrence))
    return random.Random(seed).sample(mutants, count)


def command(path: Path, python: str) -> str:
    """The tests of a file, as a command; the file of tests with its name comes first."""
    folder = next(folder for folder in TESTS if path.is_relative_to(folder))
    own = [str(found) for test in TESTS[folder] for found in Path(test).rglob(f"test_{path.name}")]
    ignored = "tests/spikeloom/importer/frameworks"
    options = ["-x", "-q", "-p", "no:cacheprovider", "--ignore", ignored]
    return shlex.join([python, "-m", "pytest", *options, *own, *TESTS[folder]])


def main() -> None:
    """Play the mutants."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--python", default=sys.executable, help="runs the tests")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "python-mutants.json")
    arguments = parser.parse_args()
    output = arguments.output.resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    results: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        ignored = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", ".*_cache")
        shutil.copytree(ROOT, tree, symlinks=True, ignore=ignored)
        os.chdir(tree)
        os.environ["PYTHONPATH"] = str(tree)
        for mutant in drawn(tree, arguments.mutants, arguments.seed):
            path = Path(mutant.module_path)
            test = command(path, arguments.python)
            result = mutate_and_test([mutant], test, 60 * MINUTES)
            outcome = result.test_outcome.value if result.test_outcome else "none"
            results.append({"file": str(path), "outcome": outcome, "diff": result.diff or ""})
            print(outcome, path, mutant.operator_name, mutant.start_pos, flush=True)
            output.write_text(json.dumps(results, indent=1), encoding="utf-8")
    survived = [result for result in results if result["outcome"] == "survived"]
    print(f"{len(results)} mutants, {len(survived)} survived")


if __name__ == "__main__":
    main()
