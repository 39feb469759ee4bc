"""Tang Nano 9K."""

from spikeloom.boards.board import Board
from spikeloom.boards.family import GOWIN
from spikeloom.golden.spec import FabricConfig

TANG_NANO_9K = Board(
    "tang_nano_9k",
    "Tang Nano 9K, GW1NR-9C; its block RAM holds 32,768 synapses of 8 bits",
    "tang_nano_9k.TangNano9kPlatform",
    GOWIN,
    ("--device", "GW1NR-LV9QN88PC6/I5", "--vopt", "family=GW1N-9C"),
    clock_mhz=81,
    fabric=FabricConfig(
        neurons=256,
        weight_words=4096,
        slots=2,
        delayed_reset=True,
        neuron_parameters=True,
        traces=True,
    ),
    loader="tangnano9k",
)
