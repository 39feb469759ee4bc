"""The examples in the documentation run: each page's Python blocks, in order, in one namespace."""

import doctest
import importlib
import importlib.util
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path
from types import ModuleType

import jupytext
import numpy as np
import pytest
from locking import one_at_a_time
from nbclient import NotebookClient

import spikeloom
from spikeloom.cli.commands import COMMANDS
from spikeloom.demo import mnist_program
from spikeloom.sim.runner import Simulation

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


FRAMEWORKS = ("flax", "norse", "rockpool", "sinabs", "snntorch", "spyx", "torch")
"""Packages that `make frameworks` installs; a page that imports one is skipped without it."""


def imports(text: str, name: str) -> bool:
    """Whether Python code imports a package."""
    return re.search(rf"^(import|from) {name}\b", text, re.M) is not None


def absent_framework(text: str) -> str | None:
    """A framework that a page imports and that is not installed."""
    for name in FRAMEWORKS:
        if imports(text, name) and not importlib.util.find_spec(name):
            return name
    return None


def need_frameworks(text: str) -> None:
    """Skip where a page imports a framework that is absent."""
    if name := absent_framework(text):
        pytest.skip(f"{name} is not installed")


def blocks(text: str) -> list[str]:
    """The ```python blocks of a page."""
    return re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)


TUTORIALS = ROOT / "docs" / "tutorials"
"""Pages that are notebooks."""

WITH_EXAMPLES = [page for page in PAGES if blocks(page.read_text(encoding="utf-8"))]
NOTEBOOKS = [page for page in WITH_EXAMPLES if page.parent == TUTORIALS]
PLAIN = [page for page in WITH_EXAMPLES if page.parent != TUTORIALS]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a trained network as model.nir; its fabric is compiled already."""
    shutil.copy(ROOT / "examples" / "mnist" / "mnist.nir", tmp_path / "model.nir")
    monkeypatch.chdir(tmp_path)
    with one_at_a_time("default fabric"), Simulation(mnist_program().fabric):
        pass
    return tmp_path


def test_the_readme_has_an_example() -> None:
    assert ROOT / "README.md" in WITH_EXAMPLES


def test_every_fence_says_its_language() -> None:
    for page in PAGES:
        fences = re.findall(r"^```(.*)$", page.read_text(encoding="utf-8"), re.M)
        assert len(fences) % 2 == 0, page
        for opening, closing in zip(fences[::2], fences[1::2], strict=True):
            assert opening in ("python", "console", "text", "json", "verilog"), (page, opening)
            assert closing == "", page


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize("page", PLAIN, ids=lambda page: page.name)
def test_examples_of_a_page_run(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    parts = blocks(text)
    if page.name == "README.md" and (absent := absent_framework(text)):
        # The block that exports writes model.nir; the workplace has another one.
        parts = [part for part in parts if not imports(part, absent)]
    examples = "".join(parts)
    need_frameworks(examples)
    namespace: dict[str, object] = {"__name__": "__main__"}
    with warnings.catch_warnings():
        if any(imports(examples, name) for name in FRAMEWORKS):
            warnings.simplefilter("ignore")  # frameworks warn about their own libraries
        for block in parts:
            line = text[: text.index(block)].count("\n")
            # Blank lines before it, so that an error names the line of the page.
            exec(compile("\n" * line + block, str(page), "exec"), namespace)


@pytest.mark.parametrize("page", NOTEBOOKS, ids=lambda page: page.name)
def test_a_tutorial_runs_as_a_notebook(
    page: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every cell, in a kernel; each cell that plots shows a picture."""
    need_frameworks("".join(blocks(page.read_text(encoding="utf-8"))))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(workplace / name))
    notebook = jupytext.read(page)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Jupyter's own
        place = {"metadata": {"path": str(workplace)}}
        NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(cells) == len(blocks(page.read_text(encoding="utf-8")))
    plots = [cell for cell in cells if ".plot_" in cell.source]
    assert plots
    for cell in plots:
        assert any("image/png" in output.get("data", {}) for output in cell.outputs), cell.source


@pytest.mark.usefixtures("workplace")
def test_the_example_of_the_package_runs() -> None:
    assert spikeloom.__doc__
    example = re.search(r"\n\n((?: {4}.*\n)+)", spikeloom.__doc__)
    assert example
    rng = np.random.default_rng(1)
    namespace = {"spikeloom": spikeloom, "events": rng.random((2, 4, 784)) < 0.1}
    exec(compile(textwrap.dedent(example[1]), "spikeloom", "exec"), namespace)
    assert isinstance(namespace["run"], spikeloom.Run)
    assert namespace["run"].spikes["hidden"].any()


def modules() -> list[ModuleType]:
    """Everything that can be imported without running it, and without what is not installed."""
    absent = "" if importlib.util.find_spec("torch") else r"|spikeloom\.training$"
    scripts = r"spikeloom\.examples\b|.*(\.__main__|cosim\.bench|cosim\.child)$"
    excluded = re.compile(scripts + absent)
    names = [module.name for module in pkgutil.walk_packages(spikeloom.__path__, "spikeloom.")]
    return [importlib.import_module(name) for name in names if not excluded.match(name)]


def test_examples_in_docstrings_give_what_they_say() -> None:
    results = {module.__name__: doctest.testmod(module) for module in modules()}
    assert [name for name, result in results.items() if result.failed] == []
    assert sum(result.attempted for result in results.values()) > 0


def test_links_of_the_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if not target.startswith(("http://", "https://")):
                assert (page.parent / target).exists(), (page, target)


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    result = subprocess.run(
        [*command, ROOT / "docs", tmp_path / "site"],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (result.returncode, result.stderr) == (0, "")
    reference = (tmp_path / "site" / "reference.html").read_text(encoding="utf-8")
    assert 'id="spikeloom.compile"' in reference
    contents = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        where = page.relative_to(ROOT / "docs").with_suffix(".html")
        assert where.name == "index.html" or f'href="{where}"' in contents, f"{where} is not listed"


def test_the_pictures_show_what_the_rtl_does_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    pictures = importlib.import_module("draw").draw()
    for name, text in pictures.items():
        committed = (ROOT / "docs" / "figures" / name).read_text(encoding="utf-8")
        assert committed == text, f"{name}: run python docs/draw.py"


def test_every_command_that_the_readme_shows_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\$ spikeloom (\w+)", text, re.M)
    assert shown
    assert set(shown) <= set(COMMANDS)
