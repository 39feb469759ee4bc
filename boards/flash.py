"""Writes a bitstream to a board."""

import json
from pathlib import Path

from spikeloom.boards.board import Board
from spikeloom.boards.tools import WHEELS, Tools
from spikeloom.golden.errors import SpikeloomError


def flash(board: Board, directory: Path, *, permanent: bool = False, tools: Tools = WHEELS) -> str:
    """Write the bitstream that `spikeloom build` put into `directory`.

    Parameters
    ----------
    board
        The connected board.
    directory
        Holds the bitstream and `report.json`.
    permanent
        Write to the board's flash memory, from which the part configures itself; otherwise into
        the part, until it loses power. Boards with an iCE40 use their flash memory either way.
    tools
        The tools.

    Returns
    -------
    The output of openFPGALoader.

    Raises
    ------
    SpikeloomError
        There is no build, it is for another board, or openFPGALoader is missing or fails.
    """
    bitstream = directory / f"{board.name}{board.family.bitstream}"
    try:
        report = json.loads((directory / "report.json").read_bytes())
        built_for = report["board"]
    except (OSError, ValueError, LookupError, TypeError):
        raise SpikeloomError(
            f"{directory} holds no build: spikeloom build --board {board.name} -o {directory}"
        ) from None
    if built_for != board.name:
        raise SpikeloomError(f"{directory} was built for {built_for}, not for {board.name}")
    if not bitstream.is_file():
        raise SpikeloomError(f"{bitstream} is missing: build it again")
    options = ["-f"] if permanent else []
    try:
        return tools.run("openFPGALoader", "-b", board.loader, *options, str(bitstream))
    except SpikeloomError as error:
        remedy = (
            "apt install libusb-1.0-0 libhidapi-libusb0 libftdi1-2"
            if "shared librar" in str(error)
            else "is it connected, and may you use it?"
        )
        raise SpikeloomError(f"cannot write to {board.name}: {error} ({remedy})") from None
