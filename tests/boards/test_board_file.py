"""A board of the user's own, from a file: every command takes it, and what is wrong is one line."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from command_line import Commands
from small_program import small_network

import spikeloom
from spikeloom.boards.flow.design import elaborate
from spikeloom.boards.registry import board

PAGE = Path(__file__).resolve().parents[2] / "docs" / "your_board.md"
CHANGED, WHOLE = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)


@pytest.fixture
def run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Commands:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_board.py").write_text(WHOLE, encoding="utf-8")
    return Commands(tmp_path, capsys, monkeypatch)


def test_the_files_of_the_page_define_boards(tmp_path: Path) -> None:
    for number, text in enumerate((CHANGED, WHOLE)):
        path = tmp_path / f"board{number}.py"
        path.write_text(text, encoding="utf-8")
        own = board(str(path))
        assert own.clock_mhz == 24
        assert "35" in elaborate(own).constraints


def test_a_changed_file_is_another_design(tmp_path: Path) -> None:
    """Though the description of its board reads the same: the pins are in a class."""
    path = tmp_path / "my_board.py"
    pins = []
    for pin in ("9", "10"):
        path.write_text(WHOLE.replace('Pins("9"', f'Pins("{pin}"'), encoding="utf-8")
        pins.append(
            re.findall(r"set_io uart_0__tx__io (\d+)", elaborate(board(str(path))).constraints)
        )
    assert pins == [["9"], ["10"]]


def test_commands_take_the_file(run: Commands) -> None:
    own = board("my_board.py")
    assert run("verilog", "--board=my_board.py", "-o", "a.v").status == 0
    assert json.loads((run.folder / "a.v").read_text("utf-8").split("\n")[1][3:])["slots"] == 2

    program = spikeloom.compile(small_network(), {"board": "my_board.py", "slots": 3})
    assert program.fabric == dataclasses.replace(own.fabric, slots=3)
    program.save(run.folder / "small.loom")
    done = run("info", "small.loom", "--estimate", "--board=my_board.py", "--json=-")
    (estimate,) = json.loads(done.out)["boards"]
    assert estimate["board"] == "my_board"
    assert estimate["fits"]
    assert estimate["available"]["logic_cells"] == 5280
    (run.folder / "other.py").write_text(WHOLE.replace('"sg48"', '"uwg30"'), encoding="utf-8")
    said = run("info", "small.loom", "--estimate", "--board=other.py").error()
    assert said.startswith("my_board: there is no table of part --up5k --package uwg30, so nothing")
    said = run("info", "small.loom", "--board=my_board.py").error()
    assert said == "--board names the board of an estimate: add --estimate"

    np.save(run.folder / "events.npy", np.ones((1, 3, 6), bool))
    done = run("run", "small.loom", "events.npy", "--board=my_board.py", "--baud=6000000")
    assert (done.status, done.err) == (0, "")
    assert "virtual board my_board" in done.out


BAD = {
    None: "cannot read board file bad.py: No such file or directory",
    "x = 1": "board file bad.py defines no Board: it must define exactly one",
    f"{WHOLE}OTHER = Board(**(vars(MY_BOARD) | dict(name='second')))\n": "board file bad.py "
    "defines 2 boards (my_board, second): it must define exactly one",
    "a = 1\nb = a / 0\n": "board file bad.py, line 2: ZeroDivisionError: division by zero",
    "a = 1\nb = (\n": "board file bad.py, line 2: SyntaxError: '(' was never closed",
    "raise SystemExit(3)": "board file bad.py, line 1: SystemExit: 3",
    WHOLE.replace('"my_board"', '"my_board_of_17_ch"'): "board file bad.py: the name "
    "'my_board_of_17_ch' must have 1 to 16 ASCII characters",
    WHOLE.replace('"uart"', '"usart"'): "board file bad.py: platform: ResourceError: Resource "
    "uart#0 does not exist",
    WHOLE.replace("    connectors = []\n", ""): "board file bad.py: platform: TypeError: ",
}


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
@pytest.mark.parametrize("command", ["verilog -o a.v", "build -o out", "compile no.nir"])
def test_what_is_wrong_with_a_file_is_one_line(
    run: Commands, command: str, text: str | None
) -> None:
    if text is not None:
        (run.folder / "bad.py").write_text(text, encoding="utf-8")
    if command.startswith("compile"):
        (run.folder / "no.nir").write_bytes(
            PAGE.parents[1].joinpath("examples/mnist/mnist.nir").read_bytes()
        )
        command += " --dt 1e-3"
    before = run.files()
    assert run(*command.split(), "--board=bad.py").error().startswith(BAD[text])
    assert run.files() == before
