"""iCEBreaker."""

from spikeloom.boards.board import Board
from spikeloom.boards.family import UP5K
from spikeloom.golden.spec import FabricConfig

ICEBREAKER = Board(
    "icebreaker",
    "iCEBreaker, iCE40UP5K",
    "icebreaker.ICEBreakerPlatform",
    UP5K,
    ("--up5k", "--package", "sg48"),
    clock_mhz=36,
    fabric=FabricConfig(
        neurons=256,
        weight_words=16384,
        slots=2,
        delayed_reset=True,
        neuron_parameters=True,
        traces=True,
    ),
    loader="ice40_generic",
    pll_pin=True,
    led="led_g",
)
