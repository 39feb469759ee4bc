"""Spikeloom: a spiking network from NIR to RTL, compared with its golden model on every clock.

Load a network, compile it and run it on the RTL:

    net = spikeloom.load_nir("model.nir", dt=1e-3)
    program = spikeloom.compile(net)
    with spikeloom.open(program, backend="verilator") as device:
        run = device.run(events)

A network of integers is made of `Network`, `Population`, `Connection` and so on, and compiled too.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spikeloom.compiler import compile
    from spikeloom.devices.backends import open
    from spikeloom.devices.device import Run
    from spikeloom.golden.convolution import Convolution
    from spikeloom.golden.errors import SpikeloomError, SpikeloomWarning
    from spikeloom.golden.network import Connection, Input, Network, Population
    from spikeloom.golden.sparse import OneToOne, SparseConnection
    from spikeloom.golden.spec import FabricConfig, Reset
    from spikeloom.importer.builder import NetworkBuilder
    from spikeloom.importer.lava_net import load_lava_net
    from spikeloom.importer.load import load_nir
    from spikeloom.program import Program
    from spikeloom.rounding import plot_rounding

__all__ = [
    "Connection",
    "Convolution",
    "FabricConfig",
    "Input",
    "Network",
    "NetworkBuilder",
    "OneToOne",
    "Population",
    "Program",
    "Reset",
    "Run",
    "SparseConnection",
    "SpikeloomError",
    "SpikeloomWarning",
    "compile",
    "load_lava_net",
    "load_nir",
    "open",
    "plot_rounding",
]

_HOMES = {
    "Connection": "spikeloom.golden.network",
    "Convolution": "spikeloom.golden.convolution",
    "FabricConfig": "spikeloom.golden.spec",
    "Input": "spikeloom.golden.network",
    "Network": "spikeloom.golden.network",
    "NetworkBuilder": "spikeloom.importer.builder",
    "OneToOne": "spikeloom.golden.sparse",
    "Population": "spikeloom.golden.network",
    "Program": "spikeloom.program",
    "Reset": "spikeloom.golden.spec",
    "Run": "spikeloom.devices.device",
    "SparseConnection": "spikeloom.golden.sparse",
    "SpikeloomError": "spikeloom.golden.errors",
    "SpikeloomWarning": "spikeloom.golden.errors",
    "compile": "spikeloom.compiler",
    "load_lava_net": "spikeloom.importer.lava_net",
    "load_nir": "spikeloom.importer.load",
    "open": "spikeloom.devices.backends",
    "plot_rounding": "spikeloom.rounding",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import what is asked for: all of it takes a second, which `spikeloom --help` has not."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
