"""Every file of the cycle-level model names the section of docs/hardware.md that it models."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((ROOT / "golden" / "cycle").glob("*.py"))
GENERAL = {"__init__.py", "packing.py", "split.py"}
"""Files that belong to no section."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_names_its_section(path: Path) -> None:
    page = (ROOT / "docs" / "hardware.md").read_text(encoding="utf-8")
    sections = re.findall(r"^##+ (\w+(?: port)?)", page, re.M)
    assert len(sections) > 5
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring
    named = [name for name in sections if re.search(rf"\b{name}\b", docstring)]
    assert named or path.name in GENERAL, f"{path.name} names none of {sections}"
