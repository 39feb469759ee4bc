"""No command writes a file over one that it reads or writes already, whichever the command."""

from pathlib import Path

import click
import nir
import numpy as np
import pytest

from spikeloom.cli import cli
from spikeloom.cli.commands import COMMANDS
from spikeloom.golden.errors import SpikeloomError

FOLDERS = {
    *(("build", "output"), ("demo", "output"), ("flash", "directory"), ("report", "build_folder")),
    ("words", "output"),
}
WRITTEN = {"output", "json_path", "plot", "waves_path", "waveform", "learned", "page"}
MADE_ANEW = ("program", "learned")
"""The file that --learn may write over, as it goes on from what that has learned."""


def files_of(name: str) -> list[click.Parameter]:
    """The parameters of a command that name a file."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    paths = [each for each in command.params if isinstance(each.type, click.Path)]
    return [each for each in paths if (name, each.name) not in FOLDERS]


PAIRS = [
    (name, first.name, second.name)
    for name in COMMANDS
    for n, first in enumerate(files_of(name))
    for second in files_of(name)[n + 1 :]
    if {first.name, second.name} & WRITTEN and (first.name, second.name) != MADE_ANEW
]


def arguments(name: str, given: dict[str | None, str]) -> list[str]:
    """What is typed if these parameters are given, and each that has to be."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    typed = []
    for each in command.params:
        value = given.get(each.name, f"{each.name}.new" if each.required else None)
        if isinstance(each, click.Argument):
            typed += [value or f"{each.name}.new"]
        elif value is not None:
            typed += [f"{each.opts[-1]}={value}"]
    return typed


def test_every_command_that_reads_or_writes_two_files_is_here() -> None:
    assert len(PAIRS) > 70
    assert len({name for name, *_ in PAIRS}) >= 12


@pytest.mark.parametrize(("name", "first", "second"), PAIRS)
@pytest.mark.parametrize("there", [False, True])
def test_a_file_is_given_once(
    name: str, first: str, second: str, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if there:
        Path("same.html").write_text("mine")
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    typed = arguments(name, {first: "same.html", second: str(tmp_path / "same.html")})
    with pytest.raises(SpikeloomError, match="same.html is given twice, as .*: write to another"):
        command.make_context(name, typed)
    assert sorted(Path().iterdir()) == ([Path("same.html")] if there else [])


@pytest.mark.parametrize("name", ["report", "compare"])
def test_the_file_beside_a_page_is_one_of_them(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    page = "output" if name == "report" else "page"
    typed = arguments(name, {page: "same.html", "labels_path": "same.json"})
    with pytest.raises(SpikeloomError, match="same.json is given twice, as .* and as "):
        command.make_context(name, typed)


def test_a_program_is_not_compiled_over_its_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    nodes = {"in": nir.Input(np.ones(1)), "out": nir.IF(np.ones(1), np.ones(1))}
    nir.write("model.nir", nir.NIRGraph(nodes, [("in", "out")]))
    before = Path("model.nir").rename("model.loom").read_bytes()
    command = cli.get_command(click.Context(cli), "compile")
    assert command is not None
    message = "model.loom would be overwritten: name the file to write with -o"
    with pytest.raises(SpikeloomError, match=message):
        command.main(["model.loom", "--dt=1"], standalone_mode=False)
    assert Path("model.loom").read_bytes() == before
