"""Colorlight 5A-75B."""

from spikeloom.boards.board import Board
from spikeloom.boards.catalogue.ulx3s import ULX3S_12F as LIKE
from spikeloom.boards.family import ECP5

COLORLIGHT_5A75B = Board(
    "colorlight_5a75b",
    "Colorlight 5A-75B 7.0, LFE5U-25F; a serial adapter on J19: KEY+ (to the board) and DATA_LED-",
    "colorlight_5a75b_r7_0.Colorlight_5A75B_R70Platform",
    ECP5,
    ("--25k", "--package", "CABGA256", "--speed", "6"),
    clock_mhz=LIKE.clock_mhz,
    fabric=LIKE.fabric,
    loader="colorlight",
    in_luts=LIKE.in_luts,
)
