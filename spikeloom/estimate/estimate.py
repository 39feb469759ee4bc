"""The estimate of a network on a board."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from spikeloom.boards.board import Board
from spikeloom.boards.flow.placement import RESOURCES
from spikeloom.boards.registry import boards
from spikeloom.estimate.candidates import candidates, needs, on
from spikeloom.estimate.cells import cells, multipliers, nominal_link, table, unmeasured
from spikeloom.estimate.clocks import Counts, Timing, timing
from spikeloom.estimate.memories import blocks
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import WEIGHT_BITS, FabricConfig
from spikeloom.program import Program

Pair = tuple[int, int]
"""What is needed, and what there is."""


@dataclass(frozen=True)
class Estimate:
    """What a network takes on a board.

    Parameters
    ----------
    board
        The board.
    fits
        Whether a fabric was found that holds the network and fits the part.
    compiled
        The program runs on the board as it is.
    changes
        Fields of the board's fabric that have to change, with their values.
    short
        What is short, with what is needed and what there is: of the board's fabric or, if nothing
        fits, of the part with the smallest fabric that was tried.
    rows
        The sizes of the board's fabric that the network needs, and those there are.
    used, available
        Resources of the part that the fabric takes, logic cells estimated; and what there is.
    error
        Largest relative error of the estimated logic cells among earlier syntheses.
    unmeasured
        What the fabric has that none of them had; its cells are not counted.
    clock_mhz, fmax_mhz, fmax_of
        The board's clock; median fmax of placements of its default fabric, or of that of `fmax_of`.
    timing
        Clocks, if it fits and there are events.
    narrower
        If nothing fits: the changes with which something would, narrower weights among them, which
        means another quantisation. Empty if that does not help either.
    """

    board: str
    fits: bool
    compiled: bool
    changes: dict[str, Any]
    short: dict[str, Pair]
    rows: dict[str, Pair]
    used: dict[str, int]
    available: dict[str, int]
    error: float
    unmeasured: tuple[str, ...]
    clock_mhz: float
    fmax_mhz: float
    fmax_of: str | None
    timing: Timing | None
    narrower: dict[str, Any]

    @property
    def settings(self) -> str:
        """The `--set` options of the changes that make it fit."""
        changes = self.changes or self.narrower
        return " ".join(f"--set {name}={json.dumps(value)}" for name, value in changes.items())


def resources(fabric: FabricConfig, board: Board) -> dict[str, int]:
    """Resources of a fabric on a board's part, logic cells estimated."""
    link = nominal_link(board)
    memory = blocks(fabric, board, link)
    used = {
        "logic_cells": round(cells(fabric, board, link)),
        "dsp": multipliers(fabric, board),
        **{name: memory.get(name, 0) for name in ("lutram", "bram", "spram")},
    }
    return {name: used[name] for name in RESOURCES if name in board.family.sites}


def overflow(used: Mapping[str, int], available: Mapping[str, int]) -> dict[str, Pair]:
    """The resources of which more are used than there are."""
    return {
        RESOURCES[name]: (number, available[name])
        for name, number in used.items()
        if number > available[name]
    }


def sites(fabric: FabricConfig, board: Board) -> dict[str, Pair]:
    """The `resources` of a fabric and those of a board's part; empty if the part is unknown."""
    try:
        available = _part(board)[0]["available"]
    except SpikeloomError:
        return {}
    return {name: (used, available[name]) for name, used in resources(fabric, board).items()}


def estimate(
    program: Program, board: Board, counts: Counts | None, timings: dict[FabricConfig, Timing]
) -> Estimate:
    """The estimate of a program's network on a board, with the first of `candidates` that fits.

    Parameters
    ----------
    program
        The network, compiled for any fabric.
    board
        The board.
    counts
        Events of every input, (samples, steps, size), whose clocks are predicted; None for none.
    timings
        Results for other boards, which are added to.
    """
    part, fmax_of = _part(board)
    available: dict[str, int] = part["available"]
    rows = {
        name: (type(built)(least), built)
        for name, least in needs(program, board.fabric).items()
        for built in [getattr(board.fabric, name)]
    }
    lacking = {name: row for name, row in rows.items() if row[0] > row[1]}
    fabric, mapped = _choice(program, board, available)
    used = resources(fabric, board)
    fits = mapped is not None
    when = None
    if mapped is not None and counts is not None:
        if fabric not in timings:
            timings[fabric] = timing(mapped, counts)
        when = timings[fabric]
    return Estimate(
        board=board.name,
        fits=fits,
        compiled=program.fabric == board.fabric,
        changes=_changes(board.fabric, fabric) if fits else {},
        short=lacking if fits else overflow(used, available) or lacking,
        rows=rows,
        used=used,
        available=available,
        error=table()["families"][board.family.name]["largest_error"],
        unmeasured=unmeasured(fabric, board),
        clock_mhz=board.clock_mhz,
        fmax_mhz=part["fmax_mhz"]["median"],
        fmax_of=fmax_of,
        timing=when,
        narrower={} if fits else _narrower(program, board, available),
    )


def _part(board: Board) -> tuple[Mapping[str, Any], str | None]:
    """What the table has of the part of a board, and of what its fmax is, if not of the board.

    Raises `SpikeloomError` if no board in the table has this part.
    """
    known: Mapping[str, Any] = table()["boards"]
    if board.name in known and not board.source:
        return known[board.name], known[board.name]["fmax_mhz"]["of"]
    for name, other in boards().items():
        if name in known and (other.family, _device(other)) == (board.family, _device(board)):
            return known[name], known[name]["fmax_mhz"]["of"] or f"{name}, which has the same part"
    raise SpikeloomError(
        f"{board.name}: there is no table of part {' '.join(_device(board))}, so nothing to "
        "estimate from; `spikeloom build --board FILE` measures it"
    )


def _device(board: Board) -> tuple[str, ...]:
    """The options of nextpnr that say which part it is, without those of the router."""
    end = board.part.index("--router") if "--router" in board.part else len(board.part)
    return board.part[:end]


def _narrower(program: Program, board: Board, available: Mapping[str, int]) -> dict[str, Any]:
    """Changes with the widest weights with which a candidate fits the part."""
    for bits in sorted(WEIGHT_BITS, reverse=True):
        for fabric in (
            candidates(program, board.fabric) if bits < program.network.weight_bits else ()
        ):
            narrow = dataclasses.replace(fabric, weight_bits=bits)
            if not overflow(resources(narrow, board), available):
                return _changes(board.fabric, narrow)
    return {}


def _choice(
    program: Program, board: Board, available: Mapping[str, int]
) -> tuple[FabricConfig, Program | None]:
    """The first candidate that fits the part, with the program on it.

    If none does: the one that is least short of something, without a program.
    """
    ratios: list[tuple[float, FabricConfig]] = []
    for fabric in candidates(program, board.fabric):
        over = overflow(resources(fabric, board), available)
        ratios.append((max((needed / there for needed, there in over.values()), default=0), fabric))
        if not over:
            try:
                return fabric, on(program, fabric)
            except SpikeloomError:  # the tiles cannot share the network
                continue
    return min(ratios, key=lambda ratio: ratio[0])[1], None


def _changes(before: FabricConfig, after: FabricConfig) -> dict[str, Any]:
    old, new = dataclasses.asdict(before), dataclasses.asdict(after)
    return {name: value for name, value in new.items() if value != old[name]}


def estimates(program: Program, chosen: Iterable[Board], counts: Counts | None) -> list[Estimate]:
    """The estimate on each of these boards."""
    timings: dict[FabricConfig, Timing] = {}
    return [estimate(program, board, counts, timings) for board in chosen]
