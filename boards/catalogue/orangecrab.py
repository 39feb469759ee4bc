"""OrangeCrab r0.2."""

from amaranth.build import Attrs, Pins, Resource, Subsignal

from spikeloom.boards.board import Board
from spikeloom.boards.family import ECP5
from spikeloom.golden.spec import FabricConfig

ORANGECRAB = Board(
    "orangecrab",
    "OrangeCrab r0.2, LFE5U-25F; a serial adapter on pins 0 (to the board) and 1",
    "orangecrab_r0_2.OrangeCrabR0_2_25FPlatform",
    ECP5,
    ("--25k", "--package", "CSFBGA285", "--speed", "8"),
    clock_mhz=96,
    fabric=FabricConfig(
        neurons=256,
        weight_words=12800,
        slots=2,
        delayed_reset=True,
        neuron_parameters=True,
        traces=True,
    ),
    loader="orangeCrab",
    in_luts=("sums", "states", "biases"),
    resources=(
        Resource(
            "uart",
            0,
            Subsignal("rx", Pins("0", dir="i", conn=("io", 0))),
            Subsignal("tx", Pins("1", dir="o", conn=("io", 0))),
            Attrs(IO_TYPE="LVCMOS33"),
        ),
    ),
)
