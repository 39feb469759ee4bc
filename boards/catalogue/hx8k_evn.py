"""iCE40-HX8K breakout board."""

from spikeloom.boards.board import Board
from spikeloom.boards.family import HX
from spikeloom.golden.spec import FabricConfig

HX8K_EVN = Board(
    "hx8k_evn",
    "iCE40-HX8K breakout board, iCE40HX8K; its block RAM holds 4,096 synapses of 8 bits",
    "ice40_hx8k_b_evn.ICE40HX8KBEVNPlatform",
    HX,
    ("--hx8k", "--package", "ct256", "--router", "router2"),
    clock_mhz=78,
    fabric=FabricConfig(
        lanes=4,
        neurons=64,
        weight_words=1024,
        slots=2,
        delayed_reset=True,
        neuron_parameters=True,
        traces=True,
        multipliers=False,
    ),
    loader="ice40_generic",
    led="led",
)
