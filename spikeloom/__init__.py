"""Spikeloom: a spiking network from NIR to RTL, compared with its golden model on every clock.

Load a network, compile it and run it on the RTL:

    net = spikeloom.load_nir("model.nir", dt=1e-3)
    program = spikeloom.compile(net)
    with spikeloom.open(program, backend="verilator") as device:
        run = device.run(events)

A network of integers is made of `Network`, `Population`, `Connection` and so on, and compiled too.
"""

from spikeloom.compiler import compile
from spikeloom.devices.backends import open
from spikeloom.devices.device import Run
from spikeloom.golden.convolution import Convolution
from spikeloom.golden.errors import SpikeloomError, SpikeloomWarning
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig, Reset
from spikeloom.importer.lava_net import load_lava_net
from spikeloom.importer.load import load_nir
from spikeloom.program import Program

__all__ = [
    "Connection",
    "Convolution",
    "FabricConfig",
    "Input",
    "Network",
    "Population",
    "Program",
    "Reset",
    "Run",
    "SpikeloomError",
    "SpikeloomWarning",
    "compile",
    "load_lava_net",
    "load_nir",
    "open",
]
