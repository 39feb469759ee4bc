"""UPduino 3."""

from amaranth.build import Attrs, Pins, Resource, Subsignal

from spikeloom.boards.board import Board
from spikeloom.boards.catalogue.icebreaker import ICEBREAKER as LIKE
from spikeloom.boards.family import UP5K

UPDUINO3 = Board(
    "upduino3",
    "UPduino 3, iCE40UP5K; jumper OSC closed, a serial adapter on pins 23 (to the board) and 25",
    "upduino_v3.UpduinoV3Platform",
    UP5K,
    LIKE.part,
    clock_mhz=LIKE.clock_mhz,
    fabric=LIKE.fabric,
    loader="ice40_generic",
    oscillator="clk12",  # the part's own oscillator may be off by 10 %: too much for a UART
    resources=(
        Resource(
            "uart",
            0,
            Subsignal("rx", Pins("23", dir="i")),
            Subsignal("tx", Pins("25", dir="o")),
            Attrs(IO_STANDARD="SB_LVCMOS"),
        ),
    ),
)
