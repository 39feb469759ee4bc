"""`make mutate-python`: mutants of the golden model and the importer, drawn at random.

    python tests/mutation/python_mutants.py [--mutants N] [--seed N] [--jobs N] [--output FILE]

The tests run once to learn which of them execute which lines. Then the tests that execute the
lines of a mutant run, the quickest first, up to the first that fails. Cosmic Ray writes the text of
each mutant, which is imported in place of the file; no file changes. Each run is a fork of a
process that has imported the libraries, and has a copy of the cache, as what it builds is wrong.
"""

import argparse
import ast
import difflib
import importlib
import json
import math
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType

import pytest
from cosmic_ray.commands.init import init
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec
from coverage import Coverage
from hypothesis import HealthCheck, Phase, settings

ROOT = Path(__file__).resolve().parents[2]
MUTATED = ("golden", "spikeloom/importer")
TESTS = ("tests/golden", "tests/spikeloom/importer", "tests/spikeloom/mapping")
LEFT_OUT = "tests/spikeloom/importer/frameworks"
OPTIONS = (
    *("-x", "-q", "--tb=no", "-p", "no:cacheprovider", "--hypothesis-profile", "mutants"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # of Hypothesis, imported before
)
LIBRARIES = ("numpy", "scipy.linalg", "scipy.sparse", "h5py", "nir", "amaranth.sim", "rich.console")
"""Imported once; the project itself is imported by each fork."""
SECONDS, FACTOR = 20, 5
"""A test may take so many seconds of the processor, and so many times what it takes without a
mutant."""
BYTES = 8 << 30
"""Limit of the memory of a fork."""
CACHE = "SPIKELOOM_CACHE"


class Recorder:
    """A plugin of pytest: the tests that execute each line, and the seconds that each takes.

    Lines executed by an import have the test "".
    """

    def __init__(self) -> None:
        self.coverage = Coverage(data_file=None, source=[str(ROOT / path) for path in MUTATED])
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Run one test, with its fixtures."""
        self.coverage.switch_context(item.nodeid)
        start = time.process_time()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = time.process_time() - start

    def save(self, output: Path) -> None:
        """Write `Covering`'s two dictionaries."""
        data = self.coverage.get_data()
        lines = {
            str(Path(file).relative_to(ROOT)): data.contexts_by_lineno(file)
            for file in data.measured_files()
        }
        output.write_text(json.dumps([lines, self.seconds]), encoding="utf-8")


class Chosen:
    """A plugin of pytest: these tests, in this order, each with its time limit."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds = seconds
        self.rank = {test: rank for rank, test in enumerate(seconds)}
        limit(0)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep and order the tests."""
        items[:] = [item for item in items if item.nodeid in self.rank]
        items.sort(key=lambda item: self.rank[item.nodeid])

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Start the time of a test."""
        limit(self.seconds[item.nodeid])


class Covering:
    """Which tests execute which lines of which file, and the seconds of each test."""

    def __init__(self, output: Path) -> None:
        self.lines, self.seconds = json.loads(output.read_text(encoding="utf-8"))

    def tests(self, mutant: MutationSpec) -> dict[str, float]:
        """Tests of a mutant and their seconds, the quickest first.

        Those that execute its statement; those of its whole file if an import executes it, or none.
        """
        lines: dict[str, list[str]] = self.lines.get(str(mutant.module_path), {})
        text = (ROOT / mutant.module_path).read_text(encoding="utf-8")
        line = mutant.start_pos[0]
        starts = [
            node.lineno
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or line)
        ]
        first = max(starts, default=line)  # a decorator is in no statement
        statement = [lines.get(str(number), []) for number in range(first, mutant.end_pos[0] + 1)]
        tests = set().union(*statement)
        if not tests or "" in tests:
            tests = set().union(*lines.values())
        tests.discard("")
        quickest = sorted(tests or self.seconds, key=lambda test: self.seconds[test])
        return {test: self.seconds[test] for test in quickest}


def drawn(count: int, seed: int) -> list[MutationSpec]:
    """So many mutants, every one as likely."""
    files = sorted(path for folder in MUTATED for path in Path(folder).rglob("*.py"))
    with (
        tempfile.TemporaryDirectory() as folder,
        use_db(str(Path(folder) / "mutants.sqlite"), WorkDB.Mode.create) as database,
    ):
        init(files, database, {})
        mutants = [mutation for item in database.work_items for mutation in item.mutations]
    mutants.sort(key=lambda m: (str(m.module_path), m.operator_name, m.occurrence))
    return random.Random(seed).sample(mutants, count)


def mutated(mutant: MutationSpec) -> str:
    """The text of a mutant's file."""
    text = (ROOT / mutant.module_path).read_text(encoding="utf-8")
    operator = get_operator(mutant.operator_name)(**mutant.operator_args)
    result: str | None = mutate_code(text, operator, mutant.occurrence)
    assert result is not None
    return result


def fork(run: Callable[[], int]) -> int:
    """Start `run` in a process, which ends with its result; gives the process's number."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
            status = run()
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(status)
    return child


def record(output: Path) -> int:
    """Run all tests; write which lines they execute. Gives pytest's exit status."""
    recorder = Recorder()
    recorder.coverage.start()
    for folder in MUTATED:
        for path in sorted((ROOT / "spikeloom" / Path(folder).name).rglob("*.py")):
            name = path.relative_to(ROOT).with_suffix("").parts
            importlib.import_module(".".join(name).removesuffix(".__init__"))
    status = pytest.main([*OPTIONS, "--ignore", LEFT_OUT, *TESTS], [recorder])
    recorder.coverage.stop()
    recorder.save(output)
    return int(status)


def limit(seconds: float) -> None:
    """End this process if it takes much longer than so many seconds from now."""
    end = math.ceil(time.process_time() + SECONDS + FACTOR * seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (end, resource.RLIM_INFINITY))


def play(place: Path, text: str, tests: dict[str, float], own_cache: Path) -> int:
    """Run tests with a text in place of a file, and say nothing: 0 if all pass."""
    os.environ[CACHE] = str(own_cache)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    original = SourceFileLoader.get_code

    def code(loader: SourceFileLoader, name: str) -> CodeType | None:
        if Path(loader.path).resolve() != place:
            return original(loader, name)
        return compile(text, loader.path, "exec")

    SourceFileLoader.get_code = code  # type: ignore[method-assign]
    files = sorted({test.partition("::")[0] for test in tests})
    return int(pytest.main([*OPTIONS, *files], [Chosen(tests)]))


def outcomes(
    mutants: list[MutationSpec], covering: Covering, cache: Path, jobs: int
) -> Iterator[tuple[MutationSpec, str, float]]:
    """Play mutants: each with `killed`, `survived` or `timeout`, and its seconds."""
    waiting = list(reversed(mutants))
    running: dict[int, tuple[MutationSpec, Path, float]] = {}
    while waiting or running:
        if waiting and len(running) < jobs:
            mutant = waiting.pop()
            place = ROOT / mutant.module_path
            own_cache = cache.with_name(f"{len(waiting)}")
            shutil.copytree(cache, own_cache, copy_function=os.link)
            run = partial(play, place, mutated(mutant), covering.tests(mutant), own_cache)
            running[fork(run)] = mutant, own_cache, time.monotonic()
            continue
        child, status = os.wait()
        mutant, own_cache, start = running.pop(child)
        shutil.rmtree(own_cache)
        code = os.waitstatus_to_exitcode(status)
        verdict = {0: "survived", -signal.SIGXCPU: "timeout"}.get(code, "killed")
        yield mutant, verdict, time.monotonic() - start


def described(mutant: MutationSpec, verdict: str, seconds: float) -> dict[str, str]:
    """What the output says of a mutant."""
    text = (ROOT / mutant.module_path).read_text(encoding="utf-8")
    lines = (code.splitlines() for code in (text, mutated(mutant)))
    return {
        "outcome": verdict,
        "place": f"{mutant.module_path}:{mutant.start_pos[0]}",
        "operator": mutant.operator_name.removeprefix("core/"),
        "seconds": f"{seconds:.1f}",
        "diff": "\n".join(list(difflib.unified_diff(*lines, n=0, lineterm=""))[3:]),
    }


def main() -> None:
    """Play the mutants."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "python-mutants.json")
    arguments = parser.parse_args()
    output = arguments.output.resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    # A failing example is as good as the smallest that fails.
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile(
        "mutants",
        settings(derandomize=True, deadline=None, phases=phases),
        suppress_health_check=list(HealthCheck),
    )
    for name in LIBRARIES:
        importlib.import_module(name)
    results = []
    mutants = drawn(arguments.mutants, arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        recording, cache = Path(folder) / "covering.json", Path(folder) / "cache"
        cache.mkdir()
        os.environ[CACHE] = str(cache)
        _, status = os.waitpid(fork(partial(record, recording)), 0)
        if status:
            sys.exit("a test fails without a mutant, too")
        for result in outcomes(mutants, Covering(recording), cache, arguments.jobs):
            results.append(described(*result))
            print(*results[-1].values(), flush=True)
            output.write_text(json.dumps(results, indent=1), encoding="utf-8")
    survived = [result for result in results if result["outcome"] == "survived"]
    print(f"{len(results)} mutants, {len(survived)} survived")


if __name__ == "__main__":
    main()
