"""Fabrics that the part of a board cannot hold, and what to type for the program."""

import contextlib
import dataclasses
from collections.abc import Iterator

from spikeloom.boards.board import Board
from spikeloom.boards.flow.placement import TooLarge, check_fits
from spikeloom.estimate.estimate import estimate, memory_sites
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import FabricConfig
from spikeloom.program import Program


def check_memory(board: Board, fabric: FabricConfig) -> None:
    """Raise `TooLarge` if the RAM of the part does not suffice, before anything is built."""
    check_fits(board.name, fabric, memory_sites(fabric, board))


@contextlib.contextmanager
def for_program(board: Board, program: Program | None) -> Iterator[None]:
    """`TooLarge` says how to compile the program for the board, as its sizes are fixed."""
    try:
        yield
    except TooLarge as large:
        if program is None:
            raise
        raise SpikeloomError(too_large(board, program, large.short)) from None


def too_large(board: Board, program: Program, short: str) -> str:
    """That the fabric of a program does not fit the part of a board, and what to type."""
    problem = f"{board.name}: the fabric of the program does not fit the part: {short}"
    result = estimate(program, board, None, {})
    if not result.fits and not result.narrower:
        return f"{problem}; no change makes it fit, as `info --estimate` says: take a larger part"
    changes = result.changes if result.fits else result.narrower
    if dataclasses.replace(board.fabric, **changes) == program.fabric:
        return f"{problem}; recompile it with fewer lanes, such as --set lanes={_half(program)}"
    command = f"compile MODEL --board {board.source or board.name} {result.settings}".rstrip()
    return f"{problem}; compile it for the board, its other options as before: {command}"


def _half(program: Program) -> int:
    return max(program.fabric.lanes // 2, 1)
