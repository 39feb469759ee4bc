"""The boards by name, collected from `spikeloom.boards.catalogue`."""

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path

from spikeloom.boards import catalogue
from spikeloom.boards.board import Board
from spikeloom.boards.board_file import load_board
from spikeloom.golden.errors import SpikeloomError, meant


@functools.cache
def boards() -> Mapping[str, Board]:
    """All boards by name: each `Board` that a module of `spikeloom.boards.catalogue` defines."""
    by_name: dict[str, Board] = {}
    for module in pkgutil.iter_modules(catalogue.__path__):
        members = vars(importlib.import_module(f"{catalogue.__name__}.{module.name}"))
        by_name |= {value.name: value for value in members.values() if isinstance(value, Board)}
    return dict(sorted(by_name.items()))


def board(name: str) -> Board:
    """The board with this name, or of the file with this path, which ends in .py and is executed.

    Raises `SpikeloomError` if there is none.
    """
    if name.endswith(".py"):
        return load_board(Path(name), boards().values())
    if name in boards():
        return boards()[name]
    raise SpikeloomError(
        f"there is no board {name!r}{meant(name, boards())}; there are {', '.join(boards())}, "
        "and boards of your own by the path of their file"
    )
