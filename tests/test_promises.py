"""The table of promises in docs/verification.md: the words are the page's, and the tests exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEADING = "## Promises to those who integrate a fabric"


def text(name: str) -> str:
    """A page of the documentation, its white space as single spaces."""
    return " ".join((ROOT / "docs" / name).read_text(encoding="utf-8").split())


def promises() -> list[tuple[str, str]]:
    """The rows of the table."""
    page = (ROOT / "docs" / "verification.md").read_text(encoding="utf-8")
    _, _, rest = page.partition(HEADING)
    table = rest.partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", table, re.M)
    return [row for row in rows if row[0] != "promise"]


def functions(path: Path) -> set[str]:
    """Tests in a file: functions of pytest, or coroutines of cocotb."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    cocotb = {
        node.name
        for node in tree.body
        if isinstance(node, ast.AsyncFunctionDef)
        and "cocotb.test()" in map(ast.unparse, node.decorator_list)
    }
    plain = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return cocotb | {name for name in plain if name.startswith("test_")}


def test_there_is_a_table() -> None:
    assert len(promises()) > 40


@pytest.mark.parametrize(("promise", "tests"), promises())
def test_a_promise_is_on_the_page_and_its_tests_exist(promise: str, tests: str) -> None:
    assert promise in text("integration.md")
    names = re.findall(r"`([^`]+)::(\w+)`", tests)
    assert names
    for file, name in names:
        assert name in functions(ROOT / file), f"{file} has no test {name}"


def test_every_section_of_the_page_has_a_promise() -> None:
    page = (ROOT / "docs" / "integration.md").read_text(encoding="utf-8")
    for section in page.split("\n## "):
        body = " ".join(section.split())
        assert any(promise in body for promise, _ in promises()), section.splitlines()[0]
