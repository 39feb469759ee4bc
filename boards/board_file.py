"""A board of the user's own, from a Python file that the user names."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from spikeloom.boards.board import Board
from spikeloom.golden.errors import SpikeloomError

MAX_NAME = 16
"""Characters of a board's name that the link reports."""


def load_board(path: Path, known: Iterable[Board]) -> Board:
    """The one `Board` that the file defines; the file is executed.

    Parameters
    ----------
    path
        The file. What it imports must be installed: its own folder is not searched.
    known
        Boards that the file may import, for `dataclasses.replace`, without defining them.

    Raises
    ------
    SpikeloomError
        The file cannot be read, raises an exception, or does not define exactly one board; the
        board has a name that the link cannot report, or lacks pins.
    """
    try:
        source = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpikeloomError(f"cannot read board file {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SpikeloomError(f"board file {path} is not text in UTF-8") from None
    namespace = {"__name__": path.stem, "__file__": str(path)}
    try:
        exec(compile(source, str(path), "exec"), namespace)
    except (Exception, SystemExit) as error:
        raise SpikeloomError(f"board file {path}{_line(error, path)}: {_said(error)}") from None
    imported = {id(board) for board in known}
    defined = {id(value): value for value in namespace.values() if isinstance(value, Board)}
    own = [board for identity, board in defined.items() if identity not in imported]
    if len(own) != 1:
        names = ", ".join(board.name for board in own)
        count = f"defines {len(own)} boards ({names})" if own else "defines no Board"
        raise SpikeloomError(f"board file {path} {count}: it must define exactly one")
    # The text is part of the board, so that what was built from an earlier one is built again.
    board = dataclasses.replace(own[0], source=source)
    _check(board, path)
    return board


def _check(board: Board, path: Path) -> None:
    """Raise `SpikeloomError` for what a build would stumble over."""
    if not (0 < len(board.name) <= MAX_NAME and board.name.isascii() and board.name.isprintable()):
        raise SpikeloomError(
            f"board file {path}: the name {board.name!r} must have 1 to {MAX_NAME} ASCII characters"
        )
    try:
        platform = board.make_platform()
        for name in (board.oscillator or platform.default_clk, "uart", board.led):
            if name is not None:
                platform.lookup(name)
    except SpikeloomError:
        raise
    except Exception as error:
        raise SpikeloomError(f"board file {path}: platform: {_said(error)}") from None


def _line(error: BaseException, path: Path) -> str:
    """Where in the file it happened."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f", line {error.lineno}"
    lines = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f", line {lines[-1]}" if lines else ""


def _said(error: BaseException) -> str:
    """What an exception says, in one line."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return " ".join(f"{type(error).__name__}: {text}".split())
