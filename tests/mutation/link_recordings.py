"""What the tests of the link do at the pins of a board, and the bytes that they hear."""

from collections.abc import Callable, Iterable
from typing import Any
from unittest.mock import patch

import numpy as np
from designs import LINK, Port
from link_board import Board, Levels
from recordings import Recording

from spikeloom.golden.spec import FabricConfig

Sessions = dict[FabricConfig, list[Recording]]


def of_boards(tests: Iterable[Callable[[], Any]]) -> Sessions:
    """Run tests, and record every board of theirs that has `LINK`."""
    boards: list[tuple[Board, list[Levels]]] = []
    played: dict[int, list[Levels]] = {}
    create, play = Board.__init__, Board.play

    def created(board: Board, *arguments: Any) -> None:
        create(board, *arguments)
        boards.append((board, played.setdefault(id(board), [])))

    def recorded(board: Board, levels: Levels) -> None:
        played[id(board)].append(np.asarray(levels, np.uint8))
        play(board, levels)

    with patch.object(Board, "__init__", created), patch.object(Board, "play", recorded):
        for test in tests:
            test()
    sessions: Sessions = {}
    for board, levels in boards:
        if board.link == LINK:
            heard = bytes(value for _, value in board.bytes)
            sessions.setdefault(board.config, []).append(_recording(levels, heard))
    return sessions


INPUTS: list[Port] = [("rst", 1), ("rx", 1)]


def _recording(levels: list[Levels], heard: bytes) -> Recording:
    rx = np.concatenate(levels).astype("<u4")[:, None]
    empty = np.empty((0, 1), "<u4")
    return Recording(rx << 1, empty, empty, heard, LINK.clocks_per_bit)
