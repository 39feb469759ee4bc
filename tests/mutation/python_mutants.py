"""`make mutate-python`: mutants of the golden model and the importer, drawn at random.

    python tests/mutation/python_mutants.py [--mutants N] [--seed N] [--jobs N] [--output FOLDER]

The tests run once to learn which of them execute which lines. Then the tests that execute the
lines of a mutant run, the quickest first, up to the first that fails. Cosmic Ray writes the text of
each mutant; no file changes. Each run is a fork, with a copy of the cache, as what it builds is
wrong: of a process that has collected the tests, where the mutant is in a function that no import
executes, whose code it replaces; else of one that has imported the libraries alone, and imports the
text of the mutant in place of the file.

A run that was stopped continues: outcomes stay as long as neither the mutated files nor the tests
change.
"""

import argparse
import difflib
import hashlib
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
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from importlib.machinery import SourceFileLoader
from itertools import zip_longest
from pathlib import Path
from types import CodeType

import pytest
from cosmic_ray.commands.init import init
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec
from covering import MUTATED, ROOT, Covering, Recorder, write
from hypothesis import HealthCheck, Phase, settings
from swap import swap

TESTED = ("tests/golden", "tests/spikeloom/importer", "tests/spikeloom/mapping")
TESTS = (*TESTED, "--ignore", "tests/spikeloom/importer/frameworks")
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
VERDICTS = {
    pytest.ExitCode.OK: "survived",
    pytest.ExitCode.TESTS_FAILED: "killed",
    pytest.ExitCode.INTERRUPTED: "killed",  # by an error of a file of tests
    pytest.ExitCode.INTERNAL_ERROR: "killed",
    pytest.ExitCode.USAGE_ERROR: "killed",  # by an error of a conftest.py
    -signal.SIGXCPU: "timeout",
}
"""What the exit status of a fork says."""
IMPORTED, BROKEN = 70, 71
"""Exit status of a fork that cannot play the mutant, and of one that failed itself."""

Play = Callable[[MutationSpec, dict[str, float]], int]
"""Runs the tests of a mutant in a fork: gives its exit status."""


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


def drawn(count: int, seed: int, folder: Path) -> list[MutationSpec]:
    """So many mutants, every one as likely; a file in the folder keeps them."""
    output = folder / f"mutants-{count}-{seed}.json"
    if not output.exists():
        files = sorted(path for part in MUTATED for path in Path(part).rglob("*.py"))
        with (
            tempfile.TemporaryDirectory() as temporary,
            use_db(str(Path(temporary) / "mutants.sqlite"), WorkDB.Mode.create) as database,
        ):
            init(files, database, {})
            mutants = [mutation for item in database.work_items for mutation in item.mutations]
        mutants.sort(key=lambda m: (str(m.module_path), m.operator_name, m.occurrence))
        sample = random.Random(seed).sample(mutants, count)
        fields = [
            (str(m.module_path), m.operator_name, m.occurrence, m.start_pos, m.end_pos)
            for m in sample
        ]
        write(output, json.dumps(fields))
    return [MutationSpec(*fields) for fields in json.loads(output.read_text(encoding="utf-8"))]


def digest() -> str:
    """That of the mutated files and the tests."""
    files = sorted(path for folder in (*MUTATED, *TESTED) for path in Path(folder).rglob("*.py"))
    parts = (f"{path}\n".encode() + path.read_bytes() for path in files)
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def mutated(mutant: MutationSpec) -> str:
    """The text of a mutant's file."""
    text = (ROOT / mutant.module_path).read_text(encoding="utf-8")
    operator = get_operator(mutant.operator_name)()
    result: str | None = mutate_code(text, operator, mutant.occurrence)
    assert result is not None
    return result


def fork(run: Callable[[], int], cache: Path) -> int:
    """Start `run` in a process with a cache, which ends with its result; gives its number."""
    child = os.fork()
    if child == 0:
        status = BROKEN
        try:
            resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
            os.environ[CACHE] = str(cache)
            status = run()
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(status)
    return child


def wait(child: int) -> int:
    """The exit status of a fork."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def record(output: Path) -> int:
    """Run all tests; write which lines they execute. Gives pytest's exit status."""
    recorder = Recorder()
    recorder.coverage.start()
    for folder in MUTATED:
        for path in sorted((ROOT / "spikeloom" / Path(folder).name).rglob("*.py")):
            name = path.relative_to(ROOT).with_suffix("").parts
            importlib.import_module(".".join(name).removesuffix(".__init__"))
    status = pytest.main([*OPTIONS, *TESTS], [recorder])
    recorder.coverage.stop()
    if status == pytest.ExitCode.OK:
        recorder.save(output)
    return int(status)


def limit(seconds: float) -> None:
    """End this process if it takes much longer than so many seconds from now."""
    end = math.ceil(time.process_time() + SECONDS + FACTOR * seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (end, resource.RLIM_INFINITY))


def file_of(test: str) -> str:
    """That of a test."""
    return test.partition("::")[0]


def stages(tests: dict[str, float]) -> list[dict[str, float]]:
    """The quick ones of the file that has most, then the others, which take long to collect."""
    count = Counter(map(file_of, tests))
    most = max(count, key=lambda file: count[file])
    first = {
        test: seconds for test, seconds in tests.items() if file_of(test) == most and seconds < 1
    }
    rest = {test: seconds for test, seconds in tests.items() if test not in first}
    return [stage for stage in (first, rest) if stage]


def silence() -> None:
    """Say nothing more."""
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)


def play_imported(mutant: MutationSpec, tests: dict[str, float]) -> int:
    """Run tests with a mutant imported in place of its file: pytest's exit status."""
    silence()
    place, text = ROOT / mutant.module_path, mutated(mutant)
    original = SourceFileLoader.get_code

    def code(loader: SourceFileLoader, name: str) -> CodeType | None:
        if Path(loader.path).resolve() != place:
            return original(loader, name)
        return compile(text, loader.path, "exec")

    SourceFileLoader.get_code = code  # type: ignore[method-assign]
    for stage in stages(tests):
        status = pytest.main([*OPTIONS, *sorted(set(map(file_of, stage)))], [Chosen(stage)])
        if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            return int(status)
    return pytest.ExitCode.OK


def play_swapped(session: pytest.Session, mutant: MutationSpec, tests: dict[str, float]) -> int:
    """Run collected tests with a mutant swapped in, if it can be: pytest's exit status."""
    if not swap(ROOT / mutant.module_path, mutated(mutant)):
        return IMPORTED
    silence()
    collected = {item.nodeid: item for item in session.items}
    items = [collected[test] for test in tests]
    for item, following in zip_longest(items, items[1:]):
        limit(tests[item.nodeid])
        item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return pytest.ExitCode.TESTS_FAILED
    return pytest.ExitCode.OK


class Collected:
    """A plugin of pytest: when the tests are collected, do something else than run them."""

    def __init__(self, run: Callable[[pytest.Session], object]) -> None:
        self.run = run

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Do that."""
        self.run(session)
        return True


def outcomes(
    mutants: list[MutationSpec], play: Play, covering: Covering, cache: Path, jobs: int
) -> Iterator[tuple[MutationSpec, str, float]]:
    """Play mutants: each that can be played so with its outcome, and its seconds."""
    waiting = list(reversed(mutants))
    running: dict[int, tuple[MutationSpec, Path, float]] = {}
    while waiting or running:
        if waiting and len(running) < jobs:
            mutant = waiting.pop()
            own_cache = cache.with_name(f"{len(waiting)}")
            shutil.rmtree(own_cache, ignore_errors=True)  # of a run that was stopped
            shutil.copytree(cache, own_cache, copy_function=os.link)
            run = partial(play, mutant, covering.tests(mutant))
            running[fork(run, own_cache)] = mutant, own_cache, time.monotonic()
            continue
        child, status = os.wait()
        mutant, own_cache, start = running.pop(child)
        shutil.rmtree(own_cache)
        code = os.waitstatus_to_exitcode(status)
        if code == BROKEN:
            sys.exit(f"cannot play {name(mutant)}")
        if code != IMPORTED:
            yield mutant, VERDICTS.get(code, f"killed by signal {-code}"), time.monotonic() - start


def name(mutant: MutationSpec) -> str:
    """One for each mutant of a text."""
    return f"{mutant.module_path} {mutant.operator_name} {mutant.occurrence}"


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


class Campaign:
    """The mutants, and a folder with what is known of them."""

    def __init__(self, mutants: list[MutationSpec], folder: Path, jobs: int) -> None:
        self.mutants, self.jobs = mutants, jobs
        self.recording, self.cache = folder / "covering.json", folder / "cache"
        self.output = folder / "results.json"

    @property
    def results(self) -> dict[str, dict[str, str]]:
        """The outcome of each mutant that was played."""
        if not self.output.exists():
            return {}
        results: dict[str, dict[str, str]] = json.loads(self.output.read_text(encoding="utf-8"))
        return results

    def run(self) -> None:
        """Do what is left to do."""
        if not self.recording.exists():
            start = time.monotonic()
            shutil.rmtree(self.cache, ignore_errors=True)
            self.cache.mkdir()
            if wait(fork(partial(record, self.recording), self.cache)):
                sys.exit("a test fails without a mutant, too")
            print(f"the tests took {time.monotonic() - start:.0f} s", flush=True)
        if wait(fork(self.swapped, self.cache)):
            sys.exit("the mutants of functions could not be played")
        self.play(play_imported, Covering(self.recording), lambda mutant: True)

    def swapped(self) -> int:
        """Play the mutants that are in functions that no import executes."""
        covering = Covering(self.recording)

        def play(session: pytest.Session) -> None:
            self.play(
                partial(play_swapped, session),
                covering,
                lambda mutant: "" not in covering.statement(mutant),
            )

        return int(pytest.main([*OPTIONS, "-s", *TESTS], [Collected(play)]))

    def play(self, play: Play, covering: Covering, chosen: Callable[[MutationSpec], bool]) -> None:
        """Play the chosen ones of those that are left."""
        results, start = self.results, time.monotonic()
        unplayed = [mutant for mutant in self.mutants if name(mutant) not in results]
        left = list(filter(chosen, unplayed))
        print(f"{len(left)} of {len(unplayed)} mutants that are left", flush=True)
        played = outcomes(left, play, covering, self.cache, self.jobs)
        for number, (mutant, verdict, seconds) in enumerate(played, 1):
            result = results[name(mutant)] = described(mutant, verdict, seconds)
            write(self.output, json.dumps(results, indent=1))
            minutes = (time.monotonic() - start) / number * (len(left) - number) / 60
            print(f"{number}/{len(left)}, {minutes:.0f} min left:", *result.values(), flush=True)


def main() -> None:
    """Play the mutants."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "python-mutants")
    arguments = parser.parse_args()
    output = arguments.output.resolve()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    # A failing example is as good as the smallest that fails.
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile(
        "mutants",
        settings(derandomize=True, deadline=None, phases=phases),
        suppress_health_check=list(HealthCheck),
    )
    for library in LIBRARIES:
        importlib.import_module(library)
    start = time.monotonic()
    folder = output / digest()
    folder.mkdir(parents=True, exist_ok=True)
    mutants = drawn(arguments.mutants, arguments.seed, folder)
    campaign = Campaign(mutants, folder, arguments.jobs)
    campaign.run()
    counts = Counter(campaign.results[name(mutant)]["outcome"] for mutant in mutants)
    print(f"{dict(counts)}; {(time.monotonic() - start) / 60:.0f} min")


if __name__ == "__main__":
    main()
