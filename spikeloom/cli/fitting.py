"""Fabrics that the part of a board cannot hold, and what to type for the program."""

import contextlib
import dataclasses
import warnings
from collections.abc import Iterator

from spikeloom.boards.board import Board
from spikeloom.boards.flow.placement import TooLarge, check_fits
from spikeloom.boards.registry import board as board_named
from spikeloom.cli.output import say
from spikeloom.estimate.estimate import estimate, sites
from spikeloom.golden.errors import SpikeloomError, SpikeloomWarning
from spikeloom.golden.spec import FabricConfig
from spikeloom.program import Program


def check_memory(board: Board, fabric: FabricConfig) -> None:
    """Raise `TooLarge` if the RAM of the part does not suffice, before anything is built, or
    `SpikeloomError` if it has too few ports.
    """
    board.check_ports(fabric.two_ports)
    pairs = sites(fabric, board)
    # The rest is an estimate, or takes other forms in logic.
    check_fits(
        board.name, fabric, {name: pairs[name] for name in ("bram", "spram") if name in pairs}
    )


@contextlib.contextmanager
def for_program(board: Board, program: Program | None) -> Iterator[None]:
    """`TooLarge` says how to compile the program for the board, as its sizes are fixed."""
    try:
        yield
    except TooLarge as large:
        if program is None:
            raise
        raise SpikeloomError(_too_large(board, program, large.short)) from None


def board_backend(program: Program, name: str, port: str | None, stage: str) -> str:
    """What runs, and print it: a board, or what simulates one, by its name in `spikeloom.open`.

    Warns of a virtual board's fabric that does not fit the part.
    """
    if port is not None:
        return name
    what = {"virtual": "RTL", "netlist": "netlist after synthesis"}.get(stage, "netlist as routed")
    board = board_named(name)
    whose = "the board's fabric"
    if program.fabric != board.fabric:
        whose = "the program's fabric, not the board's own"
    say(f"virtual board {name}: its {what} in simulation, with {whose}; no hardware")
    try:
        check_fits(board.name, program.fabric, sites(program.fabric, board))
    except TooLarge as large:
        warnings.warn(_too_large(board, program, large.short), SpikeloomWarning, stacklevel=2)
    return f"{stage}:{name}"


def _too_large(board: Board, program: Program, short: str) -> str:
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
