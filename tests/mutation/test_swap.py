"""Functions of an imported file become those of another text."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from swap import swap

TEXT = """
LIMIT = 3

def limited(x):
    return [min(y, LIMIT) for y in x]

class Counter:
    step = 1
    def __init__(self):
        self.value = 0
    @property
    def next(self):
        return self.value + self.step
"""


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Path]:
    """The file of an imported module `swapped`."""
    path = tmp_path / "swapped.py"
    path.write_text(TEXT, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("swapped", path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules["swapped"] = loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    yield path
    del sys.modules["swapped"]


def test_functions_change_wherever_they_are_known(module: Path) -> None:
    loaded = sys.modules["swapped"]
    limited, counter = loaded.limited, loaded.Counter()
    assert swap(module, TEXT.replace("min(", "max(").replace("value + self", "value - self"))
    assert limited([1, 5]) == [3, 5]
    assert counter.next == -1


@pytest.mark.parametrize(
    ("old", "new"), [("LIMIT = 3", "LIMIT = 4"), ("step = 1", "step = 2"), ("(x)", "(x=1)")]
)
def test_what_an_import_executes_does_not_change(module: Path, old: str, new: str) -> None:
    assert not swap(module, TEXT.replace(old, new))
    assert sys.modules["swapped"].limited([1, 5]) == [1, 3]


def test_a_file_that_is_not_imported_has_no_functions(tmp_path: Path) -> None:
    path = tmp_path / "other.py"
    path.write_text(TEXT, encoding="utf-8")
    assert not swap(path, TEXT.replace("min(", "max("))


def test_a_text_that_is_not_python_is_no_text(module: Path) -> None:
    assert not swap(module, TEXT.replace("min(", "min(*, "))
