"""Boards built with real tools and tiny fabrics; their netlists against the design."""

import json
import math
import random
import zlib
from pathlib import Path

import pytest
from cobs import cobs

from bench import core
from spikeloom.boards.clocking import HOLD_US
from spikeloom.boards.flow.bitstream import Build, build
from spikeloom.boards.flow.netlist import simulated
from spikeloom.boards.flow.simulation import simulation
from spikeloom.boards.flow.synthesis import synthesise
from spikeloom.boards.registry import board
from spikeloom.boards.tools import WHEELS
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.fabric_with_link import FabricWithLink
from spikeloom.sim import toolchain
from spikeloom.sim.verilog import generate

TINY = FabricConfig(
    lanes=2,
    neurons=8,
    weight_words=64,
    slots=2,
    axons=32,
    populations=2,
    connections=2,
    targets=4,
    queue=8,
    counter_bits=16,
)
CLOCKS = {"icebreaker": 16.5, "ulx3s_12f": 25.0}
BAUD = 4_000_000

BENCH = """\
module bench(input clk, input rst, input rx, output expected, output synthesised, output routed);
  linked linked(.clk(clk), .rst(rst), .rx(rx), .tx(expected));
  board_synthesised board_synthesised(.clk(clk), .rx(rx), .tx(synthesised));
  board_routed board_routed(.clk(clk), .rx(rx), .tx(routed));
endmodule
"""

# The line is driven bit by bit; both netlists are compared with the design on every clock.
MAIN = """\
#include "Vbench.h"
#include <cstdio>
#include <fstream>
int main(int, char **arguments) {
  Vbench bench;
  std::ifstream line(arguments[1]);
  long clocks = 0, differences = 0, falls = 0;
  int before = 1;
  for (char bit; line.get(bit);)
    for (int n = 0; n < CLOCKS_PER_BIT; n++, clocks++) {
      bench.rst = clocks < RESET;
      bench.rx = bit - '0';
      bench.clk = 0; bench.eval();
      bench.clk = 1; bench.eval();
      differences += bench.expected != bench.synthesised || bench.expected != bench.routed;
      falls += before && !bench.expected;
      before = bench.expected;
    }
  std::printf("%ld %ld %ld\\n", clocks, differences, falls);
}
"""


def check_build(built: Build) -> None:
    assert built.report["fmax_mhz"]["best"] >= built.report["clock_mhz"]
    used = built.report["resources"]
    assert 0 < used["logic_cells"]["used"] < used["logic_cells"]["available"]
    assert used["bram"]["used"] > 0
    assert used["ff"]["used"] > 100
    # Both formats begin with a comment or a magic number, and the synchronising word follows.
    magic = b"\x7e\xaa\x99\x7e" if built.design.board.family.name == "ice40" else b"\xbd\xb3"
    assert magic in built.bitstream[:400]
    assert "module top" in built.verilog


@pytest.mark.soak
def test_a_gowin_board_is_built() -> None:
    """To its bitstream, lines of bits; there are no models with which to simulate its netlist."""
    built = build(board("tang_nano_9k"), TINY, clock_mhz=27, baud=3_000_000, seeds=[1])
    assert built.report["fmax_mhz"]["best"] >= built.report["clock_mhz"]
    assert built.report["resources"]["bram"]["used"] > 0
    lines = built.bitstream.split()
    assert lines[2] == f"{0xA5C3:b}".encode()  # the word that bits of a GW1N begin with
    assert f"{0x1100481B:032b}".encode() in lines[3]  # the part's own number
    assert len(lines) > 500


def line(seed: int) -> str:
    """Bits of a line: a session with an identity, counters and loads, and damaged frames."""
    chance = random.Random(seed)
    words = [bytes([1, 0, 0]), bytes([1, 1, 1])]
    for number in range(2, 30):
        load = bytes([2, 0, 0, chance.randrange(8), 0, 0, *chance.choices(range(256), k=4)])
        words.append(bytes([1, number]) + chance.choice([b"\5", b"\4\0", load]))
    bits = "1" * 400
    for number, content in enumerate(words):
        frame = cobs.encode(content + zlib.crc32(content).to_bytes(4, "little")) + b"\0"
        if number % 5 == 4:
            frame = frame[:3] + bytes([frame[3] ^ 1]) + frame[4:] + frame
        bits += "".join("0" + f"{byte:08b}"[::-1] + "1" for byte in frame)
        # The identity is the longest reply.
        bits += "1" * (2000 if number < 2 else chance.randrange(300))
    return bits


@pytest.mark.soak
@pytest.mark.parametrize("name", ["icebreaker", "ulx3s_12f"])
def test_a_board_is_built_and_answers_as_the_design_does(name: str, tmp_path: Path) -> None:
    """The output pin is equal on every clock: design, after synthesis, after routing."""
    seed = 1
    print(f"seed {seed}")
    built = build(board(name), TINY, clock_mhz=CLOCKS[name], baud=BAUD, seeds=[1])
    check_build(built)
    design = built.design
    synthesised = synthesise(design, WHEELS)
    routed = built.placed.netlist()
    sources = {
        "linked.v": generate("Linked fabric", TINY, FabricWithLink(TINY, design.link), "linked"),
        "bench.v": BENCH,
    }
    for stage, text in {"synthesised": synthesised, "routed": routed}.items():
        verilog = simulation(design, text, WHEELS)
        # Each model occurs once.
        models, _, rest = verilog.partition("module board(")
        sources["models.v"] = models
        sources[f"{stage}.v"] = f"module board_{stage}(" + rest
    for file, text in sources.items():
        (tmp_path / file).write_text(text)
    files = [str(tmp_path / file) for file in sources]
    hold = math.ceil(HOLD_US * design.clock_mhz)
    driver = MAIN.replace("CLOCKS_PER_BIT", str(design.link.clocks_per_bit))
    (tmp_path / "main.cpp").write_text(driver.replace("RESET", str(hold + 2)))
    work = tmp_path / "work"
    toolchain.verilator(
        *("--cc", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-timing"),
        *("-Wno-fatal", "-Wno-lint", "-Wno-style", "-Wno-MULTIDRIVEN"),
        *("--top-module", "bench", "--Mdir", str(work), *files),
    )
    include = toolchain.verilator_root() / "include"
    runtime = [include / "verilated.cpp", include / "verilated_threads.cpp"]
    units = [tmp_path / "main.cpp", *sorted(work.glob("V*.cpp")), *runtime]
    toolchain.run(
        [
            *(*toolchain.compiler(), "-std=c++17", "-O0", "-w", "-pthread", "-I", str(work)),
            *("-I", str(include), "-I", str(include / "vltstd"), "-DVERILATOR=1"),
            *("-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0", "-DVM_TRACE=0", "-DVM_TRACE_FST=0"),
            *("-DVM_TRACE_VCD=0", "-DVM_TRACE_SAIF=0", *map(str, units)),
            *("-o", str(tmp_path / "bench")),
        ]
    )
    (tmp_path / "line").write_text(line(seed))
    output = toolchain.run([str(tmp_path / "bench"), str(tmp_path / "line")])
    clocks, differences, falls = map(int, output.split())
    assert clocks > 30_000
    assert falls > 500, "the board never spoke"
    assert differences == 0


@pytest.mark.soak
@pytest.mark.parametrize("option", ["input_gain", "refractory"])
def test_every_tile_is_synthesised(option: str) -> None:
    """ABC9 once joined two bits of the weights of the first tile, and crashed on the other one."""
    assert core.tile_cells("ecp5_6", **{option: True}) > 1900


def cell(kind: str, **connections: list[int]) -> str:
    """A netlist of one cell that drives `tx`."""
    ports = {"clk": [2], "rx": [3], "tx": [4]}
    directions = {name: "output" if bits == [4] else "input" for name, bits in connections.items()}
    module = {
        "ports": {name: {"direction": "input", "bits": bits} for name, bits in ports.items()},
        "cells": {
            "odd": {
                "type": kind,
                "parameters": {"REG_INPUTA_CLK": "CLK0", "REGMODE_A": "OUTREG"},
                "attributes": {},
                "port_directions": directions,
                "connections": connections,
            }
        },
        "netnames": {"n": {"bits": [2, 3, 4]}},
    }
    return json.dumps({"modules": {"top": module}})


@pytest.mark.parametrize(
    ("kind", "connections", "what"),
    [
        ("SB_IO", {"PACKAGE_PIN": [4], "D_OUT_0": [3], "OUTPUT_CLK": [2]}, "pin with a register"),
        ("TRELLIS_COMB", {"OFX": [4], "A": [3]}, "joined into a wide one"),
        ("MULT18X18D", {"P0": [4], "A0": [3]}, "multiplier with registers"),
        ("DP16KD", {"DOA0": [4], "ADA0": [3]}, "block RAM with output registers"),
    ],
)
def test_what_no_model_covers_is_refused(
    kind: str, connections: dict[str, list[int]], what: str
) -> None:
    with pytest.raises(SpikeloomError, match=f"odd: there is no model of .*{what}"):
        simulated(cell(kind, **connections), {name: name for name in ("clk", "rx", "tx")})
