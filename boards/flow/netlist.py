"""Rewrites netlists for simulation, after synthesis or after place and route.

nextpnr writes the cells of the part as they are configured, not as the vendors' libraries describe
them: a bus is one port per bit, and a constant is not a connection but a setting, or the part's
default for an unconnected input. `simulated` reverts that, so that the models of Yosys fit;
`cells.v` beside this file models the cells that Yosys lacks.

The PLL becomes a wire: it passes the clock of its pin and is always locked, so a clock of the pin
is a clock of the domain `sync`. The ports of the module `board` are the pins.
"""

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spikeloom.golden.errors import SpikeloomError

Cell = dict[str, Any]
Bit = int | str

TOP = "board"
"""The module of a netlist for simulation, with the ports `clk`, `rx` and `tx`."""

CELLS = Path(__file__).with_name("cells.v")
"""Models of cells that the libraries of Yosys only name."""

LIBRARIES = {
    "ice40": ("ice40/cells_sim.v",),
    "ecp5": ("lattice/common_sim.vh", "lattice/ccu2c_sim.vh"),
}
"""The models of Yosys that complement `CELLS`, in its folder `share`."""

_MODELS = {
    "ICESTORM_LC": "ICE40_LOGIC_CELL",
    "ICESTORM_DSP": "SB_MAC16",
    "ICESTORM_RAM": "SB_RAM40_4K",
    "ICESTORM_SPRAM": "SB_SPRAM256KA",
    "TRELLIS_COMB": "ECP5_LUT",
    "DP16KD": "ECP5_RAM",
    "MULT18X18D": "ECP5_MULTIPLIER",
}
"""The model of each kind of cell."""

_WITH_BUSES = {"ICESTORM_DSP", "ICESTORM_RAM", "ICESTORM_SPRAM", "DP16KD", "MULT18X18D"}
"""Cells with a port for each bit of a bus, whose models have buses."""

_PULLED_UP = {
    "ICESTORM_LC": {"CEN"},
    "ICESTORM_DSP": {"CE"},
    "ICESTORM_RAM": {"RCLKE", "WCLKE"},
    "TRELLIS_COMB": {"A", "B", "C", "D"},
    "TRELLIS_FF": {"CE"},
}
"""Inputs that are 1 when unconnected; others are 0."""

_NEGATED = {"NEG_CLK_R": "RCLK", "NEG_CLK_W": "WCLK"}
"""Settings of iCE40 block RAM that invert an input."""

_BUFFERS = {
    "SB_GB": ("USER_SIGNAL_TO_GLOBAL_BUFFER", "GLOBAL_BUFFER_OUTPUT"),
    "DCCA": ("CLKI", "CLKO"),
}
"""Input and output of the buffers that drive clock nets."""

_PLLS = {"SB_PLL40_PAD", "SB_PLL40_CORE", "ICESTORM_PLL", "EHXPLLL"}
_PLL_CLOCKS = {"PLLOUTGLOBAL", "PLLOUT_A", "PLLOUT_A_GLOBAL", "CLKOP"}

_PADS = {
    "SB_IO": ("PACKAGE_PIN", "D_IN_0", "D_OUT_0"),
    "SB_GB_IO": ("PACKAGE_PIN", "GLOBAL_BUFFER_OUTPUT", "D_OUT_0"),
    "TRELLIS_IO": ("B", "O", "I"),
}
"""Pin, input from it, and output to it; one of the two is connected."""

_DIRECTIONS = {"clk": "input", "rx": "input", "tx": "output"}


def simulated(netlist: str, pins: Mapping[str, str]) -> str:
    """The netlist (JSON of Yosys) in cells that `LIBRARIES` and `CELLS` model.

    Parameters
    ----------
    netlist
        JSON from Yosys or nextpnr, with the module `top`.
    pins
        Its ports for "clk", "rx" and "tx". Other ports are dropped.

    Raises
    ------
    SpikeloomError
        A cell is used in a way that no model covers.
    """
    module = json.loads(netlist)["modules"]["top"]
    ports = {name: module["ports"][port]["bits"] for name, port in pins.items()}
    used = [bit for net in module["netnames"].values() for bit in net["bits"]]
    numbers = itertools.count(1 + max(bit for bit in used if isinstance(bit, int)))
    cells: dict[str, Cell] = {}
    for name, cell in module["cells"].items():
        for number, modelled in enumerate(_modelled(name, cell, ports["clk"][0], numbers)):
            cells[f"{name}${number}"] = modelled
    result = {
        "attributes": {"top": "1"},
        "ports": {
            name: {"direction": direction, "bits": ports[name]}
            for name, direction in _DIRECTIONS.items()
        },
        "cells": cells,
        "netnames": {},
    }
    return json.dumps({"modules": {TOP: result}})


def _modelled(name: str, cell: Cell, clock: Bit, numbers: Iterator[int]) -> Iterator[Cell]:
    """The cells that model a cell. `clock` is the net of the pin, `numbers` number new nets."""
    kind = cell["type"]
    connected = {port: bits[0] for port, bits in cell["connections"].items() if bits}
    if kind in _PLLS:
        for port, bit in connected.items():
            if port in _PLL_CLOCKS:
                yield _gate("WIRE", clock, bit)
            elif port == "LOCK":
                yield _gate("WIRE", "1", bit)
    elif kind in _PADS:
        if {"INPUT_CLK", "OUTPUT_CLK"} & set(connected):
            raise SpikeloomError(f"{name}: there is no model of a pin with a register")
        pin, inward, outward = map(connected.get, _PADS[kind])
        if pin is not None and inward is not None:
            yield _gate("WIRE", pin, inward)
        elif pin is not None and outward is not None:
            yield _gate("WIRE", outward, pin)
    elif kind in _BUFFERS:
        source, sink = map(connected.get, _BUFFERS[kind])
        # A buffer without input is driven by the PLL, over a wire missing in the netlist.
        assert sink is not None
        yield _gate("WIRE", clock if source is None else source, sink)
    elif kind == "$scopeinfo" or cell["parameters"].get("MODE") == "RAMW_BLOCK":
        pass  # no logic
    elif all(len(bits) <= 1 for bits in cell["connections"].values()):
        yield from _library_cell(name, cell, numbers)
    else:
        yield cell  # from synthesis, already in the form of the library


def _library_cell(name: str, cell: Cell, numbers: Iterator[int]) -> Iterator[Cell]:
    """The cell with every input connected, buses joined, and no settings of inputs."""
    kind = cell["type"]
    directions = cell["port_directions"]
    # nextpnr appends a space to texts that look like numbers.
    settings = {setting: value.rstrip() for setting, value in cell["parameters"].items()}
    inverted = {port for setting, port in _NEGATED.items() if settings.pop(setting, "0") == "1"}
    ports: dict[str, Bit] = {}
    for port, bits in cell["connections"].items():
        mode = settings.pop(f"{port}MUX", port)
        if bits and mode not in ("0", "1"):
            ports[port] = bits[0]
            if mode == "INV":
                inverted.add(port)
        elif directions[port] == "output":
            ports[port] = next(numbers)
        elif mode in ("0", "1"):
            ports[port] = mode
        elif kind == "DP16KD" and f"{port}MUX" in cell["parameters"]:
            ports[port] = "0" if mode == "INV" else "1"
        else:
            ports[port] = "1" if port in _PULLED_UP.get(kind, ()) else "0"
    if kind == "TRELLIS_FF":
        ports.setdefault("CE", settings.get("CEMUX", "1"))
        settings["CEMUX"] = "CE"  # the model defaults to 1
        if settings.pop("SD", "1") == "0":
            ports["DI"] = ports["M"]
    for port in inverted:
        bit = next(numbers)
        yield _gate("INVERTER", ports[port], bit)
        ports[port] = bit
    if kind == "TRELLIS_COMB" and cell["connections"].get("OFX"):
        raise SpikeloomError(f"{name}: there is no model of LUTs joined into a wide one")
    if kind == "DP16KD":
        settings = _ram_settings(name, settings)
    elif kind == "MULT18X18D":
        if any(value != "NONE" for setting, value in settings.items() if setting[:3] == "REG"):
            raise SpikeloomError(f"{name}: there is no model of a multiplier with registers")
        settings = {}
    buses = _buses(ports) if kind in _WITH_BUSES else {port: [bit] for port, bit in ports.items()}
    yield {
        "type": _MODELS.get(kind, kind),
        "parameters": settings,
        "attributes": {},
        "port_directions": {bus: directions.get(bus, "input") for bus in buses},
        "connections": buses,
    }


def _buses(ports: Mapping[str, Bit]) -> dict[str, list[Bit]]:
    """Joins ports such as A0, A1 or A_0, A_1 into buses."""
    buses: dict[str, dict[int, Bit]] = {}
    for port, bit in ports.items():
        match = re.fullmatch(r"(.*?)_?(\d+)", port)
        bus, index = (match[1], int(match[2])) if match else (port, 0)
        buses.setdefault(bus, {})[index] = bit
    return {
        bus: [bits.get(index, "0") for index in range(max(bits) + 1)] for bus, bits in buses.items()
    }


def _ram_settings(name: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Settings for the model of ECP5 block RAM, whose contents are one number of 1024 x 18 bits."""
    if any(settings.get(f"REGMODE_{port}", "NOREG") != "NOREG" for port in "AB"):
        raise SpikeloomError(f"{name}: there is no model of a block RAM with output registers")
    rows = []
    for number in range(64):
        # 16 rows of 18 bits, each in a field of 20.
        text = settings.get(f"INITVAL_{number:02X}", "").rjust(320, "0")
        rows += [text[320 - 20 * row - 18 : 320 - 20 * row] for row in range(16)]
    kept = ("DATA_WIDTH_A", "DATA_WIDTH_B", "WRITEMODE_A", "WRITEMODE_B")
    return {
        **{setting: settings[setting] for setting in kept if setting in settings},
        "INIT": "".join(reversed(rows)),
    }


def _gate(kind: str, source: Bit, sink: Bit) -> Cell:
    """A cell with one input and one output, each one bit."""
    return {
        "type": kind,
        "parameters": {},
        "attributes": {},
        "port_directions": {"I": "input", "O": "output"},
        "connections": {"I": [source], "O": [sink]},
    }
