"""ULX3S, in two sizes."""

import dataclasses

from spikeloom.boards.board import Board
from spikeloom.boards.family import ECP5
from spikeloom.golden.spec import FabricConfig

ULX3S_12F = Board(
    "ulx3s_12f",
    "ULX3S, LFE5U-12F; its block RAM holds 102,400 synapses of 8 bits",
    "ulx3s.ULX3S_12F_Platform",
    ECP5,
    ("--12k", "--package", "CABGA381", "--speed", "6"),
    clock_mhz=75,
    fabric=FabricConfig(
        neurons=256,
        weight_words=12800,
        slots=2,
        delayed_reset=True,
        neuron_parameters=True,
        traces=True,
    ),
    loader="ulx3s",
    in_luts=("sums", "states", "biases"),
    led="led",
)

ULX3S_85F = dataclasses.replace(
    ULX3S_12F,
    name="ulx3s_85f",
    description="ULX3S, LFE5U-85F",
    platform="ulx3s.ULX3S_85F_Platform",
    part=("--85k", "--package", "CABGA381", "--speed", "6", "--router", "router2"),
    clock_mhz=50,
    fabric=FabricConfig(
        columns=4, rows=4, lanes=4, weight_words=4096, delayed_reset=True, traces=True
    ),
    in_luts=(),
)
