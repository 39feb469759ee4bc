"""ECP5 evaluation board."""

from spikeloom.boards.board import Board
from spikeloom.boards.family import ECP5
from spikeloom.golden.spec import FabricConfig

ECP5_EVN = Board(
    "ecp5_evn",
    "ECP5-5G evaluation board, LFE5UM5G-85F; its serial line needs resistors R34 and R35",
    "ecp5_5g_evn.ECP55GEVNPlatform",
    ECP5,
    ("--um5g-85k", "--package", "CABGA381", "--speed", "8"),
    clock_mhz=96,
    fabric=FabricConfig(
        weight_words=16384,
        delayed_reset=True,
        neuron_parameters=True,
        traces=True,
        readable=True,
    ),
    loader="ecp5_evn",
    led="led",
)
