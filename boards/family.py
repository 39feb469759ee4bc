"""Families of parts: the commands of their tools and the names of their resources."""

from collections.abc import Mapping
from dataclasses import dataclass

from spikeloom.golden.spec import LoadTarget


@dataclass(frozen=True)
class Family:
    """A family of parts that one set of tools builds for.

    Parameters
    ----------
    name
        "ice40", "ecp5" or "gowin".
    synthesis
        Command of Yosys.
    placer
        The nextpnr of the family.
    pins
        Its option for the file with the pins.
    result
        Its option for the packer's input, if that is not the routed netlist.
    packer
        The program that writes the file `bitstream`, with its arguments.
    bitstream
        Suffix of the bitstream.
    cells
        For each resource in a report, the cells after synthesis (by prefix) that count as it.
    sites
        For each resource in a report, the name under which nextpnr counts used and available sites.
    baked
        The memories whose contents a bitstream can hold.
    """

    name: str
    synthesis: str
    placer: str
    pins: tuple[str, ...]
    result: tuple[str, ...]
    packer: tuple[str, ...]
    bitstream: str
    cells: Mapping[str, tuple[str, ...]]
    sites: Mapping[str, str]
    baked: frozenset[LoadTarget]


_LOADED = "CONTROL", "NOISE", "RANDOM", "RULE", "TERM", "CURVE", "LEARN"
_MEMORIES = frozenset(target for target in LoadTarget if target.name not in _LOADED)
"""Noise and learning rules are loaded: the host writes registers of them in every run anyway."""

_ICE40_CELLS = {"lut": ("SB_LUT4",), "ff": ("SB_DFF",), "carry": ("SB_CARRY",)}
_ICE40_SITES = {"logic_cells": "ICESTORM_LC", "bram": "ICESTORM_RAM"}

UP5K = Family(
    "ice40",
    "synth_ice40 -dsp -spram -abc9 -device u",
    "nextpnr-ice40",
    ("--pcf", "top.pcf"),
    ("--asc", "result.asc"),
    ("icepack", "result.asc", "bitstream"),
    ".bin",
    _ICE40_CELLS,
    {**_ICE40_SITES, "spram": "ICESTORM_SPRAM", "dsp": "ICESTORM_DSP"},
    _MEMORIES - {LoadTarget.WEIGHT},
)
"""iCE40 UltraPlus: block RAM of 4 kbit, multipliers, and four single-port RAMs of 256 kbit for the
weights, which have no initial contents."""

HX = Family(
    "ice40",
    "synth_ice40 -abc9 -device hx",
    "nextpnr-ice40",
    ("--pcf", "top.pcf"),
    ("--asc", "result.asc"),
    ("icepack", "result.asc", "bitstream"),
    ".bin",
    _ICE40_CELLS,
    _ICE40_SITES,
    _MEMORIES,
)
"""iCE40 HX: block RAM of 4 kbit."""

# Without -nowidelut Yosys builds wide functions from pairs of LUTs and multiplexers, which takes
# more LUTs and keeps the router busy.
ECP5 = Family(
    "ecp5",
    "synth_ecp5 -nowidelut -abc9",
    "nextpnr-ecp5",
    ("--lpf", "top.lpf"),
    ("--textcfg", "result.config"),
    ("ecppack", "--compress", "--input", "result.config", "--bit", "bitstream"),
    ".bit",
    {"lut": ("LUT4",), "ff": ("TRELLIS_FF",), "carry": ("CCU2C",), "lutram": ("TRELLIS_DPR16X4",)},
    {
        "logic_cells": "TRELLIS_COMB",
        "lutram": "TRELLIS_RAMW",
        "bram": "DP16KD",
        "dsp": "MULT18X18D",
    },
    _MEMORIES,
)
"""ECP5: block RAM of 18 kbit, RAM in LUTs, multipliers."""

GOWIN = Family(
    "gowin",
    "synth_gowin",
    "nextpnr-himbaechel-gowin",
    ("--vopt", "cst=top.cst"),
    (),
    ("gowin_pack", "-d", "GW1N-9C", "-o", "bitstream", "routed.json"),
    ".fs",
    {"lut": ("LUT",), "ff": ("DFF",), "carry": ("ALU",), "lutram": ("RAM16S",)},
    {"logic_cells": "LUT4", "lutram": "RAM16SDP4", "bram": "BSRAM", "dsp": "MULT18X18"},
    frozenset(),
)
"""Gowin LittleBee: block RAM of 18 kbit, RAM in LUTs, of which the packer does not write the
contents, multipliers."""
