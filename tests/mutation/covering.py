"""Which tests execute which lines of the golden model and the importer."""

import ast
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cosmic_ray.work_item import MutationSpec
from coverage import Coverage

ROOT = Path(__file__).resolve().parents[2]
MUTATED = ("golden", "spikeloom/importer")


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
        write(output, json.dumps([lines, self.seconds]))


class Covering:
    """Which tests execute which lines of which file, and the seconds of each test."""

    def __init__(self, output: Path) -> None:
        self.lines, self.seconds = json.loads(output.read_text(encoding="utf-8"))

    def statement(self, mutant: MutationSpec) -> set[str]:
        """The tests that execute a mutant's statement, and "" if an import does."""
        lines = self.lines.get(str(mutant.module_path), {})
        text = (ROOT / mutant.module_path).read_text(encoding="utf-8")
        line = mutant.start_pos[0]
        starts = [
            node.lineno
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or line)
        ]
        first = max(starts, default=line)  # a decorator is in no statement
        numbers = range(first, mutant.end_pos[0] + 1)
        return set().union(*(lines.get(str(number), []) for number in numbers))

    def tests(self, mutant: MutationSpec) -> dict[str, float]:
        """Tests of a mutant and their seconds, the quickest first.

        Those that execute its statement; those of its whole file if an import executes it, or none.
        """
        tests = self.statement(mutant)
        if not tests or "" in tests:
            tests = set().union(*self.lines.get(str(mutant.module_path), {}).values())
        tests.discard("")
        quickest = sorted(tests or self.seconds, key=lambda test: self.seconds[test])
        return {test: self.seconds[test] for test in quickest}


def write(output: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    partial_file = output.with_suffix(".part")
    partial_file.write_text(text, encoding="utf-8")
    partial_file.replace(output)
